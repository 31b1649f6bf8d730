"""The sample days as books: published once per session, for every test that only asks.

Run 1 publishes the first day, run 2 the second; run 3 the first day again, exported anew, so that much of what run 2 did
is taken back; run 4 is held: one of its workbooks has cells that nobody can read. Whoever uses it must not write to it.
"""

import asyncio
import os
import shutil
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest

from cpimportd.config.settings import Database, Settings, Source
from cpimportd.core.report import RunReport
from cpimportd.run.pipeline import run_once
from cpimportd.run.request import RunRequest

SAMPLES = Path(__file__).parents[1] / "samples"
BAD_EXPENSES = "Lotos - Spisanie kredity XLSX.xlsx"


@dataclass(frozen=True)
class TwoDays:
    """The books, and where their runs left their files."""

    url: str
    folder: Path
    config: Path

    @property
    def settings(self) -> Settings:
        return Settings(
            database=Database(url=self.url),  # type: ignore[arg-type]
            source=Source(url=(self.folder / "upload").as_uri(), stable_for=timedelta(0)),
            state_directory=self.folder / "state",
        )

    def publish(self, day: str, *, spoil: bool = False, anew: bool = False) -> RunReport:
        upload = self.folder / "upload"
        before = {path.name: path.read_bytes() for path in upload.glob("*")}
        shutil.rmtree(upload, ignore_errors=True)
        shutil.copytree(SAMPLES / day, upload)
        if spoil:
            spoil_cells(upload / BAD_EXPENSES)
        for path in upload.iterdir():
            if anew and path.read_bytes() != before[path.name]:
                exported_anew(path)
            os.utime(path, (time.time() - 7200,) * 2)  # its two halves were not uploaded a moment ago
        with ThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(asyncio.run, run_once(self.settings, RunRequest())).result()


def exported_anew(path: Path) -> None:
    """The same documents in a workbook of which nobody can say that it is an old one: 1C has changed a style."""
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content + b"<!-- anew -->" if name == "xl/styles.xml" else content)


def spoil_cells(path: Path) -> None:
    """An amount that is no number, a formula for a date's text, a row that is no document."""
    book = openpyxl.load_workbook(path)
    sheet = book.active
    header = next(row for row in sheet.iter_rows() if any(cell.value == "Сумма" for cell in row))
    columns = {cell.value: cell.column for cell in header}
    first = header[0].row + 1
    sheet.cell(first, columns["Сумма"]).value = "сто рублей"
    sheet.cell(first + 2, columns["Вх. дата"]).value = "вчера"
    comment = sheet.cell(first + 3, columns["Комментарий"])
    comment.value, comment.data_type = '=HYPERLINK("http://example.org","нажми")', "s"
    book.save(path)


@pytest.fixture(scope="session")
def two_days(templates, tmp_path_factory) -> Iterator[TwoDays]:
    folder = tmp_path_factory.mktemp("two_days")
    (folder / "state").mkdir()
    name = templates.fresh(templates.migrated(), "cpimportd")
    url = templates.server.url(name, "cpimportd")
    config = folder / "cpimportd.toml"
    config.write_text(
        f'state_directory = "{folder}/state"\n[database]\nurl = "{url}"\n'
        f'[source]\nurl = "{(folder / "upload").as_uri()}"\n'
    )
    config.chmod(0o600)
    books = TwoDays(url, folder, config)
    reports = [books.publish("day1"), books.publish("day2"), books.publish("day1", anew=True),
               books.publish("day2", spoil=True, anew=True)]  # fmt: skip
    # Of the fourth only one organization's expenses are held.
    assert [report.status.value for report in reports] == ["published", "published", "published", "partial"]
    yield books
    templates.drop([name])
