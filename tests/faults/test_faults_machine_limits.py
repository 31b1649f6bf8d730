"""A machine that gives no more: open files, memory, processes. Each is a problem with a code; the daemon lives on."""

import asyncio
import resource
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from cpimportd.daemon.log import LoopExceptionHandler
from tests.support.daemon.living_daemon import environment
from tests.support.daemon.other_user import NOBODY
from tests.support.faults.machine import (
    BEFORE,
    assert_nobody_left,
    configuration,
    forget_what_was_logged_of_held_files,
    run,
)
from tests.support.faults.table import Chapter
from tests.support.polling import until

_TOLD = {"machine-exhausted", "download-failed", "database-unreachable", "unconfirmed"}
"""What a run may name that got no more of something: the machine itself, or what it wanted to reach."""

_LIMITS = {
    "open files": ("ulimit -n {}", (8, 12, 18), range(6, 40, 2)),
    "memory": ("ulimit -v {}", (90 * 1024, 120 * 1024), range(60 * 1024, 420 * 1024, 20 * 1024)),
}


def _under(limit, value):
    """The beginning of a command line that runs the rest of it under a limit."""
    return ("/bin/sh", "-c", f'{limit.format(value)} && exec "$@"', "sh")


@pytest.mark.asyncio
@pytest.mark.parametrize("what", _LIMITS)
async def test_a_run_that_gets_no_more_of_the_machine_says_so_and_leaves_the_books(make_books, faults, whole, what):
    limit, sampled, all_of_them = _LIMITS[what]
    books = make_books()
    before = books.exact
    for value in all_of_them if whole else sampled:
        ended = run(configuration(books), *_under(limit, value))
        told = f"{what} {value}: {ended}"
        assert "Traceback" not in ended.said, told
        assert_nobody_left(books.upload.parent)
        if ended.report.get("status") == "published":
            books.assert_right()
            books = make_books()
            before = books.exact
            continue
        assert ended.code in {1, 3}, told
        assert ended.names(_TOLD), told
        await books.quiet()
        forget_what_was_logged_of_held_files(books)
        assert books.exact == before
    await books.put_right()
    faults.tell(
        Chapter.MACHINE,
        f"{what} of a run exhausted, at any limit",
        f"`machine-exhausted` or the problem of what it could not reach, {BEFORE}",
    )


@pytest.mark.asyncio
async def test_a_reader_over_its_memory_is_ended_and_its_file_held(books, faults):
    before = books.exact
    ended = run(configuration(books, reader__memory="16M"))
    assert ended.code == 3, ended
    assert "`reader-limit`" in ended.codes
    assert "Traceback" not in ended.said
    forget_what_was_logged_of_held_files(books)
    assert books.exact == before
    await books.put_right()
    faults.tell(
        Chapter.MACHINE,
        "memory limit of a workbook's reader reached",
        f"held: `reader-limit` names the limit, {BEFORE}",
    )


@pytest.mark.asyncio
async def test_a_unit_that_allows_less_than_a_reader_may_have_is_no_reason_to_fail(books, faults):
    ended = run(configuration(books), *_under("ulimit -n {}", 48))
    assert ended.report["status"] == "published", ended
    books.assert_right()
    faults.tell(Chapter.MACHINE, "hard limit of the unit (LimitNOFILE=) lower than a reader's own", "published")


@contextmanager
def _exhausted(place, daemon, which, value, options):
    """The living daemon gets no more meanwhile; only its own user may set that: prlimit(2)."""
    soft, hard = resource.getrlimit(which)  # it has inherited them

    def limit(to):
        code = f"import resource; resource.prlimit({daemon.pid}, {which}, ({to}, {hard}))"
        subprocess.run([place.python, "-c", code], check=True, **options)

    limit(value)
    try:
        yield
    finally:
        limit(soft)


