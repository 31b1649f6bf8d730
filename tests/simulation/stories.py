"""Stories: lists of events that happen to a daemon, a configuration, and outcomes of runs; written down, drawn, played."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat

from hypothesis import strategies as st

from tests.simulation.naive_calendar import Rule, daily
from tests.simulation.scene import PUBLISHED, Configured, Outcome, Scheduled, Way
from tests.simulation.world import World

STOPPED, KILLED, ORPHANED, POWER_CUT = "stopped", "killed", "killed, and its run lives on", "killed, and a save is lost"


@dataclass(frozen=True)
class Wait:
    """Nothing happens for so long."""

    length: timedelta

    def play(self, world: World) -> None:
        world.pass_time(self.length)


@dataclass(frozen=True)
class WaitForSlot:
    """Nothing happens until so long after the next slot, or before it."""

    offset: timedelta

    def play(self, world: World) -> None:
        world.pass_until_slot(self.offset)


@dataclass(frozen=True)
class ClockSet:
    """The wall clock is put forward or back."""

    by: timedelta

    def play(self, world: World) -> None:
        world.step(self.by)


@dataclass(frozen=True)
class Suspended:
    """The machine sleeps: the wall clock goes on, the monotonic clock does not."""

    length: timedelta

    def play(self, world: World) -> None:
        world.step(self.length, "the machine was suspended")


@dataclass(frozen=True)
class Outage:
    """The daemon ends in some way, and is started again after a while."""

    how: str
    length: timedelta
    state_lost: bool = False

    def play(self, world: World) -> None:
        if self.how == STOPPED:
            world.stop()
        else:
            world.kill(orphan=self.how == ORPHANED, power_cut=self.how == POWER_CUT)
        world.pass_time(self.length)
        if self.state_lost:
            world.lose_state()
        world.start()


@dataclass(frozen=True)
class Edited:
    """The configuration is edited, and read at once or at the next start."""

    schedules: tuple[Scheduled, ...]
    zone: str
    reload: bool = True

    def play(self, world: World) -> None:
        world.configure(replace(world.configured, schedules=self.schedules, zone=self.zone), reload=self.reload)


@dataclass(frozen=True)
class Refused:
    """A wrong configuration is read."""

    def play(self, world: World) -> None:
        world.reload_refused()


@dataclass(frozen=True)
class Triggered:
    """Somebody asks for a run."""

    def play(self, world: World) -> None:
        world.trigger()


@dataclass(frozen=True)
class Disk:
    """The state disk begins to fail, or works again."""

    fails: bool

    def play(self, world: World) -> None:
        world.disk_fails(self.fails)


Event = Wait | WaitForSlot | ClockSet | Suspended | Outage | Edited | Refused | Triggered | Disk


@dataclass(frozen=True)
class Story:
    """Everything that a play needs; its text can be pasted into a test."""

    begins: datetime
    configured: Configured
    outcomes: tuple[Outcome, ...]
    events: tuple[Event, ...]
    afterwards: Outcome = PUBLISHED
    slice_: int = 1200


class StoryError(AssertionError):
    """Something happened that must not, or did not happen; tells the last lines of the story's diary."""


def play(story: Story) -> World:
    """Play a story to its end, and two days more in which nothing happens, then stop the daemon in order.

    Args:
        story: what happens.

    Raises:
        StoryError: the daemon did something else than the model.
    """
    outcomes = chain(story.outcomes, repeat(story.afterwards))
    world = World(story.begins, story.configured, outcomes, slice_=story.slice_)
    with world.open():
        try:
            world.start()
            for event in story.events:
                event.play(world)
            world.disk_fails(False)
            world.pass_time(timedelta(days=2))
            world.stop()
            world.look_back()
        except AssertionError as error:
            raise StoryError(f"{error}\n" + "\n".join(world.diary)) from error
    return world


def minutes(least: int, most: int) -> st.SearchStrategy[timedelta]:
    return st.integers(least, most).map(lambda number: timedelta(minutes=number))


def hours(least: int, most: int) -> st.SearchStrategy[timedelta]:
    return st.integers(least, most).map(lambda number: timedelta(hours=number))


