"""What comes of a slot whose run, or whose daemon, does not end well; and what people and a bad disk can do."""

import pytest

from tests.support.simulation.naive_calendar import daily
from tests.support.simulation.scene import PUBLISHED, Outcome, Scheduled, Way
from tests.support.simulation.shortly import AT_SIX, DAY, HOUR, HOURLY, MINUTE, TO_THE_END, heard, imported, runs, story
from tests.support.simulation.stories import (
    KILLED,
    ORPHANED,
    POWER_CUT,
    STOPPED,
    ClockSet,
    Disk,
    Edited,
    Outage,
    Refused,
    StoryError,
    Suspended,
    Triggered,
    Wait,
    WaitForSlot,
)

# Dying.


def test_a_daemon_that_is_killed_halfway_does_the_slot_again():
    world = story(WaitForSlot(MINUTE), Outage(KILLED, MINUTE), TO_THE_END, outcomes=[Outcome(Way.PUBLISHED, 400)])
    assert runs(world)[:2] == [("03-02 06:00", "lost"), ("03-02 06:00", "published")]


def test_a_run_that_outlives_its_daemon_is_not_repeated():
    world = story(WaitForSlot(MINUTE), Outage(ORPHANED, MINUTE), TO_THE_END, outcomes=[Outcome(Way.PUBLISHED, 400)])
    happened = [how for slot, how in runs(world) if slot == "03-02 06:00"]
    assert happened[0] == "lost"
    assert set(happened[1:-1]) == {"under way"}
    assert happened[-1] == "done before"
    assert imported(world)[0] == "03-02 06:00"


def test_a_run_that_is_killed_after_commit_is_not_repeated():
    world = story(TO_THE_END, outcomes=[Outcome(Way.CRASHED_AFTER_COMMIT)])
    assert runs(world)[:2] == [("03-02 06:00", "is killed after COMMIT"), ("03-02 06:00", "done before")]


@pytest.mark.parametrize("outage", [Outage(POWER_CUT, MINUTE), Outage(KILLED, MINUTE, state_lost=True)])
def test_a_lost_memory_does_nothing_twice(outage):
    world = story(WaitForSlot(MINUTE), outage, TO_THE_END)
    assert imported(world) == ["03-02 06:00", "03-03 06:00", "03-04 06:00", "03-05 06:00"]
    assert {how for _, how in runs(world)} <= {"published", "done before"}


def test_a_stop_before_commit_leaves_the_slot_due():
    world = story(WaitForSlot(MINUTE), Outage(STOPPED, MINUTE), TO_THE_END, outcomes=[Outcome(Way.PUBLISHED, 400)])
    assert runs(world)[:2] == [("03-02 06:00", "stopped"), ("03-02 06:00", "published")]


def test_a_stop_after_commit_lets_the_run_finish():
    world = story(WaitForSlot(MINUTE), Outage(STOPPED, MINUTE), TO_THE_END, outcomes=[Outcome(Way.COMMITTING, 400)])
    assert runs(world)[:2] == [("03-02 06:00", "published"), ("03-03 06:00", "published")]


def test_a_run_that_does_not_heed_a_stop_is_killed_at_last():
    world = story(WaitForSlot(MINUTE), Outage(STOPPED, MINUTE), TO_THE_END, outcomes=[Outcome(Way.DEAF)])
    assert runs(world)[:2] == [("03-02 06:00", "killed"), ("03-02 06:00", "published")]


# Trying again.


def test_a_passing_fault_is_tried_again_with_longer_and_longer_waits():
    world = story(TO_THE_END, outcomes=[Outcome(Way.PASSING)] * 3)
    waits = [round(b.monotonic - (a.ended or 0)) for a, b in zip(world.launches[:3], world.launches[1:4], strict=True)]
    assert waits == [60, 120, 240]
    assert runs(world)[3] == ("03-02 06:00", "published")


