"""Tables that change under a run: the backend migrates, our own migration was left halfway, a sequence was set back."""

import tempfile
from pathlib import Path

import pytest

from cpimportd.books.schema.upgrade import REVISION, upgrade
from cpimportd.config.settings import Database
from cpimportd.core.problems import ProblemError
from cpimportd.core.report import RunStatus
from tests.support.faults.books import assert_told, codes, killer, server_socket, stand, through
from tests.support.faults.table import Chapter
from tests.support.faults.wire import Harm, Wire, tapped

_PUTS_RIGHT = "next run corrects them"

# What the backend does to a table, how it undoes that, and what that is in words.
_HARMLESS = [
    ("ADD COLUMN note text", "DROP COLUMN note", "adds a column"),
    ("ADD COLUMN note text NOT NULL DEFAULT ''", "DROP COLUMN note", "adds a column with a default"),
    ("ALTER COLUMN comment TYPE varchar(500)", "ALTER COLUMN comment TYPE text", "makes a text a varchar"),
    ("ALTER COLUMN amount TYPE numeric(18, 2)", "ALTER COLUMN amount TYPE numeric(15, 2)", "widens the amount"),
]
_HARMFUL = [
    ("RENAME COLUMN amount TO total", "RENAME COLUMN total TO amount", "renames the amount"),
    (
        "ADD COLUMN kind text; UPDATE fin_expenses SET kind = ''; ALTER TABLE fin_expenses ALTER COLUMN kind SET NOT NULL",
        "DROP COLUMN kind",
        "adds a required column",
    ),
    (
        "ALTER COLUMN amount TYPE double precision",
        "ALTER COLUMN amount TYPE numeric(15, 2)",
        "makes the amount a double",
    ),
    (
        "ALTER COLUMN document_date TYPE text",
        "ALTER COLUMN document_date TYPE date USING document_date::date",
        "makes the date a text",
    ),
]


def _alter(books, change):
    books.sql(books.root, f"ALTER TABLE fin_expenses {change}")


def _altering(books, change):
    def alter(progress):
        if progress.stage == "publish" and not progress.finished:
            _alter(books, change)

    return alter


@pytest.mark.asyncio
@pytest.mark.parametrize(("change", "back", "words"), _HARMLESS)
async def test_a_change_of_the_backend_that_does_not_concern_us_does_not_matter(books, faults, change, back, words):
    report = await books.run(None, _altering(books, change))
    _alter(books, back)
    books.assert_right()
    outcome = f"{codes(report)}, books as after an undisturbed run"
    faults.tell(Chapter.DATABASE, f"The backend {words} between reading and publishing", outcome)


@pytest.mark.asyncio
@pytest.mark.parametrize(("change", "back", "words"), _HARMFUL)
async def test_a_change_of_the_backend_that_we_cannot_work_with_is_told(make_books, faults, change, back, words):
    books, untouched = make_books(), make_books()
    _alter(untouched, change)
    report = await books.run(None, _altering(books, change))
    assert "fin_expenses." in report.problems[0].message
    outcome = f"{codes(report)} naming the column, {stand(books, report, untouched.exact)}"
    again = await books.run()
    assert codes(again) == codes(report)
    _alter(books, back)
    await books.put_right()
    outcome += "; the run after the backend has reverted it corrects them"
    faults.tell(Chapter.DATABASE, f"The backend {words} between reading and publishing", outcome)


@pytest.mark.asyncio
async def test_a_column_that_is_dropped_and_comes_back_empty_is_filled_again(make_books, faults):
    books, untouched, undisturbed = make_books(), make_books(), make_books()
    _alter(untouched, "DROP COLUMN recipient")
    await undisturbed.run()
    report = await books.run(None, _altering(books, "DROP COLUMN recipient"))
    assert "fin_expenses.recipient" in report.problems[0].message
    outcome = f"{codes(report)} naming the column, {stand(books, report, untouched.exact)}"
    _alter(books, "ADD COLUMN recipient varchar(255)")
    await books.run()
    assert books.sql(books.root, _RECIPIENTS) == books.sql(undisturbed.root, _RECIPIENTS)
    outcome += "; the run after it has come back, empty, fills it"
    faults.tell(Chapter.DATABASE, "The backend drops a column that we write between reading and publishing", outcome)


