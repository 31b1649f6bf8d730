"""A server process that is killed, or a connection that is cut, at every statement of a run."""

import tempfile
from collections import defaultdict
from pathlib import Path

import pytest

from cpimportd.core.report import RunStatus
from tests.support.faults.books import codes, killer, server_socket, stand, through
from tests.support.faults.table import Chapter
from tests.support.faults.wire import Harm, Wire, tapped


async def _run(books, connect, harm, at=-1):
    """A run through the wire, and what passed there."""
    async with connect(books.root) as root:
        wire = Wire(killer(root), harm, at)
        with tempfile.TemporaryDirectory() as folder:
            async with tapped(server_socket(books.url), Path(folder), wire):
                report = await books.run(books.settings(through(books.url, Path(folder))))
    return wire, report


def _when(statements):
    """When each statement comes: before the transaction, in it, at its COMMIT, or after."""
    begin = next(n for n, text in enumerate(statements) if text.startswith("BEGIN"))
    commit = next(n for n, text in enumerate(statements) if text.startswith("COMMIT"))
    places = defaultdict(list)
    for n, text in enumerate(statements):
        if n < begin:
            places["before the transaction"].append(n)
        elif n < commit:
            places["in the transaction"].append(n)
        elif n == commit:
            places["at COMMIT"].append(n)
        elif "WITH RECURSIVE reads" in text or "pg_backend_pid" in text:  # their connection's first question
            places["after COMMIT, when views are listed"].append(n)
        elif any(f"cpimportd: {name}" in text for name in ("outstanding", "settle", "fail ")):
            places["after COMMIT, when notifications are marked as sent"].append(n)
        elif "cpimportd: finish" in text:
            places["after COMMIT, when the report is stored"].append(n)
        else:
            places["after COMMIT, when totals are read"].append(n)
    return places


def _sampled(places, whole):
    """All of them, or the first, the last and the middle of many, one of few."""
    if whole:
        return places
    return sorted({places[0], places[len(places) // 2], places[-1]}) if len(places) > 10 else places[:1]


@pytest.mark.asyncio
@pytest.mark.parametrize("harm", [Harm.KILLED, Harm.CUT])
async def test_a_connection_lost_at_any_statement_leaves_the_books_before_or_after(
    make_books, connect, faults, whole, harm
):
    books = make_books()
    passed, report = await _run(books, connect, Harm.NONE)
    assert report.status is RunStatus.PUBLISHED
    books.assert_right()
    for when, places in _when(passed.statements).items():
        outcomes = set()
        for at in _sampled(places, whole):
            books = make_books()
            before = books.exact
            wire, report = await _run(books, connect, harm, at)
            assert wire.done, f"statement {at} did not come: {passed.statements[at]}"
            assert books.has_report(report), f"the report of {report.status} was lost at {passed.statements[at]}"
            outcomes.add(f"{codes(report)}, {stand(books, report, before)}")
            await books.put_right()
        assert len(outcomes) == 1, outcomes
        faults.tell(
            Chapter.DATABASE, f"{_FAULTS[harm]}, at any statement {when}", outcomes.pop() + "; next run corrects them"
        )


_FAULTS = {
    Harm.KILLED: "Our server process is killed before the statement arrives",
    Harm.CUT: "The connection is cut after the statement was carried out, before its answer",
}
