"""Whatever stands in a workbook: a result or a coded problem comes of it, and never anything else.

Sampled by the same examples at every run; ``--whole`` tries many more. What once failed, or is odd, is kept in
``tests/faults/corpus`` and replayed always.
"""

import importlib
import json
import os
import resource
import signal
import traceback
import zipfile
from collections.abc import Callable
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cpimportd.config.settings import Reader
from cpimportd.core.model import CellError
from cpimportd.core.typed import to_json
from cpimportd.core.workbooks import FetchedFile, Snapshot
from cpimportd.demo.workbook import write_workbook
from cpimportd.documents.columns import Meaning
from cpimportd.workbook.protocol import Job, Output, OutputParser
from cpimportd.workbook.reading import ReadJob, read
from cpimportd.workbook.worker import work
from tests.support.faults.harmless import assert_a_value, assert_one_line
from tests.support.faults.hostile import REQUIRED, SHEET, STRINGS, table_of
from tests.support.faults.table import Chapter
from tests.support.workbook.binaries import Formula, Shown, write_xls, write_xlsb

SAMPLE = Path(__file__).parent.parent / "samples" / "day2" / "Lotos - Spisanie kredity XLSX.xlsx"
CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
MEMORY = 71
OUTCOME = "read, or held by a coded problem; no other result"


def example_count(whole: bool, few: int, many: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=many if whole else few,
        derandomize=not whole,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The parts of a real export cut down to a few rows and columns, so that a mutation meets what matters."""
    titles, rows, _ = table_of(SAMPLE)
    places = [titles.index(title) for title in REQUIRED]
    path = tmp_path_factory.mktemp("small") / "small.xlsx"
    amount = REQUIRED.index("Сумма")
    few = [[row[place] for place in places] for row in rows[:4]]
    write_workbook(path, REQUIRED, few, {"Сумма": sum(Decimal(str(row[amount])) for row in few)})
    with zipfile.ZipFile(path) as package:
        return {name: package.read(name) for name in package.namelist()}


def zipped(parts: dict[str, bytes]) -> bytes:
    whole = BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return whole.getvalue()


def understood(content: bytes, folder: Path) -> OutputParser | None:
    """What the child's own code says in a fork of this process, with the parent's doubts; None: it hit a limit.

    A fork, because whoever keeps a table of all cells asks for more memory than there is, and dies of it.
    """
    path, said, complaint = (folder / name for name in ("fuzzed.xlsx", "said", "complaint"))
    path.write_bytes(content)
    for engine in ("xlsx", "xls", "xlsb"):  # once, not in each fork
        importlib.import_module(f"cpimportd.workbook.{engine}")
    pid = os.fork()
    if pid == 0:
        _work_and_exit(path, said, complaint)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    last = complaint.read_text("utf-8", errors="replace")
    if status == MEMORY or (status == -signal.SIGABRT and "memory allocation of" in last) or status == -signal.SIGXCPU:
        return None
    assert status == 0, f"{status}: {last}"
    parser = OutputParser("a.xlsx", 0, lambda _: None, 200)
    parser.parse(said.read_bytes())
    parser.end()
    return parser


def _work_and_exit(path: Path, said: Path, complaint: Path) -> None:
    code = 1
    try:
        os.dup2(os.open(complaint, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        most = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + 2**29
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        job = Job(
            path=str(path),
            name="a.xlsx",
            file_no=0,
            timezone="Europe/Moscow",
            limits={"organization": 255},
            known_digests=[],
            zip={"entries": 100, "unpacked": 50_000_000, "ratio": 400},
            most_problems=200,
        )
        with said.open("wb") as stream:
            work(job, Path(job["path"]), Output(stream, 200))
        code = 0
    except MemoryError:
        code = MEMORY
    except BaseException:  # noqa: BLE001 - told by what it prints and by its status
        traceback.print_exc()
    finally:
        os._exit(code)


def judge(parser: OutputParser | None) -> None:
    """A file is understood, or a problem says why not; nothing of it is left out in silence."""
    if parser is None:
        return
    said = parser.trailer
    stops = [found for found in parser.problems if found.effect != "warns"]
    assert said.digest or stops
    for found in parser.problems:
        assert found.file == "a.xlsx"
        assert found.way_out
        assert_one_line(found.message)
    if not stops:
        assert parser.kind is not None
        assert said.rejected == 0
        assert sum(document.amount for document in parser.documents) == said.sums["Сумма"]


@st.composite
def mutations(draw: st.DrawFn, content: bytes) -> bytes:
    """Some bytes changed, taken away, put in or doubled; and pieces that mean something to XML."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(changed) - 1, 0)))
        length = draw(st.integers(1, 40))
        piece = draw(st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from(PIECES)))
        match draw(st.sampled_from(("change", "remove", "insert", "double", "cut"))):
            case "change":
                changed[at : at + len(piece)] = piece
            case "remove":
                del changed[at : at + length]
            case "insert":
                changed[at:at] = piece
            case "double":
                changed[at:at] = changed[at : at + length]
            case "cut":
                del changed[max(at, len(changed) - length) :]
    return bytes(changed)


