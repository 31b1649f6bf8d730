"""A disk that is full, read-only or gone: named with its path and a way out, the books as before, the daemon lives on."""

import shutil
import signal
import subprocess
from contextlib import contextmanager

import pytest

from cpimportd.core.catalog import CATALOG
from cpimportd.core.report import RunStatus
from tests.support.faults.books import assert_told, codes
from tests.support.faults.machine import BEFORE, assert_no_litter, configuration, remount, run, small_disk
from tests.support.faults.table import Chapter
from tests.support.polling import children, until

_PAGE = 4096


@pytest.fixture
def disk(books):
    """The state folder as a small disk; its size is set by the test."""
    with small_disk(books.state, 64 * 1024 * 1024):
        yield books.state


def _used(path):
    return -(-path.stat().st_size // _PAGE) * _PAGE


def _leave(disk, room):
    """Fill a small disk but for so many bytes."""
    left = int(subprocess.run(["stat", "-f", "-c", "%a", disk], capture_output=True, check=True).stdout) * _PAGE
    with (disk / "ballast").open("wb") as ballast:
        ballast.write(b"\0" * max(0, left - room))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("where", "fault", "named"),
    [
        ("download", "disk full in the middle of a download", "files/00/"),
        ("rows", "disk full while a reader's rows are written", "rows/"),
        ("folder", "disk full before a run's folder can be made", "spool"),
        ("read-only", "spool on a read-only disk", "spool"),
    ],
)
async def test_a_disk_that_cannot_be_used_is_named_and_the_books_stay(books, disk, faults, where, fault, named):
    before, file = books.exact, configuration(books)
    uploaded = sum(map(_used, books.upload.iterdir()))
    if where == "read-only":
        remount(disk, "ro")
    else:
        _leave(disk, {"download": uploaded // 2, "rows": uploaded + 2 * _PAGE, "folder": 0}[where])
        if where == "folder":
            remount(disk, "nr_inodes=2")
    ended = run(file)
    ended.assert_told()
    assert ended.codes == "`disk`"
    for found in ended.report["problems"]:
        assert str(disk) in found["message"]
        assert named in found["message"]
    assert books.exact == before
    if where == "read-only":
        remount(disk, "rw")
    else:
        (disk / "ballast").unlink()
        remount(disk, "nr_inodes=10000")
        assert not any((disk / "spool").glob("*")), "what a failed run had fetched is still there"
    await books.put_right()
    assert_no_litter(books.state)
    faults.tell(Chapter.MACHINE, fault, f"{ended.codes} with the file's path, {BEFORE}")


@pytest.mark.asyncio
@pytest.mark.parametrize("stage", ["fetch", "read", "publish"])
async def test_a_state_folder_that_vanishes_during_a_run_is_named(books, faults, stage):
    before, gone = books.exact, []

    def vanish(progress):
        if progress.stage == stage and (stage != "fetch" or progress.file) and not gone:
            gone.append(progress)
            shutil.rmtree(books.state)

    report = await books.run(progress=vanish)
    assert gone
    if report.status is RunStatus.PUBLISHED:
        books.assert_right()
    else:
        assert_told(report)
        assert str(books.state) in report.problems[0].message
        assert books.exact == before
    books.state.mkdir(exist_ok=True)
    await books.put_right()
    faults.tell(Chapter.MACHINE, f"state folder removed while a run is at: {stage}", f"{codes(report)}, {BEFORE}")


@contextmanager
def _unusable(place, fault):
    """The state folder's disk cannot be written meanwhile."""
    if fault == "full":
        _leave(place.state, 0)
        yield
        (place.state / "ballast").unlink()
    else:  # where a file is open for writing only the kernel makes a disk read-only; so another one hides it
        copy = place.folder / "copy"
        shutil.copytree(place.state, copy)
        with small_disk(place.state, 8 * 1024 * 1024):
            shutil.copytree(copy, place.state, dirs_exist_ok=True)
            remount(place.state, "ro")
            yield


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_the_daemon_lives_on_over_a_disk_that_cannot_be_used_and_imports_when_it_can(place, faults, fault):
    place.sample("day1")
    with small_disk(place.state, 8 * 1024 * 1024):
        daemon = place.start()
        with _unusable(place, fault):
            for count in (1, 2):
                daemon.send(signal.SIGUSR1)
                daemon.wait_event("run-begins", count)
                until(lambda count=count: len(_told(daemon, "spool")) >= count, f"problem; {daemon.last_words}")
                daemon.wait_problem("state-unsaved")
            until(lambda: not children(daemon.pid, " run --config "), "end of the second run")
            daemon.turn()
            assert place.books == place.truth(None)  # as the way out says
            assert "publish nothing" in CATALOG["state-unsaved"].way_out
        daemon.trigger(3)
        daemon.wait_event("state-saved")
        assert place.books == place.truth("day1")
        assert daemon.stop() == 0
        assert {path.name for path in place.state.iterdir()} == {"daemon.json", "daemon.lock", "run", "spool"}
    assert len(_told(daemon, "status.json")) == len(daemon.having(code="state-unsaved")) == 1
    assert "Traceback" not in daemon.log
    faults.tell(
        Chapter.MACHINE,
        f"state and spool disk {fault} while the daemon runs",
        "run: `disk`; daemon keeps running, reports `state-unsaved` and `disk` for its own files once; imports when there is space",
    )


def _told(daemon, word):
    return [line for line in daemon.having(code="disk") if word in line["message"]]
