"""What has to happen, said once more and simply: which slots come, which are run, which are told as missed.

It sees what the daemon can see (when it looked at the clock, how its runs ended, which configuration it was given), and
computes slots by :mod:`naive_calendar`. The rules, from docs and design:

- A slot comes when the wall clock is seen at or past it, the schedule was in force before it, and no later slot of the
  schedule is done with already: a clock that is set back repeats nothing.
- Of several that have come the newest is run, if it is not older than grace, and stands for the others; else all are
  told as missed, and are done with.
- A slot that has come goes on after a restart while its time for trying lasts, however old it is; grace is asked once.
- A slot is done with when its run has ended in a way that another try would not change, or the time for trying is over.
- A configuration takes effect between two runs; a schedule that is new or changed counts from then.
- A newest slot that lies more than a day ahead of the clock was written under a wrong clock and is forgotten.
- One run at a time, the oldest slot first, then what somebody asked for.
"""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cpimportd.daemon.attempts import RunCommand
from tests.support.simulation.hearing import Told
from tests.support.simulation.judging import WITHOUT_A_WORD, Trying, status, wait
from tests.support.simulation.observed import Entry, Instant
from tests.support.simulation.punctuality import Punctuality
from tests.support.simulation.runs import Over
from tests.support.simulation.scene import Configured, Scheduled

NEVER = datetime.min.replace(tzinfo=UTC)
A_DAY = timedelta(days=1)
ON_TIME = timedelta(minutes=1)
COUNTED = 1000
"""More missed slots than this need not be counted."""


