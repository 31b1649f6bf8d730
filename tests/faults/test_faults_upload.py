"""One hostile workbook among good ones: it is held or its row rejected by name, and all the others are published."""

import json
import re
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from python_calamine import load_workbook

import cpimportd
from cpimportd.core.report import FileStatus, RunStatus, UnitStatus
from cpimportd.core.typed import to_json
from cpimportd.demo.workbook import write_workbook
from cpimportd.render.journal import journal_lines
from tests.support.faults import hostile
from tests.support.faults.books import Books
from tests.support.faults.hostile import AMOUNT, PURPOSE, SHEET
from tests.support.faults.table import Chapter
from tests.support.faults.uploading import CASES, EXPENSES, RECEIPTS, SAMPLES, assert_second_day, lotos, put_right, run
from tests.support.workbook.ole2 import write_biff8


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        chosen = [case for case in CASES if case.always or metafunc.config.getoption("--whole")]
        metafunc.parametrize("case", chosen, ids=lambda case: case.fault)


@pytest.fixture
def upload(books: Books) -> Callable[[str], Path]:
    """The uploaded workbook with this in its name."""

    def find(part_of_name: str) -> Path:
        (found,) = [path for path in books.upload.iterdir() if part_of_name in path.name]
        return found

    return find


@pytest.mark.asyncio
async def test_a_hostile_workbook_is_held_by_name_and_the_others_are_published(case, books, upload, faults):
    target, before = upload(EXPENSES), lotos(books)
    case.make(target)
    report = await run(books, **case.limits)
    (file,) = [found for found in report.files if found.name == target.name]
    assert file.status is FileStatus.HELD
    (told,) = [found for found in file.problems if found.code == case.code]
    assert told.file == target.name
    assert told.way_out
    where = ""
    if case.place:
        row, column = case.place
        assert (told.row, told.column or "") == (row, column)
        where = f" in row {row}" + (f", column «{column}», with the value" if column else "")
        assert bool(told.value) == bool(column)
    assert (report.status, report.code) == (RunStatus.PARTIAL, 3)
    fared = {unit.unit.name: unit.status for unit in report.units}
    assert fared.pop("ЛОТОС ООО/expenses") is UnitStatus.HELD
    assert UnitStatus.PUBLISHED in fared.values()
    assert UnitStatus.HELD not in fared.values()
    assert lotos(books) == before
    shutil.copy(SAMPLES / "day2" / target.name, target)
    await put_right(books)
    outcome = (
        f"held by `{told.code}`{where}; its books as before, the others published; the corrected export is published"
    )
    faults.tell(Chapter.HOSTILE, case.fault, outcome)


@pytest.mark.asyncio
async def test_a_cell_in_the_last_row_and_column_is_told_and_harms_nothing(books, upload, faults):
    target = upload(EXPENSES)
    hostile.far_cell(target)
    report = await run(books)
    (told,) = [found for found in report.all_problems if found.file == target.name and found.code == "rows-below-total"]
    assert (told.row, report.code) == (1_048_576, 0)
    assert_second_day(books)
    faults.tell(
        Chapter.HOSTILE,
        "a cell in the last row and column, XFD1048576",
        "published, and reported by `rows-below-total` with its row",
    )


TEXTS = {
    "SQL": "'); DROP TABLE fin_expenses; --",
    "a DDE formula": "=cmd|' /C calc'!A0",
    "a formula": "@SUM(1+1)*cmd|' /C calc'!A0",
    "a log line": "Nov 24 06:00:00 host cpimportd[1]: ERROR: [internal] all is lost",
    "markup of a terminal": "[bold red]all is lost[/bold red] :boom:",
    "HTML": "<script>alert('1')</script>&amp;",
    "a template": "{row} %s ${HOME} {0.__class__}",
    "the end of COPY": "\\.",
    "NULL of COPY": "\\N",
    "JSON": '{"trailer": {"rows": 0}}',
    "a path": "../../../etc/passwd",
    "right-to-left marks": "1000\u202e.000",
}


