"""The server under a run: restarted, out of space, or only a standby."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cpimportd.core.report import RunStatus
from tests.support.database import run_sql
from tests.support.faults.books import codes, server_socket, stand, through
from tests.support.faults.table import Chapter
from tests.support.faults.wire import Harm, Wire, tapped

_PUTS_RIGHT = "next run corrects them"


def _restart(server, mode):
    server._run("pg_ctl", "restart", "-w", "-t", "60", "-m", mode, "-D", server._data, "-l", server._log)


@pytest.mark.asyncio
@pytest.mark.parametrize(("mode", "moment"), [("fast", "read"), ("immediate", "publish")])
async def test_a_restart_of_the_server_is_survived(own_server, own_books, faults, mode, moment):
    before = own_books.exact
    done = []

    def restart(progress):
        if progress.stage == moment and not done:
            done.append(mode)
            _restart(own_server, mode)

    report = await own_books.run(None, restart)
    assert done
    outcome = f"{codes(report)}, {stand(own_books, report, before)}; {_PUTS_RIGHT}"
    await own_books.put_right()
    how = {"fast": "is restarted", "immediate": "crashes and recovers"}[mode]
    when = {"read": "while workbooks are read", "publish": "before anything is published"}[moment]
    faults.tell(Chapter.DATABASE, f"The server {how} {when}", outcome)


@pytest.mark.asyncio
@pytest.mark.parametrize("harm", [Harm.KILLED, Harm.CRASHED])
async def test_a_crash_of_the_server_at_commit_is_asked_about(own_server, own_books, faults, harm):
    before = own_books.exact

    async def crash(_pid):
        await asyncio.to_thread(_restart, own_server, "immediate")

    wire = Wire(crash, harm, "COMMIT")
    with tempfile.TemporaryDirectory() as folder:
        async with tapped(server_socket(own_books.url), Path(folder), wire):
            report = await own_books.run(own_books.settings(through(own_books.url, Path(folder))))
    assert wire.done
    outcome = f"{codes(report)}, {stand(own_books, report, before)}; {_PUTS_RIGHT}"
    await own_books.put_right()
    when = {Harm.KILLED: "when COMMIT comes", Harm.CRASHED: "after COMMIT, before its answer"}[harm]
    faults.tell(Chapter.DATABASE, f"The server crashes and recovers {when}", outcome)


@pytest.fixture
def small_disk(tmp_path, own_server):
    """A file system of a few megabytes, for the server."""
    with tempfile.TemporaryDirectory(prefix="cpimportd-small-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        place = Path(folder) / "disk"
        place.mkdir()
        if os.geteuid() != 0 or not shutil.which("mount"):
            pytest.skip("needs root, to mount a file system of its own")
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", place], capture_output=True, text=True, check=False
        )
        if mounted.returncode:
            pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
        try:
            data = place / "data"
            data.mkdir()
            shutil.chown(data, own_server._user.pw_uid)
            run_sql(
                own_server.url(),
                f"CREATE TABLESPACE small LOCATION '{data}'",
                "GRANT CREATE ON TABLESPACE small TO cpimportd",
            )
            yield place
        finally:
            subprocess.run(["umount", "--lazy", place], check=True)


@contextmanager
def _full(disk):
    ballast = disk / "ballast"
    try:
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        assert shutil.disk_usage(disk).free == 0
        yield
    finally:
        ballast.unlink()


@pytest.mark.asyncio
@pytest.mark.parametrize("what", ["DATABASE", "cpimportd.change"], ids=["the database", "the journal"])
async def test_a_full_disk_changes_nothing(own_books, small_disk, sql, faults, what):
    name = sql(own_books.root, "SELECT current_database()")[0][0]
    elsewhere = own_books.root.replace(name, "postgres")
    if what == "DATABASE":
        sql(elsewhere, f"ALTER DATABASE {name} SET TABLESPACE small")
    else:
        sql(own_books.root, f"ALTER TABLE {what} SET TABLESPACE small")
    try:
        before = own_books.exact
        with _full(small_disk):
            report = await own_books.run()
        outcome = f"{codes(report)}, {stand(own_books, report, before)}; {_PUTS_RIGHT}"
        await own_books.put_right()
    finally:
        sql(elsewhere, f"DROP DATABASE {name} WITH (FORCE)", "DROP TABLESPACE small")
    where = {"DATABASE": "the database", "cpimportd.change": "the journal of changes"}[what]
    faults.tell(Chapter.DATABASE, f"The disk that holds {where} is full", outcome)


@pytest.fixture
def standby(own_server):
    """A hot standby of one's own server: the folder of its socket, where it listens on port 5433."""
    if not (own_server.programs / "pg_basebackup").exists():
        pytest.skip(f"there is no pg_basebackup in {own_server.programs}")
    data = own_server.folder / "standby"
    own_server._run(
        "pg_basebackup",
        "-h",
        str(own_server.folder),
        "-U",
        "postgres",
        "-D",
        str(data),
        "-R",
        "-X",
        "stream",
        "-c",
        "fast",
    )
    options = f"-p 5433 -k {own_server.folder}"
    own_server._run(
        "pg_ctl", "start", "-w", "-D", str(data), "-o", options, "-l", str(own_server.folder / "standby.log")
    )
    try:
        yield f"host={own_server.folder}&port=5433"
    finally:
        own_server._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(data))
        shutil.rmtree(data)


@pytest.mark.asyncio
async def test_a_standby_says_what_it_is_and_the_way_out_leads_to_the_primary(own_books, standby, sql, faults):
    before = own_books.exact
    base = own_books.url.partition("?")[0]
    report = await own_books.run(own_books.settings(f"{base}?{standby}"))
    assert "target_session_attrs=read-write" in report.problems[0].way_out
    told = f"{codes(report)}, {stand(own_books, report, before)}"
    folder = server_socket(own_books.url).parent
    both = f"{base}?host={folder},{folder}&port=5433,5432&target_session_attrs=read-write"
    report = await own_books.run(own_books.settings(both))
    assert report.status is RunStatus.PUBLISHED
    own_books.assert_right()
    faults.tell(
        Chapter.DATABASE,
        "database.url names a standby server",
        f"{told}; with both servers and target_session_attrs=read-write: {codes(report)}",
    )
