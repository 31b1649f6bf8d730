"""What a run relies on is said in its session: no default of a role, a database or a server changes what a run does."""

import subprocess
from datetime import timedelta

import asyncpg
import pytest
from pydantic import SecretStr

from cpimportd.books.database.backup import backup
from cpimportd.books.database.connection import connect
from cpimportd.books.schema.upgrade import upgrade
from cpimportd.cli.checkup.checkup import checkup
from cpimportd.config.load import Loaded
from cpimportd.config.settings import Database
from cpimportd.core.report import RunStatus
from cpimportd.run.undoing import undo_once
from tests.support.faults.poolers import pooled

# What somebody may have set on the role, for a reason of theirs or by mistake.
ON_THE_ROLE = {
    "synchronous_commit": "off",
    "statement_timeout": "1",
    "lock_timeout": "1",
    "idle_in_transaction_session_timeout": "1",
    "idle_session_timeout": "90",
    "transaction_timeout": "90",
    "quote_all_identifiers": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "row_security": "off",
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "backslash_quote": "off",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "xmloption": "document",
    "exit_on_error": "on",
    "TimeZone": "Asia/Vladivostok",
    "client_encoding": "LATIN1",
    "search_path": "public, pg_temp",
    "work_mem": "64kB",
    "temp_buffers": "800kB",
    "jit_above_cost": "0",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "enable_sort": "off",
    "from_collapse_limit": "1",
    "join_collapse_limit": "1",
    "geqo_threshold": "2",
    "plan_cache_mode": "force_generic_plan",
    "constraint_exclusion": "on",
    "default_statistics_target": "1",
    "default_toast_compression": "pglz",
    "check_function_bodies": "off",
    "max_parallel_workers_per_gather": "8",
    "cursor_tuple_fraction": "0.0001",
    "lc_numeric": "C",
    "lc_monetary": "C",
    "client_min_messages": "error",
}
RELIED_ON = {
    "synchronous_commit": "on",
    "statement_timeout": "10min",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
    "quote_all_identifiers": "off",
    "default_transaction_isolation": "read committed",
    "transaction_isolation": "read committed",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "array_nulls": "on",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "row_security": "off",
    "exit_on_error": "off",
}
# What is in the books, without ids and moments.
CONTENT = """
    SELECT 'receipts' AS kind, operation_id, amount::text, document_date::text, payer, payment_purpose FROM fin_receipts
    UNION ALL SELECT 'expenses', operation_id, amount::text, document_date::text, recipient, payment_purpose
    FROM fin_expenses
    UNION ALL SELECT 'details', expense_operation_id, payment_amount::text, settlement_rate::text, payment_type,
                     contract_number FROM fin_expense_details
    UNION ALL SELECT kind, operation_id, extra::text, source_row::text, number, detail_rows::text FROM cpimportd.lineage
    UNION ALL SELECT 'contract', contract_number, contract_date::text, is_active::text, counterparty, NULL
    FROM fin_contracts ORDER BY 1, 2, 3, 4, 5, 6
"""


def set_on_role(sql, root, newest=False):
    (database,) = sql(root, "SELECT current_database(), current_setting('server_version_num')::int AS version")
    known = {row[0] for row in sql(root, "SELECT name FROM pg_settings")}
    wanted = {name: value for name, value in ON_THE_ROLE.items() if name in known}
    assert len(wanted) >= 30
    for name, value in wanted.items():
        said = value if name in {"DateStyle", "search_path"} else f"'{value}'"
        sql(root, f'ALTER ROLE cpimportd IN DATABASE "{database[0]}" SET {name} = {said}')


async def two_days(place, postgres_server, folder):
    """Two days imported, the second undone, a backup and a check: what came of each."""
    reports, contents = [], []
    for day in ("day1", "day2"):
        place.sample(day)
        reports.append(await place.run())
        contents.append([tuple(row) for row in place.sql(place.url.replace("//cpimportd@", "//postgres@"), CONTENT)])
    undone = await undo_once(place.settings, 2)
    contents.append([tuple(row) for row in place.sql(place.url.replace("//cpimportd@", "//postgres@"), CONTENT)])
    pg_dump = [postgres_server.programs / "pg_dump"]
    file = await backup(place.settings.database, folder / "backups", candidates=pg_dump)
    listed = subprocess.run(  # noqa: ASYNC221
        [postgres_server.programs / "pg_restore", "--list", file], capture_output=True, text=True, check=True
    ).stdout
    lines = await checkup(Loaded(place.settings, {}, None), within=timedelta(seconds=60))
    checked = [(line.name, line.ok) for line in lines]
    told = [
        (r.status, [(u.unit, u.inserted, u.updated, u.removed, u.retimed, u.status) for u in r.units], r.totals)
        for r in (*reports, undone)
    ]
    return told, contents, listed.count("TABLE DATA"), checked


