"""Which slots are run: while the daemon lives, after it was away, and when somebody sets the clock."""

from datetime import UTC, datetime

import pytest

from cpimportd.daemon import service
from tests.support.faults.table import Chapter
from tests.support.simulation.naive_calendar import daily
from tests.support.simulation.scene import Configured, Scheduled
from tests.support.simulation.shortly import AT_SIX, BEGINS, DAY, HOUR, MINUTE, TO_THE_END, heard, imported, runs, story
from tests.support.simulation.stories import (
    KILLED,
    STOPPED,
    ClockSet,
    Outage,
    Suspended,
    Wait,
    WaitForSlot,
)
from tests.support.simulation.world import World

# Being there.


def test_the_first_start_ever_imports_nothing_by_surprise():
    world = story(begins=datetime(2026, 3, 1, 6, 10, tzinfo=UTC))
    assert runs(world) == [("03-02 06:00", "published"), ("03-03 06:00", "published")]


def test_a_slot_is_run_on_the_second_by_the_slices_that_are_in_use():
    configured = Configured("UTC", (Scheduled("import", AT_SIX),))
    world = World(BEGINS, configured, longest_sleep=service.LONGEST_SLEEP, busy_slice=service.BUSY_SLEEP)
    with world.open():
        world.start()
        world.pass_time(DAY)
        world.stop()
    assert [(run.at - run.order.slot).total_seconds() for run in world.launches] == [0]


@pytest.mark.parametrize(
    ("zone", "rule", "day", "slots"),
    [
        ("Europe/Moscow", "06:00", "2011-03-26", ["03-27 02:00", "03-28 02:00"]),
        ("Europe/Moscow", "06:00", "2014-10-25", ["10-26 03:00", "10-27 03:00"]),
        ("Europe/Moscow", "01:30", "2014-10-25", ["10-25 21:30", "10-26 22:30"]),
        ("Europe/Berlin", "02:30", "2026-03-28", ["03-30 00:30"]),
        ("Europe/Berlin", "02:30", "2026-10-24", ["10-25 00:30", "10-26 01:30"]),
        ("America/Sao_Paulo", "00:30", "2018-11-03", ["11-05 02:30"]),
        ("Australia/Lord_Howe", "02:15", "2026-10-03", ["10-04 15:15"]),
    ],
)
def test_a_local_time_that_a_day_skips_or_repeats_is_run_never_or_once(zone, rule, day, slots):
    world = story(zone=zone, rule=daily(rule), begins=datetime.fromisoformat(f"{day}T12:00Z"))
    assert imported(world) == slots


# Not being there.


@pytest.mark.parametrize("how", [STOPPED, KILLED])
def test_a_slot_in_an_outage_is_made_up_for_within_grace(how):
    world = story(WaitForSlot(-MINUTE), Outage(how, 50 * MINUTE), TO_THE_END)
    assert world.launches[0].at == datetime(2026, 3, 2, 6, 49, 0, world.launches[0].at.microsecond, UTC)
    assert imported(world)[0] == "03-02 06:00"
    assert not heard(world, "misfired")


def test_a_slot_in_a_longer_outage_is_told_as_missed_and_not_run():
    world = story(WaitForSlot(-MINUTE), Outage(STOPPED, 62 * MINUTE), TO_THE_END)
    assert heard(world, "misfired") == [("03-02 06:00", 1)]
    assert "03-02 06:00" not in imported(world)


def test_several_missed_slots_become_one_run_for_the_newest():
    world = story(WaitForSlot(-MINUTE), Outage(STOPPED, 3 * DAY + 2 * MINUTE), TO_THE_END)
    assert heard(world, "slot-due")[0] == ("03-05 06:00", 3)
    assert runs(world)[0] == ("03-05 06:00", "published")


def test_without_catch_up_nothing_is_made_up_for():
    world = story(WaitForSlot(-MINUTE), Outage(STOPPED, 3 * MINUTE), Wait(2 * HOUR), TO_THE_END, catch_up=False)
    assert heard(world, "misfired") == [("03-02 06:00", 1)]
    assert imported(world)[0] == "03-03 06:00"


@pytest.mark.parametrize(("asleep", "told"), [(40 * MINUTE, []), (90 * MINUTE, [("03-02 06:00", 1)])])
def test_a_slot_that_a_suspended_machine_slept_through_is_made_up_for_within_grace(asleep, told, faults):
    world = story(WaitForSlot(-MINUTE), Suspended(asleep), TO_THE_END)
    assert heard(world, "misfired") == told
    assert ("03-02 06:00" in imported(world)) == (not told)
    longer = "longer than grace" if told else "within grace"
    faults.tell(
        Chapter.MACHINE,
        f"machine suspended at the time of a slot, {longer}",
        "`misfired`, and no run" if told else "started late when it wakes",
    )


# Clocks.


@pytest.mark.parametrize("back", [10 * MINUTE, 5 * HOUR, 23 * HOUR])
def test_a_clock_that_is_set_back_repeats_nothing(back, faults):
    world = story(WaitForSlot(5 * MINUTE), ClockSet(-back), Wait(2 * DAY))
    assert runs(world)[:2] == [("03-02 06:00", "published"), ("03-03 06:00", "published")]
    faults.tell(Chapter.MACHINE, "clock set back by less than a day after a slot", "no slot runs again, none is lost")


def test_a_clock_that_is_set_back_by_days_imports_nothing_twice(faults):
    world = story(Wait(3 * DAY), ClockSet(-3 * DAY), Wait(3 * DAY))
    assert [how for _, how in runs(world)].count("done before") == 3
    assert len(heard(world, "state-future")) == 1
    assert imported(world) == ["03-02 06:00", "03-03 06:00", "03-04 06:00", "03-05 06:00", "03-06 06:00"]
    faults.tell(
        Chapter.MACHINE,
        "clock set back by days",
        "`state-future` once; the database knows the slots done before, each once",
    )


def test_a_clock_that_ran_years_ahead_for_a_while_costs_no_slot_of_the_days_after(faults):
    world = story(Wait(HOUR), ClockSet(4000 * DAY), Wait(HOUR), ClockSet(-4000 * DAY), TO_THE_END)
    assert imported(world)[0] == "03-02 06:00"
    faults.tell(Chapter.MACHINE, "clock years ahead for an hour", "no slot of the days after is lost")


def test_a_slot_that_was_missed_while_the_clock_was_wrong_is_told_and_not_run(faults):
    world = story(WaitForSlot(-HOUR), ClockSet(3 * HOUR), Wait(HOUR), ClockSet(-3 * HOUR), TO_THE_END)
    assert heard(world, "misfired") == [("03-02 06:00", 1)]
    assert imported(world)[0] == "03-03 06:00"
    faults.tell(Chapter.MACHINE, "clock ahead by more than grace when a slot should come", "`misfired`, and no run")
