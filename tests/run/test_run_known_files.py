"""Which of today's files are not read: those that the books serve already, as this version of the reader read them."""

import hashlib
from decimal import Decimal
from pathlib import Path

import pytest

from cpimportd.config.settings import Settings
from cpimportd.core.model import Kind
from cpimportd.core.workbooks import FetchedFile, Served
from cpimportd.run.reading import Reader
from cpimportd.workbook import openfile
from cpimportd.workbook.reading import ReadJob

EXPENSES = Path(__file__).resolve().parents[1] / "samples" / "day1" / "Lotos - Spisanie kredity XLSX.xlsx"


@pytest.mark.asyncio
async def test_a_file_that_lies_as_it_lay_is_read_anew_by_another_version_of_the_reader(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(EXPENSES.read_bytes()).hexdigest()
    file = FetchedFile(EXPENSES.name, EXPENSES, EXPENSES.stat().st_size, None, sha256)
    reader = Reader((file,), ReadJob("Europe/Moscow"), Settings(state_directory=tmp_path), tmp_path, lambda _: None)

    def served(digest: str) -> tuple[Served, ...]:
        return (Served(Kind.EXPENSES, "ЛОТОС ООО", EXPENSES.name, digest, sha256, 200, Decimal(1)),)

    (first,) = await reader.changed(())
    (known,) = await reader.changed(served(first.digest))
    assert (known.unchanged, known.engine, known.digest) == (True, "", first.digest)
    (anew,) = await reader.changed(served(f"{first.digest[:-2]}{openfile.READER_VERSION - 1:02x}"))
    assert (anew.unchanged, anew.digest, len(anew.documents)) == (False, first.digest, 200)
