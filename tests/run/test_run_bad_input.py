"""Broken uploads: each gives a coded problem with a way out and the right exit code; the books stay as they were."""

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from cpimportd.core.report import RunStatus, UnitStatus
from tests.support.run.workbooks import shrink
from tests.support.secrets import FTP_WRONG

Break = Callable[[Path], None]


def rewrite(part: str, old: bytes, new: bytes, *, last: bool = False) -> Break:
    """Replace a text in one part of a workbook, as 1C would have written it."""

    def change(file: Path) -> None:
        with zipfile.ZipFile(file) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        (name,) = [name for name in parts if name.lower().endswith(part)]
        assert old in parts[name], f"{old!r} is not in {name}"
        if last:
            head, _, tail = parts[name].rpartition(old)
            parts[name] = head + new + tail
        else:
            parts[name] = parts[name].replace(old, new, 1)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for each, content in parts.items():
                archive.writestr(each, content)

    return change


def bomb(file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", b" " * 300_000_000)


def text(file: Path) -> None:
    file.write_text("Дата;Сумма\n01.01.2024;5\n", encoding="cp1251")


def half(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


SHEET, STRINGS = "sheet1.xml", "sharedstrings.xml"
BROKEN = {
    "0 bytes": (lambda file: file.write_bytes(b""), "file-empty"),
    "half a zip": (half, "file-damaged"),
    "not a workbook": (text, "file-not-workbook"),
    "a zip bomb": (bomb, "zip-suspicious"),
    "no header": (rewrite(STRINGS, "Списание с расчетного счета</t>".encode(), "Что-то</t>".encode()), "no-header"),
    "a missing column": (
        rewrite(STRINGS, "<t>Организация</t>".encode(), "<t>Хозяйство</t>".encode()),
        "column-missing",
    ),
    "text in an amount": (rewrite(SHEET, b"<v>176319.3</v>", b"<v>0</v>".replace(b"0", b"abc")), None),
    "no control total": (rewrite(STRINGS, "<t>Итого</t>".encode(), "<t>Ничего</t>".encode()), None),
    "a wrong control total": (rewrite(SHEET, b"<v>125016938</v>", b"<v>125016939</v>"), "control-total"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_file_holds_its_unit_and_leaves_the_books(workplace, name):
    workplace.sample("day1")
    await workplace.run()
    books = workplace.books
    break_it, code = BROKEN[name]
    break_it(workplace.file("Lotos - Spisanie kredity"))
    report = await workplace.run()
    assert report.code == 3
    (file,) = [f for f in report.files if f.name.startswith("Lotos - Spisanie kredity")]
    found = {p.code for p in file.problems}
    assert file.status == "held"
    assert found
    assert code is None or code in found
    assert all(p.way_out and p.file == file.name for p in file.problems)
    (unit,) = [u for u in report.units if u.unit.name == "ЛОТОС ООО/expenses"]
    assert unit.status is UnitStatus.HELD
    assert workplace.books == books


@pytest.mark.asyncio
@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_first_upload_leaves_the_rest_published(workplace, name):
    workplace.sample("day1")
    BROKEN[name][0](workplace.file("Lotos - Spisanie kredity"))
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.PARTIAL, 3)
    books = workplace.books
    assert (books["receipts"], books["expenses"], books["details"]) == (80, 200, 288)


@pytest.mark.asyncio
async def test_a_broken_details_file_holds_the_expenses_too(workplace):
    workplace.sample("day1")
    await workplace.run()
    books = workplace.books
    workplace.sample("day2")
    workplace.file("Lotos - Spisanie(").write_bytes(b"")
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.PARTIAL, 3)
    assert workplace.books["expenses"] == books["expenses"] - 2
    held = {u.unit.name for u in report.units if u.status is UnitStatus.HELD}
    assert held == {"ЛОТОС ООО/expenses"}


@pytest.mark.asyncio
async def test_strict_holds_everything(workplace):
    workplace.sample("day1")
    workplace.file("Lotos - Spisanie(").write_bytes(b"")
    report = await workplace.run(strict=True)
    assert (report.status, report.code) == (RunStatus.HELD, 3)
    assert workplace.books["receipts"] == 0


@pytest.mark.asyncio
async def test_all_files_empty_hold_all_and_empty_nothing(workplace):
    workplace.sample("day1")
    await workplace.run()
    books = workplace.books
    for file in workplace.upload.iterdir():
        file.write_bytes(b"")
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.HELD, 3)
    assert len(report.units) == 4
    assert workplace.books == books


@pytest.mark.asyncio
async def test_a_file_that_is_absent_is_not_taken_for_an_empty_one(workplace):
    workplace.sample("day1")
    await workplace.run()
    books = workplace.books
    workplace.file("Severnaya - Postuplenie").unlink()
    report = await workplace.run()
    assert report.code == 3
    assert "file-missing" in {p.code for p in report.all_problems}
    assert workplace.books == books


@pytest.mark.asyncio
async def test_the_same_documents_in_two_files_are_held_and_not_doubled(workplace):
    workplace.sample("day1")
    await workplace.run()
    books = workplace.books
    old = workplace.file("Lotos - Postuplenie")
    keep = workplace.upload / "Lotos старое - Postuplenie.xlsx"
    shutil.copy(old, keep)
    report = await workplace.run()
    assert "same-content" in {p.code for p in report.all_problems}
    assert workplace.books == books
    rewrite(STRINGS, b"</sst>", b"<si><t>more</t></si></sst>")(keep)
    report = await workplace.run()
    assert report.code == 3
    assert "duplicate-document" in {p.code for p in report.all_problems}
    assert workplace.books == books


@pytest.mark.asyncio
async def test_a_snapshot_with_far_fewer_rows_is_held_until_a_human_accepts_it(workplace):
    workplace.sample("day1")
    await workplace.run()
    books = workplace.books
    shrink(workplace.file("Lotos - Postuplenie"), keep=20)
    report = await workplace.run()
    assert report.code == 3
    (shrunk,) = [p for p in report.all_problems if p.code == "shrunk"]
    assert "accept 'ЛОТОС ООО/receipts'" in shrunk.way_out
    assert workplace.books == books
    accepted = await workplace.run(accepted=("ЛОТОС ООО/receipts",))
    assert (accepted.status, accepted.code) == (RunStatus.PUBLISHED, 0)
    assert workplace.books["receipts"] == 60
    whys = {c["why"] for c in workplace.sql(workplace.url, "SELECT why FROM cpimportd.change")}
    assert whys == {"accepted"}


def change_details(file: Path, change: Callable[[list[list[object]], dict[str, int]], None]) -> None:
    """Write a details workbook anew with some of its lines changed; its control total stays right."""
    from python_calamine import load_workbook

    from cpimportd.demo.workbook import write_workbook

    titles, *rows, total = load_workbook(str(file)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    columns = {title: at for at, title in enumerate(titles)}
    lines = [[None if cell == "" else cell for cell in row] for row in rows]
    change(lines, columns)
    write_workbook(file, titles, lines, {"Сумма платежа": total[columns["Сумма платежа"]]})


def orphan(lines, columns) -> None:
    lines[0][columns["Списание с расчетного счета"]] = "Списание с расчетного счета 0Л0Л-777777 от 20.12.2020 1:08:15"


def move_a_rouble(lines, columns) -> None:
    document, amount = columns["Списание с расчетного счета"], columns["Сумма платежа"]
    other = next(line for line in lines if line[document] != lines[0][document])
    lines[0][amount] = round(lines[0][amount] + 1, 2)
    other[amount] = round(other[amount] - 1, 2)


@pytest.mark.asyncio
@pytest.mark.parametrize(("change", "code"), [(orphan, "orphan-detail"), (move_a_rouble, "details-sum")])
async def test_details_that_do_not_fit_their_expenses_hold_both(workplace, change, code):
    workplace.sample("day1")
    await workplace.run()
    books = workplace.books
    file = workplace.file("Lotos - Spisanie(")
    change_details(file, change)
    os.utime(file, (0, 0))
    report = await workplace.run()
    assert report.code == 3
    assert code in {p.code for p in report.all_problems}
    assert {u.unit.name for u in report.units if u.status is UnitStatus.HELD} == {"ЛОТОС ООО/expenses"}
    assert workplace.books == books


@pytest.mark.asyncio
async def test_a_wrong_ftp_password_is_said_once_and_never_shown(workplace):
    from cpimportd.demo.ftp import LoopbackFtpServer

    workplace.sample("day1")
    with LoopbackFtpServer(workplace.upload) as server:
        settings = workplace.settings
        source = settings.source.model_copy(
            update={"url": server.url, "user": "finance", "password": SecretStr(FTP_WRONG)}
        )
        report = await workplace.run(settings.model_copy(update={"source": source}))
        assert (report.status, [p.code for p in report.problems]) == (RunStatus.FAILED, ["source-login"])
        assert FTP_WRONG not in str(report)
        right = source.model_copy(update={"password": SecretStr(server.password)})
        report = await workplace.run(settings.model_copy(update={"source": right}))
    assert (report.status, workplace.books["expenses"]) == (RunStatus.PUBLISHED, 400)


@pytest.mark.asyncio
async def test_an_empty_folder_is_a_failure_and_not_an_empty_day(workplace):
    workplace.sample("day1")
    await workplace.run()
    books = workplace.books
    for file in workplace.upload.iterdir():
        file.unlink()
    settings = workplace.settings
    quick = settings.model_copy(
        update={"retry": settings.retry.model_copy(update={"within": settings.retry.wait_first})}
    )
    report = await workplace.run(quick)
    assert (report.status, report.code) == (RunStatus.FAILED, 1)
    assert [p.code for p in report.problems] == ["source-empty"]
    assert workplace.books == books
