"""What earlier runs did is read back: the list, one run, its journal."""

import json
from decimal import Decimal

import pytest

from cpimportd.books.reports.history import changes, history, inserted, show
from cpimportd.core.problems import ProblemError
from cpimportd.core.typed import to_json


async def journal(connection, run, **options):
    return [change async for change in changes(connection, run, **options)]


async def begin(connection, **columns):
    names = ", ".join(("department_id", *columns))
    values = ", ".join(f"${n}" for n in range(1, len(columns) + 2))
    return await connection.fetchval(
        f"INSERT INTO cpimportd.runs ({names}) VALUES ({values}) RETURNING id", 8, *columns.values()
    )


@pytest.mark.asyncio
async def test_runs_are_listed_newest_first_by_department_and_page(database, connect):
    async with connect(database) as connection:
        runs = [await begin(connection, status=status) for status in ("published", "failed", "running")]
        await connection.execute("INSERT INTO cpimportd.runs (department_id) VALUES (9)")
        lines = await history(connection, department_id=8)
        assert [(line.run, line.status) for line in lines] == list(
            zip(reversed(runs), ("running", "failed", "published"), strict=True)
        )
        assert [line.run for line in await history(connection, department_id=8, limit=1)] == runs[2:]
        assert [line.run for line in await history(connection, department_id=8, before=runs[1])] == runs[:1]
        assert [line.run for line in await history(connection, department_id=8, statuses=["failed"])] == runs[1:2]


@pytest.mark.asyncio
async def test_a_line_counts_units_and_documents_but_no_detail_lines(database, connect):
    async with connect(database) as connection:
        run = await begin(connection, status="partial", accepted=["A/receipts"])
        unit = """INSERT INTO cpimportd.run_unit
                  (run_id, organization, kind, status, inserted, updated, deleted, retimed)
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
        await connection.execute(unit, run, "A", "receipts", "published", 3, 2, 1, 0)
        await connection.execute(unit, run, "A", "expenses", "published", 10, 0, 0, 4)
        await connection.execute(unit, run, "A", "details", "published", 99, 99, 99, 0)
        await connection.execute(unit, run, "B", "receipts", "held", 0, 0, 0, 0)
        (line,) = await history(connection, department_id=8)
    assert (line.published, line.held) == (2, 1)
    assert (line.inserted, line.updated, line.removed, line.retimed) == (13, 2, 1, 4)
    assert line.accepted == ("A/receipts",)
    assert json.loads(json.dumps(to_json(line)))["started_at"].count(":") >= 2


@pytest.mark.asyncio
async def test_a_run_is_shown_with_the_report_it_stored(database, connect):
    async with connect(database) as connection:
        report = {"run": 1, "totals": {"receipts": {"sum": "10.00"}}, "seconds": 1.5}
        run = await begin(connection, status="published", report=json.dumps(report))
        shown = await show(connection, run)
        silent = await show(connection, await begin(connection))
    assert (shown.line.run, shown.report["totals"]) == (run, report["totals"])
    assert (silent.report, silent.line.seconds) == (None, None)


@pytest.mark.asyncio
async def test_a_run_that_never_was_is_told(database, connect):
    async with connect(database) as connection:
        with pytest.raises(ProblemError, match="no run 4711") as caught:
            await show(connection, 4711)
    assert caught.value.exit_code == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("page", [1, 2, 7, 500])
async def test_the_journal_comes_whole_and_in_order_whatever_the_page(database, connect, page):
    async with connect(database) as connection:
        run = await begin(connection)
        await connection.executemany(
            "INSERT INTO cpimportd.change (run_id, seq, department_id, kind, op, operation_id, organization, why) "
            "VALUES ($1, $2, 8, 'receipts', 'delete', $3, $4, 'snapshot')",
            [(run, seq * 3, f"document {seq}", "A" if seq % 2 else "B") for seq in range(1, 8)],
        )
        assert [change.seq for change in await journal(connection, run, page=page)] == list(range(3, 22, 3))
        only = await journal(connection, run, page=page, organization="B")
        assert [change.operation_id for change in only] == ["document 2", "document 4", "document 6"]


@pytest.mark.asyncio
async def test_amounts_in_the_journal_are_never_floats(database, connect):
    async with connect(database) as connection:
        run = await begin(connection)
        old = '{"amount": 9007199254740993.10, "details": [{"payment_amount": 0.10}]}'
        await connection.execute(
            "INSERT INTO cpimportd.change (run_id, seq, department_id, op, amount_before, old) "
            "VALUES ($1, 1, 8, 'delete', 9007199254740.10, $2)",
            run,
            old,
        )
        (change,) = await journal(connection, run)
    assert change.old == {
        "amount": Decimal("9007199254740993.10"),
        "details": [{"payment_amount": Decimal("0.10")}],
    }
    assert change.amount_before == Decimal("9007199254740.10")
    assert to_json(change)["amount_before"] == "9007199254740.10"
    assert to_json(change)["amount_after"] is None
    assert to_json(change)["old"] == {"amount": "9007199254740993.10", "details": [{"payment_amount": "0.10"}]}


@pytest.mark.asyncio
async def test_a_published_day_can_be_read_back(database, connect, publish_day, made):
    first, second, third = (made.expense(n, f"{n}00.00") for n in (1, 2, 3))
    details = [made.line(row, str(row["amount"])) for row in (first, second, third)]
    await publish_day(made.Day(expenses=[first, second], details=details[:2]))
    dearer = {**second, "amount": Decimal("250.00")}
    await publish_day(made.Day(expenses=[dearer, third], details=[made.line(dearer, "250.00"), details[2]]))
    async with connect(database) as connection:
        day2, day1 = await history(connection, department_id=8)
        assert (day1.inserted, day1.updated, day1.removed) == (2, 0, 0)
        assert (day2.inserted, day2.updated, day2.removed) == (1, 1, 1)
        journal2 = {change.op: change for change in await journal(connection, day2.run)}
        still = [document.operation_id async for document in inserted(connection, day1.run, page=1)]
    assert journal2["update"].operation_id == second["operation_id"]
    assert (journal2["update"].amount_before, journal2["update"].amount_after) == (Decimal(200), Decimal(250))
    assert journal2["delete"].operation_id == first["operation_id"]
    assert still == [second["operation_id"]]


@pytest.mark.asyncio
async def test_runs_are_found_by_day_outcome_and_organization(two_days, connect):
    async with connect(two_days.url) as connection:

        async def found(**filters):
            return [line.run for line in await history(connection, department_id=8, **filters)]

        began = {line.run: line.started_at for line in await history(connection, department_id=8)}
        assert await found() == [4, 3, 2, 1]
        assert await found(before=3, limit=1) == [2]
        assert await found(statuses=["partial"]) == [4]
        assert await found(since=began[3]) == [4, 3]
        assert await found(until=began[3]) == [2, 1]
        assert await found(organization="ЛОТОС ООО") == [4, 3, 2, 1]  # held in the last one
        assert await found(organization="ЛОТОС ООО", statuses=["published"], since=began[2]) == [3, 2]
        assert await found(organization="nobody") == []
