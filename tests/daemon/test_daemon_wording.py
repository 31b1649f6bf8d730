"""The line that ``systemctl status`` shows: always true, always one line."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cpimportd.core.formatting import moment, span
from cpimportd.core.waiting import Wait
from cpimportd.daemon.attempts import Retry, RunCommand
from cpimportd.daemon.messages import CurrentWaits, Stage
from cpimportd.daemon.plan import Refusal
from cpimportd.daemon.slots import Slots
from cpimportd.daemon.state import Answers, State
from cpimportd.daemon.store import FinishedRun, Record, Upload
from cpimportd.daemon.supervisor import shorten, status_line, status_lines
from cpimportd.timetable.memory import Memory
from tests.daemon.test_daemon_progress import heard
from tests.support.daemon.plans import plan

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 23, 21, 48, tzinfo=UTC)
SLOT = datetime(2026, 11, 24, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)


def state(record: Record | None = None, *, now: datetime = NOW, **at: str) -> State:
    made = State(plan(**at), Slots(Memory()), record or Record(), now)
    made.slots.apply_plan(made.plan, now)
    return made


def over(schedule: str | None = "import", slot: datetime | None = SLOT - timedelta(days=1)) -> FinishedRun:
    began = datetime(2026, 11, 23, 9, 30, 12, tzinfo=UTC)
    return FinishedRun(
        1, schedule, slot, began, began, "published", 0, 7, "published 1,050 documents of 6 files in 1.3 s"
    )


def test_the_next_slot_is_named_with_its_time_and_how_long_it_takes_to_come():
    assert status_line(state(**{"import": "06:00", "weekly": "Mon 07:00"}), NOW, 0.0) == (
        "Next import 2026-11-24 06:00 MSK in 5 h 12 min"
    )


def test_the_last_run_follows_by_its_slot_or_by_when_it_was_asked_for():
    last = "published 1,050 documents of 6 files in 1.3 s"
    assert status_line(state(Record(last=over()), weekly="Sun 07:00"), NOW, 0.0) == (
        f"Next weekly 2026-11-29 07:00 MSK in 5 d 6 h; last 2026-11-23 06:00 MSK {last}"
    )
    assert status_line(state(Record(last=over(None, None)), weekly="Sun 07:00"), NOW, 0.0).endswith(
        f"; last 2026-11-23 12:30:12 MSK {last}"
    )


def test_without_a_schedule_the_line_says_what_can_be_done():
    assert status_line(state(), NOW, 0.0) == "No schedule is enabled; `cpimportd trigger` imports now"


def test_a_schedule_that_never_comes_again_leaves_nothing_to_wait_for():
    assert "No schedule" in status_line(state(once="2020-01-01 06:00"), NOW, 0.0)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (RunCommand(), "Importing: reading 4/6 files, 78 %"),
        (RunCommand("import", SLOT), "Importing: reading 4/6 files, 78 %"),
        (RunCommand("weekly", SLOT), "Importing for weekly: reading 4/6 files, 78 %"),
    ],
)
def test_a_run_under_way_is_all_that_matters(order, expected):
    under_way = state(Record(last=over()), **{"import": "06:00"})
    under_way.running = under_way_with(order)
    assert status_line(under_way, NOW, 0.0) == expected


FTP = Wait("source", "connection refused", NOW + timedelta(seconds=7), NOW + timedelta(minutes=8))
YOUNG = Wait("upload", "a.xlsx: it is younger than source.stable_for", NOW + HOUR / 60, trouble=False)


def under_way_with(order: RunCommand, *waits: Wait) -> Any:
    files = [Stage("read", name, finished=True) for name in "abcd"]
    rows = [Stage("read", "e", done=66, total=100), Stage("read", "f", done=0, total=100)]
    return SimpleNamespace(command=order, progress=heard(*files, *rows, CurrentWaits(waits)))


@pytest.mark.parametrize(
    ("order", "waits", "expected"),
    [
        (
            RunCommand(),
            (FTP,),
            "Import waits for the FTP server: connection refused; next try 00:48:07, gives up 00:56",
        ),
        (
            RunCommand("weekly", SLOT, job="report"),
            (Wait("database", "no answer yet", until=NOW + timedelta(seconds=9)),),
            "Report for weekly waits for the database: no answer yet; gives up 00:48:09",
        ),
        (
            RunCommand("weekly", SLOT),
            (Wait("lock", "pid 7 (ann)"), YOUNG),
            "Import for weekly waits for a lock in the database: pid 7 (ann) (and 1 more)",
        ),
        (
            RunCommand(),
            (YOUNG,),
            "Importing: reading 4/6 files, 78 %; waits for an upload to end: a.xlsx: it is younger than "
            "source.stable_for; next try 00:49",
        ),
    ],
)
def test_what_a_run_waits_for_is_reported_with_why_and_until_when(order, waits, expected):
    found = state(**{"import": "06:00"})
    found.running = under_way_with(order, *waits)
    assert status_line(found, NOW, 0.0) == expected


def test_a_retry_that_is_due_is_shown_as_in_progress():
    found = state(**{"import": "06:00"})
    found.running = under_way_with(RunCommand(), FTP)
    assert "connection refused; being tried again, gives up 00:56" in status_line(found, NOW + HOUR / 60, 0.0)


def test_an_instant_of_another_day_is_reported_with_its_date():
    late = datetime(2026, 11, 23, 20, 59, 30, tzinfo=UTC)
    wait = Wait("source", "away", late + timedelta(seconds=10), late + timedelta(minutes=20))
    assert wait.describe(MOSCOW, late).endswith("next try 23:59:40, gives up 2026-11-24 00:19:30 MSK")


def test_a_run_that_was_triggered_meanwhile_is_reported():
    found = state(**{"import": "06:00"})
    found.running = under_way_with(RunCommand("import", SLOT))
    found.answers = Answers(triggers_asked=2, triggers_served=1)
    assert status_line(found, NOW, 0.0).endswith("; a run that was asked for follows")


def test_a_refused_configuration_is_in_the_line_however_long_the_rest_is():
    found = state(Record(last=over()), **{"import": "06:00"})
    found.refusal = Refusal(datetime(2026, 11, 23, 7, 41, 33, tzinfo=UTC), (), b"x", differed=True)
    said = "the file on the disk was refused at 10:41; a restart would fail"
    noon = datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert f"; {said}; last 2026-11-23 06:00" in status_line(found, noon, 0.0)
    found.running = under_way_with(RunCommand(), Wait("source", "x" * 500))
    assert status_line(found, noon, 0.0).endswith(f"…; {said}")
    assert len(status_line(found, noon, 0.0)) == 240
    assert list(status_lines(found, "first", noon))[1] == said


def waiting_state() -> State:
    made = state(**{"import": "06:00", "other": "05:30"})
    made.slots.check_clock(SLOT, 1000.0, None)
    for name, seconds, why in (("import", 90.0, "1C's upload"), ("other", 600.0, "a file is away")):
        made.slots.schedule_retry(name, made.slots.started(name, 1000.0), Retry(seconds, why, SLOT + 2 * HOUR), 1000.0)
    return made


def test_a_slot_that_waits_says_for_what_and_when_it_is_retried():
    found = waiting_state()
    later = SLOT + timedelta(seconds=30)
    assert status_line(found, later, 1030.0) == (
        "Slot 2026-11-24 06:00 MSK of import waits for 1C's upload; next try 2026-11-24 06:01:30 MSK, "
        "gives up 08:00; other waits, too"
    )


def test_the_try_that_comes_first_is_reported():
    found = waiting_state()
    found.slots.done("import", SLOT, None)
    assert status_line(found, SLOT, 1000.0) == (
        "Slot 2026-11-24 05:30 MSK of other waits for a file is away; next try 2026-11-24 06:10 MSK, gives up 08:00"
    )


def test_a_slot_that_was_not_tried_yet_waits_for_nothing():
    found = state(**{"import": "06:00"})
    found.slots.check_clock(SLOT, 1000.0, None)
    assert status_line(found, SLOT, 1000.0) == "Next import 2026-11-25 06:00 MSK in 24 h"


def test_the_status_in_full_names_schedules_runs_and_workbooks():
    uploads = (
        Upload("a.xlsx", None, (), NOW - timedelta(hours=26), "unchanged", NOW),
        Upload("b.xlsx", None, (), None, "held", NOW),
    )
    record = Record(last_good=over(), held=("Lotos/expenses",), uploads={one.name: one for one in uploads})
    found = state(record, **{"import": "06:00", "once": "2020-01-01 06:00"})
    assert list(status_lines(found, "the line", NOW)) == [
        "the line",
        "schedule import at 06:00: next 2026-11-24 06:00 MSK, in 5 h 12 min",
        "schedule once at 2020-01-01 06:00: next never again",
        "last good run: last 2026-11-23 06:00 MSK published 1,050 documents of 6 files in 1.3 s",
        "held: Lotos/expenses",
        "workbook a.xlsx: unchanged, uploaded 26 h ago",
        "workbook b.xlsx: held, uploaded at an unknown time",
    ]


def test_a_long_summary_is_cut_and_stays_one_line():
    found = shorten("failed:\n  " + "x" * 500)
    assert found.startswith("failed: xxx")
    assert found.endswith("x…")
    assert len(found) == 240
    assert shorten("x" * 240) == "x" * 240


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (18_720, "5 h 12 min"),
        (172_799, "47 h 59 min"),
        (172_800, "2 d"),
        (2 * 86_400 + 5 * 3600 + 1800, "2 d 5 h"),
    ],
)
def test_a_span_is_reported_in_its_two_largest_units(seconds, expected):
    assert span(timedelta(seconds=seconds)) == expected


def test_an_instant_is_reported_by_the_clock_of_its_zone():
    assert moment(SLOT, MOSCOW) == "2026-11-24 06:00 MSK"
    assert moment(SLOT + timedelta(seconds=7), MOSCOW) == "2026-11-24 06:00:07 MSK"
    berlin = ZoneInfo("Europe/Berlin")
    assert moment(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), berlin) == "2026-10-25 02:30 CEST"
    assert moment(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), berlin) == "2026-10-25 02:30 CET"
