"""The marked workbooks of a run: each row that a problem concerns, and amounts beside amounts, as a second reader has them."""

import json
from decimal import Decimal

import openpyxl
import pytest
from python_calamine import load_workbook

from cpimportd.demo.workbook import write_workbook
from tests.run.test_run_bad_input import change_details, move_a_rouble, rewrite
from tests.support.run.workbooks import rows_of, write

DOCUMENT, AMOUNT, PAID = "Списание с расчетного счета", "Сумма", "Сумма платежа"
UNCONFIRMED = "Не подтверждено выпиской банка"
RED, YELLOW = "FFFFC7CE", "FFFFEB9C"


class Read:
    """A workbook of 1C's, read by nothing of ours."""

    def __init__(self, file):
        self.titles, *rows = load_workbook(str(file)).get_sheet_by_index(0).to_python(skip_empty_area=False)
        self.rows = dict(enumerate(rows, 2))

    def __getitem__(self, title):
        at = self.titles.index(title)
        return {row: cells[at] for row, cells in self.rows.items()}

    def where(self, title, value):
        return {row for row, cell in self[title].items() if cell == value}

    def sum_of(self, title, rows):
        return sum((Decimal(str(self[title][row])) for row in rows), Decimal(0)).quantize(Decimal("0.01"))


class Marked:
    """What ``rejects`` made of one workbook."""

    def __init__(self, path):
        book = openpyxl.load_workbook(path)
        titles, *lines = book["Что исправить"].iter_rows(values_only=True)
        self.titles, self.lines = titles, [list(line) for line in lines]
        sheet = book.worksheets[1]
        header = {cell.column_letter: cell.value for cell in sheet[1]}
        cells = [cell for row in sheet.iter_rows() for cell in row if cell.comment]
        self.marks = {(cell.row, header[cell.column_letter]): cell for cell in cells}

    def told(self, words):
        at = self.titles.index("Что не так")
        return [line for line in self.lines if words in line[at]]

    def rows(self, title, words):
        return {row for (row, of), cell in self.marks.items() if of == title and words in cell.comment.text}

    def amounts(self, line):
        """What the line compares: name, amount, name, amount, and the difference in words."""
        at = self.titles.index("Одна сумма")
        return line[at], Decimal(str(line[at + 1])), line[at + 2], Decimal(str(line[at + 3])), line[at + 4]


@pytest.fixture
def marked(workplace, tmp_path):
    """The marked copies of the latest run, by a part of their names."""

    def ask():
        (run,) = workplace.sql(workplace.url, "SELECT max(id) AS id FROM cpimportd.runs")
        folder = tmp_path / f"marked {run['id']}"
        done = workplace.command("rejects", str(run["id"]), "--output", str(folder), "--json")
        assert done.returncode == 0, done.stderr
        found = {one["file"]: one for one in json.loads(done.stdout)["workbooks"]}
        copies = {name: Marked(one["marked"]) for name, one in found.items()}
        assert {name: len(copy.lines) for name, copy in copies.items()} == {n: o["problems"] for n, o in found.items()}
        return lambda part: next((copy for name, copy in copies.items() if part in name), None)

    return ask


@pytest.mark.asyncio
async def test_every_unconfirmed_document_is_marked(workplace, marked):
    workplace.sample("day1")
    await workplace.run()
    copies = marked()
    for part in ("Lotos - Spisanie kredity", "Severnaya - Spisanie kredity"):
        read = Read(workplace.file(part))
        expected = read.where(UNCONFIRMED, "Да")
        assert len(expected) > 4
        copy = copies(part)
        assert copy.rows(UNCONFIRMED, "не подтверждены выпиской банка") == expected
        assert {copy.marks[row, UNCONFIRMED].fill.fgColor.rgb for row in expected} == {YELLOW}
        told = copy.told("не подтверждены выпиской банка")
        assert len(told) == len(expected)
        at = copy.titles.index("Документ")
        assert [line[at] for line in told] == [read[DOCUMENT][row] for row in sorted(expected)]
        total = f"{read.sum_of(AMOUNT, expected):,.2f}".replace(",", "\N{NO-BREAK SPACE}").replace(".", ",")
        assert all(total in line[copy.titles.index("Что не так")] for line in told)


@pytest.mark.asyncio
async def test_a_wrong_total_stands_beside_the_sum_with_the_difference_in_words(workplace, marked):
    workplace.sample("day1")
    file = workplace.file("Lotos - Spisanie kredity")
    read = Read(file)
    (total_row,) = read.where(DOCUMENT, "Итого")
    said = read.sum_of(AMOUNT, [total_row])
    rewrite("sheet1.xml", f"<v>{said.normalize():f}</v>".encode(), f"<v>{said + Decimal('12.50'):f}</v>".encode())(file)
    report = await workplace.run()
    assert report.code == 3
    copy = marked()("Lotos - Spisanie kredity")
    (line,) = copy.told("«Итого»")
    rows = read.sum_of(AMOUNT, read.rows.keys() - {total_row})
    assert rows == said
    assert copy.amounts(line) == (
        "Сумма строк", rows, "«Итого»", said + Decimal("12.50"), "сумма строк меньше, чем «Итого», на 12,50",
    )  # fmt: skip
    mark = copy.marks[total_row, AMOUNT]
    assert mark.fill.fgColor.rgb == RED
    assert "Разница: сумма строк меньше, чем «Итого», на 12,50" in mark.comment.text
    (waits,) = copy.told("из-за файла")
    assert "ЛОТОС ООО" in waits[copy.titles.index("Что не так")]


