"""A confined reader says of every workbook what one says that may open and import whatever it likes."""

import io
import json
import random
import struct
from pathlib import Path

import pytest
import pytest_asyncio
from openpyxl.styles import numbers

from cpimportd.config.settings import Reader
from cpimportd.core.model import CellError
from cpimportd.workbook import xlsb
from cpimportd.workbook.forking import ForkServer
from cpimportd.workbook.markup import BUILT_IN, Shown
from cpimportd.workbook.protocol import Output
from cpimportd.workbook.reading import ReadJob, child_job, prefork_command, worker_command
from cpimportd.workbook.sandbox import run_limited, spawned
from cpimportd.workbook.worker import work
from tests.support.workbook.binaries import write_xls, write_xlsb, write_xlsx

TESTS = Path(__file__).parents[1]
FILES = sorted([*(TESTS / "samples" / "day1").iterdir(), *(TESTS / "faults" / "corpus").iterdir()])
ROWS = [["Дата", "Сумма", "Организация"], ["24.11.2026", 12.5, "Лотос"], [CellError("#REF!"), True, None]]


@pytest_asyncio.fixture(params=["forked", "spawned"])
async def start(request):
    async with ForkServer(prefork_command()) as server:
        yield server.fork if request.param == "forked" else spawned(worker_command())


@pytest.fixture
def same(start):
    async def same(path: Path) -> list[str]:
        job = child_job(path, path.name, 0, ReadJob("Asia/Yekaterinburg"), Reader())
        lines = run_limited(start, json.dumps(job).encode(), Reader(), file=path.name)
        said = b"".join([block async for block in lines])
        unconfined = io.BytesIO()
        work(job, path, Output(unconfined, job["most_problems"]))
        assert said == unconfined.getvalue()
        return [problem["problem"]["code"] for line in said.splitlines() if "problem" in (problem := _message(line))]

    return same


def _message(line: bytes) -> dict[str, dict[str, str]]:
    return json.loads(line) if line.startswith(b"{") else {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.asyncio
async def test_a_workbook_of_ours(same, path):
    await same(path)


@pytest.mark.parametrize("write", [write_xlsx, write_xls, write_xlsb])
@pytest.mark.asyncio
async def test_every_format(same, tmp_path, write):
    assert "reader-failed" not in await same(write(tmp_path / "a", ROWS))


@pytest.mark.parametrize(
    "codepage", [437, 720, 866, 874, 932, 936, 950, 1250, 1251, 10000, 10007, 32768, 32769, 65001, 1, 4711]
)
@pytest.mark.asyncio
async def test_a_binary_workbook_of_any_code_page(same, tmp_path, codepage):
    path = write_xls(tmp_path / "a", ROWS, biff=5)
    content = path.read_bytes()
    declared = struct.pack("<HHH", 0x42, 2, 1251)
    assert declared in content
    path.write_bytes(content.replace(declared, struct.pack("<HHH", 0x42, 2, codepage)))
    await same(path)


@pytest.mark.parametrize(
    "encoding", ["utf-16", "windows-1251", "koi8-r", "koi8-u", "cp866", "iso-8859-5", "mac-cyrillic", "shift_jis", "utf-7", "x-nothing", "idna", "zlib"]
)  # fmt: skip
@pytest.mark.asyncio
async def test_parts_in_any_encoding(same, simple, changed, encoding):
    def each(part: str, content: bytes) -> tuple[str, bytes]:
        if "worksheets/sheet" not in part and "sharedStrings" not in part:
            return part, content
        text = content.decode("utf-8-sig").replace('encoding="UTF-8"', f'encoding="{encoding}"')
        return part, text.encode("utf-16") if encoding == "utf-16" else text.encode("ascii", "xmlcharrefreplace")

    await same(changed(simple, each))


@pytest.mark.parametrize(
    "content", [b"", b"no workbook", b"PK\x03\x04 cut off", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(3000)]
)
@pytest.mark.asyncio
async def test_what_is_no_workbook(same, tmp_path, content):
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    assert await same(path)


def test_number_formats_of_xlsb_mean_what_openpyxl_says():
    def meant(code: str) -> Shown:
        if not numbers.is_date_format(code):
            return Shown.NUMBER
        return Shown.SPAN if numbers.is_timedelta_format(code) else Shown.MOMENT

    pieces = ["d", "m", "h", "y", "s", "H", '"', "[", "]", "\\", "_", "*", ";", "0", "[h]", "[mm]", "[$-419]", "[Red]", ":", "е", "\n"]  # fmt: skip
    chosen = random.Random(18)
    for _ in range(50_000):
        code = "".join(chosen.choices(pieces, k=chosen.randrange(9)))
        assert xlsb.shown_by(code) is meant(code), code
    assert {number: BUILT_IN.get(number, Shown.NUMBER) for number in numbers.BUILTIN_FORMATS} == {
        number: meant(code) for number, code in numbers.BUILTIN_FORMATS.items()
    }