def test_a_passing_fault_that_does_not_pass_is_given_up_after_the_time_for_trying():
    world = story(TO_THE_END, afterwards=Outcome(Way.PASSING))
    mine = [run for run in world.launches if f"{run.order.slot:%m-%d}" == "03-02"]
    assert mine[-1].monotonic - mine[0].monotonic <= HOUR.total_seconds()
    assert heard(world, "slot-done")[0] == ("03-02 06:00", "failed")


def test_the_time_for_trying_counts_from_the_first_run_and_not_from_a_wait_for_another_one():
    world = story(
        WaitForSlot(-MINUTE), Triggered(), Wait(3 * HOUR),
        outcomes=[Outcome(Way.PUBLISHED, 1600), Outcome(Way.PASSING)], retry_within=20 * MINUTE,
    )  # fmt: skip
    assert runs(world)[:3] == [
        ("asked for", "published"), ("03-02 06:00", "fails in passing"), ("03-02 06:00", "published")
    ]  # fmt: skip
    assert world.launches[1].order.retry_within == 20 * MINUTE


def test_a_slot_that_still_waits_when_the_next_one_comes_goes_on_as_that_one():
    world = story(Wait(HOUR), rule=HOURLY, outcomes=[Outcome(Way.PASSING)] * 9, retry_within=4 * HOUR)
    assert heard(world, "slot-due")[1] == ("03-01 14:00", 0)
    assert "03-01 13:00" not in imported(world)


def test_a_slot_that_waits_is_never_counted_as_missed():
    world = story(
        WaitForSlot(2 * MINUTE), Suspended(90 * MINUTE), Wait(11 * MINUTE), Suspended(105 * MINUTE), Wait(5 * MINUTE),
        rule=HOURLY, grace=10 * MINUTE, afterwards=Outcome(Way.PASSING), retry_within=4 * HOUR,
    )  # fmt: skip
    assert heard(world, "misfired")[:2] == [("03-01 14:00", 1), ("03-01 16:00", 2)]


def test_a_schedule_that_is_edited_while_its_slot_waits_counts_what_is_missed_by_the_new_one():
    edited = (Scheduled("import", daily("06:20"), 10 * MINUTE),)
    world = story(
        WaitForSlot(2 * MINUTE), Edited(edited, "UTC"), Suspended(30 * MINUTE), Wait(15 * MINUTE),
        grace=10 * MINUTE, afterwards=Outcome(Way.PASSING), retry_within=4 * HOUR,
    )  # fmt: skip
    assert heard(world, "misfired")[0] == ("03-02 06:20", 1)


# Waiting for 1C.


def test_an_upload_is_waited_for_and_its_absence_told():
    world = story(
        Wait(DAY), outcomes=[PUBLISHED], afterwards=Outcome(Way.NOT_UPLOADED, 9), wait_for_upload=2 * HOUR
    )  # fmt: skip
    assert heard(world, "slot-done")[:2] == [("03-02 06:00", "published"), ("03-03 06:00", "no-upload")]
    assert world.launches[2].monotonic - world.launches[1].monotonic == pytest.approx(609.11)
    last = [run for run in world.launches if f"{run.order.slot:%m-%d}" == "03-03"][-1]
    assert last.order.uploaded_after is None
    assert f"{last.at:%H:%M}" == "08:00"


def test_an_upload_whose_time_runs_out_during_a_run_is_told_as_absent_too():
    world = story(
        Wait(DAY), outcomes=[PUBLISHED], afterwards=Outcome(Way.NOT_UPLOADED, 1500), wait_for_upload=3 * HOUR
    )  # fmt: skip
    assert heard(world, "slot-done")[1] == ("03-03 06:00", "no-upload")


# People.


def test_an_earlier_time_of_the_day_runs_nothing_for_today():
    edited = (Scheduled("import", daily("07:15")),)
    world = story(WaitForSlot(3 * HOUR), Edited(edited, "UTC"), TO_THE_END)
    assert imported(world)[:2] == ["03-02 06:00", "03-03 07:15"]


