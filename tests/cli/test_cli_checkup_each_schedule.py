"""Each schedule is watched by itself: none hides behind another's success, and none without a slot is called well."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from cpimportd.books.database.connection import connect
from cpimportd.books.reports.health import Figures, Health, Success, health
from cpimportd.cli.checkup.machine import regular_slots
from cpimportd.config.settings import Schedule, Settings
from cpimportd.daemon.client import failed_jobs, needing_attention
from cpimportd.daemon.slots import Slots
from cpimportd.daemon.state import State
from cpimportd.daemon.store import FinishedRun, Record, decode, encode
from cpimportd.daemon.supervisor import status_line, status_lines
from cpimportd.notify.nagios import Level, Thresholds, findings_of_runs
from cpimportd.notify.nagios_answer import Answer
from cpimportd.notify.prometheus import registry_of, text_of
from cpimportd.timetable.calendar import never_matches, next_slot
from cpimportd.timetable.memory import Memory
from cpimportd.web.daemon_view import DaemonState, traffic_light
from tests.support.daemon.plans import plan

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # 15:00 in Moscow
ALL, RECEIPTS = frozenset({"receipts", "expenses", "details"}), frozenset({"receipts"})
HOURLY = Schedule(at="hourly", only=("receipts",))


def watched(*successes: Success) -> Health:
    newest = max((one.at for one in successes), default=None)
    return Health(None, newest, (), (), {}, successes=successes)


def level(found: Health, **schedules: Schedule) -> Level:
    settings = Settings(schedules=schedules or {"daily": Schedule(), "hourly": HOURLY})
    return Answer(tuple(findings_of_runs(settings, found, Thresholds(), NOW))).level


def ago(schedule: str | None, kinds: frozenset[str], **span: float) -> Success:
    return Success(schedule, kinds, NOW - timedelta(**span))


def test_a_daily_schedule_that_never_succeeds_does_not_hide_behind_an_hourly_one():
    hourly = ago("hourly", RECEIPTS, minutes=5)
    assert level(watched(hourly)) is Level.CRITICAL
    assert level(watched(hourly, ago("daily", ALL, days=1))) is Level.CRITICAL
    assert level(watched(hourly, ago("daily", ALL, hours=8, minutes=50))) is Level.OK


def test_nor_where_thresholds_are_given():
    settings = Settings(schedules={"daily": Schedule(), "hourly": HOURLY, "weekly": Schedule(at="Mon 06:00")})
    found = watched(ago("hourly", RECEIPTS, minutes=5), ago("weekly", ALL, days=1, hours=8))
    for warning, critical, expected in ((2, 3, Level.CRITICAL), (2, 400, Level.WARNING), (400, 400, Level.OK)):
        thresholds = Thresholds(timedelta(days=warning), timedelta(days=critical))
        assert Answer(tuple(findings_of_runs(settings, found, thresholds, NOW))).level is expected


def test_nor_does_an_hourly_one_behind_the_daily():
    daily = ago("daily", ALL, hours=8, minutes=50)
    assert level(watched(daily)) is Level.CRITICAL
    assert level(watched(daily, ago("hourly", RECEIPTS, hours=5))) is Level.CRITICAL


def test_what_somebody_imported_by_hand_counts_for_each_schedule_whose_kinds_it_covers():
    hourly = ago("hourly", RECEIPTS, minutes=5)
    assert level(watched(hourly, ago(None, ALL, minutes=30))) is Level.OK
    assert level(watched(hourly, ago(None, RECEIPTS, minutes=30))) is Level.CRITICAL
    assert level(watched(ago(None, RECEIPTS, minutes=5)), hourly=HOURLY) is Level.OK
    both = Schedule(at="06:00", only=("details",))  # a group is taken whole
    assert level(watched(ago(None, frozenset({"expenses", "details"}), hours=1)), some=both) is Level.OK


def finished(schedule: str | None, status: str, minutes: int = 0) -> FinishedRun:
    ended = NOW + timedelta(minutes=minutes)
    return FinishedRun(minutes, schedule, None, NOW, ended, status, 0, 1, f"{schedule} {status}")


def told(record: Record, **at: str) -> dict:
    """What a daemon with these schedules shows, as far as a verdict asks for it."""
    state = State(plan(**at), Slots(Memory()), record, NOW)
    state.slots.apply_plan(state.plan, NOW)
    upcoming = state.slots.upcoming(NOW)
    last = record.last
    return {
        "schedules": [{"name": name, "next": upcoming.get(name), "waiting": None} for name in at],
        "running": None, "files": [], "held": [],
        "last": last and {"good": last.good, "summary": last.summary, "ended": last.ended},
        "undone": [{"schedule": one.schedule, "summary": one.summary, "ended": one.ended}
                   for one in record.undone.values()],
    }  # fmt: skip


TWO = {"daily": "06:00", "hourly": "hourly"}


@pytest.mark.parametrize("status", ["failed", "crashed", "held", "no-upload"])
def test_the_daemon_reports_the_daily_failure_though_the_hourly_run_came_after_it(status):
    record = Record().ended(finished("daily", status)).ended(finished("hourly", "published", 1))
    assert needing_attention(told(record, **TWO)) == [f"the last job of daily: daily {status}"]
    assert decode(encode(record)).undone == record.undone
    state = State(plan(**TWO), Slots(Memory()), record, NOW)
    assert any(text.startswith("not done: the last job of daily") for text in status_lines(state, "", NOW))
    lamp = traffic_light(DaemonState(told(record, **TWO), None, {}), [], [], "published")
    assert lamp == {"state": "red", "reasons": [{"code": "schedule-failed", "count": 1}]}
    assert failed_jobs(told(Record().ended(finished("daily", status)), **TWO)) == []  # it is the last run: told once
    later = record.ended(finished("daily", "published", 2))
    assert needing_attention(told(later, **TWO)) == []


def test_who_imports_by_hand_makes_good_what_the_schedules_of_these_kinds_failed_to():
    record = Record().ended(finished("daily", "failed")).ended(finished("hourly", "failed", 1))
    state = State(plan(**TWO), Slots(Memory()), record, NOW)
    state.ended(finished(None, "failed", 2), "import")
    assert state.record.undone.keys() == {"daily", "hourly"}
    state.ended(finished(None, "unchanged", 3), "import")
    assert state.record.undone == {}


def test_a_report_that_was_not_sent_is_not_made_good_by_an_import():
    record = Record().after_job(finished("weekly", "failed"))
    assert record.ended(finished(None, "published", 1), ("daily",)).undone.keys() == {"weekly"}
    assert record.ended(finished("daily", "published", 1)).undone.keys() == {"weekly"}
    assert record.after_job(finished("weekly", "reported", 1)).undone == {}


@pytest.mark.asyncio
async def test_the_books_say_when_each_schedule_succeeded(two_days, sql):
    connection = await connect(Settings(database={"url": two_days.url}).database)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.executemany(
            "INSERT INTO cpimportd.runs (department_id, schedule, slot, trigger, status, started_at, finished_at, kinds)"
            " VALUES (8, $1, $2, 'schedule', $3, $2, $2, $4)",
            [("daily", NOW - timedelta(days=n), "failed", sorted(ALL)) for n in range(1, 9)]
            + [("daily", NOW - timedelta(days=9), "held", sorted(ALL))]
            + [("hourly", NOW - timedelta(hours=n), "unchanged", ["receipts"]) for n in range(1, 9)],
        )
        await connection.execute(
            "INSERT INTO cpimportd.condition (department_id, subject, state, since) VALUES (8, 'job:report', 'failed', $1)",
            NOW,
        )
        found = await health(connection, 8)
    finally:
        await transaction.rollback()
        await connection.close()
    assert found.last_success_of("hourly", RECEIPTS) == max(
        NOW - timedelta(hours=1), *(one.at for one in found.successes if one.schedule is None)
    )
    by_schedule = {one.schedule: one.at for one in found.successes if one.schedule is not None}
    assert by_schedule == {"hourly": NOW - timedelta(hours=1)}
    assert [(one.job, one.since) for one in found.undone] == [("report", NOW)]
    told = [
        one
        for one in findings_of_runs(Settings(), found, Thresholds(), NOW)
        if "the job report is not done" in one.text
    ]
    assert [one.level for one in told] == [Level.WARNING]
    text = text_of(registry_of(8, Figures(found, {}, ()), None))
    name = 'cpimportd_schedule_last_success_timestamp_seconds{department="8",schedule="hourly"}'
    assert f"{name} {by_schedule['hourly'].timestamp():.6e}".replace("000e", "e") in text


NEVER = ["Thu 2027-01-01", "*-02-30", "2027-02-29 06:00", "*-04,06,09,11-31", "Sat,Sun 2027-03-01..05",
         "*-*-* 06:00:00\nThu 2027-01-01", "Thu 2027-01-01 Europe/Moscow"]  # fmt: skip
OVER = ["2020-01-01", "Fri 2021-01-01 06:00", "2025-*-* 06:00", "2027-03-28 02:30:00 Europe/Berlin"]


@pytest.mark.parametrize("at", NEVER)
@pytest.mark.parametrize("job", ["import", "report", "reconcile"])
def test_an_expression_that_no_day_matches_is_refused(at, job):
    with pytest.raises(ValidationError, match="never comes: no day matches it"):
        Schedule(at=at, job=job)


@pytest.mark.parametrize(
    "at", ["Fri 2027-01-01", "*-02-29", "Mon *-02-29", "1970-01-01 00:00:00", "2199-12-31", "*:0/5", *OVER]
)
def test_one_that_a_day_matches_is_not(at):
    assert never_matches(at) is None
    assert Schedule(at=at).at == at


@pytest.mark.parametrize("at", OVER)
@pytest.mark.parametrize("job", ["import", "report"])
def test_a_schedule_that_has_no_slot_any_more_is_reported_everywhere(at, job, caplog):
    settings = Settings(schedules={"once": Schedule(at=at, job=job), "off": Schedule(at=at, enabled=False)})
    assert next_slot(at, settings.zone, NOW) is None
    checked = [found for found in regular_slots(settings, NOW) if found.code == "slot-none"]
    assert [(found.status, "schedule once at" in found.text) for found in checked] == [("WARNING", True)]
    successes = watched(ago("once", ALL, minutes=1))
    found = findings_of_runs(settings, successes, Thresholds(), NOW)
    assert [one.level for one in found if "[slot-none]" in one.text] == [Level.WARNING]
    status = told(Record(), once=at)
    assert needing_attention(status) == ["once has no slot any more: nothing starts it by itself"]
    lamp = traffic_light(DaemonState(status, None, {}), [], [], "published")
    assert lamp == {"state": "yellow", "reasons": [{"code": "slotless", "count": 1}]}
    state = State(plan(once=at), Slots(Memory()), Record(), NOW)
    state.slots.apply_plan(state.plan, NOW)
    for _ in range(3):
        state.slots.check_clock(NOW, 0.0, None)
    assert caplog.text.count("slot-none") == 1
    assert status_line(state, NOW, 0.0) == "No schedule has a slot any more; `cpimportd trigger` imports now"
    caplog.clear()
    state.slots.apply_plan(plan(once=f"{at} "), NOW)
    state.slots.check_clock(NOW, 0.0, "once")
    assert "slot-none" not in caplog.text  # its last slot is under way
    state.slots.check_clock(NOW, 0.0, None)
    assert caplog.text.count("slot-none") == 1


def test_the_last_slot_of_a_schedule_is_no_reason_to_warn_while_it_waits():
    status = told(Record(), once="2020-01-01")
    waiting = {**status, "schedules": [{**status["schedules"][0], "waiting": {"why": "1C's upload"}}]}
    assert needing_attention(waiting) == ["once waits for 1C's upload"]
    assert needing_attention({**status, "running": {"schedule": "once"}}) == []
