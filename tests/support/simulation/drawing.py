"""Stories as hypothesis draws them: anything may happen at any time, and much of it near a slot."""

from datetime import UTC, datetime, timedelta
from itertools import chain

from hypothesis import strategies as st

from tests.support.simulation.naive_calendar import Rule, daily
from tests.support.simulation.scene import PUBLISHED, Configured, Outcome, Scheduled, Way
from tests.support.simulation.stories import (
    KILLED,
    ORPHANED,
    POWER_CUT,
    STOPPED,
    ClockSet,
    Disk,
    Edited,
    Event,
    Outage,
    Refused,
    Story,
    Suspended,
    Triggered,
    Wait,
    WaitForSlot,
)


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
            draw(st.sampled_from([timedelta(0), timedelta(0), timedelta(minutes=50), timedelta(hours=26)])),
        )
        for name in names
    )


configurations = st.builds(
    Configured,
    zone=zones,
    schedules=several_schedules().filter(bool),
    retry_within=st.sampled_from([timedelta(0), timedelta(minutes=20), timedelta(hours=4), timedelta(hours=30)]),
)
some_outcomes = st.lists(
    st.builds(Outcome, st.sampled_from(list(Way)), st.sampled_from([1, 3, 40, 400, 1500])), max_size=8
).map(tuple)

_far = st.sampled_from([timedelta(days=days) for days in (2, 3, 9, 40, 400)])
set_by = st.one_of(minutes(-90, 90), hours(-30, 30), _far, _far.map(lambda by: -by)).filter(bool)


outage = st.one_of(
    st.builds(Outage, st.sampled_from([STOPPED, KILLED, ORPHANED, POWER_CUT]), outages),
    st.builds(Outage, st.sampled_from([STOPPED, KILLED]), outages, st.just(True)),
)
edited = st.builds(Edited, several_schedules(), zones, st.sampled_from([True, True, False]))
happenings: st.SearchStrategy[Event] = st.one_of(
    st.builds(ClockSet, set_by), st.builds(Suspended, lengths), outage, edited, st.builds(Refused), st.builds(Triggered)
)  # fmt: skip

near_a_slot = st.tuples(st.builds(WaitForSlot, st.one_of(minutes(0, 5), minutes(-5, 70))), happenings)
on_a_bad_disk = st.tuples(
    st.just(Disk(fails=True)), st.builds(WaitForSlot, minutes(0, 5)), happenings, st.just(Disk(fails=False))
)
scenes: st.SearchStrategy[tuple[Event, ...]] = st.one_of(
    st.builds(Wait, lengths).map(lambda event: (event,)), happenings.map(lambda event: (event,)), near_a_slot, near_a_slot,
    on_a_bad_disk,
)  # fmt: skip

stories = st.builds(
    Story,
    begins=st.sampled_from(BEGINNINGS),
    configured=configurations,
    outcomes=some_outcomes,
    events=st.lists(scenes, min_size=1, max_size=12).map(lambda several: tuple(chain.from_iterable(several))),
    afterwards=st.one_of(
        st.just(PUBLISHED),
        st.builds(Outcome, st.sampled_from([Way.PASSING, Way.NOT_UPLOADED, Way.PUBLISHED]), st.sampled_from([3, 1500])),
    ),
    longest_sleep=st.sampled_from([600, 1800, 2700]),
)
