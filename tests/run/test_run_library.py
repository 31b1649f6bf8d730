"""A run that cannot read workbooks because of a library says that, and blames no file of 1C's."""

import sys
from pathlib import Path

import pytest

from cpimportd.core.report import RunStatus
from cpimportd.workbook import reading

SOURCES = str(Path(reading.__file__).resolve().parents[2])


def damage(workplace) -> None:
    workplace.sample("day1")
    next(workplace.upload.glob("*.xlsx")).write_bytes(b"no workbook")


@pytest.mark.asyncio
async def test_a_library_that_reads_nothing_ends_the_run_and_is_named(workplace, monkeypatch, tmp_path):
    damage(workplace)
    script = tmp_path / "reader.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {SOURCES!r})\nimport cpimportd.workbook.cells as cells\n"
        "cells._worksheets = lambda book: []\nfrom cpimportd.workbook import worker\nworker.main()\n"
    )
    monkeypatch.setattr(reading, "worker_command", lambda: (sys.executable, "-I", "-B", str(script)))
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.FAILED, 2)
    assert [found.code for found in report.problems] == ["library-wrong"]
    assert "not 1C's files" in report.problems[0].message


@pytest.mark.asyncio
async def test_a_file_that_is_damaged_is_held_where_the_library_is_right(workplace):
    damage(workplace)
    report = await workplace.run()
    assert report.status is RunStatus.PARTIAL
    assert "file-not-workbook" in {found.code for found in report.all_problems}
