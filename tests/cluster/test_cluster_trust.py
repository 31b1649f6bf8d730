"""A worker's word is believed no more than a child's, and a workbook meets the same walls on the cluster as here."""

import hashlib
import json
import lzma
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from cpimportd.config.settings import Reader
from cpimportd.core.model import STAGED_COLUMNS, Kind
from cpimportd.core.problems import ProblemError
from cpimportd.core.workbooks import FetchedFile
from cpimportd.workbook.cluster import parent
from cpimportd.workbook.cluster.parent import connected
from cpimportd.workbook.cluster.reply import Packer
from cpimportd.workbook.cluster.task import reader_identity
from cpimportd.workbook.reading import ReadJob, child_command, read
from tests.support.cluster import on_worker

SAMPLES = Path(__file__).parents[1] / "samples" / "day1"
JOB = ReadJob("Europe/Moscow")


def fetched(path: Path) -> FetchedFile:
    content = path.read_bytes()
    return FetchedFile(path.name, path, len(content), None, hashlib.sha256(content).hexdigest())


def packed(*lines: str) -> bytes:
    packer = Packer()
    packer.feed("".join(f"{line}\n" for line in lines).encode())
    return packer.end()


HEAD = json.dumps({"reader": reader_identity(), "failure": None}).encode() + b"\n"
HEADER = json.dumps({"header": {"kind": "receipts", "engine": "calamine", "sheet": "S", "columns": {"amount": "C"}}})
EMPTY = [r"\N"] * (len(STAGED_COLUMNS[Kind.RECEIPTS]) - 7)
ROW = "\t".join(["0", "2", "Поступление 1", "ЛОТОС ООО", "1.00", "1", r"\N", *EMPTY])
TRAILER = json.dumps(
    {"trailer": {"digest": "a" * 64, "unchanged": False, "rows": 1, "rejected": 0, "control_totals": {}, "sums": {}}}
)
WHOLE = packed(HEADER, ROW, TRAILER)

LIES = {
    "nothing": b"",
    "no head": WHOLE,
    "a head that is no JSON": b"hello\n" + WHOLE,
    "a head of another shape": b"[]\n" + WHOLE,
    "a failure that does not exist": json.dumps(
        {"reader": reader_identity(), "failure": {"code": "same-content"}}
    ).encode()
    + b"\n"
    + WHOLE,
    "nothing behind the head": HEAD,
    "no xz": HEAD + ROW.encode(),
    "a cut reply": HEAD + WHOLE[:-7],
    "a bit that fell over": HEAD + WHOLE[:40] + bytes([WHOLE[40] ^ 1]) + WHOLE[41:],
    "something behind its end": HEAD + WHOLE + WHOLE,
    "no groups": HEAD + lzma.compress(f"{HEADER}\n{ROW}\n{TRAILER}\n".encode()),
    "another file's row": HEAD + packed(HEADER, "7" + ROW[1:], TRAILER),
    "a column too many": HEAD + packed(HEADER, ROW + "\t1", TRAILER),
    "no number": HEAD + packed(HEADER, ROW.replace("1.00", "NaN"), TRAILER),
    "a row that is not counted": HEAD + packed(HEADER, ROW, ROW.replace("\t2\t", "\t3\t", 1), TRAILER),
    "no last line": HEAD + packed(HEADER, ROW),
    "words behind the last line": HEAD + packed(HEADER, ROW, TRAILER, TRAILER),
    "an unknown message": HEAD + packed(HEADER, ROW, '{"publish": true}', TRAILER),
}


@pytest.mark.asyncio
async def test_a_worker_that_lies_is_not_believed(on_workers, engine, tmp_path):
    file = fetched(SAMPLES / "Lotos - Postuplenie(kredity) XLSX.xlsx")
    believed = {}
    async with connected(engine, Reader()) as (cluster, _):
        on_workers(on_worker.answer_with, HEAD + WHOLE)
        assert (await cluster.read(file, 0, JOB, Reader(), tmp_path)).problems == ()
        for name, lie in LIES.items():
            on_workers(on_worker.answer_with, lie)
            snapshot = await cluster.read(file, 0, JOB, Reader(), tmp_path)
            if [problem.code for problem in snapshot.problems] != ["reader-failed"]:
                believed[name] = snapshot.problems
    assert believed == {}


