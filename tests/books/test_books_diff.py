"""What a run made different is told document by document, and adds up to the run's own bridge, however long ago."""

import json
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cpimportd.books.journal.explain import explain
from cpimportd.books.journal.movements import What
from cpimportd.config.settings import Database
from cpimportd.core.model import Kind
from cpimportd.core.problems import ProblemError
from cpimportd.core.report import RunStatus
from cpimportd.render.fields import title_of
from cpimportd.run.undoing import undo_once
from tests.support.books.whole_diff import diff
from tests.support.database import run_apart

TRUTH = json.loads((Path(__file__).parent.parent / "samples" / "day2.json").read_text(encoding="utf-8"))


@pytest.mark.asyncio
async def test_the_second_day_is_told_exactly(two_days, connect):
    async with connect(two_days.url) as connection:
        found = await diff(connection, 2)
    nights = TRUTH["overnight"].values()
    gone = {name for night in nights for name in night["deleted"]}
    assert {one.key.operation_id for one in found.of(What.REMOVED)} == gone
    assert len(found.of(What.RETIMED)) == sum(night["retimed"] for night in nights)
    assert len(found.of(What.CHANGED)) == sum(night["repriced"] for night in nights)
    assert found.of(What.ADDED) == []
    assert found.of(What.REKEYED) == []
    for one in found.of(What.CHANGED):
        (amount,) = [difference for difference in one.differences if difference.field == "amount"]
        assert (amount.old, amount.new) == (one.amount_before, one.amount_after)
        assert one.amount_before != one.amount_after
        assert sum(line["payment_amount"] for line in one.lines_new) - sum(
            line["payment_amount"] for line in one.lines_gone
        ) == (one.amount_after - one.amount_before)
    for one in found.of(What.RETIMED):
        assert one.was != one.key.operation_id
        assert one.amount_before == one.amount_after
        assert (one.lines_gone, one.lines_new) == ((), ())


@pytest.mark.asyncio
async def test_opening_and_movements_are_the_closing_of_every_unit(two_days, connect):
    async with connect(two_days.url) as connection:
        for run in (1, 2, 3, 4):
            found = await diff(connection, run)
            assert len(found.sums) == {1: 12, 2: 10, 3: 10, 4: 5}[run]  # receipts stay as they are
            for one in found.sums:
                assert one.bridge.opening + one.added - one.removed + one.changed == one.bridge.closing
                assert one.unexplained == 0


@pytest.mark.asyncio
async def test_an_old_run_is_told_as_it_was_then(two_days, connect):
    """Of run 1's documents some were re-priced, went, came back, or came back under another name since."""
    async with connect(two_days.url) as connection:
        first, second, third = [await diff(connection, run) for run in (1, 2, 3)]
    assert len(first.of(What.ADDED)) == 480
    amounts = {one.key: one.amount_after for one in first.of(What.ADDED)}
    for one in second.of(What.REMOVED, What.RETIMED, What.CHANGED):
        before = one.key if one.was is None else one.key._replace(operation_id=one.was)
        assert amounts[before] == one.amount_before
    back = {(one.key, one.amount_before, one.amount_after) for one in third.of(What.CHANGED)}
    assert back == {(one.key, one.amount_after, one.amount_before) for one in second.of(What.CHANGED)}
    assert {one.key for one in third.of(What.ADDED)} == {one.key for one in second.of(What.REMOVED)}
    assert {(one.was, one.key.operation_id) for one in third.of(What.RETIMED)} == {
        (one.key.operation_id, one.was) for one in second.of(What.RETIMED)
    }


