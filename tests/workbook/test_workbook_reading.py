import asyncio
import json
import re
import sys
import zipfile
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psutil
import pytest

from cpimportd.config.settings import Reader
from cpimportd.core.model import STAGED_COLUMNS, Kind, Progress
from cpimportd.core.problems import problem as make_problem
from cpimportd.core.typed import to_json
from cpimportd.core.workbooks import FetchedFile
from cpimportd.workbook.reading import ReadJob, read, worker_command
from cpimportd.workbook.sandbox import spawned
from tests.support import launcher
from tests.support.workbook.reading_all import read_all

pytestmark = pytest.mark.asyncio

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
JOB = ReadJob("Europe/Moscow")
AMOUNT = {Kind.RECEIPTS: "Сумма", Kind.EXPENSES: "Сумма", Kind.DETAILS: "Сумма платежа"}


def fetched(path: Path, name: str | None = None) -> FetchedFile:
    return FetchedFile(name or path.name, path, path.stat().st_size, None, "")


def sheet_of(path: Path) -> bytes:
    with zipfile.ZipFile(path) as package:
        return package.read("xl/worksheets/sheet1.xml")


def day(name: str) -> list[FetchedFile]:
    return [fetched(path) for path in sorted((SAMPLES / name).glob("*.xlsx"))]


async def only_problem(path: Path, folder: Path, name: str | None = None, **limits):
    snapshot = await read(fetched(path, name), 3, JOB, Reader(**limits), folder)
    assert not snapshot.documents
    (problem,) = snapshot.problems
    assert problem.file == (name or path.name)
    return problem.code


@pytest.mark.parametrize("name", ["day1", "day2"])
async def test_the_samples_give_their_rows_and_totals(name, tmp_path):
    truth = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    snapshots = await read_all(day(name), JOB, Reader(), tmp_path)
    assert len(snapshots) == 6
    for file_no, snapshot in enumerate(snapshots):
        expected = truth["files"][snapshot.file.name]
        assert snapshot.file_no == file_no
        assert snapshot.kind == expected["kind"]
        assert snapshot.engine == "calamine"
        assert len(snapshot.documents) == expected["rows"]
        assert sum(document.amount for document in snapshot.documents) == Decimal(expected["total"])
        assert snapshot.control_totals[AMOUNT[snapshot.kind]] == Decimal(expected["total"])
        assert snapshot.sums[AMOUNT[snapshot.kind]] == Decimal(expected["total"])
        assert not [problem for problem in snapshot.problems if problem.effect != "warns"]
        lines = snapshot.rows_path.read_bytes().splitlines()
        assert len(lines) == expected["rows"]
        assert {line.count(b"\t") + 1 for line in lines} == {len(STAGED_COLUMNS[snapshot.kind])}


async def test_a_document_comes_with_its_number_moment_and_row(tmp_path, expenses):
    snapshot = await read(fetched(expenses), 7, JOB, Reader(), tmp_path)
    first, last = snapshot.documents[0], snapshot.documents[-1]
    assert (first.row, last.row) == (2, 201)
    number, when = snapshot.rows_path.read_text("utf-8").partition("\n")[0].split("\t")[5:7]
    moment = datetime.fromisoformat(when)
    assert first.operation_id == f"Списание с расчетного счета {number} от {moment:%d.%m.%Y} " + (
        f"{moment.hour}:{moment:%M:%S}"
    )
    assert moment.utcoffset() == timedelta(hours=3)
    assert {document.organization for document in snapshot.documents} == {"ЛОТОС ООО"}
    assert snapshot.rows_path == tmp_path / "007.rows"


