"""Workbooks as 1C writes them, and every way they come broken."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cpimportd.demo.workbook import write_workbook
from cpimportd.workbook.guards import ZipLimits
from tests.support.workbook.ole2 import ole2_container, write_biff8

SAMPLES = Path(__file__).resolve().parents[1] / "samples"

Change = Callable[[str, bytes], tuple[str, bytes] | None]


@pytest.fixture(scope="session")
def limits() -> ZipLimits:
    return ZipLimits(entries=1000, unpacked=2**31, ratio=400)


@pytest.fixture
def simple(tmp_path) -> Path:
    """Three columns, two rows, a total; C2 is one of 1C's empties."""
    path = tmp_path / "simple.xlsx"
    write_workbook(path, ["A", "B", "C"], [["x", 1, None], ["y", 2.5, "z"]], {"B": 3.5})
    return path


@pytest.fixture
def expenses() -> Path:
    return SAMPLES / "day1" / "Lotos - Spisanie kredity XLSX.xlsx"


@pytest.fixture
def changed(tmp_path) -> Callable[[Path, Change], Path]:
    """A copy of a workbook with every part passed through a function; None leaves the part out."""

    def change(source: Path, each: Change, name: str = "changed.xlsx") -> Path:
        target = tmp_path / name
        with zipfile.ZipFile(source) as package, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
            for part in package.namelist():
                kept = each(part, package.read(part))
                if kept is not None:
                    copy.writestr(*kept)
        return target

    return change


@pytest.fixture
def in_sheet(changed) -> Callable[[Path, bytes, bytes], Path]:
    """A copy of a workbook with one text of its sheet replaced."""

    def replace(source: Path, old: bytes, new: bytes) -> Path:
        def each(part: str, content: bytes) -> tuple[str, bytes]:
            if "worksheets" not in part:
                return part, content
            assert old in content
            return part, content.replace(old, new)

        return changed(source, each)

    return replace


@pytest.fixture
def binary_xls() -> Callable[[Path, Sequence[Sequence[str | float]]], Path]:
    """Write a BIFF8 workbook ([MS-XLS]) in an OLE2 container ([MS-CFB])."""
    return write_biff8


@pytest.fixture
def encrypted_ole2() -> bytes:
    """What Excel writes for a workbook with a password: the stream EncryptedPackage in an OLE2 container."""
    return ole2_container("EncryptedPackage", bytes(5000))