@pytest.mark.asyncio
async def test_it_is_said_in_which_cell_a_document_came(two_days, connect):
    async with connect(two_days.url) as connection:
        found = await diff(connection, 2)
        told = [
            (one, await explain(connection, 8, one.key.operation_id)) for one in found.of(What.CHANGED, What.RETIMED)
        ]
    for one, explained in told:
        (then,) = (version.state for version in explained.versions if version.since == 2)
        place = one.origin.document
        assert place.workbook.run == 2
        assert place.workbook.file.endswith("Spisanie kredity XLSX.xlsx")
        assert place.cell("amount") == f"{place.workbook.columns['amount']}{place.row}"
        assert len(one.origin.lines) == len(then.lines)
    for one in found.of(What.REMOVED):
        assert one.origin.document.workbook.run == 1


@pytest.mark.asyncio
async def test_one_organization_alone(two_days, connect):
    async with connect(two_days.url) as connection:
        whole = await diff(connection, 2)
        (name, other) = sorted({one.organization for one in whole.movements})
        part = await diff(connection, 2, organization=name)
    assert {one.organization for one in part.movements} == {name}
    assert {one.organization for one in part.sums} == {name}
    assert len(part.movements) + len([one for one in whole.movements if one.organization == other]) == len(
        whole.movements
    )


@pytest.mark.asyncio
async def test_scripts_get_the_titles_of_the_workbook_and_sums_as_strings(two_days, connect):
    async with connect(two_days.url) as connection:
        shown = json.loads(json.dumps((await diff(connection, 2)).titled(title_of)))
    assert shown["counts"] == {"added": 0, "removed": 4, "changed": 6, "retimed": 4, "rekeyed": 0}
    changed = next(one for one in shown["documents"] if one["what"] == "changed")
    assert "Сумма" in {one["title"] for one in changed["differences"]}
    assert Decimal(changed["amount_after"]).as_tuple().exponent == -2
    assert changed["source"]["cell"].endswith(str(changed["source"]["row"]))
    assert {one["unexplained"] for one in shown["sums"]} == {"0.00"}


@pytest.mark.asyncio
async def test_a_run_that_does_not_exist_is_said(two_days, connect):
    async with connect(two_days.url) as connection:
        with pytest.raises(ProblemError, match="there is no run 99"):
            await diff(connection, 99)
        with pytest.raises(ProblemError) as nobody:
            await diff(connection, 2, organization="ЛОТОС")
    assert "«ЛОТОС ООО»" in nobody.value.problems[0].way_out


def test_every_field_has_the_workbooks_title():
    from cpimportd.books.database.queries import DETAIL_COLUMNS
    from cpimportd.books.journal.states import field_names

    for kind in (Kind.RECEIPTS, Kind.EXPENSES):
        assert {title_of(kind, name) for name in field_names(kind)}.isdisjoint(field_names(kind))
    assert {title_of(Kind.DETAILS, name) for name in DETAIL_COLUMNS}.isdisjoint(DETAIL_COLUMNS)
    assert title_of(Kind.EXPENSES, "extra.ИНН") == "ИНН"


@pytest.fixture
def copied(two_days, templates):
    """The same books, copied, so that they may be written to."""
    name = templates.fresh(urlsplit(two_days.url).path.lstrip("/"), "cpimportd")
    yield templates.server.url(name, "cpimportd")
    templates.drop([name])


@pytest.fixture
def take_back(two_days, copied):
    def undo(run, **how):
        settings = two_days.settings.model_copy(update={"database": Database(url=copied)})
        report = run_apart(undo_once(settings, run, **how))
        assert report.status is RunStatus.PUBLISHED, report.problems

    return undo


@pytest.fixture
def taken_back(copied, take_back):
    """There run 4 was undone by run 5."""
    take_back(4)
    return copied