_AS_IT_WAS = f"UPDATE cpimportd.alembic_version SET version_num = '{REVISION}'"
_ANEW = f"INSERT INTO cpimportd.alembic_version VALUES ('{REVISION}')"
_BACK = "ALTER TABLE cpimportd.lost RENAME TO alembic_version"
_RECIPIENTS = "SELECT operation_id, recipient, amount FROM fin_expenses ORDER BY 1"
_LEFT_BEHIND = """
    SELECT to_regnamespace('cpimportd') IS NOT NULL OR to_regclass('departments') IS NOT NULL
           OR to_regclass('fin_expenses') IS NOT NULL
"""


async def _upgrade(url, connect, root, at):
    """An upgrade whose server process is killed at a statement; how many statements passed, and what was raised."""
    async with connect(root) as connection:
        wire = Wire(killer(connection), Harm.KILLED, at)
        with tempfile.TemporaryDirectory() as folder:
            async with tapped(server_socket(url), Path(folder), wire):
                try:
                    await upgrade(Database(url=through(url, Path(folder))))
                except ProblemError as error:
                    return wire, error
    return wire, None


@pytest.mark.asyncio
async def test_a_migration_that_is_killed_leaves_nothing_and_can_be_run_again(
    make_database, connect, superuser_url, sql, faults, whole
):
    url = make_database()
    wire, error = await _upgrade(url, connect, superuser_url(url), -1)
    assert error is None
    commit = next(n for n, text in enumerate(wire.statements) if text.startswith("COMMIT"))
    outcomes = set()
    for at in range(commit + 1) if whole else sorted({0, commit // 3, 2 * commit // 3, commit}):
        url = make_database()
        wire, error = await _upgrade(url, connect, superuser_url(url), at)
        assert wire.done
        assert error is not None
        assert error.problems[0].way_out
        assert not sql(url, _LEFT_BEHIND)[0][0], f"something is left behind by statement {wire.statements[at]}"
        outcomes.add(f"`{error.problems[0].code}`")
        assert (await upgrade(Database(url=url))).created_backend_tables
    (outcome,) = outcomes
    faults.tell(
        Chapter.DATABASE,
        "`cpimportd db upgrade` loses its server process at any of its statements, COMMIT too",
        f"{outcome}, nothing is left behind; the next upgrade is complete",
    )


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("harm", "mended", "words", "upgraded"),
    [
        ("UPDATE cpimportd.alembic_version SET version_num = '9999'", _AS_IT_WAS, "has a newer version", False),
        ("UPDATE cpimportd.alembic_version SET version_num = '0000'", _AS_IT_WAS, "has an unknown version", False),
        ("DELETE FROM cpimportd.alembic_version", _ANEW, "has no version recorded", False),
        ("ALTER TABLE cpimportd.alembic_version RENAME TO lost", _BACK, "has lost its version table", False),
        ("DROP SCHEMA cpimportd CASCADE", None, "is gone", True),
    ],
)
async def test_a_schema_of_another_version_is_told(make_books, sql, faults, harm, mended, words, upgraded):
    books = make_books()
    before = books.exact
    sql(books.root, harm)
    report = await books.run()
    assert_told(report)
    try:
        await upgrade(Database(url=books.url))
        told = "done"
    except ProblemError as error:
        told = f"`{error.problems[0].code}`"
    assert (told == "done") is upgraded
    outcome = f"{codes(report)}; `cpimportd db upgrade`: {told}"
    if mended:
        sql(books.root, mended)
        assert books.exact == before
        await books.put_right()
        outcome += f"; books as before; once it is restored, {_PUTS_RIGHT}"
    else:
        undisturbed = make_books()
        await undisturbed.run()
        again = await books.run()
        assert again.status is RunStatus.PUBLISHED
        assert sql(books.root, _RECIPIENTS) == sql(undisturbed.root, _RECIPIENTS)
        outcome += "; next run publishes the second day"
    faults.tell(Chapter.DATABASE, f"Our schema {words}", outcome)


@pytest.mark.asyncio
async def test_numbers_that_were_given_already_are_no_slot_that_was_done(books, sql, faults):
    before = books.exact
    sql(books.root, "SELECT setval('cpimportd.runs_id_seq', 1, false)")
    report = await books.run()
    outcome = f"{codes(report)}, {stand(books, report, before)}; {_PUTS_RIGHT}"
    await books.put_right()
    faults.tell(Chapter.DATABASE, "The sequence of run numbers was set back, as after a partial restore", outcome)
