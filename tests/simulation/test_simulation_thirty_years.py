"""Thirty years of a daily import in zones whose clocks were changed often, with a machine that is not always well.

Outages, kills, suspends, clocks that are wrong and put right, edited schedules, a disk that fails for days: drawn from a
seed, so that each run of the test is the same. The model looks at every instant; in the end the slots are counted.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import repeat
from random import Random
from unittest import mock

import pytest

from cpimportd.daemon import supervisor
from tests.support.simulation.naive_calendar import Rule, between, daily
from tests.support.simulation.scene import Configured, Outcome, Scheduled, Way
from tests.support.simulation.stories import (
    KILLED,
    ORPHANED,
    POWER_CUT,
    STOPPED,
    ClockSet,
    Disk,
    Edited,
    Outage,
    Suspended,
    Triggered,
)
from tests.support.simulation.world import World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
YEARS = 30
LONGEST_SLEEP = 20 * HOUR
GRACE = 30 * HOUR
HAPPY = frozenset({"published", "held", "done-elsewhere"})

SUN_MON_THU = (0, 3, 6)
"""Clocks are changed on Sundays; five times every day would only take longer."""

ZONES = {
    "Europe/Moscow": (2010, daily("06:00")),
    "Europe/Berlin": (2008, daily("02:30", weekdays=SUN_MON_THU)),
    "America/Sao_Paulo": (2000, daily("00:30", weekdays=SUN_MON_THU)),
    "Australia/Lord_Howe": (2005, daily("02:15", weekdays=SUN_MON_THU)),
    "UTC": (2020, daily("06:00", weekdays=SUN_MON_THU)),
}


def lives(*_: object) -> str:
    return "lives"


def outcome(random: Random) -> Outcome:
    way = random.choices(
        [Way.PUBLISHED, Way.HELD, Way.PASSING, Way.CRASHED, Way.CRASHED_AFTER_COMMIT, Way.FAILING, Way.HANGS],
        [90, 2, 4, 2, 1, 1, 0.3],
    )[0]
    return Outcome(way, random.choice([2, 9, 70]))


def mishap(random: Random, rule: Rule, zone: str) -> tuple[object, ...]:
    """What happens next; a clock that was wrong is put right after a while, by the caller's waiting between."""
    hours = timedelta(minutes=random.randint(1, 40 * 60))
    match random.choices(range(8), [30, 15, 12, 8, 6, 4, 4, 2])[0]:
        case 0:
            return (Outage(random.choice([STOPPED, KILLED, ORPHANED]), hours),)
        case 1:
            return (Outage(random.choice([STOPPED, KILLED]), random.randint(2, 20) * DAY),)
        case 2:
            return (Suspended(hours),)
        case 3:
            wrong = random.choice([1, -1]) * timedelta(minutes=random.randint(1, 600))
            return (ClockSet(wrong), ClockSet(-wrong))
        case 4:
            return (Disk(True), Outage(random.choice([STOPPED, KILLED]), hours / 10), Disk(False))
        case 5:
            return (Outage(POWER_CUT, hours),)
        case 6:
            return (Triggered(),)
        case _:
            later = replace(rule, times=tuple(at.replace(hour=at.hour + 1) for at in rule.times))
            return (Edited(schedules(later), zone), Edited(schedules(rule), zone))


def schedules(rule: Rule) -> tuple[Scheduled, ...]:
    return (Scheduled("import", rule, GRACE),)


def live(world: World, random: Random, rule: Rule, zone: str, until: datetime) -> list[tuple[datetime, datetime]]:
    """Let the years go by; returns the spans in which another rule was in force."""
    others: list[tuple[datetime, datetime]] = []
    world.start()
    while world.clocks.wall < until:
        world.pass_time(timedelta(minutes=random.randint(60, 40 * 24 * 60)))
        begins = world.clocks.wall
        happening = mishap(random, rule, zone)
        for event in happening:
            event.play(world)
            world.pass_time(timedelta(minutes=random.randint(1, 2000)))
        if any(isinstance(event, Edited) for event in happening):
            others.append((begins, world.clocks.wall))
    world.stop()
    return others


@pytest.mark.parametrize("zone", ZONES)
def test_thirty_years(zone: str):
    begins, rule = ZONES[zone]
    random = Random(zone)
    start = datetime(begins, 1, 1, 12, tzinfo=UTC)
    until = start.replace(year=begins + YEARS)
    runs = (outcome(random) for _ in repeat(None))
    world = World(
        start, Configured(zone, schedules(rule)), runs, longest_sleep=LONGEST_SLEEP.total_seconds(), busy_slice=120
    )
    # The status line is as dear as all the rest of a turn; the stories have it.
    with world.open(), mock.patch.object(supervisor, "status_line", lives):
        try:
            others = live(world, random, rule, zone, until)
            asserted = world.look_back()
        except AssertionError as error:
            raise AssertionError(f"{error}\n" + "\n".join(world.diary)) from error

    slots = set(between(rule, zone, start, world.clocks.wall))
    fates = {slot: fate for (_, slot), fate in world.model.fates.items()}
    lost = slots - fates.keys()
    assert all(any(begins <= slot <= ends for begins, ends in others) for slot in lost), "a slot was lost"
    assert len(slots) > 51 * len(rule.weekdays) * YEARS
    imported = {slot for _, slot in world.database.imports}
    assert max(world.database.imports.values()) == 1, "a slot was imported twice"
    assert {slot for slot, fate in fates.items() if fate in HAPPY} <= imported
    assert len(imported & slots) > 0.8 * len(slots)
    assert asserted > 0.8 * len(slots), "too much happened in these years"
