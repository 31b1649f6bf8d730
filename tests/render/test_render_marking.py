"""Marking is done by a process of its own, with the reader's limits, and fails as an outcome, never as a crash."""

import openpyxl
import pytest

from cpimportd.config.settings import Settings
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import problem
from cpimportd.core.typed import to_json
from cpimportd.core.verdicts import capped
from cpimportd.render.workbooks.notes import Note
from cpimportd.run.marking import Faulty, mark_workbook, marked_names
from cpimportd.run.remarks import concerns, in_order, note_of, notes_of, one_line_each
from tests.support.two_days import SAMPLES

NAME = "Lotos - Spisanie kredity XLSX.xlsx"
REJECT = {"code": "reject", "row": 3, "column": "Сумма", "value": "сто", "message": "«сто» is no number", "way_out": "",
          "facts": {"cell": {"phrase": "cell", "text": "сто"}, "reason": {"phrase": "no-number"}}}  # fmt: skip


@pytest.fixture
def faulty(tmp_path):
    """A workbook that is still in the spool, by the digest of its bytes."""
    import hashlib

    def make(content=None, name=NAME, **more):
        content = (SAMPLES / "day1" / NAME).read_bytes() if content is None else content
        sha256 = hashlib.sha256(content).hexdigest()
        contents = tmp_path / "state" / "spool" / "contents"
        contents.mkdir(parents=True, exist_ok=True)
        (contents / sha256).write_bytes(content)
        facts = {"sheet": "Лист_1", "columns": {"operation_id": "A"}, "problems": (REJECT,)} | more
        return Faulty(name, sha256, **facts)

    return make


async def mark(one, tmp_path, **reader):
    settings = Settings(state_directory=tmp_path / "state", reader=reader)
    return await mark_workbook(one, settings, 7, tmp_path / marked_names([one.file])[one.file], force=False)


@pytest.mark.asyncio
async def test_a_workbook_of_the_spool_is_marked(faulty, tmp_path):
    done = await mark(faulty(), tmp_path)
    assert (done.problem, done.count) == (None, 1)
    sheet = openpyxl.load_workbook(done.path)["Лист_1"]
    header = {cell.value: cell.column_letter for row in sheet.iter_rows(max_row=5) for cell in row}
    assert "не число" in sheet[f"{header['Сумма']}3"].comment.text


@pytest.mark.asyncio
@pytest.mark.parametrize(
    # So little memory that Python itself may not find the words for it.
    ("limit", "said"),
    [({"wall_time": "1ms"}, "wall time"), ({"memory": "24M"}, "cannot be marked")],
)
async def test_the_marking_child_works_within_the_readers_limits(faulty, tmp_path, limit, said):
    done = await mark(faulty(), tmp_path, **limit)
    assert done.path is None
    assert done.problem.code == "workbook-unmarked"
    assert said in done.problem.message
    assert "cpimportd show 7" in done.problem.way_out
    assert list(tmp_path.glob("*.xlsx")) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a zip", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 an old one"])
async def test_what_openpyxl_cannot_open_is_said(faulty, tmp_path, content):
    done = await mark(faulty(content), tmp_path)
    assert (done.path, done.problem.code) == (None, "workbook-unmarked")
    assert "Traceback" not in done.problem.message


@pytest.mark.asyncio
async def test_a_sheet_and_columns_that_nobody_remembers_are_found_by_the_header(faulty, tmp_path):
    done = await mark(faulty(sheet=None, columns={}), tmp_path)
    assert "не число" in next(
        cell.comment.text
        for row in openpyxl.load_workbook(done.path).worksheets[1].iter_rows()
        for cell in row
        if cell.comment
    )


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("a b.xlsx", "a b"),
        ("../../etc/passwd.xlsx", "passwd"),
        ("..\\..\\c.xlsx", "c"),
        ("a\x00b\n.xlsx", "a_b_"),
        (".xlsx", "workbook"),
        ("ж" * 200 + ".xlsx", "ж" * 80),
    ],
)
def test_a_name_that_a_server_sent_is_no_path(file, expected):
    assert marked_names([file]) == {file: f"{expected} - исправить.xlsx"}
    assert len(marked_names([file])[file].encode()) < 240


