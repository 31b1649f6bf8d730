"""How long a run took is one number, whoever tells it, and the moment of its end is that of its end."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pytest

from cpimportd.books.reports.health import health
from cpimportd.books.reports.history import history, show
from cpimportd.books.reports.overview import days, import_logs
from cpimportd.core.report import RunStatus
from cpimportd.core.typed import to_json
from cpimportd.run.undoing import undo_once
from tests.support.books.whole_diff import diff

SLOW: float = 0.6
"""Seconds that the publishing transaction takes longer: its now() is that much before its end."""


@pytest.fixture
def slow_books(workplace, sql):
    """Books whose transaction takes its time before COMMIT."""
    sql(
        workplace.url,
        f"CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep({SLOW}); RETURN NULL; END';"
        "CREATE TRIGGER wait AFTER INSERT ON cpimportd.served FOR EACH STATEMENT EXECUTE FUNCTION wait()",
    )
    return workplace


def hundredths(report):
    """The report's duration as the backend's column holds it."""
    return float(Decimal(str(to_json(report)["seconds"])).quantize(Decimal("0.01"), ROUND_HALF_UP))


async def told(connection, run):
    """What everybody says that a run took, and when it ended."""
    (line,) = await history(connection, department_id=8, limit=1)
    shown = await show(connection, run)
    today = datetime.now(UTC).date()
    board = await days(connection, 8, today=today, zone=ZoneInfo("UTC"), count=2)
    (on_board,) = [one for day in board for one in day["runs"] if one["run"] == run]
    logs = await import_logs(connection, 8, skip=0, limit=100)
    seconds = {
        "history": to_json(line)["seconds"],
        "show": round(shown.line.seconds, 3),
        "report": float(shown.report["seconds"]),
        "dashboard": round(on_board["seconds"], 3),
    }
    return seconds, {log["processing_time_seconds"] for log in logs}, line


@pytest.mark.asyncio
async def test_everybody_tells_one_duration_of_a_run_and_of_an_undo(slow_books, connect):
    slow_books.sample("day1")
    report = await slow_books.run()
    assert report.status is RunStatus.PUBLISHED
    async with connect(slow_books.url) as connection:
        seconds, logged, line = await told(connection, report.run)
        assert round((await health(connection, 8)).last_run.seconds, 3) == round(report.seconds, 3)
        found = await diff(connection, report.run)
    assert set(seconds.values()) == {round(report.seconds, 3)}
    assert logged == {hundredths(report)}
    assert report.seconds > SLOW
    assert (line.finished_at - line.started_at).total_seconds() > SLOW
    assert found.found.finished_at == line.finished_at
    undone = await undo_once(slow_books.settings, report.run)
    assert undone.status is RunStatus.PUBLISHED
    async with connect(slow_books.url) as connection:
        seconds, logged, line = await told(connection, undone.run)
    assert set(seconds.values()) == {round(undone.seconds, 3)}
    assert logged == {hundredths(report), hundredths(undone)}
    assert (line.finished_at - line.started_at).total_seconds() > SLOW


@pytest.mark.asyncio
async def test_a_run_that_could_not_store_its_report_ended_when_its_transaction_did(slow_books, sql, connect):
    """The process died after COMMIT: the row knows the end of the transaction, not its beginning."""
    slow_books.sample("day1")
    report = await slow_books.run()
    sql(slow_books.url, "CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';"
        "CREATE TRIGGER never BEFORE UPDATE ON cpimportd.runs FOR EACH ROW WHEN (NEW.report IS NOT NULL)"
        " EXECUTE FUNCTION never()")  # fmt: skip
    undone = await undo_once(slow_books.settings, report.run)
    assert undone.status is RunStatus.PUBLISHED
    async with connect(slow_books.url) as connection:
        (line,) = await history(connection, department_id=8, limit=1)
        (logged, *_) = await import_logs(connection, 8, skip=0, limit=1)
    assert (line.run, line.status) == (undone.run, "published")
    assert SLOW < line.seconds <= undone.seconds
    assert SLOW < logged["processing_time_seconds"] <= undone.seconds


@pytest.mark.asyncio
async def test_the_end_of_runs_is_in_their_order(workplace, connect):
    workplace.sample("day1")
    for _ in range(3):
        await workplace.run()
    async with connect(workplace.url) as connection:
        lines = await history(connection, department_id=8)
        last = (await health(connection, 8)).last_success
    ends = [line.finished_at for line in lines]
    assert ends == sorted(ends, reverse=True)
    assert all(line.started_at < line.finished_at for line in lines)
    assert last == ends[0]


@pytest.mark.asyncio
async def test_everybody_tells_one_moment_at_which_a_run_and_an_undo_began(workplace, connect):
    workplace.sample("day1")
    first = await workplace.run()
    undone = await undo_once(workplace.settings, first.run, requested_by="anna")
    assert undone.status is RunStatus.PUBLISHED
    async with connect(workplace.url) as connection:
        for report in (first, undone):
            shown = await show(connection, report.run)
            assert shown.line.started_at == (await diff(connection, report.run)).found.started_at == report.started_at
