"""A file is never called damaged because there was no memory to read it with, whatever words that came in."""

import errno
import os
import subprocess
import sys
import zipfile
import zlib
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

import pytest
from openpyxl.descriptors.base import _convert
from python_calamine import CalamineError

from cpimportd.workbook.cells import open_cells
from cpimportd.workbook.guards import Contents
from cpimportd.workbook.memory import raise_if_memory_was_missing
from cpimportd.workbook.package import resolve

_EVERY_ALLOCATION = """
import sys
from pathlib import Path
import _testcapi
from cpimportd.core.problems import ProblemError
from cpimportd.workbook.guards import ZipLimits, inspect

path, limits = Path(sys.argv[1]), ZipLimits(entries=1000, unpacked=2**31, ratio=400)
good = inspect(path, limits, "a.xlsx")
failed = unharmed = 0
while unharmed < 200:  # some that fail are done without
    _testcapi.set_nomemory(failed, failed + 1)
    try:
        found = inspect(path, limits, "a.xlsx")
        unharmed += 1
    except ProblemError as error:
        _testcapi.remove_mem_hooks()
        sys.exit(f"allocation {failed}: {error}")
    except BaseException:
        unharmed = 0
        continue
    finally:
        _testcapi.remove_mem_hooks()
        failed += 1
    assert found == good
print(failed - unharmed)
"""


def _raised_by(act):
    try:
        act()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
        return error
    raise AssertionError("nothing was raised")


def _no_room_while_a_part_is_written():
    try:
        raise MemoryError
    finally:
        raise ValueError("Can't close the ZIP file while there is an open writing handle on it.")


class PanicException(BaseException):
    """As Rust's is called, which no module exports."""


class _NoRoomForANumber:
    def __int__(self):
        raise MemoryError


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        zlib.error("Error -4 while decompressing data"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        ParseError(f"{expat.errors.XML_ERROR_NO_MEMORY}: line 3, column 1"),
        CalamineError("MemoryError: "),
        _raised_by(_no_room_while_a_part_is_written),
        _raised_by(lambda: _convert(int, _NoRoomForANumber())),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_reported_where_memory_is_missing_is_known(error):
    with pytest.raises(MemoryError):
        raise_if_memory_was_missing(error)


@pytest.mark.parametrize(
    "error",
    [
        zlib.error("Error -3 while decompressing data: invalid distance too far back"),
        OSError(errno.EIO, os.strerror(errno.EIO)),
        EOFError(),
        CalamineError("Cannot detect file format"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_the_file_s_fault_stays_it(error):
    raise_if_memory_was_missing(error)


def test_whichever_allocation_fails_the_file_is_not_called_damaged(simple):
    pytest.importorskip("_testcapi", reason="this Python cannot let an allocation fail")
    tried = subprocess.run(
        [sys.executable, "-c", _EVERY_ALLOCATION, simple], capture_output=True, text=True, check=False
    )
    assert tried.returncode == 0, tried.stderr
    assert int(tried.stdout) > 500


@pytest.mark.parametrize(
    ("engine", "error"),
    [
        ("calamine", CalamineError("MemoryError: ")),
        ("calamine", PanicException("called `Result::unwrap()` on an `Err` value: MemoryError")),
        ("expat", ParseError("out of memory: line 1, column 0")),
    ],
    ids=lambda given: given if isinstance(given, str) else type(given).__name__,
)
def test_an_engine_that_hides_it_does_not_make_the_file_damaged(simple, monkeypatch, engine, error):
    def hidden(*_, **__):
        raise error

    monkeypatch.setattr("cpimportd.workbook.cells.CalamineWorkbook.from_filelike", hidden)
    monkeypatch.setattr("cpimportd.workbook.xlsx.shared_texts", hidden)
    with zipfile.ZipFile(simple) as archive:
        package = resolve(archive.namelist(), archive.read, "a.xlsx")
    contents = Contents("", is_zip=True, needs_second_engine=engine == "expat", package=package)
    with pytest.raises(MemoryError):
        open_cells(simple, contents, "a.xlsx")