async def test_known_content_is_not_parsed(tmp_path, expenses):
    whole = await read(fetched(expenses), 0, JOB, Reader(), tmp_path)
    assert len(whole.digest) == 64
    known = ReadJob("Europe/Moscow", known_digests=frozenset({"0" * 64, whole.digest}))
    again = await read(fetched(expenses), 0, known, Reader(), tmp_path)
    assert again.unchanged
    assert (again.digest, list(again.documents), again.engine, again.kind) == (whole.digest, [], "", Kind.EXPENSES)
    assert again.rows_path.read_bytes() == b""


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "file-empty"), (b"hello", "file-not-workbook"), (b"PK\x03\x04" + bytes(500), "file-damaged")],
)
async def test_a_bad_file_is_a_snapshot_with_a_problem(tmp_path, content, code):
    path = tmp_path / "a"
    path.write_bytes(content)
    name = "Lotos - Postuplenie(kredity) XLSX.xlsx"
    assert await only_problem(path, tmp_path, name) == code
    assert (await read(fetched(path, name), 3, JOB, Reader(), tmp_path)).kind is Kind.RECEIPTS


async def test_half_a_workbook_is_damaged(tmp_path, expenses):
    path = tmp_path / "a.xlsx"
    path.write_bytes(expenses.read_bytes()[:20_000])
    assert await only_problem(path, tmp_path) == "file-damaged"


async def test_a_password_is_reported(tmp_path, encrypted_ole2):
    path = tmp_path / "a.xlsx"
    path.write_bytes(encrypted_ole2)
    assert await only_problem(path, tmp_path) == "file-encrypted"


async def test_a_zip_bomb_is_refused(tmp_path, simple, changed):
    bomb = changed(simple, lambda part, content: (part, bytes(50_000_000) if "sheet1" in part else content))
    assert await only_problem(bomb, tmp_path) == "zip-suspicious"


@pytest.mark.parametrize("place", ["XFD1048576", "ZZ900000", "A1048576", "B700000"])
async def test_a_stray_cell_far_below_is_reported_and_does_no_harm(tmp_path, expenses, in_sheet, place):
    # calamine keeps a table of all cells: this one would have up to 17 thousand million.
    row = re.sub("[A-Z]", "", place)
    stray = f'<row r="{row}"><c r="{place}"><v>1</v></c></row></sheetData>'.encode()
    snapshot = await read(fetched(in_sheet(expenses, b"</sheetData>", stray)), 0, JOB, Reader(), tmp_path)
    assert (len(snapshot.documents), snapshot.engine) == (200, "expat")
    (told,) = [problem for problem in snapshot.problems if problem.code == "rows-below-total"]
    assert (told.row, told.effect) == (int(row), "warns")
    assert not [problem for problem in snapshot.problems if problem.effect != "warns"]


async def test_a_stray_cell_far_to_the_right_is_kept_with_its_document(tmp_path, expenses, in_sheet):
    stray = re.sub(
        rb'(<row r="5" .*?)</row>',
        rb'\1<c r="XFD5" t="inlineStr"><is><t>x</t></is></c></row>',
        sheet_of(expenses),
        count=1,
        flags=re.DOTALL,
    )
    snapshot = await read(fetched(in_sheet(expenses, sheet_of(expenses), stray)), 0, JOB, Reader(), tmp_path)
    assert len(snapshot.documents) == 200
    assert not [problem for problem in snapshot.problems if problem.effect != "warns"]
    assert '"(XFD)":"x"' in snapshot.rows_path.read_text("utf-8").splitlines()[3]


async def test_a_far_cell_that_is_empty_is_nothing(tmp_path, expenses, in_sheet):
    stray = b'<row r="1048576"><c r="XFD1048576" s="3"/></row></sheetData>'
    snapshot = await read(fetched(in_sheet(expenses, b"</sheetData>", stray)), 0, JOB, Reader(), tmp_path)
    assert len(snapshot.documents) == 200
    assert "rows-below-total" not in {problem.code for problem in snapshot.problems}


@pytest.mark.parametrize("place", ["XFD1048576", "ZZZZ3", "XFE3"])
async def test_a_cell_outside_its_row_or_of_the_sheet_is_named(tmp_path, simple, in_sheet, place):
    far = in_sheet(simple, b'<c r="C3" ', f'<c r="{place}" '.encode())
    snapshot = await read(fetched(far), 0, JOB, Reader(), tmp_path)
    (told,) = [problem for problem in snapshot.problems if problem.effect != "warns"]
    assert told.code == "file-damaged"
    assert place in told.message


