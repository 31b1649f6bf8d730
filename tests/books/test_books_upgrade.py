"""Our schema comes into being and is brought up to date, beside the backend's tables or together with them."""

import asyncio
import re
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr

from cpimportd.books.database.connection import connect, engine
from cpimportd.books.schema.tables import metadata
from cpimportd.books.schema.upgrade import REVISION, alembic_config, current, require_current, upgrade
from cpimportd.config.settings import Database
from cpimportd.core.problems import ProblemError, problem
from tests.support.books.backend_tables import backend_metadata

THEIR_TABLES = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull, a.atthasdef
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1, a.attnum
"""
THEIR_INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"


def at(url):
    return Database(url=SecretStr(url))


@pytest.mark.asyncio
async def test_an_empty_database_gets_our_schema_and_the_backends_tables(empty_database, sql):
    result = await upgrade(at(empty_database))
    assert (result.before, result.after, result.created_backend_tables) == (None, REVISION, True)
    departments = sql(empty_database, "SELECT id, code, name, is_active FROM departments")
    assert [tuple(row) for row in departments] == [(8, "FINANCE", "Финансы", True)]
    assert sql(empty_database, "SELECT nextval(pg_get_serial_sequence('departments', 'id'))")[0][0] == 9
    assert await current(at(empty_database)) == REVISION


@pytest.mark.asyncio
async def test_the_backends_tables_lie_in_public_even_for_a_user_called_as_our_schema(empty_database, sql):
    sql(empty_database, "CREATE SCHEMA cpimportd")
    assert sql(empty_database, "SELECT current_schema()")[0][0] == "cpimportd"
    await upgrade(at(empty_database))
    where = "SELECT DISTINCT relnamespace::regnamespace::text FROM pg_class WHERE relname ~ '^(fin_|departments)'"
    assert [row[0] for row in sql(empty_database, where)] == ["public"]


@pytest.mark.asyncio
async def test_another_department_is_created_where_it_is_configured(empty_database, sql):
    await upgrade(at(empty_database), department_id=23)
    assert sql(empty_database, "SELECT id FROM departments")[0][0] == 23
    assert sql(empty_database, "SELECT nextval(pg_get_serial_sequence('departments', 'id'))")[0][0] == 24


@pytest.mark.asyncio
async def test_beside_a_backend_nothing_of_theirs_is_touched(backend_database, sql):
    before = [sql(backend_database, query) for query in (THEIR_TABLES, THEIR_INDEXES, "SELECT * FROM departments")]
    result = await upgrade(at(backend_database))
    after = [sql(backend_database, query) for query in (THEIR_TABLES, THEIR_INDEXES, "SELECT * FROM departments")]
    assert not result.created_backend_tables
    assert after == before
    assert sql(backend_database, "SELECT version_num FROM public.alembic_version")[0][0] == "f3a91c0b77de"
    pointing = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace <> 'public'::regnamespace"
    into_theirs = f"{pointing} AND confrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
    assert sql(backend_database, into_theirs)[0][0] == 0


@pytest.mark.asyncio
async def test_tables_that_we_create_have_the_backends_columns(empty_database, backend_database, sql):
    await upgrade(at(empty_database))
    ours = {tuple(row) for row in sql(empty_database, THEIR_TABLES)}
    theirs = {tuple(row) for row in sql(backend_database, THEIR_TABLES)}
    not_used = {("departments", "description"), ("alembic_version", "version_num")}
    beyond = {row[:2] for row in theirs - ours if row[0] != "fin_manual_adjustments"}
    assert beyond == not_used
    assert ours <= theirs


@pytest.mark.asyncio
async def test_a_second_upgrade_changes_nothing(empty_database):
    await upgrade(at(empty_database))
    said = []
    result = await upgrade(at(empty_database), echo=said.append)
    assert (result.before, result.changed, result.created_backend_tables) == (REVISION, False, False)
    assert said == []


@pytest.mark.asyncio
async def test_upgrades_at_the_same_moment_do_it_once(empty_database):
    results = await asyncio.gather(*(upgrade(at(empty_database)) for _ in range(4)))
    assert sorted(str(result.before) for result in results) == [REVISION, REVISION, REVISION, "None"]


@pytest.mark.asyncio
@pytest.mark.parametrize("gone", ["fin_import_logs", "fin_expense_details"])
async def test_half_a_backend_is_refused_and_left_alone(make_database, superuser_url, sql, gone):
    url = make_database(backend=True)
    sql(superuser_url(url), f"DROP TABLE {gone} CASCADE")
    with pytest.raises(ProblemError) as caught:
        await upgrade(at(url))
    assert caught.value.problems[0].code == "database-foreign"
    assert gone in caught.value.problems[0].message
    assert sql(url, "SELECT to_regnamespace('cpimportd')::text")[0][0] is None


@pytest.mark.asyncio
async def test_departments_without_ours_are_refused_and_left_alone(empty_database, sql):
    sql(
        empty_database,
        """CREATE TABLE departments (id serial PRIMARY KEY, name text, code text, is_active boolean);
        INSERT INTO departments (id) VALUES (1);""",
    )
    with pytest.raises(ProblemError) as caught:
        await upgrade(at(empty_database))
    assert caught.value.problems[0].code == "department-missing"
    assert sql(empty_database, "SELECT count(*) FROM pg_class WHERE relname LIKE 'fin%'")[0][0] == 0
    sql(empty_database, "INSERT INTO departments (id, name) VALUES (8, 'Ours')")
    assert (await upgrade(at(empty_database))).created_backend_tables
    assert sql(empty_database, "SELECT name FROM departments WHERE id = 8")[0][0] == "Ours"


@pytest.mark.asyncio
async def test_a_failed_upgrade_leaves_nothing(backend_database, sql, superuser_url):
    # The last of our tables by name is there already: the migration fails after most of its statements.
    sql(superuser_url(backend_database), "CREATE SCHEMA cpimportd AUTHORIZATION cpimportd")
    sql(backend_database, "CREATE TABLE cpimportd.served (mine int)")
    with pytest.raises(ProblemError) as caught:
        await upgrade(at(backend_database))
    assert caught.value.problems[0].code == "database-failed"
    assert "served" in caught.value.problems[0].message
    left = "SELECT relname FROM pg_class WHERE relnamespace = 'cpimportd'::regnamespace AND relkind = 'r'"
    assert [row[0] for row in sql(backend_database, left)] == ["served"]
    assert await current(at(backend_database)) is None


@pytest.mark.asyncio
async def test_without_the_right_to_create_a_schema_the_grant_is_named(backend_database, sql, superuser_url):
    name = sql(backend_database, "SELECT current_database()")[0][0]
    sql(superuser_url(backend_database), f'REVOKE CREATE ON DATABASE "{name}" FROM cpimportd')
    with pytest.raises(ProblemError) as caught:
        await upgrade(at(backend_database))
    assert caught.value.problems[0].code == "database-rights"
    assert f"GRANT CREATE ON DATABASE {name}" in caught.value.problems[0].way_out


@pytest.mark.asyncio
async def test_a_schema_made_for_us_by_the_owner_is_enough(backend_database, sql, superuser_url):
    name = sql(backend_database, "SELECT current_database()")[0][0]
    sql(
        superuser_url(backend_database),
        f'REVOKE CREATE ON DATABASE "{name}" FROM cpimportd',
        "CREATE SCHEMA cpimportd AUTHORIZATION cpimportd",
    )
    assert (await upgrade(at(backend_database))).after == REVISION


async def stand_at(url, revision, sql, *, runs):
    sql(url, f"UPDATE cpimportd.alembic_version SET version_num = '{revision}'")
    if runs:
        sql(url, "INSERT INTO cpimportd.runs (department_id) VALUES (8)")


@pytest.mark.asyncio
async def test_nothing_is_migrated_when_the_backup_before_it_fails(database, sql):
    await stand_at(database, "0000", sql, runs=True)
    called = []

    async def failing():
        called.append(True)
        raise ProblemError(problem("backup-failed", reason="the disk is full"))

    with pytest.raises(ProblemError, match="the disk is full"):
        await upgrade(at(database), backup=failing)
    assert called
    assert await current(at(database)) == "0000"


@pytest.mark.asyncio
async def test_a_new_schema_and_an_empty_one_need_no_backup(empty_database):
    async def unexpected():
        raise AssertionError

    await upgrade(at(empty_database), backup=unexpected)


@pytest.mark.asyncio
async def test_a_schema_of_a_newer_version_is_left_alone(database, sql):
    await stand_at(database, "9999", sql, runs=False)
    with pytest.raises(ProblemError, match="newer") as caught:
        await upgrade(at(database))
    assert caught.value.problems[0].code == "database-version"
    connection = await connect(at(database))
    try:
        with pytest.raises(ProblemError, match="newer"):
            await require_current(connection)
    finally:
        await connection.close()


@pytest.mark.asyncio
@pytest.mark.parametrize(("revision", "said"), [(None, "no schema"), ("0000", "older")])
async def test_a_run_is_refused_on_a_schema_that_is_missing_or_old(make_database, templates, sql, revision, said):
    url = make_database(templates.migrated() if revision else None)
    if revision:
        await stand_at(url, revision, sql, runs=False)
    connection = await connect(at(url))
    try:
        with pytest.raises(ProblemError, match=said) as caught:
            await require_current(connection)
    finally:
        await connection.close()
    assert caught.value.problems[0].code == "database-schema"


@pytest.mark.asyncio
async def test_a_schema_that_we_may_not_use_is_a_missing_right(database, sql, superuser_url):
    sql(
        superuser_url(database),
        "ALTER SCHEMA cpimportd OWNER TO postgres",
        "REVOKE ALL ON SCHEMA cpimportd FROM cpimportd",
    )
    with pytest.raises(ProblemError) as caught:
        await current(at(database))
    assert caught.value.problems[0].code == "database-rights"
    assert "GRANT USAGE, CREATE ON SCHEMA cpimportd" in caught.value.problems[0].way_out


@pytest.mark.asyncio
@pytest.mark.parametrize("ours", [True, False])
async def test_the_migrations_make_what_the_schema_says(database, superuser_url, ours):
    def differences(connection):
        options = {
            "version_table_schema": "cpimportd",
            "include_schemas": ours,
            "include_name": lambda name, kind, _parents: kind != "schema" or name == ("cpimportd" if ours else None),
            "compare_server_default": True,
        }
        return compare_metadata(
            MigrationContext.configure(connection, opts=options), metadata if ours else backend_metadata
        )

    connecting = engine(at(superuser_url(database)))
    async with connecting.connect() as connection:
        assert await connection.run_sync(differences) == []
    await connecting.dispose()


@pytest.mark.asyncio
async def test_every_table_and_column_of_ours_explains_itself(database, sql):
    silent = """
        SELECT c.relname, a.attname FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'cpimportd'::regnamespace AND c.relkind = 'r' AND c.relname <> 'alembic_version'
          AND (obj_description(c.oid) IS NULL OR col_description(c.oid, a.attnum) IS NULL)
    """
    assert sql(database, silent) == []


@pytest.mark.asyncio
async def test_a_slot_is_done_once_and_again_only_after_a_failure(database, connect):
    begin = "INSERT INTO cpimportd.runs (department_id, schedule, slot, status) VALUES (8, 'import', $1, $2)"
    async with connect(database) as connection:
        slot = await connection.fetchval("SELECT now()")
        for status in ("failed", "abandoned", "running"):
            await connection.execute(begin, slot, status)
        for status in ("running", "published", "unchanged", "partial", "held"):
            with pytest.raises(Exception, match="runs_slot"):
                await connection.execute(begin, slot, status)


@pytest.mark.asyncio
async def test_books_of_an_earlier_version_are_backed_up_and_go_on(empty_database, sql, monkeypatch):
    monkeypatch.setattr(sys.modules[alembic_config.__module__], "REVISION", "0001")
    await upgrade(at(empty_database))
    monkeypatch.undo()
    sql(
        empty_database,
        "INSERT INTO cpimportd.runs (department_id, status) VALUES (8, 'published')",
        "INSERT INTO cpimportd.run_unit (run_id, organization, kind, status) VALUES (1, 'ЛОТОС ООО', 'receipts', 'published')",
        "INSERT INTO cpimportd.change (run_id, seq, department_id, op, why) VALUES (1, 1, 8, 'delete', 'snapshot')",
    )
    backups = []

    async def backup():
        backups.append(await current(at(empty_database)))

    result = await upgrade(at(empty_database), backup=backup)
    assert (result.before, result.after, backups) == ("0001", REVISION, ["0001"])
    (kept,) = sql(
        empty_database,
        "SELECT r.undoes, u.served_before, c.lineage FROM cpimportd.runs r JOIN cpimportd.run_unit u ON u.run_id = r.id "
        "JOIN cpimportd.change c ON c.run_id = r.id",
    )
    assert tuple(kept) == ([], None, None)


def test_the_program_knows_its_newest_migration():
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [REVISION]


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["Credit", "1c finance-db", 'a"b', "база (новая)"])
async def test_advice_for_a_name_that_sql_takes_only_in_quotes_can_be_run_as_it_stands(postgres_server, sql, name):
    root, quoted = postgres_server.url(), '"{}"'.format(name.replace('"', '""'))
    url = postgres_server.url(name, "cpimportd")
    sql(root, f"CREATE DATABASE {quoted}")
    try:
        with pytest.raises(ProblemError) as caught:
            await upgrade(at(url))
        found = caught.value.problems[0]
        assert found.code == "database-rights"
        statement = re.search(r"GRANT CREATE ON DATABASE .*? TO cpimportd;", found.way_out)
        assert statement is not None, found.way_out
        sql(root, statement[0])
        may = "SELECT has_database_privilege('cpimportd', current_database(), 'CREATE') AS may"
        assert sql(postgres_server.url(name), may)[0]["may"]
    finally:
        sql(root, f"DROP DATABASE {quoted} WITH (FORCE)")