@pytest.mark.asyncio
async def test_no_setting_of_the_role_changes_what_a_run_an_undo_a_backup_and_a_check_do(
    make_database, templates, workplace_for, postgres_server, sql, superuser_url, tmp_path
):
    results = []
    for name in ("usual", "set"):
        url = make_database(templates.migrated())
        if name == "set":
            set_on_role(sql, superuser_url(url))
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError)):  # as it is set
                sql(url, "SELECT pg_sleep(0.1)", "SELECT 1")
        (tmp_path / name).mkdir()
        place = workplace_for(url) if name == "usual" else type(results[0][1])(url, results[0][1].upload, tmp_path, sql)
        results.append((await two_days(place, postgres_server, tmp_path / name), place))
    usual, changed = results[0][0], results[1][0]
    assert [status for status, *_ in usual[0]] == [RunStatus.PUBLISHED] * 3
    assert changed == usual


@pytest.mark.asyncio
@pytest.mark.parametrize("in_transaction", [False, True])
async def test_a_session_has_what_a_run_relies_on(database, sql, superuser_url, in_transaction):
    set_on_role(sql, superuser_url(database))
    connection = await connect(Database(url=SecretStr(database)))
    try:
        version = connection.get_server_version().major

        async def look():
            rows = await connection.fetch("SELECT name, current_setting(name) AS value FROM pg_settings")
            return {row["name"]: row["value"] for row in rows}

        if in_transaction:
            async with connection.transaction(), connection.transaction():
                found = await look()
        else:
            found = await look()
        wanted = dict(RELIED_ON)
        if version < 17:
            wanted.pop("transaction_timeout")
        assert {name: found[name] for name in wanted} == wanted
        assert found["TimeZone"] == "Asia/Vladivostok"  # whose timestamps the backend's are
        assert found["search_path"] == "public, pg_temp"
    finally:
        await connection.close()


@pytest.mark.asyncio
async def test_a_snapshot_of_ones_own_isolation_keeps_it(database):
    connection = await connect(Database(url=SecretStr(database)))
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            assert await connection.fetchval("SHOW transaction_isolation") == "repeatable read"
            assert await connection.fetchval("SHOW transaction_read_only") == "on"
    finally:
        await connection.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("ignoring", [False, True])
async def test_behind_a_pooler_each_transaction_says_it_and_nothing_stays(
    make_database, templates, workplace_for, sql, superuser_url, ignoring
):
    """A pooler refuses such settings at the start, or swallows them; its server processes serve others afterwards."""
    url = make_database(templates.migrated())
    (name,) = sql(superuser_url(url), "SELECT current_database()")[0]
    for setting, value in (("synchronous_commit", "off"), ("quote_all_identifiers", "on"), ("DateStyle", "German")):
        sql(superuser_url(url), f'ALTER ROLE cpimportd IN DATABASE "{name}" SET {setting} = {value}')
    ignored = ",".join(
        ("extra_float_digits", *RELIED_ON, *(f"tcp_keepalives_{x}" for x in ("idle", "interval", "count")))
    )
    with pooled(url, **({"ignore_startup_parameters": ignored} if ignoring else {})) as through:
        connection = await connect(Database(url=SecretStr(through)))
        async with connection.transaction():
            for setting in ("synchronous_commit", "quote_all_identifiers", "DateStyle"):
                assert await connection.fetchval(f"SHOW {setting}") == RELIED_ON[setting]
        assert await connection.fetchval("SHOW synchronous_commit") == "off"
        await connection.close()
        place = workplace_for(through)
        place.sample("day1")
        report = await place.run()
    assert report.status is RunStatus.PUBLISHED, report.problems


@pytest.mark.asyncio
async def test_what_a_run_reports_is_on_the_disk_when_it_is_reported(database, workplace_for, sql, superuser_url):
    """Commits that wait for nothing are seen in the statements' own setting: every writing transaction has `on`."""
    set_on_role(sql, superuser_url(database))
    root = superuser_url(database)
    sql(
        root,
        "CREATE TABLE public.seen (setting text, relation text)",
        "GRANT INSERT ON public.seen TO cpimportd",
        "CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO public.seen VALUES (current_setting(''synchronous_commit''), TG_RELID::regclass::text);"
        " RETURN NULL; END'",
    )
    tables = ("cpimportd.runs", "cpimportd.lineage", "cpimportd.served", "fin_receipts", "fin_expenses")
    for table in tables:
        sql(root, f"CREATE TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON {table} EXECUTE FUNCTION public.see()")
    place = workplace_for(database)
    place.sample("day1")
    report = await place.run()
    assert report.status is RunStatus.PUBLISHED
    seen = {tuple(row) for row in sql(root, "SELECT DISTINCT setting, replace(relation, '\"', '') FROM public.seen")}
    assert seen == {("on", table) for table in tables}


@pytest.mark.asyncio
async def test_migrations_are_made_whatever_the_role_says(make_database, sql, superuser_url):
    url = make_database()
    set_on_role(sql, superuser_url(url))
    assert (await upgrade(Database(url=SecretStr(url)))).changed
