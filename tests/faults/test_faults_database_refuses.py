"""A database that answers, and refuses: a lock, a timeout, a standby, a missing right."""

import re
from datetime import timedelta

import pytest

from cpimportd.cli.checkup.database import _server as server_line
from cpimportd.core.model import BACKEND_TABLES
from tests.support.faults.books import codes, stand
from tests.support.faults.table import Chapter

_QUICK = {"lock_timeout": timedelta(milliseconds=100)}
_PUTS_RIGHT = "next run corrects them"


class _Holder:
    """Somebody else, at work in the same database."""

    def __init__(self, connection):
        self.connection = connection

    async def lock(self, table, mode):
        await self.connection.execute("SET application_name = 'nightly job'")
        await self.connection.execute(f"BEGIN; LOCK TABLE {table} IN {mode} MODE")
        return f"pid {self.connection.get_server_pid()} (postgres, nightly job, since hidden from us) on "

    async def go(self):
        await self.connection.execute("ROLLBACK")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("table", "mode", "when"),
    [
        ("fin_expenses", "ROW EXCLUSIVE", "published rows are compared"),
        ("fin_contracts", "EXCLUSIVE", "contracts are written"),
        ("fin_import_logs", "ACCESS EXCLUSIVE", "the log is written"),
        ("fin_receipts", "ACCESS EXCLUSIVE", "the books are read"),
        ("cpimportd.runs", "ACCESS EXCLUSIVE", "the run's row is written"),
        ("departments", "ACCESS EXCLUSIVE", "the department is looked up"),
    ],
)
async def test_whoever_holds_a_lock_is_named(books, connect, faults, table, mode, when):
    before = books.exact
    async with connect(books.root) as connection:
        holder = _Holder(connection)
        named = await holder.lock(table, mode)
        report = await books.run(books.settings(**_QUICK))
        await holder.go()
    (problem,) = report.problems
    assert problem.code == "database-locked"
    assert named + table.removeprefix("cpimportd.") in problem.message
    outcome = f"{codes(report)} naming pid, user and application; {stand(books, report, before)}; {_PUTS_RIGHT}"
    await books.put_right()
    faults.tell(Chapter.DATABASE, f"Somebody else holds {table} locked when {when}", outcome)


@pytest.mark.asyncio
async def test_since_when_a_lock_is_held_is_said_where_we_may_know(books, connect):
    async with connect(books.url) as other:
        await other.execute("BEGIN; LOCK TABLE fin_expenses IN EXCLUSIVE MODE")
        report = await books.run(books.settings(**_QUICK))
        await other.execute("ROLLBACK")
    pattern = rf"pid {other.get_server_pid()} \(cpimportd, no application_name, since \d\d:\d\d:\d\d\) on fin_expenses"
    assert re.search(pattern, report.problems[0].message)
    await books.put_right()


@pytest.mark.asyncio
async def test_a_statement_that_takes_too_long_is_given_up(books, connect, faults):
    before = books.exact
    async with connect(books.root) as connection:
        await connection.execute("BEGIN; LOCK TABLE fin_contracts IN EXCLUSIVE MODE")
        slow = books.settings(lock_timeout=timedelta(hours=1), statement_timeout=timedelta(seconds=1))
        report = await books.run(slow)
        await connection.execute("ROLLBACK")
    assert "database.statement_timeout" in report.problems[0].message
    outcome = f"{codes(report)} naming `database.statement_timeout`, {stand(books, report, before)}; {_PUTS_RIGHT}"
    await books.put_right()
    faults.tell(Chapter.DATABASE, "A statement takes longer than database.statement_timeout", outcome)


@pytest.mark.asyncio
@pytest.mark.parametrize("dry_run", [False, True], ids=["a run", "a dry run"])
async def test_a_database_that_can_only_be_read_says_so(books, sql, connect, faults, dry_run):
    before = books.exact
    name = sql(books.root, "SELECT current_database()")[0][0]
    sql(books.root, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    report = await books.run(dry_run=dry_run)
    async with connect(books.url) as connection:
        line = await server_line(connection)
    assert "database-read-only" in str(line)
    assert "default_transaction_read_only" in report.problems[0].way_out
    outcome = f"{codes(report)}, {stand(books, report, before)}; {_PUTS_RIGHT}"
    sql(
        books.root,
        "SET default_transaction_read_only = off",
        f"ALTER DATABASE {name} RESET default_transaction_read_only",
    )
    await books.put_right()
    which = "a dry run" if dry_run else "a run"
    faults.tell(Chapter.DATABASE, f"default_transaction_read_only is on, {which}", outcome)


_RIGHTS = [
    *(
        (right, f"TABLE {table}")
        for table in (
            *BACKEND_TABLES,
            "cpimportd.runs",
            "cpimportd.lineage",
            "cpimportd.change",
            "cpimportd.snapshot",
        )
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
    ),
    ("SELECT", "TABLE departments"),
    *(
        ("USAGE", f"SEQUENCE {table}_id_seq")
        for table in ("fin_organizations", "fin_contracts", "fin_receipts", "fin_expenses", "fin_expense_details")
    ),
    ("USAGE", "SCHEMA cpimportd"),
]


def _grant(problem):
    """The statement of the way out, as an administrator pastes it."""
    return problem.way_out.removeprefix("Let the owner run: ").replace("the user of database.url", "cpimportd")


@pytest.mark.asyncio
async def test_a_missing_right_is_named_with_the_grant_that_mends_it(books, sql, faults, whole):
    before = books.exact
    outcomes = set()
    for right, place in _RIGHTS if whole else [*_RIGHTS[1::19], *_RIGHTS[-2:]]:
        sql(books.root, f"REVOKE {right} ON {place} FROM cpimportd")
        report = await books.run()
        outcomes.add(f"{codes(report)} with the necessary GRANT, {stand(books, report, before)}")
        for problem in report.problems:
            sql(books.root, _grant(problem))
    await books.put_right()
    (outcome,) = outcomes
    faults.tell(Chapter.DATABASE, "A right on a table, sequence or schema is missing", f"{outcome}; {_PUTS_RIGHT}")


@pytest.mark.asyncio
@pytest.mark.parametrize("table", ["fin_expenses", "fin_import_logs"])
async def test_a_right_taken_away_during_a_run_is_named(books, sql, faults, table):
    before = books.exact

    def revoke(progress):
        if progress.stage == "publish" and not progress.finished:
            sql(books.root, f"REVOKE INSERT, UPDATE, DELETE ON {table} FROM cpimportd")

    report = await books.run(None, revoke)
    outcome = f"{codes(report)} with the necessary GRANT, {stand(books, report, before)}; {_PUTS_RIGHT}"
    sql(books.root, _grant(report.problems[0]))
    await books.put_right()
    faults.tell(Chapter.DATABASE, f"A right on {table} is taken away between reading and publishing", outcome)