@pytest.mark.asyncio
async def test_a_text_that_looks_like_something_else_stays_a_text(books, upload, faults):
    def change(table: hostile.Table) -> None:
        titles, rows, _ = table
        for row, text in zip(rows, TEXTS.values(), strict=False):
            row[titles.index(PURPOSE)] = text

    hostile.cells(change)(upload(EXPENSES))
    report = await run(books)
    assert (report.status, report.code) == (RunStatus.PUBLISHED, 0)
    stored = {row[0] for row in books.sql(books.root, "SELECT payment_purpose FROM fin_expenses")}
    assert set(TEXTS.values()) <= stored
    for name, text in TEXTS.items():
        faults.tell(
            Chapter.HOSTILE,
            f"a payment's purpose that looks like {name}",
            f"published, letter by letter ({len(text)} of them)",
        )


@pytest.mark.asyncio
async def test_a_text_of_any_length_that_fits_a_cell_is_kept_whole(books, upload, faults):
    long, longer = hostile.noise(32_766) + "я", hostile.noise(1_000_000)

    def change(table: hostile.Table) -> None:
        titles, rows, _ = table
        rows[0][titles.index(PURPOSE)], rows[1][titles.index(PURPOSE)] = long, longer

    hostile.cells(change)(upload(EXPENSES))
    report = await run(books)
    assert report.status is RunStatus.PUBLISHED
    query = "SELECT payment_purpose FROM fin_expenses WHERE length(payment_purpose) > 30000 ORDER BY 1"
    assert sorted(row[0] for row in books.sql(books.root, query)) == sorted([long, longer])
    faults.tell(
        Chapter.HOSTILE,
        "a text of 32,767 characters, and one of a million, which no spreadsheet program writes",
        "published, kept whole",
    )


@pytest.mark.asyncio
@pytest.mark.parametrize("alike", [False, True])
async def test_sixteen_thousand_columns_are_read(books, upload, faults, alike, whole):
    if not (whole or alike):
        pytest.skip("one of the two is the sample; --whole tries both")
    hostile.wide(alike)(upload(RECEIPTS))
    report = await run(books)
    assert report.status is RunStatus.PUBLISHED
    kept = books.sql(books.root, "SELECT max((SELECT count(*) FROM jsonb_object_keys(extra))) FROM cpimportd.lineage")
    assert kept[0][0] > 16_000
    titles = "all with the same title" if alike else "each with a title"
    faults.tell(Chapter.HOSTILE, f"16,384 columns, {titles}", "published; columns without a field are kept in `extra`")


@pytest.mark.asyncio
@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
async def test_a_hidden_sheet_beside_the_shown_one_does_no_harm(books, upload, faults, state):
    hostile.same_sheet_again(state)(upload(EXPENSES))
    await put_right(books)
    faults.tell(
        Chapter.HOSTILE,
        f"the same sheet again, {state}",
        "published once: hidden sheets are not read beside a shown one",
    )


@pytest.mark.asyncio
async def test_deep_nesting_costs_no_stack(books, upload, faults):
    hostile.nested(1_000_000)(upload(EXPENSES))
    await put_right(books)
    faults.tell(
        Chapter.HOSTILE, "a million elements inside each other", "published: elements outside of rows are ignored"
    )


@pytest.mark.asyncio
async def test_a_binary_workbook_called_xlsx_is_known_by_its_content(books, upload, faults):
    def make(path: Path) -> None:
        titles, rows, _ = hostile.table_of(path)
        total = sum(Decimal(str(row[titles.index(AMOUNT)])) for row in rows)
        last = ["Итого", *[float(total) if title == AMOUNT else "" for title in titles[1:]]]
        write_biff8(path, [titles, *[["" if each is None else each for each in row] for row in rows], last])

    make(upload(RECEIPTS))
    report = await run(books)
    assert report.status is RunStatus.PUBLISHED
    (file,) = [found for found in report.files if RECEIPTS in found.name]
    assert (file.rows, file.problems) == (40, ())
    await put_right(books)
    faults.tell(Chapter.HOSTILE, "a binary XLS called .xlsx", "published: the content decides")


@pytest.mark.asyncio
async def test_an_xlsx_called_xls_is_known_by_its_content(books, upload, faults):
    old = upload(EXPENSES)
    old.rename(old.with_name(old.name.replace("xlsx", "xls")))
    report = await run(books)
    assert report.status is RunStatus.PUBLISHED
    faults.tell(Chapter.HOSTILE, "an XLSX called .xls", "published: the content decides")


