"""What a run made different is told document by document, and adds up to the run's own bridge, however long ago."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from cpimportd.books.diff import diff
from cpimportd.books.movements import What
from cpimportd.model import Kind
from cpimportd.problems import ProblemError
from cpimportd.titles import title_of

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
            assert len(found.sums) == {1: 6, 2: 4, 3: 4, 4: 2}[run]  # receipts stay as they are
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
    for one in found.of(What.CHANGED, What.RETIMED):
        place = one.origin.document
        assert place.workbook.run == 2
        assert place.workbook.file.endswith("Spisanie kredity XLSX.xlsx")
        assert place.cell("amount") == f"{place.workbook.columns['amount']}{place.row}"
        assert len(one.origin.lines) == one.line_count_after
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
        shown = json.loads(json.dumps((await diff(connection, 2)).as_json(title_of)))
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


def test_every_field_has_the_workbooks_title():
    from cpimportd.books.shapes import DETAIL_COLUMNS
    from cpimportd.books.states import field_names

    for kind in (Kind.RECEIPTS, Kind.EXPENSES):
        assert {title_of(kind, name) for name in field_names(kind)}.isdisjoint(field_names(kind))
    assert {title_of(Kind.DETAILS, name) for name in DETAIL_COLUMNS}.isdisjoint(DETAIL_COLUMNS)
    assert title_of(Kind.EXPENSES, "extra.ИНН") == "ИНН"