@pytest.mark.asyncio
async def test_an_expense_and_its_details_are_marked_in_both_workbooks(workplace, marked):
    workplace.sample("day1")
    expenses, details = workplace.file("Lotos - Spisanie kredity"), workplace.file("Lotos - Spisanie(")
    change_details(details, move_a_rouble)
    report = await workplace.run()
    assert report.code == 3
    wrong, right = Read(details), Read(expenses)
    lines, single = wrong[DOCUMENT], {name: row for row, name in right[DOCUMENT].items()}
    differing = {}
    for name, row in single.items():
        own = {line for line, of in lines.items() if of == name}
        paid, amount = wrong.sum_of(PAID, own), right.sum_of(AMOUNT, [row])
        if name != "Итого" and paid != amount:
            differing[name] = (own, row, paid, amount)
    assert len(differing) == 2
    copies = marked()
    beside_lines, beside_expense = copies("Lotos - Spisanie("), copies("Lotos - Spisanie kredity")
    words = "Сумма расшифровки не равна сумме списания"
    assert beside_lines.rows(PAID, words) == {row for own, *_ in differing.values() for row in own}
    assert beside_expense.rows(AMOUNT, words) == {row for _, row, *_ in differing.values()}
    for copy in (beside_lines, beside_expense):
        for name, (_, _, paid, amount) in differing.items():
            gap = f"на {abs(paid - amount):.2f}".replace(".", ",")
            side = "меньше" if paid < amount else "больше"
            told = [line for line in copy.told(words) if name in line[copy.titles.index("Что не так")]]
            assert {copy.amounts(line) for line in told} == {
                ("Расшифровка", paid, "Списание", amount, f"расшифровка {side} списания {gap}")
            }


@pytest.mark.asyncio
async def test_details_that_are_cut_off_are_listed_in_both_workbooks_and_their_expenses_marked(workplace, marked):
    workplace.sample("day1")
    expenses, details = workplace.file("Lotos - Spisanie kredity"), workplace.file("Lotos - Spisanie(")
    titles, lines = rows_of(details)
    at = titles.index(DOCUMENT)
    gone = list(dict.fromkeys(line[at] for line in lines))[-3:]
    write(details, (titles, [line for line in lines if line[at] not in gone]), PAID)
    report = await workplace.run()
    assert report.code == 3
    read = Read(expenses)
    rows = {row for row, name in read[DOCUMENT].items() if name in gone}
    left, whole = Read(details), read.sum_of(AMOUNT, read.where(DOCUMENT, "Итого"))
    paid = left.sum_of(PAID, left.rows.keys() - left.where(DOCUMENT, "Итого"))
    copies = marked()
    for part in ("Lotos - Spisanie(", "Lotos - Spisanie kredity"):
        copy = copies(part)
        (line,) = copy.told("сумма всех списаний")
        name, one, other_name, other, words = copy.amounts(line)
        assert (name, one, other_name, other) == ("Расшифровка всех списаний", paid, "Все списания", whole)
        shown = f"{whole - paid:,.2f}".replace(",", "\N{NO-BREAK SPACE}").replace(".", ",")
        assert words == f"расшифровка всех списаний меньше их суммы на {shown}"
    copy = copies("Lotos - Spisanie kredity")
    assert len(copy.told("нет расшифровки")) == len(rows) == 3
    assert {row for (row, _), cell in copy.marks.items() if "нет расшифровки" in cell.comment.text} == rows


@pytest.mark.asyncio
async def test_a_document_that_stands_twice_is_marked_twice(workplace, marked):
    workplace.sample("day1")
    file = workplace.file("Lotos - Postuplenie")
    titles, rows = rows_of(file)
    write(file, (titles, [*rows, rows[4]]))
    report = await workplace.run()
    assert report.code == 3
    copy = marked()("Lotos - Postuplenie")
    document = next(title for title in titles if title.startswith("Поступление"))
    twice = Read(file).where(document, rows[4][titles.index(document)])
    assert len(twice) == 2
    assert copy.rows(document, "встречается дважды") == twice
    assert len(copy.told("встречается дважды")) == 2


@pytest.mark.asyncio
async def test_a_workbook_of_two_organizations_tells_once_that_both_wait_for_it(workplace, marked):
    """Their details come in one file whose total is wrong; the expenses of both are right and wait."""
    workplace.sample("day1")
    lotos, north = workplace.file("Lotos - Spisanie("), workplace.file("Severnaya - Spisanie(")
    titles, rows = rows_of(lotos)
    others, more = rows_of(north)
    rows += [[row[others.index(title)] if title in others else None for title in titles] for row in more]
    north.unlink()
    total = round(sum(row[titles.index(PAID)] for row in rows), 2)
    write_workbook(lotos, titles, rows, {PAID: total + 1})
    report = await workplace.run()
    waiting = {p.organization for p in report.all_problems if p.code == "partner-held"}
    assert len(waiting) == 2
    copies = marked()
    (line,) = copies("Lotos - Spisanie(").told("из-за файла")
    assert all(name in line[copies("Lotos - Spisanie(").titles.index("Что не так")] for name in waiting)
    for part in ("Lotos - Spisanie kredity", "Severnaya - Spisanie kredity"):
        assert copies(part).told("из-за файла") == []
