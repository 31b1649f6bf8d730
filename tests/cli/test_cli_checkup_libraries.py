"""A library that is too old, or that reads wrong, is named as such, and no file of 1C's is."""

import asyncio
import sys
import textwrap
from importlib import metadata
from pathlib import Path

import pytest

from cpimportd.cli.checkup.checkup import checkup
from cpimportd.config import libraries
from cpimportd.config.libraries import READING, outdated_packages
from cpimportd.config.load import load
from cpimportd.config.settings import Reader, Settings
from cpimportd.core.problems import ProblemError
from cpimportd.run.planner import make_plan
from cpimportd.workbook import sample
from cpimportd.workbook.reading import opened
from cpimportd.workbook.sample import sample_problem

SERVED = "[database]\nurl = 'postgresql://u@h/d'\n[source]\nurl = 'ftp://h/1c'\n"


@pytest.fixture
def installed(monkeypatch):
    """Let a library look as if another version of it were installed."""

    def installed(name: str, version: str) -> None:
        real = metadata.version
        monkeypatch.setattr(metadata, "version", lambda asked: version if asked == name else real(asked))

    return installed


BROKEN = {
    # As python-calamine before 0.6.2: no sheet is a worksheet.
    "no worksheet": "cells._worksheets = lambda book: []",
    "sums": "real = cells._calamine_rows\n"
    "def wrong(sheet):\n"
    "    for number, row in real(sheet):\n"
    "        yield number, tuple(1.0 if cell == 0.11 else cell for cell in row)\n"
    "cells._calamine_rows = wrong",
    # As python-calamine before 0.9.1.
    "texts": "real = cells._calamine_rows\n"
    "def wrong(sheet):\n"
    "    for number, row in real(sheet):\n"
    "        yield number, tuple(c.replace('_x0041_', '_x005F_x0041_') if isinstance(c, str) else c for c in row)\n"
    "cells._calamine_rows = wrong",
    "panic": "def wrong(sheet):\n    raise RuntimeError('no such method')\ncells._calamine_rows = wrong",
}


@pytest.fixture(params=BROKEN)
def broken_library(request, monkeypatch, tmp_path):
    """Readers in which calamine does not work as it should, as real processes."""
    from cpimportd.workbook import reading

    folder = Path(reading.__file__).resolve().parents[2]
    script = tmp_path / "reader.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(folder)!r})\nimport cpimportd.workbook.cells as cells\n"
        f"{textwrap.dedent(BROKEN[request.param])}\nfrom cpimportd.workbook import worker\nworker.main()\n"
    )
    monkeypatch.setattr(reading, "worker_command", lambda: (sys.executable, "-I", "-B", str(script)))
    return request.param


def test_the_sample_is_read_right_by_what_is_installed():
    assert asyncio.run(sample_problem(Reader())) is None


def test_a_library_that_reads_wrong_is_named_and_no_file_is(broken_library):
    fault = asyncio.run(sample_problem(Reader()))
    assert fault is not None
    assert fault.code == "library-wrong"
    assert "not 1C's files" in fault.message
    assert f"python-calamine {metadata.version('python-calamine')}" in fault.message
    assert fault.file is None


def test_limits_that_no_workbook_keeps_are_reported_as_limits():
    fault = asyncio.run(sample_problem(Reader(memory="16M")))
    assert fault is not None
    assert fault.code == "reader-limit"
    assert "reader.memory" in fault.way_out


@pytest.mark.asyncio
async def test_check_reports_it(broken_library, tmp_path):
    file = tmp_path / "cpimportd.toml"
    file.write_text(f"state_directory = '{tmp_path}'\n[source]\nurl = 'file://{tmp_path}'\n")
    (line,) = [line for line in await checkup(file) if line.name == "reading"]
    assert (line.ok, line.code) == (False, "library-wrong")


@pytest.mark.parametrize(
    ("name", "version"),
    [("python-calamine", "0.1.0"), ("SQLAlchemy", "1.4.54"), ("pydantic", "2.9.2"), ("xlrd", "2.0")],
)
def test_a_library_that_is_too_old_is_named_with_the_version_that_is_needed(installed, name, version):
    lower = name.lower()
    installed(lower, version)
    (old,) = outdated_packages()
    assert old.code == "library-old"
    assert old.message.startswith(f"{lower} {version} is installed, and ")
    assert f"'{lower}>=" in old.way_out


@pytest.mark.parametrize("version", ["99", "99.0.1", "100.0rc1", "2026.1.post1"])
def test_a_library_that_is_newer_is_no_fault(installed, version):
    installed("python-calamine", version)
    assert list(outdated_packages()) == []


def test_the_daemon_does_not_start_with_a_library_that_is_too_old(installed, tmp_path):
    file = tmp_path / "cpimportd.toml"
    file.write_text(SERVED)
    installed("redis", "3.0")
    with pytest.raises(ProblemError) as caught:
        make_plan(load(file, {}), tmp_path)
    assert [(found.code, caught.value.exit_code) for found in caught.value.problems] == [("library-old", 2)]


@pytest.mark.asyncio
async def test_nor_does_a_run_read_with_one(installed):
    installed("python-calamine", "0.1.0")
    with pytest.raises(ProblemError, match=r"python-calamine 0\.1\.0 is installed"):
        async with opened(Settings()):
            pass


def test_what_reads_is_declared_with_its_bound():
    declared = dict(libraries._needed())
    assert set(READING) <= set(declared)
    assert sample.SUSPICIOUS