@pytest.mark.asyncio
async def test_an_undo_of_several_runs_is_told_as_the_difference_that_is_left(copied, take_back, connect, sql):
    """One organization's run 4 had done over again what run 3 had undone: taking back both changes nothing there."""
    take_back(3, through=True)
    async with connect(copied) as connection:
        second, undo = [await diff(connection, run) for run in (2, 5)]
    assert undo.undoes == (4, 3)
    assert {one.organization for one in undo.movements} == {"ЛОТОС ООО"}
    mine = [one for one in second.movements if one.organization == "ЛОТОС ООО"]
    assert {(one.what, one.was, one.key, one.amount_before, one.amount_after) for one in undo.movements} == {
        (one.what, one.was, one.key, one.amount_before, one.amount_after) for one in mine
    }
    assert undo.unexplained == ()
    for row in sql(copied, "SELECT * FROM cpimportd.run_contract WHERE run_id = 5"):
        assert row["opening"] + row["added"] - row["removed"] + row["changed"] == row["closing"]
        assert row["opening"] >= 0


@pytest.mark.asyncio
async def test_an_undo_is_told_as_what_it_made_different(two_days, taken_back, connect):
    """What the run had done is told the other way round."""
    async with connect(two_days.url) as connection:
        untouched = {run: await diff(connection, run) for run in (1, 2, 3, 4)}
    async with connect(taken_back) as connection:
        found = {run: await diff(connection, run) for run in range(1, 6)}
    undo, undone = found[5], found[4]
    assert undo.undoes == (4,)
    assert len(undo.movements) == len(undone.movements) == 7
    assert {one.key for one in undo.of(What.ADDED)} == {one.key for one in undone.of(What.REMOVED)}
    assert {(one.was, one.key.operation_id) for one in undo.of(What.RETIMED)} == {
        (one.key.operation_id, one.was) for one in undone.of(What.RETIMED)
    }
    assert {(one.key, one.amount_before, one.amount_after) for one in undo.of(What.CHANGED)} == {
        (one.key, one.amount_after, one.amount_before) for one in undone.of(What.CHANGED)
    }
    for run, before in untouched.items():  # earlier runs are told as before, though what they did is no more
        assert found[run].movements == before.movements
    for one in found.values():
        assert one.unexplained == ()


@pytest.mark.asyncio
async def test_a_document_that_an_undo_brought_back_is_explained_across_it(two_days, taken_back, connect):
    async with connect(two_days.url) as connection:
        fourth = await diff(connection, 4)
    pair, gone = fourth.of(What.RETIMED)[0], fourth.of(What.REMOVED)[0]
    async with connect(taken_back) as connection:
        told = [await explain(connection, 8, name) for name in (pair.was, pair.key.operation_id)]
        back = await explain(connection, 8, gone.key.operation_id)
    assert told[0] == told[1]
    assert (told[0].in_books, told[0].key.operation_id) == (True, pair.was)
    names = [version.state.key.operation_id for version in told[0].versions]
    assert names == [pair.was, pair.key.operation_id] * 2 + [pair.was]
    assert [version.since for version in told[0].versions] == [5, 4, 3, 2, 1]
    assert back.in_books
    assert [(version.state is None, version.since) for version in back.versions] == [
        (False, 5), (True, 4), (False, 3), (True, 2), (False, 1),
    ]  # fmt: skip


@pytest.mark.asyncio
async def test_journals_of_an_older_version_are_told_as_far_as_they_go(copied, connect, sql):
    """They do not say where an earlier value came from, nor which run had brought a document that is gone."""
    sql(
        copied,
        "UPDATE cpimportd.change SET lineage = NULL",
        "UPDATE cpimportd.snapshot SET columns = '{}', sheet = NULL",
    )
    async with connect(copied) as connection:
        first, second = [await diff(connection, run) for run in (1, 2)]
        one = second.of(What.CHANGED)[0]
        found = await explain(connection, 8, one.key.operation_id)
    assert (len(second.of(What.RETIMED)), len(second.movements), second.unexplained) == (4, 14, ())
    assert first.unexplained != ()  # of what has gone since nobody knows any more that run 1 had brought it
    assert found.versions[0].origin.document.cell("amount") is None
    assert found.versions[0].origin.document.row > 1
    assert [version.state.amount for version in found.versions][:2] in (
        [one.amount_before, one.amount_after], [one.amount_after, one.amount_before],
    )  # fmt: skip
