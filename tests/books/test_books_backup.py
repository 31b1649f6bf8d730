"""Backups by pg_dump: whole or not at all, private, restorable, and without a password on any command line."""

import asyncio
import os
import stat
import subprocess
from datetime import timedelta

import pytest
from pydantic import SecretStr

from cpimportd.books.database import programs
from cpimportd.books.database.backup import backup
from cpimportd.books.schema.upgrade import REVISION, current, upgrade
from cpimportd.config.settings import Database
from cpimportd.core.problems import ProblemError


def contents(postgres_server, file):
    program = postgres_server.programs / "pg_restore"
    listed = subprocess.run([program, "--list", file], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if not line.startswith(";")]


def restore(postgres_server, url, file):
    options = ["--clean", "--if-exists", "--single-transaction", f"--dbname={url}"]
    subprocess.run([postgres_server.programs / "pg_restore", *options, file], check=True)


def script(path, text, version="18.1"):
    says = f"if [ \"$1\" = --version ]; then echo 'pg_dump (PostgreSQL) {version}'; exit; fi\n"
    path.write_text("#!/bin/sh\n" + says + text)
    path.chmod(0o755)
    return path


def version(program):
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[2]


@pytest.fixture
def pg_dump(postgres_server):
    return postgres_server.programs / "pg_dump"


def test_folders_of_path_that_cannot_be_looked_into_are_passed_over(monkeypatch, tmp_path):
    mine = script(tmp_path / "pg_dump", "")
    # As root nothing is forbidden: a name that is too long is refused as the folder of another user is.
    monkeypatch.setenv("PATH", f"/{'n' * 300}:{tmp_path}")
    assert programs.found("pg_dump")[0] == mine


@pytest.mark.asyncio
async def test_a_backup_beside_a_backend_holds_our_schema_and_its_tables(
    backend_database, postgres_server, tmp_path, pg_dump
):
    # Of the backend's sequences we have USAGE only, which is not enough to read their values.
    database = Database(url=SecretStr(backend_database))
    await upgrade(database)
    file = await backup(database, tmp_path / "backups", candidates=[pg_dump])
    listed = contents(postgres_server, file)
    for name in ("fin_receipts", "fin_expense_details", "fin_import_logs", "departments"):
        assert any(f"TABLE DATA public {name} " in line for line in listed)
    for name in ("runs", "lineage", "alembic_version"):
        assert any(f"TABLE DATA cpimportd {name} " in line for line in listed)
    assert any("SEQUENCE SET cpimportd runs_id_seq" in line for line in listed)
    assert not any("fin_manual_adjustments" in line or "public alembic_version" in line for line in listed)


@pytest.mark.asyncio
async def test_a_backup_gives_back_what_was_there(database, postgres_server, tmp_path, sql, superuser_url, pg_dump):
    settings = Database(url=SecretStr(database))
    sql(database, "INSERT INTO cpimportd.runs (department_id, host) VALUES (8, 'before')")
    file = await backup(settings, tmp_path, candidates=[pg_dump])
    sql(database, "UPDATE cpimportd.runs SET host = 'after'", "DROP TABLE fin_receipts CASCADE")
    restore(postgres_server, superuser_url(database), file)
    assert sql(database, "SELECT host FROM cpimportd.runs")[0][0] == "before"
    assert sql(database, "SELECT count(*) FROM fin_receipts")[0][0] == 0
    assert await current(settings) == REVISION


@pytest.mark.asyncio
async def test_only_its_owner_can_read_a_backup(database, tmp_path, pg_dump):
    folder = tmp_path / "state" / "backups"
    old = os.umask(0)
    try:
        file = await backup(Database(url=SecretStr(database)), folder, candidates=[pg_dump])
    finally:
        os.umask(old)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.iterdir()) == [file]


@pytest.mark.asyncio
async def test_the_newest_backups_stay(database, tmp_path, pg_dump):
    foreign = tmp_path / "backend.dump"
    foreign.touch()
    made = [await backup(Database(url=SecretStr(database)), tmp_path, keep=2, candidates=[pg_dump]) for _ in range(4)]
    assert sorted(tmp_path.iterdir()) == sorted([foreign, *made[2:]])


@pytest.mark.asyncio
async def test_the_password_reaches_pg_dump_by_its_environment_alone(database, tmp_path, pg_dump):
    spied = f'echo "$@" > {tmp_path}/arguments; echo "$PGPASSWORD" > {tmp_path}/environment; exec {pg_dump} "$@"'
    spy = script(tmp_path / "pg_dump", spied, version(pg_dump))
    url = database.replace("//cpimportd@", "//cpimportd:s%40cret@")
    await backup(Database(url=SecretStr(url)), tmp_path / "backups", candidates=[spy])
    arguments = (tmp_path / "arguments").read_text()
    assert "s%40cret" not in arguments
    assert "s@cret" not in arguments
    assert "--dbname=postgresql://cpimportd@" in arguments
    assert (tmp_path / "environment").read_text() == "s@cret\n"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("failing", "reason"),
    [
        ([], "no pg_dump was found"),
        (["echo half; echo 'pg_dump: error: no space left on device' >&2; exit 1"], "no space left"),
        (["echo 'pg_dump: error: aborting because of server version mismatch' >&2; exit 1"], "version mismatch"),
        (["echo half; kill -9 $$"], "-9"),
        (["exit 0"], "input file is too short"),
    ],
)
async def test_a_failed_backup_leaves_no_file(database, tmp_path, failing, reason):
    scripts = [script(tmp_path / f"pg_dump{n}", text) for n, text in enumerate(failing)]
    with pytest.raises(ProblemError) as caught:
        await backup(Database(url=SecretStr(database)), tmp_path / "backups", candidates=scripts)
    assert caught.value.problems[0].code in {"backup-failed", "backup-incomplete"}
    assert reason in caught.value.problems[0].message
    assert not list((tmp_path / "backups").glob("*"))


@pytest.mark.asyncio
async def test_a_folder_that_cannot_be_made_is_told(database, tmp_path, pg_dump):
    (tmp_path / "file").touch()
    with pytest.raises(ProblemError) as caught:
        await backup(Database(url=SecretStr(database)), tmp_path / "file" / "backups", candidates=[pg_dump])
    assert caught.value.problems[0].code == "backup-failed"
    assert str(tmp_path / "file") in caught.value.problems[0].message


@pytest.mark.asyncio
async def test_a_backup_that_is_cancelled_takes_its_child_with_it(database, tmp_path):
    pid_file = tmp_path / "pid"
    sleeper = script(tmp_path / "pg_dump", f"echo $$ > {pid_file}; exec sleep 600")
    task = asyncio.create_task(backup(Database(url=SecretStr(database)), tmp_path / "backups", candidates=[sleeper]))
    while not (pid_file.exists() and pid_file.read_text().strip()):
        await asyncio.sleep(0.02)
        assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
    assert list((tmp_path / "backups").iterdir()) == []


@pytest.mark.asyncio
async def test_a_table_locked_by_somebody_else_does_not_hang_the_backup(database, tmp_path, connect, pg_dump):
    settings = Database(url=SecretStr(database), lock_timeout=timedelta(milliseconds=300))
    async with connect(database) as other, other.transaction():
        await other.execute("LOCK TABLE fin_receipts IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(ProblemError, match="LOCK TABLE") as caught:
            await backup(settings, tmp_path, candidates=[pg_dump])
    assert caught.value.problems[0].code == "backup-failed"