async def test_texts_that_fill_the_memory_hit_its_limit(tmp_path, changed, expenses):
    def each(part, content):
        if "sharedStrings" in part:
            content = content.replace(b"</sst>", b"<si><t>" + b"abcdefgh" * 20_000_000 + b"</t></si></sst>")
        return part, content

    big = changed(expenses, each)
    assert await only_problem(big, tmp_path, memory=200 * 1024**2, max_ratio=2000) == "reader-limit"


async def test_time_is_limited(tmp_path, expenses):
    assert await only_problem(expenses, tmp_path, wall_time=timedelta(milliseconds=5)) == "reader-limit"


async def test_a_binary_workbook_under_another_name_is_read(tmp_path, binary_xls):
    receipt = {
        "Поступление на расчетный счет": "Поступление на расчетный счет 0А00-000001 от 22.04.2022 8:01:53",
        "Организация": "ЛОТОС ООО",
        "Вид операции": "Прочее поступление",
        "Банковский счет": "ПРИМЕРБАНК основной",
        "Счет учета": "51",
        "Номер входящего документа": "17",
        "Дата входящего документа": "22.04.2022",
        "Плательщик": "ПЛАТЕЛЬЩИК",
        "Счет плательщика": "45206810000000012345, ПРИМЕРБАНК",
        "Счет расчетов": "67.03",
        "Договор": "Основной договор",
        "Назначение платежа": "Оплата",
        "Сумма": 12.5,
    }
    total = ["Итого", *[""] * (len(receipt) - 2), 12.5]
    path = binary_xls(tmp_path / "a.xlsx", [[*receipt], [*receipt.values()], total])
    snapshot = await read(fetched(path), 0, JOB, Reader(), tmp_path)
    assert [str(problem) for problem in snapshot.problems if problem.effect != "warns"] == []
    assert [document.amount for document in snapshot.documents] == [Decimal("12.50")]
    assert snapshot.control_totals["Сумма"] == Decimal("12.50")


async def test_the_second_engine_gives_the_same_rows(tmp_path, expenses, in_sheet):
    # An error value in the last row's empty cell calls for openpyxl; the documents are the same.
    other = in_sheet(expenses, b'<c r="B202" s="7" t="e"/>', b'<c r="B202" s="7" t="e"><v>#REF!</v></c>')
    first = await read(fetched(expenses), 0, JOB, Reader(), tmp_path)
    rows = first.rows_path.read_bytes()
    second = await read(fetched(other), 0, JOB, Reader(), tmp_path)
    assert (first.engine, second.engine) == ("calamine", "expat")
    assert list(second.documents) == list(first.documents)
    assert second.rows_path.read_bytes() == rows


@pytest.mark.parametrize(("declared", "day"), [(b"", "2017-09-22"), (b'date1904="true"', "2021-09-23")])
async def test_a_date_that_is_a_bare_number_counts_as_its_workbook_counts(tmp_path, expenses, changed, declared, day):
    def each(part: str, content: bytes) -> tuple[str, bytes]:
        if part == "xl/workbook.xml":
            assert b"<workbookPr " in content
            return part, content.replace(b"<workbookPr ", b"<workbookPr %s " % declared)
        return part, re.sub(rb'<c r="J2" [^>]*>\s*<v>\d+</v>', b'<c r="J2"><v>43000</v>', content)

    snapshot = await read(fetched(changed(expenses, each)), 0, JOB, Reader(), tmp_path)
    first = snapshot.rows_path.read_text("utf-8").partition("\n")[0].split("\t")
    assert first[STAGED_COLUMNS[Kind.EXPENSES].index("document_date")] == day


async def test_capital_shared_strings_are_read(tmp_path, expenses, changed):
    path = changed(expenses, lambda part, content: (part.replace("sharedStr", "SharedStr"), content), expenses.name)
    snapshot = await read(fetched(path), 0, JOB, Reader(), tmp_path)
    assert len(snapshot.documents) == 200


def two_sheets(target: str):
    """A second sheet in the workbook's list, in the part of that name."""
    sheet = b'<sheet name="S2" sheetId="2" r:id="rId9"/></sheets>'
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"
    relation = f'<Relationship Id="rId9" Type="{kind}" Target="{target}"/></Relationships>'.encode()

    def each(part, content):
        if part == "xl/workbook.xml":
            content = content.replace(b"</sheets>", sheet)
        if part == "xl/_rels/workbook.xml.rels":
            content = content.replace(b"</Relationships>", relation)
        return part, content

    return each