@pytest.mark.asyncio
async def test_a_million_bad_rows_are_counted_and_the_first_are_listed(books, upload, faults, whole):
    count = 1_000_000 if whole else 1_000
    target, before = upload(EXPENSES), lotos(books)
    hostile.bad_rows(count)(target)
    report = await run(books)
    assert report.status is RunStatus.PARTIAL
    (file,) = [found for found in report.files if found.name == target.name]
    listed = [found for found in file.problems if found.code == "reject"]
    (more,) = [found for found in file.problems if found.code == "problems-unlisted" and found.value == "reject"]
    assert len(listed) == 200
    assert f"{3 * count} in all" in more.message
    assert "CPIMPORTD_READER__MAX_PROBLEMS" in more.way_out
    assert len(json.dumps(to_json(report))) < 2_000_000
    assert len(journal_lines(report)) < 1_000
    logged = "SELECT rows_failed FROM fin_import_logs WHERE source_file = $1".replace("$1", f"'{target.name}'")
    assert count in {row[0] for row in books.sql(books.root, logged)}
    assert lotos(books) == before
    all_of_them = await run(books, max_problems=1_000_000) if not whole else None
    if all_of_them:
        (file,) = [found for found in all_of_them.files if found.name == target.name]
        assert sum(found.code == "reject" for found in file.problems) == 3 * count
    if whole:
        faults.tell(
            Chapter.HOSTILE,
            "a million bad rows in one workbook",
            f"held by `reject`: the first {len(listed)} are listed, all are counted (`{more.code}`), and the report says how to list all of them",
        )


FORMULAS = ("=1+1", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", " =1", "_x003D_1", "\x01=1")


def test_what_we_write_into_a_workbook_is_never_a_formula(tmp_path, faults):
    path = tmp_path / "written.xlsx"
    write_workbook(path, ["=titles", "too"], [[text, 1] for text in FORMULAS], None)
    raw = hostile.parts_of(path)[SHEET]
    assert b"<f" not in raw
    assert b't="str"' not in raw
    first, *rows = load_workbook(str(path)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    assert first[0] == "=titles"
    # calamine takes blanks away at both ends; openpyxl leaves those escapes as they are that it has no letter for.
    assert [row[0].strip() for row in rows] == [text.strip() for text in FORMULAS]
    page = openpyxl.load_workbook(path).active
    assert {cell.data_type for row in page.iter_rows(max_col=1) for cell in row} == {"s"}
    faults.tell(
        Chapter.HOSTILE,
        "a text that begins with =, +, -, @, tab or carriage return, in a workbook that we write",
        "stored as a shared text, never as a formula, and read back letter by letter",
    )


def test_nothing_but_that_writer_writes_workbooks_or_csv():
    package = Path(cpimportd.__file__).parent
    writers = re.compile(r"^\s*(import|from) (csv|xlsxwriter)\b|\bWorkbook\(\)|worksheets/sheet1\.xml", re.MULTILINE)
    found = [path.relative_to(package).as_posix() for path in package.rglob("*.py") if writers.search(path.read_text())]
    assert found == ["demo/workbook.py"]


def test_the_daemon_lives_on_after_a_bomb_and_takes_the_next_upload(place, faults):
    place.sample("day1")
    place.configure({"reader.memory": "200M", "reader.max_ratio": 2000})
    bomb = place.workbook("Spisanie kredity")
    hostile.heavy_text(bomb)
    daemon = place.start()
    (first,) = daemon.trigger()
    assert first["status"] == "partial"
    assert daemon.having(code="reader-limit", file=bomb.name)
    assert "Traceback" not in daemon.log
    assert place.books["expenses"] == 0
    place.sample("day1")
    daemon.trigger(2)
    assert place.books == place.truth("day1")
    assert daemon.stop() == 0
    faults.tell(
        Chapter.HOSTILE,
        "the daemon is asked to import a workbook that exhausts its reader's memory",
        f"`reader-limit`, run {first['status']}; the same daemon imports the next upload",
    )
