"""A restart while a slot is under way: grace is not asked again, the time for trying bounds it."""

import pytest

from tests.support.simulation.naive_calendar import daily
from tests.support.simulation.scene import PUBLISHED, Outcome, Scheduled, Way
from tests.support.simulation.shortly import AT_SIX, DAY, HOUR, HOURLY, MINUTE, TO_THE_END, heard, imported, story
from tests.support.simulation.stories import KILLED, STOPPED, Edited, Outage, Wait, WaitForSlot


@pytest.mark.parametrize("catch_up", [True, False])
@pytest.mark.parametrize("how", [STOPPED, KILLED])
def test_a_restart_while_an_upload_is_waited_for_goes_on_waiting_though_grace_is_over(how, catch_up):
    world = story(
        WaitForSlot(MINUTE), Wait(DAY + 2 * HOUR), Outage(how, MINUTE), Wait(6 * HOUR),
        wait_for_upload=6 * HOUR, outcomes=[PUBLISHED] + [Outcome(Way.NOT_UPLOADED, 9)] * 18, catch_up=catch_up,
    )  # fmt: skip
    assert imported(world)[:2] == ["03-02 06:00", "03-03 06:00"]
    assert not heard(world, "misfired")


def test_a_restart_during_tries_that_outlast_grace_goes_on_trying():
    world = story(
        WaitForSlot(MINUTE), Wait(3 * HOUR), Outage(KILLED, MINUTE), Wait(2 * HOUR),
        outcomes=[Outcome(Way.PASSING)] * 16, retry_within=5 * HOUR,
    )  # fmt: skip
    assert imported(world)[0] == "03-02 06:00"


def test_a_slot_that_was_started_is_missed_for_good_when_its_time_for_trying_is_over():
    world = story(
        WaitForSlot(MINUTE), Outage(STOPPED, 3 * HOUR), TO_THE_END, outcomes=[Outcome(Way.PUBLISHED, 400)],
        wait_for_upload=2 * HOUR,
    )  # fmt: skip
    assert heard(world, "misfired") == [("03-02 06:00", 1)]
    assert imported(world)[0] == "03-03 06:00"


def test_a_slot_that_was_started_goes_on_as_the_next_one_where_that_came_in_the_outage():
    world = story(
        WaitForSlot(MINUTE), Outage(STOPPED, 65 * MINUTE), Wait(HOUR), rule=HOURLY, wait_for_upload=5 * HOUR,
        outcomes=[Outcome(Way.PUBLISHED, 400)],
    )  # fmt: skip
    assert imported(world)[0] == "03-01 14:00"
    assert not heard(world, "misfired")


def test_a_slot_that_was_started_goes_on_though_a_newer_one_was_missed_for_good():
    world = story(
        WaitForSlot(MINUTE), Outage(STOPPED, 70 * MINUTE), Wait(20 * MINUTE), rule=daily("06:00", "07:00"),
        grace=5 * MINUTE, wait_for_upload=5 * HOUR, outcomes=[Outcome(Way.PUBLISHED, 400)],
    )  # fmt: skip
    assert heard(world, "misfired") == [("03-02 07:00", 1)]
    assert imported(world)[0] == "03-02 06:00"


def test_a_schedule_that_is_switched_off_in_an_outage_has_its_slot_given_up():
    other, again = (Scheduled("weekly", daily("09:00")),), (Scheduled("import", AT_SIX),)
    world = story(
        WaitForSlot(MINUTE), Edited(other, "UTC", reload=False), Outage(STOPPED, MINUTE), Edited(again, "UTC"),
        TO_THE_END, outcomes=[Outcome(Way.PUBLISHED, 400)],
    )  # fmt: skip
    assert "03-02 06:00" not in imported(world)