async def test_two_sheets_with_a_header_are_refused(tmp_path, expenses, changed):
    assert (
        await only_problem(changed(expenses, two_sheets("worksheets/sheet1.xml"), expenses.name), tmp_path)
        == "several-sheets"
    )


async def test_a_sheet_without_a_header_beside_it_does_no_harm(tmp_path, expenses, changed):
    path = changed(expenses, two_sheets("worksheets/sheet9.xml"), expenses.name)
    with zipfile.ZipFile(path, "a") as package:
        package.writestr(
            "xl/worksheets/sheet9.xml",
            '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
            '<row r="1"><c r="A1" t="inlineStr"><is><t>Notes</t></is></c></row></sheetData></worksheet>',
        )
    snapshot = await read(fetched(path), 0, JOB, Reader(), tmp_path)
    assert len(snapshot.documents) == 200
    assert not [problem for problem in snapshot.problems if problem.effect != "warns"]


async def test_progress_is_reported(tmp_path, expenses):
    told: list[Progress] = []
    await read(fetched(expenses), 0, JOB, Reader(), tmp_path, progress=told.append)
    assert told[-1] == Progress("read", expenses.name, 200, 200, finished=True)


async def test_files_are_read_side_by_side_and_one_bad_file_stops_no_other(tmp_path):
    files = day("day1")
    broken = tmp_path / "broken.xlsx"
    broken.touch()
    files.insert(2, fetched(broken))
    snapshots = await read_all(files, JOB, Reader(parallel=3), tmp_path)
    assert [snapshot.file for snapshot in snapshots] == files
    assert [len(snapshot.documents) for snapshot in snapshots] == [40, 200, 0, 282, 40, 200, 288]


async def test_cancelling_leaves_no_child(tmp_path):
    reading = asyncio.create_task(read_all(day("day1") * 5, JOB, Reader(parallel=2), tmp_path))
    await asyncio.sleep(0.15)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    _, alive = await asyncio.to_thread(psutil.wait_procs, launcher.children(recursive=True), 3)
    assert not alive


HEADER = json.dumps(
    {"header": {"kind": "receipts", "engine": "calamine", "sheet": "TDSheet", "columns": {"amount": "C"}}}
)
ROW = "\t".join(
    ["0", "2", "Поступление 1", "ЛОТОС ООО", "1.00", "1", r"\N"] + [r"\N"] * (len(STAGED_COLUMNS[Kind.RECEIPTS]) - 7)
)
TRAILER = json.dumps(
    {"trailer": {"digest": "a" * 64, "unchanged": False, "rows": 1, "rejected": 0, "control_totals": {}, "sums": {}}}
)


async def said(tmp_path: Path, *lines: str, end: str = "\n"):
    """What becomes of a file whose child says this."""
    text = "\n".join(lines) + end
    code = f"import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write({text.encode()!r})"
    path = tmp_path / "a.xlsx"
    path.touch()
    return await read(fetched(path), 0, JOB, Reader(), tmp_path, start=spawned((sys.executable, "-I", "-c", code)))


