"""What killed processes leave goes with the next one; what a living one works on stays, whoever tidies up."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cpimportd.config.settings import Reader
from cpimportd.core.model import Kind
from cpimportd.core.spool_locks import LOCK, remove_abandoned, temporary_folder
from cpimportd.core.workbooks import FetchedFile
from cpimportd.run.spool import SpoolFolder, open_spool, prune_spool
from cpimportd.workbook.sample import sample_problem

KEEP = timedelta(days=30)

RUN = """
import sys, time
from datetime import timedelta
from pathlib import Path
from cpimportd.run.spool import open_spool

spool = open_spool(Path(sys.argv[1]), timedelta(days=30))
(spool.files / "00").mkdir()
(spool.files / "00" / "000.xlsx").write_bytes(bytes(1000))
(spool.files / "00" / "001.xlsx.part").write_bytes(bytes(500))
(spool.rows / "000.rows").write_bytes(bytes(1_000_000))
print(spool.path, flush=True)
time.sleep(60)
"""

REHEARSAL = """
import time
from cpimportd.core.spool_locks import temporary_folder

with temporary_folder("cpimportd-rehearsal-") as folder:
    (folder / "a.xlsx").write_bytes(b"payments")
    print(folder, flush=True)
    time.sleep(60)
"""

CHECK = """
import asyncio, time
from cpimportd.config import settings
from cpimportd.workbook import sample

async def read(file, *_):
    print(file.path.parent, flush=True)
    time.sleep(60)

