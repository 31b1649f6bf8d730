"""One hostile workbook in an upload: every case in plain words, and how a run with it is looked at."""

import json
import time
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from cpimportd.core.report import RunReport
from tests.support.faults import hostile
from tests.support.faults.books import Books
from tests.support.faults.harmless import assert_harmless
from tests.support.faults.hostile import AMOUNT, PURPOSE, SHEET, STRINGS, Make, cell, number, part
from tests.support.workbook.ole2 import ole2_container

SAMPLES = Path(__file__).parents[2] / "samples"
EXPENSES, RECEIPTS = "Lotos - Spisanie kredity", "Lotos - Postuplenie"
LOTOS = """
    SELECT md5(string_agg(e::text, '' ORDER BY e.id)) FROM fin_expenses e JOIN fin_organizations o
        ON o.id = e.organization_id WHERE o.name LIKE 'ЛОТОС%'
    UNION ALL SELECT md5(string_agg(d::text, '' ORDER BY d.id)) FROM fin_expense_details d
        WHERE d.expense_operation_id LIKE '%0Л0Л-%'
"""
SUMS = """
    SELECT count(*), sum(amount) FROM fin_receipts UNION ALL SELECT count(*), sum(amount) FROM fin_expenses
    UNION ALL SELECT count(*), sum(payment_amount) FROM fin_expense_details
"""


@dataclass(frozen=True)
class Case:
    """A fault in plain words, how it is made, by which code it is told; ``place`` is the row and column of a reject."""

    fault: str
    make: Make
    code: str
    place: tuple[int, str] | None = None
    always: bool = False
    limits: dict[str, Any] = field(default_factory=dict)


def held(fault: str, make: Make, code: str, *, always: bool = False, **limits: Any) -> Case:
    return Case(fault, make, code, None, always, limits)


def rejected(fault: str, make: Make, row: int, column: str, *, always: bool = False) -> Case:
    return Case(fault, make, "reject", (row, column), always)


CASES = [
    held("a zip bomb: one part of 300 MB in 300 KB", hostile.flat_bomb, "zip-suspicious"),
    held("a zip bomb of zips in zips", hostile.nested_bomb, "zip-suspicious", always=True),
    held("a zip of a million entries", hostile.entries(1_000_000), "zip-suspicious"),
    held("billion laughs: nested entities in the shared texts", part(STRINGS, lambda _: hostile.entities(9)), "zip-suspicious", always=True),
    held("one long entity 20,000 times (quadratic blow-up)", part(STRINGS, hostile.quadratic_entity), "zip-suspicious"),
    held("an external entity that names /etc/passwd", part(STRINGS, hostile.external_entity), "zip-suspicious"),
    held("nested entities in UTF-16", part(STRINGS, hostile.utf16_entity), "zip-suspicious"),
    held("a sheet made to slow down regular expressions", part(SHEET, hostile.slow_to_search), "reader-limit", max_ratio=100_000, cpu_time=3),
    held("a cell in a column that no sheet has, ZZZZ3", hostile.replaced(SHEET, b'<c r="AJ3"', b'<c r="ZZZZ3"'), "file-damaged", always=True),
    held("one text of 160 MB, for a reader of 200 MB", hostile.heavy_text, "reader-limit", memory="200M", max_ratio=2000),
    held("a workbook with a password", lambda path: path.write_bytes(ole2_container("EncryptedPackage", bytes(5000))), "file-encrypted"),
    held("the same sheet twice, both shown", hostile.same_sheet_again("visible"), "several-sheets"),
    held("a checksum that does not fit its sheet", hostile.wrong_checksum, "file-damaged"),
    held("a cell that refers to a shared text that does not exist", hostile.replaced(SHEET, b"<v>40</v>", b"<v>4000000</v>"), "file-damaged"),
    held("a cell whose reference to a shared text is negative", hostile.replaced(SHEET, b"<v>40</v>", b"<v>-40</v>"), "file-damaged", always=True),
    held("a cell whose value holds elements", hostile.replaced(SHEET, b"<v>40</v>", b"<v><x>40</x></v>"), "file-damaged"),
    held("an undeclared entity", hostile.replaced(STRINGS, "<t>ЛОТОС ООО".encode(), "<t>&лотос;".encode()), "file-damaged"),
    held("an amount of -0 where another was", number(b"-0"), "control-total"),
    held("an amount of 1e-320 where another was", number(b"1e-320"), "control-total"),
    rejected("an amount of NaN", number(b"NaN"), 2, AMOUNT, always=True),
    rejected("an infinite amount (INF)", number(b"INF"), 2, AMOUNT),
    rejected("an amount of 1e308", number(b"1e308"), 2, AMOUNT),
    rejected("an amount of 1e400", number(b"1e400"), 2, AMOUNT),
    rejected("an amount of 1E5 in a text", cell(AMOUNT, "1E5"), 3, AMOUNT),
    rejected("a date of 1900, as text", cell("Вх. дата", "01.01.1900"), 3, "Вх. дата"),
    rejected("a date of 1900, as a serial number", cell("Вх. дата", 1), 3, "Вх. дата"),
    rejected("a date of 9999, as text", cell("Вх. дата", "31.12.9999"), 3, "Вх. дата"),
    rejected("a date of 9999, as a serial number", cell("Вх. дата", 2_958_465), 3, "Вх. дата"),
    rejected("a DDE formula where an amount should be", cell(AMOUNT, "=cmd|' /C calc'!A0"), 3, AMOUNT, always=True),
    rejected("SQL where an amount should be", cell(AMOUNT, "0); DROP TABLE fin_expenses; --"), 3, AMOUNT),
    rejected("a log line where a date should be", cell("Вх. дата", "x\nNov 24 06:00:00 host cpimportd[1]: ERROR all is lost"), 3, "Вх. дата"),
    rejected("terminal escapes where a date should be", cell("Вх. дата", "\u202e\u009b2J\u0085x"), 3, "Вх. дата"),
    rejected("markup where an amount should be", cell(AMOUNT, "[bold red]5[/] <script>alert(1)</script> {row}"), 3, AMOUNT),
    rejected("an organization's name of 32,767 characters", cell("Организация", "я" * 32_767), 3, "Организация"),
    rejected("a text of 9 MB in a cell", cell(PURPOSE, hostile.noise(9_000_000)), 3, ""),
]  # fmt: skip


async def run(books: Books, **limits: Any) -> RunReport:
    """One run, that ends in time and shows no defect and no control character anywhere."""
    settings = books.settings()
    settings = settings.model_copy(update={"reader": settings.reader.model_validate(limits)})
    began = time.monotonic()
    report = await books.run(settings)
    assert time.monotonic() - began < 600
    assert_harmless(report)
    return report


def assert_second_day(books: Books) -> None:
    """The books hold the second day to the kopeck."""
    truth = dict.fromkeys(("receipts", "expenses", "details"), (0, Decimal(0)))
    for file in json.loads((SAMPLES / "day2.json").read_text("utf-8"))["files"].values():
        rows, total = truth[file["kind"]]
        truth[file["kind"]] = (rows + file["rows"], total + Decimal(file["total"]))
    assert [tuple(row) for row in books.sql(books.root, SUMS)] == list(truth.values())


async def put_right(books: Books) -> None:
    """The next run makes the books those of the second day."""
    report = await run(books)
    assert report.code == 0, report.all_problems
    assert_second_day(books)


def lotos(books: Books) -> list[str]:
    return [row[0] for row in books.sql(books.root, LOTOS)]