def test_two_workbooks_of_one_run_never_have_one_copy():
    long = "Общество с ограниченной ответственностью «Северная строительная компания плюс» - "
    files = [f"{long}Поступление.xlsx", f"{long}Списание.xlsx", "a.xls", "A.xlsx", "a (2).xlsx", "b.xlsx"]
    copies = marked_names(files)
    assert len({copy.casefold() for copy in copies.values()}) == len(files)
    assert copies["A.xlsx"] == "A - исправить.xlsx"
    assert copies["a (2).xlsx"] == "a (2) - исправить.xlsx"
    assert copies["a.xls"] == "a (3) - исправить.xlsx"
    assert copies["b.xlsx"] == "b - исправить.xlsx"
    assert marked_names(reversed(files)) == copies
    assert max(len(copy.encode()) for copy in copies.values()) < 240


def test_what_holds_documents_back_comes_first_then_by_row():
    rows = [
        {"code": "unconfirmed", "row": 2}, {"code": "reject", "row": 9}, {"code": "reject", "row": 3},
        {"code": "control-total", "row": None},
    ]  # fmt: skip
    assert [(one["code"], one["row"]) for one in in_order(rows)] == [
        ("control-total", None), ("reject", 3), ("reject", 9), ("unconfirmed", 2),
    ]  # fmt: skip


def rows_of(found, file="a.xlsx"):
    return [(note[0], note[1]) for note in notes_of([to_json(one) for one in found], file)]


def test_both_rows_of_a_pair_are_marked_and_none_twice():
    def twice(row, other, file="a.xlsx"):
        return problem("duplicate-document", file=file, row=row, value="X", other=other)

    assert rows_of([twice(9, phrase("row", row=4))]) == [(4, None), (9, None)]
    both = [twice(9, phrase("row", row=4)), twice(11, phrase("row", row=4))]
    assert rows_of(both) == [(4, None), (9, None), (11, None)]
    elsewhere = phrase("row-of-file", row=7, file="b.xlsx")
    assert rows_of([twice(9, elsewhere)]) == [(9, None)]
    wrong = problem("details-sum", file="a.xlsx", row=3, column="Сумма платежа", value="X", sum="1.00", total="2.00",
                    other=elsewhere, every_row=[3, 5])  # fmt: skip
    assert rows_of([wrong]) == [(3, "Сумма платежа"), (5, "Сумма платежа")]
    assert concerns(to_json(wrong), "b.xlsx", {})
    assert not concerns(to_json(wrong), "c.xlsx", {})
    assert rows_of([wrong], "b.xlsx") == [(7, "Сумма")]


def test_what_is_not_listed_one_by_one_is_marked():
    found = capped([problem("orphan-detail", file="a.xlsx", row=row, value=f"X {row}") for row in range(2, 32)])
    assert {row for row, _ in rows_of(found)} == {None, *range(2, 32)}


def test_a_settlement_amount_stands_beside_what_it_should_be():
    (note,) = notes_of(
        [to_json(problem("settlement-mismatch", file="a.xlsx", row=2, column="x", value="12.00", expected="11.50"))],
        "a.xlsx",
    )
    assert note[-1] == (
        "Сумма взаиморасчётов", "12.00", "Платёж × курс", "11.50",
        "сумма взаиморасчётов больше, чем платёж × курс, на 0,50",
    )  # fmt: skip


def test_units_that_wait_for_one_workbook_are_told_in_one_line():
    waiting = [to_json(problem("partner-held", file="a.xlsx", organization=name, others="")) for name in "АБА"]
    other = to_json(problem("partner-held", file="b.xlsx", organization="А", others=""))
    first, second = one_line_each([*waiting, other, other])
    assert (first["organization"], second["organization"]) == ("А, Б", "А")
    assert note_of(first)[3].startswith("А, Б: ")


def test_every_problem_can_be_told_in_russian():
    from cpimportd.core.catalog import CATALOG

    for code in CATALOG:
        note = note_of({"code": code, "row": 1, "column": None, "value": None, "message": "m", "way_out": "w"})
        assert note[3]
        assert note[4]
        assert "{" not in note[3] + note[4]


def test_a_problem_of_another_version_keeps_its_own_words():
    note = note_of({"code": "made-up", "row": 1, "column": "x", "value": "y", "message": "m", "way_out": "w"})
    assert note == Note(1, "x", "y", "m", "w", True)