@pytest.mark.parametrize("what", ["open files", "processes"])
def test_a_daemon_that_gets_no_more_of_the_machine_lives_on_says_so_and_imports_when_it_can(
    place, faults, request, what
):
    place.sample("day1")
    which, value, options = resource.RLIMIT_NOFILE, 3, {}
    if what == "processes":  # no limit of root's: setrlimit(2)
        which, value, options = resource.RLIMIT_NPROC, 0, request.getfixturevalue("as_nobody")
        place.give_to(NOBODY)
    daemon = place.start()
    with _exhausted(place, daemon, which, value, options):
        daemon.send(signal.SIGUSR1)
        daemon.wait_problem("run-crashed")
        daemon.send(signal.SIGHUP)
        daemon.wait_problem("config-refused")
        assert any("[machine-exhausted]" in line["message"] for line in daemon.events)
        assert daemon.process.poll() is None
    daemon.send(signal.SIGHUP)
    daemon.wait_event("reloaded")
    daemon.trigger(2)
    until(lambda: place.books == place.truth("day1"), f"import; {daemon.last_words}")
    assert len(daemon.events) < 60, f"it says too much: {daemon.last_words}"
    assert "Traceback" not in daemon.log
    assert daemon.stop() == 0
    faults.tell(
        Chapter.MACHINE,
        f"{what} of the daemon exhausted",
        "run: `run-crashed`; reload refused: `machine-exhausted`, `config-refused`; daemon keeps running, imports when more is available",
    )


def test_a_run_of_the_daemon_that_gets_no_more_memory_is_told_and_the_daemon_imports_with_more(place, faults):
    place.sample("day1")
    with place.standing("fetch") as stand:
        daemon = place.start()
        daemon.send(signal.SIGUSR1)
        release = stand(daemon)
        run = daemon.run_pid()
        _, hard = resource.prlimit(run, resource.RLIMIT_AS)
        pages = int(Path(f"/proc/{run}/statm").read_text().split()[0])
        resource.prlimit(run, resource.RLIMIT_AS, (pages * resource.getpagesize(), hard))
        release()
        (job,) = daemon.wait_runs(1)
        assert job["code"] != 0
        assert "machine-exhausted" in job["problem"] or "run-crashed" in job["problem"] or "download" in job["summary"]
        assert place.books == place.truth(None)
        assert daemon.trigger(2)[-1]["status"] == "published"
    assert place.books == place.truth("day1")
    assert "Traceback" not in daemon.log
    faults.tell(
        Chapter.MACHINE,
        "memory limit reached by a run of the daemon",
        "run failed with its code; daemon keeps running, the next run publishes",
    )


@pytest.mark.asyncio
async def test_what_asyncio_cannot_do_for_want_of_memory_is_said_once_and_not_in_a_spin(caplog):
    loop, tries = asyncio.get_running_loop(), []
    loop.set_exception_handler(LoopExceptionHandler())

    def callback():
        tries.append(loop.time())
        if len(tries) < 5:
            loop.call_soon(callback)
        raise MemoryError

    loop.call_soon(callback)
    for _ in range(20):
        await asyncio.sleep(0)
    assert tries[-1] - tries[0] >= 0.4
    assert [record.exc_info for record in caplog.records] == [None]
    assert "[machine-exhausted]" in caplog.text


def test_a_daemon_started_with_too_few_open_files_says_so_or_serves(place, faults, whole):
    for value in range(6, 30, 2) if whole else (7, 14):
        argv = [*_under("ulimit -n {}", value), place.python, "-m", "cpimportd", "daemon", "--config", str(place.file)]
        with subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(), cwd="/"
        ) as daemon:
            said = ""
            for line in daemon.stdout:
                said += line
                if "started with" in line:
                    daemon.terminate()
        assert "Traceback" not in said, f"{value}: {said}"
        assert daemon.returncode == 0 or "[machine-exhausted]" in said, f"{value}: {said}"
    faults.tell(
        Chapter.MACHINE, "daemon started with too few open files (LimitNOFILE=)", "`machine-exhausted`, or it works"
    )
