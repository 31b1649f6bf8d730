"""How a slot's runs are ordered, and what follows from the way one ended."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from cpimportd.core.workbooks import SeenWorkbook
from cpimportd.daemon.attempts import Attempt, Retry, RunExit, SlotDone, backoff, decide_next_step, next_command
from cpimportd.daemon.messages import RunResult
from cpimportd.timetable.memory import PlannedSchedule
from tests.support.daemon.plans import HOUR, PLAN, SCHEDULE

SLOT = datetime(2026, 11, 24, 3, tzinfo=UTC)
WAITING = replace(SCHEDULE, wait_for_upload=2 * HOUR)
KNOWN = SLOT - timedelta(days=1)
ATTEMPT = Attempt(SLOT, first=1000.0, next=1000.0, runs=1, newest_upload=KNOWN)


def failed(*codes: str, passing: bool = True, code: int = 1) -> RunExit:
    return RunExit(code, RunResult(1, "failed", code, "failed", passing=passing, codes=codes, problem="away [x]"))


def ended(status: str, code: int = 0, uploaded: datetime | None = None) -> RunExit:
    seen = (SeenWorkbook("a.xlsx", "receipts", (), uploaded, status),) if uploaded else ()
    return RunExit(code, RunResult(1, status, code, status), seen)


def after(outcome: RunExit, schedule: PlannedSchedule = SCHEDULE, *, minutes: float = 1, attempt: Attempt = ATTEMPT):
    span = timedelta(minutes=minutes)
    return decide_next_step(outcome, attempt, schedule, PLAN, now=SLOT + span, monotonic=1000 + span.total_seconds())


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (ended("published"), "published"),
        (ended("unchanged"), "unchanged"),
        (ended("partial", 3), "partial"),
        (ended("held", 3), "held"),
        (failed("slot-done", code=5), "done-elsewhere"),
        (failed("database-login", passing=False), "failed"),
        (failed("config-value", passing=False, code=2), "failed"),
        (RunExit(-9, timed_out=True), "crashed"),
    ],
)
def test_what_another_try_would_not_change_is_done(outcome, status):
    if outcome.code == 5:
        outcome = replace(outcome, result=replace(outcome.result, passing=False))
    assert after(outcome) == SlotDone(status)


@pytest.mark.parametrize(
    "outcome", [failed("database-unreachable"), failed("run-under-way", code=4), RunExit(-9), RunExit(130)]
)
def test_what_may_pass_is_retried_and_failed_for_good_when_the_time_is_over(outcome):
    assert isinstance(after(outcome), Retry)
    assert isinstance(after(outcome, minutes=21), SlotDone)


def test_pauses_double_up_to_the_longest():
    assert [backoff(runs, PLAN) for runs in (1, 2, 3, 7, 8, 5000)] == [2, 4, 8, 120, 120, 120]


def test_no_try_begins_after_the_time_for_trying():
    late = replace(ATTEMPT, runs=7)
    assert after(failed("database-unreachable"), minutes=18, attempt=late) == Retry(
        120, "another try: away [x]", SLOT + timedelta(minutes=20)
    )
    assert isinstance(after(failed("database-unreachable"), minutes=18.1, attempt=late), SlotDone)


@pytest.mark.parametrize("code", ["upload-missing", "source-empty"])
def test_an_upload_is_waited_for_until_the_hour_that_was_set(code):
    assert after(failed(code), WAITING) == Retry(300, "1C's upload", SLOT + 2 * HOUR)
    assert after(failed(code), WAITING, minutes=118) == Retry(120, "1C's upload", SLOT + 2 * HOUR)


def test_the_look_that_the_deadline_overtook_is_followed_by_one_that_takes_what_is_there():
    assert after(failed("upload-missing"), WAITING, minutes=121) == Retry(0, "1C's upload")
    last = next_command(ATTEMPT, WAITING, PLAN, SLOT + timedelta(minutes=121), 8260)
    assert last.uploaded_after is None


def test_while_there_is_time_a_run_leaves_the_slot_due_where_nothing_is_new():
    asked = next_command(ATTEMPT, WAITING, PLAN, SLOT, 1000)
    assert (asked.schedule, asked.slot, asked.uploaded_after) == ("import", SLOT, KNOWN)
    assert next_command(ATTEMPT, SCHEDULE, PLAN, SLOT, 1000).uploaded_after is None


def test_a_run_may_try_again_for_what_is_left_of_the_time():
    assert next_command(ATTEMPT, SCHEDULE, PLAN, SLOT, 1000 + 900).retry_within == timedelta(minutes=5)
    assert next_command(ATTEMPT, SCHEDULE, PLAN, SLOT, 1000 + 9000).retry_within == timedelta(0)


@pytest.mark.parametrize(
    ("schedule", "uploaded", "status"),
    [
        (WAITING, KNOWN, "no-upload"),
        (WAITING, KNOWN + timedelta(seconds=1), "unchanged"),
        (WAITING, None, "unchanged"),
        (SCHEDULE, KNOWN, "unchanged"),
    ],
    ids=["nothing since", "the same again", "a server without times", "nobody waits for it"],
)
def test_that_nothing_was_uploaded_is_an_outcome_of_its_own_where_an_upload_is_expected(schedule, uploaded, status):
    assert after(ended("unchanged", uploaded=uploaded), schedule, minutes=125) == SlotDone(status)
