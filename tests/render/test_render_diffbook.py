"""The workbook of a diff: numbers are numbers, texts stay texts, and the sheets add up."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import openpyxl
import pytest

from cpimportd.books.journal.movements import Difference, What
from cpimportd.render.workbooks.diff import write_diff
from tests.support.books.whole_diff import diff

ACTIVE = ('=HYPERLINK("http://example.org","x")', "+1+1", "-2+3", "@SUM(1)", "\t=1+1", "\r=1+1", "=cmd|' /C calc'!A0")


async def read(two_days, connect, run):
    async with connect(two_days.url) as connection:
        return await diff(connection, run)


def rows(path, title):
    sheet = openpyxl.load_workbook(path)[title]
    header, *body = sheet.iter_rows()
    return [dict(zip((cell.value for cell in header), row, strict=True)) for row in body]


@pytest.mark.asyncio
async def test_the_second_days_workbook_tells_what_the_diff_tells(two_days, connect, tmp_path):
    found, path = await read(two_days, connect, 2), tmp_path / "diff.xlsx"
    await write_diff(found.found, found.tell, path)
    assert openpyxl.load_workbook(path).sheetnames == ["Добавлено", "Удалено", "Изменено", "Итоги"]
    assert rows(path, "Добавлено") == []
    removed = {row["Документ"].value: row for row in rows(path, "Удалено")}
    assert removed.keys() == {one.key.operation_id for one in found.of(What.REMOVED)}
    for one in found.of(What.REMOVED):
        cell = removed[one.key.operation_id]["Сумма"]
        assert Decimal(str(cell.value)) == one.amount_before
        assert (cell.data_type, cell.number_format) == ("n", "#,##0.00")
        assert removed[one.key.operation_id]["Дата"].is_date
        assert removed[one.key.operation_id]["Ячейка"].value == one.origin.document.cell("amount")
    changed = rows(path, "Изменено")
    amounts = [row for row in changed if row["Поле"].value == "Сумма"]
    assert len(amounts) == 6
    for row in amounts:
        assert round(row["Стало"].value - row["Было"].value, 2) == row["Разница"].value
    assert len([row for row in changed if row["Поле"].value == "Документ"]) == 4  # re-timed
    assert len([row for row in changed if row["Поле"].value == "Строка расшифровки"]) == 12
    for row, sums in zip(rows(path, "Итоги"), found.sums, strict=True):
        told = [row[title].value for title in ("На начало", "Добавлено", "Удалено", "Изменено", "На конец")]
        opening, added, removed_sum, moved, closing = (Decimal(str(value)) for value in told)
        assert opening + added - removed_sum + moved == closing == sums.bridge.closing
        assert row["Не объяснено"].value == 0


@pytest.mark.asyncio
async def test_the_first_days_documents_are_all_there(two_days, connect, tmp_path):
    path = tmp_path / "diff.xlsx"
    found = await read(two_days, connect, 1)
    await write_diff(found.found, found.tell, path)
    assert len(rows(path, "Добавлено")) == 480


@pytest.mark.asyncio
@pytest.mark.parametrize("text", ACTIVE)
async def test_texts_that_look_like_formulas_stay_texts(two_days, connect, tmp_path, text):
    found, path = await read(two_days, connect, 2), tmp_path / "diff.xlsx"
    one = found.of(What.REMOVED)[0]
    wicked = replace(
        one,
        organization_before=text,
        fields={**one.fields, "recipient": text, "payment_purpose": text + "\x00\x1b[31m"},
    )
    await write_diff(found.found, replace(found, movements=(wicked,)).tell, path)
    (row,) = rows(path, "Удалено")
    for title in ("Организация", "Контрагент", "Назначение платежа"):
        cell = row[title]
        assert cell.data_type == "s"
        assert cell.quotePrefix or not cell.value.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert "\x1b" not in row["Назначение платежа"].value


@pytest.mark.asyncio
@pytest.mark.parametrize("text", ["5400-19-33", "2023-02-01"])
async def test_a_text_that_looks_like_a_date_stays_a_text(two_days, connect, tmp_path, text):
    found, path = await read(two_days, connect, 2), tmp_path / "diff.xlsx"
    gone, changed = found.of(What.REMOVED)[0], found.of(What.CHANGED)[0]
    differences = (Difference("contract", None, text), Difference("extra.some_date", text, None))
    movements = (
        replace(gone, fields={**gone.fields, "contract": text}),
        replace(changed, was=None, differences=differences, lines_gone=(), lines_new=()),
    )
    await write_diff(found.found, replace(found, movements=movements).tell, path)
    (row,) = rows(path, "Удалено")
    assert (row["Договор"].value, row["Договор"].data_type) == (text, "s")
    assert [(row["Было"].value, row["Стало"].value) for row in rows(path, "Изменено")] == [(None, text), (text, None)]


@pytest.mark.asyncio
async def test_dates_that_changed_are_dates_where_a_workbook_has_such_a_day(two_days, connect, tmp_path):
    found, path = await read(two_days, connect, 2), tmp_path / "diff.xlsx"
    one = replace(found.of(What.CHANGED)[0], was=None, lines_gone=(), lines_new=())
    one = replace(one, differences=(Difference("contract_date", "0001-01-01", "2024-12-31"),))
    await write_diff(found.found, replace(found, movements=(one,)).tell, path)
    (row,) = rows(path, "Изменено")
    assert row["Было"].value == "0001-01-01"
    assert (row["Стало"].is_date, row["Стало"].value.date()) == (True, date(2024, 12, 31))
