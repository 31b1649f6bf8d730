"""The workbook of a diff: numbers are numbers, texts stay texts, and the sheets add up."""

from dataclasses import replace
from decimal import Decimal

import openpyxl
import pytest

from cpimportd.books.diff import diff
from cpimportd.books.movements import What
from cpimportd.diffbook import write_diff

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
    write_diff(found, path)
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
    write_diff(await read(two_days, connect, 1), path)
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
    write_diff(replace(found, movements=(wicked,)), path)
    (row,) = rows(path, "Удалено")
    for title in ("Организация", "Контрагент", "Назначение платежа"):
        cell = row[title]
        assert cell.data_type == "s"
        assert cell.quotePrefix or not cell.value.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert "\x1b" not in row["Назначение платежа"].value
