"""What is true of any story, whatever the model thinks: looked up afterwards in what the world saw.

In a time in which nothing happens to the daemon, a slot that lies later than everything that its clock ever showed is
started once, on the second; and one that the clock jumped over by less than grace is started soon after the jump.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from cpimportd.daemon.attempts import RunCommand
from tests.support.simulation.naive_calendar import between, following
from tests.support.simulation.runs import Over
from tests.support.simulation.scene import Configured, Scheduled, Way

ONE_RUN = timedelta(minutes=31)
"""The longest that any run takes, stopped by force."""

HAPPY = frozenset({Way.PUBLISHED, Way.UNCHANGED, Way.PARTIAL, Way.HELD})
A_SECOND = timedelta(seconds=1)


@dataclass
class Launched:
    """A run, and how it ended; None where nobody saw that."""

    order: RunCommand
    at: datetime
    monotonic: float
    over: Over | None = None
    ended: float | None = None


@dataclass
class Quiet:
    """A span in which a daemon lived and nothing happened to it.

    Attributes:
        begins: what the wall clock showed.
        monotonic: what the monotonic clock showed then.
        ends: by the wall clock.
        loaded: the configuration that the daemon was given last.
        high: the latest that the wall clock showed before.
        intact: whether the daemon, or the disk, remembers the span before.
    """

    begins: datetime
    monotonic: float
    ends: datetime
    loaded: Configured
    high: datetime
    intact: bool


def audit(spans: list[Quiet], launches: list[Launched], longest_sleep: timedelta) -> int:
    """Assert it; for how many slots it was asserted."""
    _once(launches)
    first: dict[tuple[str | None, datetime | None], int] = {}
    for number, run in enumerate(launches):
        first.setdefault((run.order.schedule, run.order.slot), number)
    asserted = 0
    for before, span in zip([None, *spans[:-1]], spans, strict=True):
        for one in span.loaded.schedules:
            for slot, known, by in (*_natural(one, span, longest_sleep), *_jumped(one, span, before, longest_sleep)):
                number = first.get((one.name, slot))
                if number is None and _overtaken(one, slot, span, launches):
                    continue
                assert number is not None, f"slot {slot} of {one.name} was never started"
                _started(number, known, by, span, launches)
                asserted += 1
    return asserted


def _natural(one: Scheduled, span: Quiet, longest_sleep: timedelta) -> Iterator[tuple[datetime, datetime, datetime]]:
    """The slots that came by themselves; each with when the daemon can know, and by when it has to."""
    settled = span.begins + max(ONE_RUN, longest_sleep)
    for slot in between(one.rule, span.loaded.zone, max(span.high, settled), span.ends - ONE_RUN * 2):
        yield slot, slot, slot


def _jumped(
    one: Scheduled, span: Quiet, before: Quiet | None, longest_sleep: timedelta
) -> Iterator[tuple[datetime, datetime, datetime]]:
    """The newest slot in the jump between two spans, if it is young enough to be made up for."""
    if before is None or not span.intact or before.loaded != span.loaded or not one.catch_up:
        return
    if before.ends - before.begins < ONE_RUN * 2 or span.ends - span.begins < longest_sleep + ONE_RUN * 2:
        return
    zone, begins = span.loaded.zone, span.begins
    jumped = between(one.rule, zone, max(span.high, before.ends), begins)
    follows = between(one.rule, zone, begins, begins + longest_sleep + ONE_RUN)
    if jumped and not follows and begins + longest_sleep - jumped[-1] <= one.grace - ONE_RUN:
        yield jumped[-1], begins, begins + longest_sleep


def _started(number: int, known: datetime, by: datetime, span: Quiet, launches: list[Launched]) -> None:
    """A slot's first run was started in time, or right after the runs that were under way when it came."""
    run = launches[number]
    what = f"slot {run.order.slot} of {run.order.schedule} was started at {run.at}"
    assert run.order.slot is not None
    assert run.at >= run.order.slot, what
    before_it = takewhile(lambda other: _ended(other, span) >= known, reversed(launches[max(0, number - 50) : number]))
    assert run.at - by <= A_SECOND + ONE_RUN * sum(1 for _ in before_it), what


def _overtaken(one: Scheduled, slot: datetime, span: Quiet, launches: list[Launched]) -> bool:
    """Whether other runs held a slot up until it was late, or until the next one came and took its place."""
    free = slot
    for run in launches:
        if run.at <= free + A_SECOND and _ended(run, span) > free:
            free = _ended(run, span)
    return free > slot and (not one.catch_up or free >= following(one.rule, span.loaded.zone, slot))


def _ended(run: Launched, span: Quiet) -> datetime:
    """When a run was over, by the span's clock; one that nobody saw the end of holds up nobody."""
    return span.begins + timedelta(seconds=(run.monotonic if run.ended is None else run.ended) - span.monotonic)


def _once(launches: list[Launched]) -> None:
    """No slot comes to a happy end twice, whatever happened."""
    happy: set[tuple[str | None, datetime]] = set()
    for run in launches:
        if run.order.slot is not None and run.over is not None and run.over.happened in HAPPY:
            slot = (run.order.schedule, run.order.slot)
            assert slot not in happy, f"{slot} was imported twice"
            happy.add(slot)