@pytest.mark.asyncio
async def test_a_worker_that_brings_no_bytes_or_unpacks_to_too_much_is_not_believed(on_workers, engine, tmp_path):
    file = fetched(SAMPLES / "Lotos - Postuplenie(kredity) XLSX.xlsx")
    async with connected(engine, Reader()) as (cluster, _):
        on_workers(on_worker.answer_with, {"rows": 1})
        with pytest.raises(ProblemError) as caught:
            await cluster.read(file, 0, JOB, Reader(), tmp_path)
        assert [problem.code for problem in caught.value.problems] == ["cluster-failed"]
        on_workers(on_worker.answer_with, HEAD + packed(*['{"progress": 1}'] * 5000))
        snapshot = await cluster.read(file, 0, JOB, Reader(max_unpacked=10_000), tmp_path)
        (found,) = snapshot.problems
        assert found.code == "reader-failed"
        assert "max_unpacked" in found.message


@pytest.mark.asyncio
async def test_a_tampered_workbook_is_held_and_the_rest_is_published(workplace, clustered, on_workers):
    on_workers(on_worker.tamper_with, "Severnaya - Postuplenie")
    workplace.sample("day1")
    report = await workplace.run(clustered)
    assert report.status.value == "partial"
    (held,) = [file for file in report.files if file.status.value == "held"]
    assert "Severnaya - Postuplenie" in held.name
    assert {problem.code for problem in held.problems} == {"reader-failed"}
    assert workplace.books["receipts"] == 40


@pytest.mark.asyncio
async def test_a_worker_with_another_reader_fails_the_run_and_both_are_named(workplace, clustered, on_workers):
    on_workers(on_worker.age)
    workplace.sample("day1")
    report = await workplace.run(clustered)
    (found,) = report.problems
    assert (report.status.value, found.code) == ("failed", "cluster-versions")
    assert "cpimportd 0.0.9 there" in found.message
    assert reader_identity() in found.message


@pytest.mark.asyncio
async def test_a_worker_without_us_fails_the_run_and_the_way_out_is_to_install_it(workplace, clustered, on_workers):
    on_workers(on_worker.forget)
    workplace.sample("day1")
    report = await workplace.run(clustered)
    (found,) = report.problems
    assert (report.status.value, found.code) == ("failed", "cluster-versions")
    assert "Install the same cpimportd" in found.way_out


@pytest.fixture
def hostile(tmp_path) -> list[FetchedFile]:
    (tmp_path / "empty.xlsx").touch()
    (tmp_path / "half.xlsx").write_bytes(next(SAMPLES.iterdir()).read_bytes()[:5000])
    (tmp_path / "text.xlsx").write_text("Итого")
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("xl/worksheets/sheet1.xml", b"0" * 50_000_000)
    names = ("empty.xlsx", "half.xlsx", "text.xlsx", "bomb.xlsx")
    return [*(fetched(tmp_path / name) for name in names), fetched(min(SAMPLES.iterdir()))]


@pytest.mark.parametrize("limits", [Reader(), Reader(memory=24 * 1024**2)], ids=["default", "little memory"])
@pytest.mark.asyncio
async def test_a_workbook_meets_the_same_walls_there_as_here(hostile, engine, tmp_path, limits):
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
    here = [await read(file, n, JOB, limits, tmp_path / "here") for n, file in enumerate(hostile)]
    async with connected(engine, limits) as (cluster, _):
        there = [await cluster.read(file, n, JOB, limits, tmp_path / "there") for n, file in enumerate(hostile)]
    assert [replace(snapshot, rows_path=None) for snapshot in there] == [replace(one, rows_path=None) for one in here]
    assert [one.rows_path.read_bytes() for one in there] == [one.rows_path.read_bytes() for one in here]
    assert all(snapshot.problems for snapshot in there[:-1])


@pytest.mark.asyncio
async def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it(workplace, clustered, monkeypatch):
    def without(module: str) -> tuple[str, ...]:
        *python, code, folder = child_command(module)
        return (*python, f"import sys; sys.modules['distributed'] = None; {code}", folder)

    monkeypatch.setattr(parent, "child_command", without)
    workplace.sample("day1")
    report = await workplace.run(clustered)
    (found,) = report.problems
    assert (found.code, found.kind.exit_code) == ("cluster-not-installed", 2)
    assert "pip install -c constraints.txt '.[dask]'" in found.way_out


def test_who_reads_here_loads_nothing_of_dask():
    code = "import sys, cpimportd.cli, cpimportd.run.pipeline, cpimportd.cli.checkup.checkup; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"distributed", "dask", "cpimportd.workbook.cluster.parent", "cpimportd.workbook.cluster.task"} & set(
        loaded
    )