ZONES = ("UTC", "Europe/Moscow", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu")
RULES: tuple[Rule, ...] = (
    daily("06:00"),
    daily("05:00"),
    daily("07:15"),
    daily("02:30"),
    daily("00:30", "02:15"),
    daily("06:00", "18:30"),
    daily(*(f"{hour:02}:00" for hour in range(0, 24, 3))),
    daily(*(f"{hour:02}:20" for hour in range(24))),
    daily("06:00", weekdays=(0, 6)),
    daily("07:15", "07:45", weekdays=(0, 1, 2, 3, 4)),
)
BEGINNINGS = (
    datetime(2026, 3, 27, 12, tzinfo=UTC),  # Berlin
    datetime(2026, 10, 23, 12, tzinfo=UTC),
    datetime(2011, 3, 25, 12, tzinfo=UTC),  # Moscow, Berlin
    datetime(2014, 10, 24, 12, tzinfo=UTC),
    datetime(2018, 11, 2, 12, tzinfo=UTC),  # Sao Paulo
    datetime(2026, 4, 3, 12, tzinfo=UTC),  # Lord Howe
    datetime(2027, 12, 30, 23, 59, tzinfo=UTC),
)
GRACES = (timedelta(minutes=45), timedelta(hours=1), timedelta(hours=5), timedelta(hours=26))

zones = st.sampled_from(ZONES)
lengths = st.one_of(minutes(1, 12), minutes(1, 90), hours(1, 12), hours(1, 30))
outages = st.one_of(minutes(0, 90), hours(1, 30), hours(48, 200))


@st.composite
def several_schedules(draw: st.DrawFn) -> tuple[Scheduled, ...]:
    names = draw(st.sampled_from([("import",), ("import",), ("import", "weekly"), ("weekly",), ()]))
    return tuple(
        Scheduled(
            name,
            draw(st.sampled_from(RULES)),
            draw(st.sampled_from(GRACES)),
            draw(st.sampled_from([True, True, True, False])),
            draw(st.sampled_from([timedelta(0), timedelta(0), timedelta(minutes=50), timedelta(hours=3)])),
        )
        for name in names
    )


configurations = st.builds(
    Configured,
    zone=zones,
    schedules=several_schedules().filter(bool),
    retry_within=st.sampled_from([timedelta(0), timedelta(minutes=20), timedelta(hours=1), timedelta(hours=4)]),
)
some_outcomes = st.lists(
    st.builds(Outcome, st.sampled_from(list(Way)), st.sampled_from([1, 3, 40, 400, 1500])), max_size=8
).map(tuple)

_far = st.sampled_from([timedelta(days=days) for days in (2, 3, 9, 40, 400)])
set_by = st.one_of(minutes(-90, 90), hours(-30, 30), _far, _far.map(lambda by: -by)).filter(bool)

events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Wait, lengths),
    st.builds(WaitForSlot, st.one_of(minutes(0, 5), minutes(-5, 70))),
    st.builds(ClockSet, set_by),
    st.builds(Suspended, lengths),
    st.builds(Outage, st.sampled_from([STOPPED, KILLED, ORPHANED, POWER_CUT]), outages),
    st.builds(Outage, st.sampled_from([STOPPED, KILLED]), outages, st.just(True)),
    st.builds(Edited, several_schedules(), zones, st.sampled_from([True, True, False])),
    st.builds(Refused),
    st.builds(Triggered),
    st.builds(Disk, st.booleans()),
)
stories = st.builds(
    Story,
    begins=st.sampled_from(BEGINNINGS),
    configured=configurations,
    outcomes=some_outcomes,
    events=st.lists(events, min_size=1, max_size=20).map(tuple),
    afterwards=st.one_of(
        st.just(PUBLISHED),
        st.builds(Outcome, st.sampled_from([Way.PASSING, Way.NOT_UPLOADED, Way.PUBLISHED]), st.sampled_from([3, 1500])),
    ),
    slice_=st.sampled_from([600, 1800, 2700]),
)
