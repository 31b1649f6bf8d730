"""An undo whose connection is lost: the books are those before it, or those after it, and the next undo takes place."""

import tempfile
from pathlib import Path

import pytest

from cpimportd.core.report import RunStatus
from cpimportd.run.undoing import undo_once
from tests.support.faults.books import codes, killer, server_socket, through
from tests.support.faults.table import Chapter
from tests.support.faults.wire import Harm, Wire, tapped

_SECOND_DAY = 2
_FAULTS = {
    Harm.KILLED: "Our server process is killed before the statement arrives, at any statement of an undo",
    Harm.CUT: "The connection is cut after the statement was carried out, at any statement of an undo",
}


async def _undo(books, connect, harm=Harm.NONE, at=-1):
    async with connect(books.root) as root:
        wire = Wire(killer(root), harm, at)
        with tempfile.TemporaryDirectory() as folder:
            async with tapped(server_socket(books.url), Path(folder), wire):
                settings = books.settings(through(books.url, Path(folder)))
                report = await undo_once(settings, _SECOND_DAY)
    await books.quiet()
    return wire, report


async def _second_day(make_books):
    books = make_books()
    assert (await books.run()).run == _SECOND_DAY
    return books


@pytest.mark.asyncio
@pytest.mark.parametrize("harm", [Harm.KILLED, Harm.CUT])
async def test_an_undo_that_loses_its_connection_took_place_or_did_not(make_books, connect, faults, whole, harm):
    undisturbed = await _second_day(make_books)
    passed, report = await _undo(undisturbed, connect)
    assert report.status is RunStatus.PUBLISHED
    begin, commit = (
        next(n for n, text in enumerate(passed.statements) if text.startswith(word)) for word in ("BEGIN", "COMMIT")
    )
    outcomes = set()
    for at in range(begin, commit + 1) if whole else sorted({begin + 5, (begin + commit) // 2, commit}):
        books = await _second_day(make_books)
        before = books.exact
        wire, report = await _undo(books, connect, harm, at)
        assert wire.done, passed.statements[at]
        took_place = report.status is RunStatus.PUBLISHED
        assert books.has_report(report)
        if not took_place:
            assert books.exact == before
            _, again = await _undo(books, connect)
            assert again.status is RunStatus.PUBLISHED
        assert books.content == undisturbed.content
        outcomes.add(f"{'at COMMIT' if at == commit else 'before'}: {codes(report)}")
    faults.tell(
        Chapter.DATABASE,
        _FAULTS[harm],
        f"{'; '.join(sorted(outcomes))}; the books as before the undo or as after it, the next undo takes place",
    )
