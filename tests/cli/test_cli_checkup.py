"""`check` finds what would stop a run, one line each, and one failure never hides another."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from cpimportd.cli.checkup.checkup import checkup
from cpimportd.cli.checkup.line import attempt
from cpimportd.cli.checkup.machine import reader_confinement
from cpimportd.config.load import load
from cpimportd.config.settings import Reader
from cpimportd.core.typed import to_json


async def lines(path, **options):
    return {line.name: line for line in await checkup(path, **options)}


def statuses(found, *, but=()):
    return {name: line.status for name, line in found.items() if line.status != "OK" and name not in but}


@pytest.mark.asyncio
async def test_a_working_installation_is_ok_line_by_line(database, write_configuration):
    found = await lines(write_configuration(database))
    assert statuses(found) == {}
    assert "6 workbooks" in found["source: list"].text
    assert "PostgreSQL" in found["database"].text
    assert "Europe/Moscow" in found["time zone"].text
    assert "pg_dump" in found["pg_dump"].text


@pytest.mark.asyncio
async def test_what_was_loaded_can_be_checked_without_reading_the_file_again(database, write_configuration):
    assert all(line.ok for line in await checkup(load(write_configuration(database), {})))


@pytest.mark.asyncio
async def test_a_broken_configuration_is_a_line_for_each_fault(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text('department_id = "eight"\ncolour = 1\n')
    found = await checkup(path)
    assert [line.name for line in found] == ["configuration", "configuration"]
    assert not any(line.ok for line in found)
    assert all(line.way_out for line in found)


@pytest.mark.asyncio
async def test_a_database_that_is_unreachable_hides_nothing_else(write_configuration, tmp_path):
    found = await lines(write_configuration(f"postgresql://u@/x?host={tmp_path}"))
    assert found["database"].status == "FAILED"
    assert found["department"].text == "not tried: the database cannot be reached"
    assert found["source: list"].status == "OK"
    assert found["disk space"].status == "OK"
    assert found["time zone"].status == "OK"


@pytest.mark.asyncio
async def test_a_server_that_never_answers_is_given_up(write_configuration):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/x?sslmode=disable"
        found = await lines(write_configuration(url), within=timedelta(seconds=0.5))
    assert found["database"].code == "check-timeout"
    assert found["source: list"].status == "OK"


@pytest.mark.asyncio
async def test_missing_rights_come_with_their_grant(backend_database, write_configuration, sql, superuser_url):
    sql(
        superuser_url(backend_database),
        "REVOKE DELETE ON fin_receipts FROM cpimportd",
        "REVOKE USAGE ON SEQUENCE fin_expenses_id_seq FROM cpimportd",
    )
    found = [line for line in await checkup(write_configuration(backend_database)) if line.name == "database rights"]
    assert [line.status for line in found] == ["FAILED", "FAILED"]
    assert any("GRANT DELETE ON fin_receipts TO cpimportd" in line.way_out for line in found)
    assert any("fin_expenses_id_seq" in line.way_out for line in found)


@pytest.mark.asyncio
async def test_a_database_without_our_schema_asks_for_the_upgrade(backend_database, write_configuration):
    found = await lines(write_configuration(backend_database))
    assert found["database schema"].status == "FAILED"
    assert "db upgrade" in found["database schema"].way_out
    assert found["department"].status == "OK"


@pytest.mark.asyncio
async def test_an_empty_database_asks_for_the_upgrade_and_for_nothing_else(empty_database, write_configuration):
    found = await lines(write_configuration(empty_database))
    assert [name for name, line in found.items() if line.status == "FAILED"] == ["database schema"]
    assert "cpimportd db upgrade" in found["database schema"].way_out
    assert "db upgrade" in found["database tables"].text


@pytest.mark.asyncio
async def test_a_missing_or_inactive_department_is_found(backend_database, write_configuration):
    assert (await lines(write_configuration(backend_database, top="department_id = 99")))[
        "department"
    ].status == "FAILED"
    assert (await lines(write_configuration(backend_database, top="department_id = 7")))[
        "department"
    ].status == "WARNING"


@pytest.mark.asyncio
async def test_the_index_on_detail_lines_is_named(make_database, write_configuration):
    found = await lines(write_configuration(make_database(backend=True, details_index=True)))
    assert "uq_fin_expense_details_line" in found["detail lines"].text


@pytest.mark.parametrize(("hours", "status"), [(-1, "OK"), (1, "FAILED")], ids=["before our first run", "after it"])
@pytest.mark.asyncio
async def test_the_old_importer_is_found_running(database, write_configuration, sql, hours, status):
    sql(
        database,
        "INSERT INTO cpimportd.runs (department_id, trigger, host, pid, version, status, started_at) "
        "VALUES (8, 'manual', 'h', 1, '0', 'published', now() - interval '2 hours')",
        "INSERT INTO fin_import_logs (import_date, source_file, table_name, status, processed_by, department_id, "
        "rows_inserted, rows_updated, rows_failed) VALUES (localtimestamp - interval '2 hours' + "
        f"interval '{hours} hours', 'a.xlsx', 'fin_receipts', 'success', 'auto_importer', 8, 0, 0, 0)",
    )
    found = await lines(write_configuration(database))
    assert found["old importer"].status == status


@pytest.mark.asyncio
async def test_a_pooler_in_transaction_mode_asks_for_a_direct_url(database, write_configuration, pooled):
    async with pooled(database) as url:
        found = await lines(write_configuration(url))
        assert found["pooler"].status == "WARNING"
        assert "database.direct_url" in found["pooler"].way_out

        found = await lines(write_configuration(url, direct_url=database))
        assert found["pooler"].status == "OK"
        assert "transaction mode" in found["pooler"].text


@pytest.mark.asyncio
async def test_a_cache_that_is_unreachable_is_a_warning_and_shows_no_password(database, write_configuration):
    cache = '[cache]\nurl = "redis://:hunter2@127.0.0.1:1/0"\ntimeout = "1s"\n'
    found = await lines(write_configuration(database, more=cache))
    assert found["cache"].status == "WARNING"
    assert "hunter2" not in str([to_json(line) for line in found.values()])


@pytest.mark.asyncio
async def test_a_source_that_is_unreachable_leaves_the_database_checked(database, write_configuration, tmp_path):
    path = write_configuration(database)
    path.write_text(path.read_text().replace("samples/day1", "samples/nowhere"))
    found = await lines(path)
    assert found["source: list"].status == "FAILED"
    assert found["department"].status == "OK"


@pytest.mark.asyncio
async def test_a_state_folder_that_others_can_read_is_a_warning(database, write_configuration, tmp_path):
    (tmp_path / "state").chmod(0o755)
    found = await lines(write_configuration(database))
    assert found["state folder"].status == "WARNING"
    assert "0755" in found["state folder"].text


@pytest.mark.asyncio
async def test_a_state_folder_that_is_not_there_will_be_made(database, write_configuration, tmp_path):
    (tmp_path / "state").rmdir()
    found = await lines(write_configuration(database))
    assert found["state folder"].status == "OK"
    assert "will be made" in found["state folder"].text


@pytest.mark.asyncio
async def test_a_file_in_the_place_of_the_state_folder_fails(database, write_configuration, tmp_path):
    (tmp_path / "state").rmdir()
    (tmp_path / "state").touch()
    assert (await lines(write_configuration(database)))["state folder"].status == "FAILED"


@pytest.fixture
def small_disk(tmp_path, write_configuration):
    """A state folder on a disk of 1 MB; gives the folder."""
    state = tmp_path / "state"
    options = ["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"]
    if os.geteuid() != 0 or subprocess.run(["mount", *options, state], check=False, capture_output=True).returncode:
        pytest.skip("only root, on a machine that lets it, can mount")
    yield state
    subprocess.run(["umount", state], check=True)


@pytest.mark.asyncio
async def test_a_nearly_full_disk_fails(database, write_configuration, small_disk):
    found = await lines(write_configuration(database))
    assert found["disk space"].status == "FAILED"
    assert "500 MB" in found["disk space"].text


@pytest.mark.asyncio
async def test_a_disabled_schedule_is_reported(database, write_configuration):
    found = await lines(write_configuration(database, more="[schedules.import]\nenabled = false\n"))
    assert found["schedules"].status == "WARNING"


@pytest.mark.asyncio
async def test_a_check_changes_nothing_in_the_database(database, write_configuration, sql):
    count = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) AS n FROM pg_stat_user_tables"
    before = sql(database, "SELECT pg_stat_force_next_flush()", count)[0]["n"]
    await checkup(write_configuration(database))
    assert sql(database, "SELECT pg_stat_force_next_flush()", count)[0]["n"] == before


CONFINEMENT = """
import asyncio, json
from cpimportd.cli.checkup.machine import reader_confinement
from cpimportd.config.settings import Reader
from cpimportd.core.typed import to_json
print(json.dumps([to_json(line) for line in asyncio.run(reader_confinement(Reader()))]))
"""
REFUSING = Path(__file__).parents[1] / "support" / "workbook" / "refusing.py"


def confinement(refused):
    """The line of a machine that lacks something."""
    wrapper = [sys.executable, str(REFUSING), refused] if refused else []
    program = [*wrapper, sys.executable, "-c", CONFINEMENT]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (line,) = json.loads(done.stdout)
    return line


@pytest.mark.parametrize(
    "refused", ["", "namespaces", "landlock", "landlock,namespaces", "seccomp call,landlock,namespaces"]
)
def test_a_confined_reader_is_ok_and_its_walls_are_named(refused):
    line = confinement(refused)
    assert (line["status"], line["code"]) == ("OK", None)
    assert "seccomp" in line["text"]
    for name, what in (("namespaces", "namespaces"), ("Landlock", "landlock")):
        assert name not in line["text"] or what not in refused


def test_a_machine_without_filters_of_calls_is_warned_of_with_what_its_reader_could_do():
    line = confinement("seccomp,landlock,namespaces")
    assert (line["status"], line["code"], line["ok"]) == ("WARNING", "reader-unconfined", True)
    for what in ("reach hosts by TCP", "reach hosts by UDP", "reach local sockets", "read files", "write files",
                 "see which files there are", "signal other processes", "start programs"):  # fmt: skip
        assert what in line["text"]
    assert "held back by: nothing" in line["text"]
    assert "seccomp" in line["way_out"]


def test_what_namespaces_hold_back_is_not_told_as_possible():
    line = confinement("seccomp,landlock")
    assert line["status"] == "WARNING"
    assert "reach hosts" not in line["text"]
    assert "read files" in line["text"]
    assert "held back by: namespaces" in line["text"]


def test_a_reader_that_does_not_start_is_reported_by_the_line(monkeypatch):
    monkeypatch.setattr("cpimportd.cli.checkup.machine.prefork_command", lambda: ("/nowhere/python",))
    found = asyncio.run(attempt("reader confinement", reader_confinement(Reader()), timedelta(seconds=20)))
    assert [(line.status, line.code) for line in found] == [("FAILED", "reader-failed")]