def test_a_schedule_that_is_edited_during_a_run_takes_effect_after_it():
    edited = (Scheduled("import", daily("06:03")),)
    world = story(WaitForSlot(MINUTE), Edited(edited, "UTC"), TO_THE_END, outcomes=[Outcome(Way.PUBLISHED, 400)])
    assert imported(world)[:2] == ["03-02 06:00", "03-03 06:03"]


def test_a_schedule_that_is_removed_while_its_slot_waits_gives_the_slot_up():
    other = (Scheduled("weekly", daily("09:00")),)
    world = story(WaitForSlot(2 * MINUTE), Edited(other, "UTC"), TO_THE_END, outcomes=[Outcome(Way.PASSING)] * 2)
    assert heard(world, "slot-given-up") == [("03-02 06:00", 0)]
    assert imported(world)[0] == "03-02 09:00"


def test_a_wrong_configuration_changes_nothing():
    assert imported(story(Wait(HOUR), Refused(), TO_THE_END))[0] == "03-02 06:00"


def test_two_schedules_at_the_same_time_run_one_after_the_other():
    both = (Scheduled("import", AT_SIX), Scheduled("weekly", AT_SIX))
    world = story(Edited(both, "UTC"), TO_THE_END, outcomes=[Outcome(Way.PUBLISHED, 400)])
    first, second = world.launches[:2]
    assert (first.order.schedule, second.order.schedule) == ("import", "weekly")
    assert first.ended is not None
    assert second.monotonic == pytest.approx(first.ended)


def test_a_slot_that_waits_for_another_run_until_the_next_one_comes_goes_on_as_that_one():
    both = (Scheduled("import", AT_SIX), Scheduled("weekly", daily("06:00", "06:10")))
    world = story(Edited(both, "UTC"), TO_THE_END, outcomes=[Outcome(Way.PUBLISHED, 900)])
    slots = [f"{run.order.slot:%H:%M}" for run in world.launches if run.order.schedule == "weekly"]
    assert slots[0] == "06:10"


def test_however_often_a_run_is_asked_for_during_one_there_is_one_more():
    world = story(
        Triggered(), Wait(MINUTE), Triggered(), Triggered(), Wait(HOUR), outcomes=[Outcome(Way.PUBLISHED, 400)]
    )  # fmt: skip
    assert [slot for slot, _ in runs(world)][:3] == ["asked for", "asked for", "03-02 06:00"]


def test_old_files_are_removed_once_a_day():
    world = story(Wait(5 * DAY))
    assert world.pruned == 7 - 1


# The disk.


def test_a_disk_that_fails_is_told_once_and_written_to_again_when_it_works():
    world = story(Wait(HOUR), Disk(True), Wait(2 * DAY), Disk(False), Wait(HOUR), Outage(KILLED, MINUTE), TO_THE_END)
    assert len(heard(world, "state-unsaved")) == len(heard(world, "state-saved")) == 1
    assert not [how for _, how in runs(world) if how == "done before"]


def test_a_disk_that_works_again_is_written_to_though_the_clock_was_set_back():
    world = story(
        Disk(True), WaitForSlot(30 * MINUTE), ClockSet(-12 * HOUR), Wait(MINUTE), Disk(False), Wait(HOUR), TO_THE_END
    )  # fmt: skip
    assert len(heard(world, "state-saved")) == 1


def test_a_daemon_that_dies_with_a_failing_disk_asks_the_database():
    world = story(Disk(True), WaitForSlot(MINUTE), Disk(False), Outage(KILLED, MINUTE), TO_THE_END)
    assert runs(world)[:2] == [("03-02 06:00", "published"), ("03-02 06:00", "done before")]


# The proof itself.


def test_a_story_that_goes_wrong_is_told_with_its_diary(monkeypatch):
    monkeypatch.setattr("cpimportd.daemon.slots.Slots.done", lambda *_: None)
    with pytest.raises(StoryError, match="slot 2026-03-02 06:00 UTC of import is due"):
        story(TO_THE_END)
