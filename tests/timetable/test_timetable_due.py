"""Memory and now → what is due: counted from when it was asked for, coalesced, within grace, and never twice."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cpimportd.timetable.memory import (
    Memory,
    PlannedSchedule,
    Remembered,
    drop_future_slots,
    due,
    put_in_force,
    resumable,
    upcoming,
)

MOSCOW = ZoneInfo("Europe/Moscow")
DAILY = PlannedSchedule("import", "*-*-* 06:00:00", MOSCOW, timedelta(hours=1))


def at(text: str) -> datetime:
    """An instant in Moscow."""
    return datetime.fromisoformat(text).replace(tzinfo=MOSCOW).astimezone(UTC)


def since(text: str, last_done: str | None = None) -> Remembered:
    return Remembered(DAILY.at, "Europe/Moscow", at(text), at(last_done) if last_done else None)


def test_the_first_start_owes_nothing():
    memory = put_in_force(Memory(), [DAILY], at("2026-11-24T06:30"))
    assert due(DAILY, memory.of("import"), at("2026-11-24T06:30")) is None
    assert upcoming(DAILY, memory.of("import"), at("2026-11-24T06:30")) == at("2026-11-25T06:00")


@pytest.mark.parametrize(
    ("now", "startable"),
    [("2026-11-24T06:00:00", True), ("2026-11-24T07:00:00", True), ("2026-11-24T07:00:01", False)],
)
def test_a_slot_may_start_until_it_is_as_old_as_grace(now, startable):
    found = due(DAILY, since("2026-11-20T00:00", "2026-11-23T06:00"), at(now))
    assert (found.slot, found.startable, found.missed) == (at("2026-11-24T06:00"), startable, 0)


def test_an_instant_before_it_nothing_is_due():
    assert due(DAILY, since("2026-11-20T00:00", "2026-11-23T06:00"), at("2026-11-24T05:59:59")) is None


def test_missed_slots_are_coalesced_into_the_newest():
    found = due(DAILY, since("2026-11-20T00:00", "2026-11-20T06:00"), at("2026-11-24T06:10"))
    assert (found.slot, found.missed) == (at("2026-11-24T06:00"), 3)


def test_without_catch_up_only_a_slot_on_time_is_started():
    strict = PlannedSchedule("import", DAILY.at, MOSCOW, timedelta(hours=1), catch_up=False)
    remembered = since("2026-11-20T00:00", "2026-11-23T06:00")
    assert due(strict, remembered, at("2026-11-24T06:00:59")).startable
    assert not due(strict, remembered, at("2026-11-24T06:01:01")).startable


@pytest.mark.parametrize("catch_up", [True, False])
def test_a_slot_that_was_started_may_be_resumed_until_its_time_for_trying_is_over(catch_up):
    waiting = PlannedSchedule(
        "import", DAILY.at, MOSCOW, timedelta(hours=1), catch_up, started_grace=timedelta(hours=6)
    )
    memory = Memory({"import": since("2026-11-20T00:00", "2026-11-23T06:00")}).start("import", at("2026-11-24T06:00"))
    for now, found in (("2026-11-24T12:00:00", at("2026-11-24T06:00")), ("2026-11-24T12:00:01", None)):
        assert resumable(waiting, memory.of("import"), at(now)) == found
    assert not due(waiting, memory.of("import"), at("2026-11-24T12:00:01")).startable


def test_a_newer_slot_that_was_missed_for_good_ends_none_that_was_started():
    memory = Memory({"import": since("2026-11-20T00:00")}).start("import", at("2026-11-23T06:00"))
    assert memory.done("import", at("2026-11-24T06:00")).of("import").started == at("2026-11-23T06:00")
    assert memory.done("import", at("2026-11-23T06:00")).of("import").started is None


def test_a_slot_that_was_started_more_than_a_day_ahead_is_forgotten():
    memory = Memory({"import": since("2026-11-20T00:00")}).start("import", at("2030-01-01T06:00"))
    found, wrong = drop_future_slots(memory, at("2026-11-24T05:00"))
    assert (found.of("import").started, wrong) == (None, {})


def test_thirty_years_are_not_listed():
    by_the_second = PlannedSchedule("import", "*-*-* *:*:*", MOSCOW, timedelta(hours=1))
    found = due(by_the_second, since("1996-11-24T06:00"), at("2026-11-24T06:00"))
    assert (found.slot, found.missed) == (at("2026-11-24T06:00"), 1000)


def test_an_edited_expression_counts_from_when_it_was_loaded():
    memory = put_in_force(Memory(), [DAILY], at("2026-11-20T00:00")).done("import", at("2026-11-24T06:00"))
    edited = PlannedSchedule("import", "*-*-* 07:15:00", MOSCOW, timedelta(days=2))
    memory = put_in_force(memory, [edited], at("2026-11-24T09:00"))
    assert due(edited, memory.of("import"), at("2026-11-24T09:00")) is None
    assert due(edited, memory.of("import"), at("2026-11-25T07:15")).slot == at("2026-11-25T07:15")


def test_the_same_expression_loaded_again_changes_nothing():
    memory = put_in_force(Memory(), [DAILY], at("2026-11-20T00:00"))
    assert put_in_force(memory, [DAILY], at("2026-11-24T09:00")) == memory


def test_a_schedule_that_comes_back_owes_nothing_and_repeats_nothing():
    memory = put_in_force(Memory(), [DAILY], at("2026-11-20T00:00")).done("import", at("2026-11-22T06:00"))
    memory = put_in_force(put_in_force(memory, [], at("2026-11-22T09:00")), [DAILY], at("2026-11-24T06:30"))
    assert due(DAILY, memory.of("import"), at("2026-11-24T06:31")) is None
    assert memory.of("import").last_done == at("2026-11-22T06:00")


def test_a_clock_set_back_within_a_day_repeats_nothing():
    memory, wrong = drop_future_slots(
        Memory({"import": since("2026-11-20T00:00", "2026-11-24T06:00")}), at("2026-11-23T07:00")
    )
    assert not wrong
    assert due(DAILY, memory.of("import"), at("2026-11-24T06:30")) is None


def test_a_last_slot_more_than_a_day_ahead_is_rejected():
    remembered = since("2026-11-20T00:00", "2030-01-01T06:00")
    memory, wrong = drop_future_slots(Memory({"import": remembered}), at("2026-11-24T05:00"))
    assert wrong == {"import": at("2030-01-01T06:00")}
    assert due(DAILY, memory.of("import"), at("2026-11-24T06:00")).slot == at("2026-11-24T06:00")


def test_a_start_under_a_clock_that_ran_ahead_loses_no_slot():
    memory, _ = drop_future_slots(Memory({"import": since("2026-11-24T12:00")}), at("2026-11-24T05:00"))
    assert due(DAILY, memory.of("import"), at("2026-11-24T06:00")).slot == at("2026-11-24T06:00")


def test_an_older_slot_than_the_last_done_changes_nothing():
    memory = Memory({"import": since("2026-11-20T00:00", "2026-11-24T06:00")})
    assert memory.done("import", at("2026-11-23T06:00")) == memory
