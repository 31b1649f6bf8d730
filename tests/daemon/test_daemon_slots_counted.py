"""Slots that were missed, and those that another one stands for, are counted for whoever watches."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cpimportd.daemon.plan import Plan
from cpimportd.daemon.slots import Slots
from cpimportd.timetable.memory import Memory, PlannedSchedule

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def slots() -> Slots:
    schedule = PlannedSchedule("import", "*-*-* 06:00:00 UTC", ZoneInfo("Europe/Moscow"), HOUR)
    plan = Plan(
        "here", Path("/copy"), Path("/state"), Path("/run"), "Europe/Moscow", (schedule,),
        retry_within=timedelta(minutes=20), wait_first=timedelta(seconds=2), wait_longest=timedelta(minutes=2),
        look_again=timedelta(minutes=5), run_time_limit=2 * HOUR, stale_after=36 * HOUR,
    )  # fmt: skip
    found = Slots(Memory())
    found.apply_plan(plan, START)
    return found


def test_a_slot_in_time_counts_as_neither(slots):
    slots.check_clock(datetime(2026, 11, 21, 6, tzinfo=UTC), 0.0, None)
    assert (slots.misfired["import"], slots.coalesced["import"]) == (0, 0)


def test_slots_missed_for_good_misfired_and_each_counts_once(slots):
    for hour in (12, 13):
        slots.check_clock(datetime(2026, 11, 23, hour, tzinfo=UTC), 0.0, None)
    assert (slots.misfired["import"], slots.coalesced["import"]) == (3, 0)


def test_older_slots_are_coalesced_into_the_one_that_is_made_up_for(slots):
    slots.check_clock(datetime(2026, 11, 23, 6, 30, tzinfo=UTC), 0.0, None)
    assert (slots.misfired["import"], slots.coalesced["import"]) == (0, 2)


def test_a_slot_that_still_waits_is_coalesced_into_the_next(slots):
    slots.check_clock(datetime(2026, 11, 21, 6, tzinfo=UTC), 0.0, None)
    slots.started("import", 0.0)
    slots.check_clock(datetime(2026, 11, 22, 6, tzinfo=UTC), 86400.0, None)
    assert slots.coalesced["import"] == 1