async def test_a_child_that_says_it_all_is_accepted(tmp_path):
    snapshot = await said(tmp_path, HEADER, ROW, TRAILER)
    assert not snapshot.problems
    assert (snapshot.sheet, snapshot.columns) == ("TDSheet", {"amount": "C"})
    assert [document.amount for document in snapshot.documents] == [1]
    assert snapshot.rows_path.read_text(encoding="utf-8") == ROW + "\n"


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("",),
        (HEADER, ROW),
        (ROW, TRAILER),
        (HEADER, TRAILER),
        (HEADER, ROW, ROW, TRAILER),
        (HEADER, ROW, TRAILER, TRAILER),
        (HEADER, ROW, HEADER, ROW, TRAILER.replace('"rows": 1', '"rows": 2')),
        (HEADER, ROW, TRAILER, ROW),
        (HEADER, ROW.replace("1.00", "NaN"), TRAILER),
        (HEADER, ROW.replace("1.00", "1e9"), TRAILER),
        (HEADER, ROW + "\tmore", TRAILER),
        (HEADER, "1" + ROW, TRAILER),
        (HEADER.replace("receipts", "salaries"), ROW, TRAILER),
        (HEADER.replace('"amount"', '"salary"'), ROW, TRAILER),
        (HEADER.replace('"C"', '"C:A"'), ROW, TRAILER),
        (HEADER.replace('{"amount": "C"}', "[]"), ROW, TRAILER),
        (HEADER, ROW, TRAILER.replace("a", "../", 1)),
        (HEADER, ROW, TRAILER.replace('"rows": 1', '"rows": "1"')),
        (HEADER, ROW, TRAILER.replace('"sums": {}', '"sums": {"x": "Infinity"}')),
        (HEADER, ROW, TRAILER.replace('"sums": {}', '"sums": []')),
        ("{", TRAILER),
        ("{}", TRAILER),
        ('{"problem": {"code": "no-such-code"}}', TRAILER),
        ('{"problem": []}', TRAILER),
        ('{"problem": null}', TRAILER),
        ('{"header": {}}', TRAILER),
        ('{"surprise": 1}', TRAILER),
        ("[" * 20_000,),
        ('{"a":' * 20_000,),
    ],
)
async def test_a_child_that_breaks_the_rules_is_rejected(tmp_path, lines):
    snapshot = await said(tmp_path, *lines)
    (problem,) = snapshot.problems
    assert problem.code == "reader-failed"
    assert "protocol" in problem.message


async def test_a_child_that_floods_its_parent_with_problems_is_rejected(tmp_path):
    told = json.dumps(
        {"problem": to_json(make_problem("reject", file="a.xlsx", row=3, cell="", reason="«x» is no number"))}
    )
    snapshot = await said(tmp_path, HEADER, *[told] * 2_000, TRAILER)
    assert snapshot.problems[-1].code == "reader-failed"
    assert len(snapshot.problems) < 500


async def test_a_line_that_is_cut_off_is_rejected(tmp_path):
    snapshot = await said(tmp_path, HEADER, ROW, TRAILER, end="")
    (problem,) = snapshot.problems
    assert problem.code == "reader-failed"
    assert "protocol" in problem.message


async def test_texts_of_the_child_are_escaped_and_named_after_our_file(tmp_path):
    problem = {"code": "reject", "message": "a\x1b[2J", "way_out": "b\n", "file": "/etc/passwd", "row": 3}
    problem |= {"column": "c\r", "value": "d\0", "organization": None}
    snapshot = await said(tmp_path, json.dumps({"problem": problem}), TRAILER.replace('"rows": 1', '"rows": 0'))
    (found,) = snapshot.problems
    assert (found.message, found.way_out, found.file, found.row, found.column, found.value) == (
        "a\\x1b[2J",
        "b\\n",
        "a.xlsx",
        3,
        "c\\r",
        "d\\x00",
    )


async def test_the_child_imports_nothing_that_reaches_out(tmp_path):
    *python, _code, folder = worker_command()
    code = "import sys; sys.path.insert(0, sys.argv[1]); import cpimportd.workbook.worker; print(*sys.modules)"
    process = await asyncio.create_subprocess_exec(*python, code, folder, stdout=asyncio.subprocess.PIPE)
    modules = (await process.communicate())[0].decode().split()
    assert "cpimportd.workbook.worker" in modules
    reaching = {"socket", "ssl", "asyncio", "subprocess", "pydantic", "asyncpg", "sqlalchemy", "redis", "aioftp"}
    assert not reaching & set(modules)
    assert "cpimportd.config.settings" not in modules


async def test_the_child_starts_wherever_the_parent_stands(tmp_path, expenses, monkeypatch):
    # A file in the current folder must not be imported in place of ours, nor of Python's.
    for name in ("cpimportd", "json", "zipfile"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the current folder')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    snapshot = await read(fetched(expenses), 0, JOB, Reader(), tmp_path)
    assert len(snapshot.documents) == 200