sample.read = read
asyncio.run(sample.sample_problem(settings.Reader()))
"""


@contextmanager
def running(code: str, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that works on a folder which it names."""
    argv = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def left_in(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


@pytest.mark.parametrize("tidy", ["run", "prune", "daemon"])
def test_what_a_killed_run_left_goes_at_once(tmp_path: Path, tidy: str) -> None:
    with running(RUN, tmp_path) as (process, folder):
        assert folder.is_dir()
        kill(process)
    if tidy == "run":
        open_spool(tmp_path, KEEP).close(keep_files=False)
    elif tidy == "prune":
        prune_spool(tmp_path, datetime.now(UTC) - KEEP)
    else:
        assert remove_abandoned(tmp_path) == 1
    assert left_in(tmp_path) == []


def test_what_a_living_run_works_on_stays_whoever_tidies_up_and_however_old_it_is(tmp_path: Path) -> None:
    with running(RUN, tmp_path) as (process, folder):
        for sent in (None, signal.SIGSTOP):
            if sent:
                process.send_signal(sent)
            open_spool(tmp_path, timedelta(0)).close(keep_files=False)
            prune_spool(tmp_path, datetime.now(UTC) + timedelta(days=1))
            assert remove_abandoned(tmp_path) == 0
            assert left_in(tmp_path) == [folder.name]
            assert (folder / "rows" / "000.rows").stat().st_size == 1_000_000


def test_many_killed_runs_leave_nothing_and_a_living_one_among_them_is_spared(tmp_path: Path) -> None:
    with running(RUN, tmp_path) as (_, alive):
        for _ in range(3):
            with running(RUN, tmp_path) as (process, folder):
                kill(process)
                assert folder.exists()
        assert remove_abandoned(tmp_path) == 1, "each removes what the one before it left"
        assert left_in(tmp_path) == [alive.name]


def archived(root: Path) -> SpoolFolder:
    spool = open_spool(root, KEEP)
    (spool.files / "00").mkdir()
    file = spool.files / "00" / "000.xlsx"
    file.write_bytes(b"payments")
    spool.archive(1, [FetchedFile("a.xlsx", file, 8, None, "0" * 64)], Kind)
    return spool


def test_a_run_that_was_killed_after_it_archived_keeps_its_workbooks_and_no_rows(tmp_path: Path) -> None:
    spool = archived(tmp_path)
    for litter in (".files.json-abc", "files/00/000.xlsx.link", "files/00/001.xlsx.part", "rows/000.rows"):
        (spool.path / litter).write_bytes(b"litter")
    assert spool.lock is not None
    os.close(spool.lock)  # as the kernel does
    assert remove_abandoned(tmp_path) == 1
    assert left_in(spool.path) == ["files", "files.json"]
    assert left_in(spool.files / "00") == ["000.xlsx"]
    assert remove_abandoned(tmp_path) == 0, "once"


def test_a_run_that_ended_in_order_is_no_leftover(tmp_path: Path) -> None:
    spool = archived(tmp_path)
    spool.close(keep_files=True)
    assert left_in(spool.path) == ["files", "files.json"]
    assert remove_abandoned(tmp_path) == 0
    assert (spool.files / "00" / "000.xlsx").exists()


def test_a_killed_run_of_a_version_without_locks_goes_once_its_process_is_gone(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {pid: f"20261124T030004.118203Z-{pid}" for pid in (gone.pid, os.getpid())}
    for name in names.values():
        (tmp_path / name / "rows").mkdir(parents=True)
    (tmp_path / "20261120T030004.118203Z-1" / "files").mkdir(parents=True)  # ended in order, before there were lists
    assert remove_abandoned(tmp_path) == 1
    assert left_in(tmp_path) == ["20261120T030004.118203Z-1", names[os.getpid()]]


def test_a_run_that_was_killed_while_it_made_its_folder_goes_a_minute_later(tmp_path: Path) -> None:
    old, young = (f".{datetime.now(UTC) - age:%Y%m%dT%H%M%S.%fZ}-7" for age in (timedelta(minutes=2), timedelta(0)))
    for name in (old, young):
        (tmp_path / name / "rows").mkdir(parents=True)
    assert remove_abandoned(tmp_path) == 1
    assert left_in(tmp_path) == [young]


@pytest.mark.parametrize("name", ["notes", "20261124T030004.118203Z", "20261124T030004.118203Z-1x", "contents"])
def test_what_is_none_of_ours_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name / "rows").mkdir(parents=True)
    (tmp_path / name / LOCK).touch()
    assert remove_abandoned(tmp_path) == 0
    assert left_in(tmp_path) == [name]


def test_names_that_no_run_can_have_had_keep_nobody_from_tidying_up(tmp_path: Path) -> None:
    """A number of no process, and a day of no calendar: an exception there would end every run and the daemon."""
    no_process, no_day = f"20261124T030004.118203Z-{'9' * 30}", ".20269924T030004.118203Z-7"
    for name in (no_process, no_day):
        (tmp_path / name / "rows").mkdir(parents=True)
    assert remove_abandoned(tmp_path) == 1
    assert left_in(tmp_path) == [no_day]
    open_spool(tmp_path, KEEP).close(keep_files=False)


def test_a_link_with_a_runs_name_is_not_followed(tmp_path: Path) -> None:
    outside, spool = tmp_path / "outside", tmp_path / "spool"
    (outside / "rows").mkdir(parents=True)
    (outside / LOCK).touch()
    spool.mkdir()
    (spool / "20261124T030004.118203Z-7").symlink_to(outside)
    assert remove_abandoned(spool) == 0
    assert (outside / "rows").is_dir()


def test_a_spool_that_is_not_there_holds_no_leftovers(tmp_path: Path) -> None:
    assert remove_abandoned(tmp_path / "nowhere") == 0


def test_a_killed_rehearsal_leaves_its_workbooks_until_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with running(REHEARSAL) as (alive, spared), running(REHEARSAL) as (process, folder):
        kill(process)
        assert (folder / "a.xlsx").exists()
        with temporary_folder("cpimportd-rehearsal-") as mine:
            assert left_in(tmp_path) == sorted([spared.name, mine.name])
        kill(alive)
    with temporary_folder("cpimportd-rehearsal-") as mine:
        assert left_in(tmp_path) == [mine.name]
    assert left_in(tmp_path) == []


def test_a_killed_check_leaves_its_sample_until_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with running(CHECK) as (alive, spared), running(CHECK) as (process, folder):
        kill(process)
        assert folder.is_dir()
        assert asyncio.run(sample_problem(Reader())) is None
        assert left_in(tmp_path) == [spared.name]
        kill(alive)
    assert asyncio.run(sample_problem(Reader())) is None
    assert left_in(tmp_path) == []