class Model:
    """Follows one state folder through all lives of its daemons.

    Args:
        punctuality: is told of every look.
    """

    def __init__(self, punctuality: Punctuality) -> None:
        self.punctuality = punctuality
        self.books: dict[str, Entry] = {}
        self.fates: dict[tuple[str, datetime], str] = {}
        self.asked = 0
        self.stopping = False
        self._configured: Configured | None = None
        self._trying: dict[str, Trying] = {}
        self._running: tuple[RunCommand, Trying | None] | None = None
        self._pending: Configured | None = None
        self._unsaved = False
        self._told: list[Told] = []
        self._changed = False

    # A life.

    def begin(self, configured: Configured, books: dict[str, Entry]) -> None:
        """A daemon starts with what was kept."""
        for name, slot in list(self.fates) if books != self.books else ():  # what was not kept comes again
            kept = books.get(name)
            if kept is None or kept.mark is None or slot > kept.mark:
                del self.fates[name, slot]
        self.books = books
        self._configured = None
        self._pending = configured
        self._trying, self._running, self._unsaved = {}, None, False
        self.stopping, self.asked = False, 0
        self.punctuality.begin()
        self._told, self._changed = [], False

    @property
    def running(self) -> RunCommand | None:
        """The run under way."""
        return self._running[0] if self._running else None

    # An instant.

    def settle(self, instant: Instant, monotonic: float) -> None:
        """Compare what happened at an instant with what has to happen."""
        wall = instant.wall or NEVER
        self._told, self._changed = [], False
        expected: RunCommand | None = None
        if instant.accepted is not None:
            self._told.append(Told("reloaded"))
            self._pending = instant.accepted
        if instant.refused:
            self._told.append(Told("config-refused"))
        if instant.over is not None:
            assert instant.looked, f"the daemon did not look when its run was over: {instant.over}"
            self._conclude(instant.over, wall, monotonic)
        if instant.looked:
            self.punctuality.has_not_overslept(monotonic)
            if self._pending is not None and self._running is None:
                self._enforce(self._pending, wall)
                self._pending = None
            self._look(wall, monotonic)
            expected = self._start(wall, monotonic)
        self._compare(instant, expected)
        if instant.failed:
            self.punctuality.could_not_save(monotonic)
        if instant.looked:
            self.punctuality.looked(wall, monotonic, running=self._running is not None, unsaved=self._unsaved)

    def _compare(self, instant: Instant, expected: RunCommand | None) -> None:
        if instant.failed and not self._unsaved:
            self._told.append(Told("state-unsaved"))
            self._unsaved = True
        elif instant.saved and self._unsaved:
            self._told.append(Told("state-saved"))
            self._unsaved = False
        due, heard = _normal(self._told), _normal(instant.told)
        assert due == heard, f"expected {sorted(due - heard, key=repr)}, but heard {sorted(heard - due, key=repr)}"
        launched = [_plain(order) for order in instant.launched]
        wanted = [_plain(expected)] if expected is not None else []
        assert launched == wanted, f"expected to be started: {wanted}, but started: {launched}"
        assert not self._changed or instant.saved or instant.failed, "something changed and was not saved"

    # Between runs.

    def _enforce(self, configured: Configured, wall: datetime) -> None:
        self._configured = configured
        self._changed = True
        for name in [name for name in self._trying if configured.of(name) is None]:
            self._told.append(Told("slot-given-up", name, self._trying[name].slot))
            self._fate(name, self._trying.pop(name).slot, "given up")
        books = dict(self.books)
        for name, entry in self.books.items():
            if configured.of(name) is None:
                self._drop(name, entry, wall)
                books[name] = replace(entry, rule=None, started=None)
        for one in configured.schedules:
            entry = books.get(one.name)
            if entry is None:
                books[one.name] = Entry(one.rule, configured.zone, wall)
            elif (entry.rule, entry.zone) != (one.rule, configured.zone):
                self._drop(one.name, entry, wall)
                books[one.name] = replace(entry, rule=one.rule, zone=configured.zone, since=wall)
        self.books = books

    def _drop(self, name: str, entry: Entry, wall: datetime) -> None:
        """Slots that have come, but were not looked at before their schedule was changed."""
        assert self._configured is not None
        goes_on = entry.started if self._configured.of(name) else None
        waiting = self._trying.get(name)
        for slot in entry.come(wall):
            if (
                slot != goes_on
                and (waiting is None or slot != waiting.slot)
                and self.fates.get((name, slot)) != "given up"
            ):
                self._fate(name, slot, "dropped")

    # The clock.

    def _look(self, wall: datetime, monotonic: float) -> None:
        assert self._configured is not None
        self._disbelieve(wall)
        busy = self.running.schedule if self.running else None
        for one in self._configured.schedules:
            if one.name != busy:
                self._look_at(one, wall, monotonic)

    def _disbelieve(self, wall: datetime) -> None:
        for name, entry in self.books.items():
            if entry.started is not None and entry.started - wall > A_DAY:
                self.books = {**self.books, name: replace(entry, started=None)}
                self._changed = True
        for name, entry in self.books.items():
            if entry.mark is not None and entry.mark - wall > A_DAY:
                self._told.append(Told("state-future", name))
                self.books = {**self.books, name: replace(entry, mark=None, since=wall)}
                self._changed = True
                for known, slot in list(self.fates):
                    if known == name and slot > wall:
                        del self.fates[known, slot]
            elif entry.since > wall:
                self.books = {**self.books, name: replace(entry, since=wall)}
                self._changed = True

    def _look_at(self, one: Scheduled, wall: datetime, monotonic: float) -> None:
        self._resume(one, wall, monotonic)
        entry, waiting = self.books[one.name], self._trying.get(one.name)
        come = entry.come(wall)
        if not come and waiting is None and entry.started is not None:
            come = [entry.started]  # a newer one was missed for good, and nothing goes on any more
        if not come or (waiting is not None and come[-1] <= waiting.slot):
            return
        newest = come[-1]
        others = [slot for slot in come[:-1] if waiting is None or slot != waiting.slot]
        if (
            newest > entry.after
            and newest != entry.started
            and wall - newest <= (one.grace if one.catch_up else min(one.grace, ON_TIME))
        ):
            self._told.append(Told("slot-due", one.name, newest, len(others)))
            if waiting is not None and waiting.slot <= entry.after:
                self._fate(one.name, waiting.slot, "stood for")
            self._trying[one.name] = Trying(newest, monotonic, monotonic, entry.upload)
            self.books = {**self.books, one.name: replace(entry, started=newest)}
            self._changed = True
            self.punctuality.noticed(newest, wall)
        else:
            self._told.append(Told("misfired", one.name, newest, len(others) + 1))
            for slot in (*others, newest):
                self._fate(one.name, slot, "missed")
            self._mark(one.name, newest)
            if waiting is None:
                self.books = {**self.books, one.name: replace(self.books[one.name], started=None)}

    def _resume(self, one: Scheduled, wall: datetime, monotonic: float) -> None:
        assert self._configured is not None
        entry, configured = self.books[one.name], self._configured
        trying = max(one.grace, one.wait_for_upload, configured.retry_within, configured.run_time_limit)
        if one.name in self._trying or entry.started is None or wall - entry.started > trying:
            return
        self._told.append(Told("slot-due", one.name, entry.started, 0))
        self._trying[one.name] = Trying(entry.started, monotonic, monotonic, entry.upload)

    def _start(self, wall: datetime, monotonic: float) -> RunCommand | None:
        assert self._configured is not None
        if self._running is not None or self.stopping:
            return None
        ready = [(one.slot, name) for name, one in self._trying.items() if one.next <= monotonic]
        if ready:
            name = min(ready)[1]
            one, trying = self._configured.of(name), self._trying[name]
            assert one is not None
            trying.first = trying.first if trying.runs else monotonic
            trying.runs += 1
            waits = wall < trying.slot + one.wait_for_upload
            left = self._configured.retry_within - timedelta(seconds=monotonic - trying.first)
            doubled = self._configured.wait_first * 2 ** min(trying.runs - 1, 30)
            again = max(left - min(doubled, self._configured.wait_longest), timedelta(0))
            known = trying.upload if one.wait_for_upload else None
            since = trying.upload if waits else None
            order = RunCommand(name, trying.slot, (), since, max(left, timedelta(0)), again, known)
            self._running = (order, trying)
            return order
        if self.asked:
            self.asked = 0
            self._running = (RunCommand(), None)
            return RunCommand()
        return None

    # A run is over.

    def _conclude(self, over: Over, wall: datetime, monotonic: float) -> None:
        assert self._running is not None
        (order, trying), self._running = self._running, None
        if self.stopping and over.happened in WITHOUT_A_WORD:
            return
        self._changed = True
        if trying is None or order.schedule is None or order.slot is None:
            return
        assert self._configured is not None
        pause = wait(over, order.schedule, trying, self._configured, wall, monotonic)
        if pause is not None:
            trying.next = monotonic + pause
            self._told.append(Told("retry", order.schedule, order.slot))
            return
        how = status(over, order.schedule, trying, self._configured)
        self._told.append(Told("slot-done", order.schedule, order.slot, how))
        self._done(order.schedule, order.slot, over.upload, how)

    def _done(self, name: str, slot: datetime, upload: datetime | None, how: str) -> None:
        entry = self.books[name]
        for older in entry.come(slot):
            if older != slot:
                self._fate(name, older, "stood for")
        self._fate(name, slot, how)
        self._trying.pop(name)
        self.books = {**self.books, name: replace(entry, upload=upload or entry.upload, started=None)}
        self._mark(name, slot)

    def _mark(self, name: str, slot: datetime) -> None:
        entry = self.books[name]
        mark = slot if entry.mark is None else max(entry.mark, slot)
        self.books = {**self.books, name: replace(entry, mark=mark)}
        self._changed = True

    def _fate(self, name: str, slot: datetime, fate: str) -> None:
        before = self.fates.get((name, slot))
        assert before in {None, "dropped"}, f"{name} {slot} was {before} already, and is {fate} now"
        self.fates[name, slot] = fate


def _normal(told: list[Told]) -> Counter[Told]:
    """Counts beyond what has to be counted are as good as each other."""
    return Counter(
        replace(one, detail=min(one.detail, COUNTED - 1)) if isinstance(one.detail, int) else one for one in told
    )


def _plain(order: RunCommand) -> tuple[object, ...]:
    within = None if order.retry_within is None else round(order.retry_within.total_seconds())
    return order.schedule, order.slot, order.uploaded_after, within