PIECES = (
    b"<!DOCTYPE x>", b"&amp;", b"&#0;", b"&x;", b"<![CDATA[", b"]]>", b"<v>", b"</v>", b"<v/>", b' t="e"', b' t="s"',
    b' t="d"', b' t="b"', b' t="inlineStr"', b"<is><t>x</t></is>", b"-1", b"1e308", b"NaN", b"99999999999999999999",
    b'r="A1"', b'r="C2"', b'r="XFD1"', b"</row>", b"<row>", b"<f>1+1</f>", b"\x00", b"\xff\xfe", b"</sheetData>",
)  # fmt: skip


@pytest.mark.parametrize(
    "name", [SHEET, STRINGS, "xl/workbook.xml", "[Content_Types].xml", "xl/_rels/workbook.xml.rels"]
)
def test_any_part_of_a_workbook_may_be_mutated(small, tmp_path, whole, faults, name):
    @example_count(whole, 30, 1_000)
    @given(mutations(small[name]))
    def holds(changed: bytes) -> None:
        judge(understood(zipped({**small, name: changed}), tmp_path))

    holds()
    faults.tell(Chapter.HOSTILE, f"bytes changed, removed, inserted and doubled in {name}, its checksum right", OUTCOME)


def test_any_bytes_of_a_workbook_may_be_mutated(small, tmp_path, whole, faults):
    @example_count(whole, 30, 1_000)
    @given(mutations(zipped(small)))
    def holds(changed: bytes) -> None:
        judge(understood(changed, tmp_path))

    holds()
    faults.tell(Chapter.HOSTILE, "bytes changed, removed, inserted and doubled in a workbook's zip", OUTCOME)


def binary_table() -> list[list[Any]]:
    """A few documents, and of everything that a cell can be one in a column without a field."""
    titles, rows, _ = table_of(SAMPLE)
    places = [titles.index(title) for title in REQUIRED]
    odd = [CellError("#REF!"), Formula(CellError("#N/A")), Formula("x"), Shown(44463), Shown(-1e12), Shown(1.5, True)]
    kept = [[*[row[place] for place in places], cell] for row, cell in zip(rows, odd, strict=False)]
    return [[*REQUIRED, "Ведомость"], *kept]


@pytest.mark.parametrize("biff", [5, 8])
def test_any_bytes_of_a_binary_workbook_may_be_mutated(tmp_path, whole, faults, biff):
    path = write_xls(tmp_path / "a.xls", binary_table(), biff=biff)

    @example_count(whole, 30, 1_000)
    @given(mutations(path.read_bytes()))
    def holds(changed: bytes) -> None:
        judge(understood(changed, tmp_path))

    holds()
    faults.tell(Chapter.HOSTILE, "bytes changed, removed, inserted and doubled in a binary XLS", OUTCOME)


@pytest.mark.parametrize(
    "name", ["xl/worksheets/sheet1.bin", "xl/workbook.bin", "xl/styles.bin", "xl/_rels/workbook.bin.rels"]
)
def test_any_part_of_an_xlsb_may_be_mutated(tmp_path, whole, faults, name):
    with zipfile.ZipFile(write_xlsb(tmp_path / "a.xlsb", binary_table())) as package:
        parts = {each: package.read(each) for each in package.namelist()}

    @example_count(whole, 30, 1_000)
    @given(mutations(parts[name]))
    def holds(changed: bytes) -> None:
        judge(understood(zipped({**parts, name: changed}), tmp_path))

    holds()
    faults.tell(Chapter.HOSTILE, f"bytes changed, removed, inserted and doubled in an XLSB's {name}", OUTCOME)


cells = st.one_of(
    st.none(), st.text(max_size=40), st.floats(), st.integers(), st.booleans(), st.dates(), st.datetimes(), st.times(),
    st.timedeltas(), st.sampled_from([CellError("#REF!"), "1\u00a0234,50", "24.09.2021", "01.01.0001", "руб.", "Да", "-0"]),
    st.from_regex(r"\A[-−]?[0-9 \u00a0.,]{1,40}\Z"), st.from_regex(r"\A[0-9]{1,2}[.\-/][0-9]{1,2}[.\-/][0-9]{1,5}.{0,12}\Z"),
)  # fmt: skip


@pytest.mark.parametrize("meaning", list(Meaning))
def test_any_cell_is_a_value_or_said_to_be_none(meaning, whole):
    @example_count(whole, 150, 3_000)
    @given(cells)
    def holds(cell: Any) -> None:
        assert_a_value(meaning, cell)

    holds()


@pytest.mark.asyncio
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
async def test_the_corpus_is_read_through_the_sandbox(path, tmp_path, faults):
    file = FetchedFile("a.xlsx", path, path.stat().st_size, None, "")
    snapshot: Snapshot = await read(file, 0, ReadJob("Europe/Moscow"), Reader(cpu_time=20), tmp_path)
    expected = path.name.partition(".")[0]
    codes = [found.code for found in snapshot.problems if found.effect != "warns"]
    assert codes == ([] if expected == "published" else [expected])
    json.dumps([to_json(found) for found in snapshot.problems])
    faults.tell(
        Chapter.HOSTILE,
        f"a workbook found by fuzzing, or an unusual one: {path.name}",
        "read" if not codes else f"`{codes[0]}`",
    )
