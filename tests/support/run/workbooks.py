"""Workbooks made of the rows of others: several of one, one of several, the same under another name."""

import os
import time
from pathlib import Path
from typing import Any

from python_calamine import load_workbook

from cpimportd.core.report import RunReport
from cpimportd.demo.workbook import write_workbook
from tests.support.run.workplace import Workplace

Rows = tuple[list[str], list[list[Any]]]


def rows_of(file: Path) -> Rows:
    """A workbook's titles, and its documents without the row with the totals."""
    titles, *rows, _total = load_workbook(str(file)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    return titles, [[None if cell == "" else cell for cell in row] for row in rows]


def write(file: Path, found: Rows, title: str = "Сумма") -> Path:
    """A workbook with these documents and a total that fits, uploaded two hours ago."""
    titles, rows = found
    write_workbook(file, titles, rows, {title: round(sum(row[titles.index(title)] for row in rows), 2)})
    aged(file)
    return file


def aged(file: Path) -> None:
    os.utime(file, (time.time() - 7200,) * 2)


def split(file: Path, *parts: slice, title: str = "Сумма") -> list[Path]:
    """Several workbooks in place of one."""
    titles, rows = rows_of(file)
    file.unlink()
    return [
        write(file.with_name(f"{file.stem} {number}.xlsx"), (titles, rows[part]), title)
        for number, part in enumerate(parts, 1)
    ]


def shrink(file: Path, keep: int) -> None:
    """Write the workbook anew with only its first documents, and a control total that fits."""
    rows = load_workbook(str(file)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    titles, documents = rows[0], [[None if cell == "" else cell for cell in row] for row in rows[1 : keep + 1]]
    amount = titles.index("Сумма")
    write_workbook(file, titles, documents, {"Сумма": sum(row[amount] for row in documents)})


def rename(file: Path, *, changed: bool = False) -> None:
    """1C calls ЛОТОС ООО by another name; ``changed``: and of its documents one is re-timed, another deleted."""
    titles, *rows, _total = load_workbook(str(file)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    at = {title: number for number, title in enumerate(titles)}
    lines = [[None if cell == "" else cell for cell in row] for row in rows]
    for line in lines:
        line[at["Организация"]] = "ЛОТОС ПЛЮС ООО"
    if changed:
        del lines[1]
        document = next(at[title] for title in titles if title.startswith("Поступление"))
        seconds = lines[0][document][-2:]
        lines[0][document] = lines[0][document][:-2] + ("11" if seconds != "11" else "12")
    write_workbook(file, titles, lines, {"Сумма": round(sum(line[at["Сумма"]] for line in lines), 2)})
    aged(file)


async def hold_a_unit(workplace: Workplace) -> RunReport:
    """A first day, and a second one on which the receipts of ЛОТОС ООО shrink, which holds them; gives its report."""
    workplace.sample("day1")
    await workplace.run()
    shrink(workplace.file("Lotos - Postuplenie"), keep=20)
    return await workplace.run()
