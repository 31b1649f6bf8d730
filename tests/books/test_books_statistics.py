"""A run that follows a large one at once is planned for the tables as they are."""

import pytest

from cpimportd.books.publish.transaction import catch_up
from cpimportd.books.schema.upgrade import upgrade
from cpimportd.config.settings import Database
from cpimportd.core.report import RunStatus
from tests.support.run.workplace import make_workplace

FILL = """
    INSERT INTO cpimportd.lineage (department_id, kind, operation_id, organization, first_run, last_run, snapshot_id,
                                   source_row, detail_rows, extra, detail_extra)
    SELECT 8, 'receipts', 'document ' || n, 'ЛОТОС ООО', 1, 1, 1, n, '{}', '{}', '[]' FROM generate_series(1, 20000) n
"""
KNOWN = "SELECT reltuples FROM pg_class WHERE oid = 'cpimportd.lineage'::regclass"


async def fill(connection) -> None:
    await connection.execute("ALTER TABLE cpimportd.lineage SET (autovacuum_enabled = false)")
    await connection.execute("SET session_replication_role = replica")  # of the rows that it refers to there are none
    await connection.execute(FILL)
    await connection.execute("RESET session_replication_role")


@pytest.mark.asyncio
async def test_a_table_that_has_outgrown_its_statistics_is_looked_at_once(database, superuser_url, connect):
    async with connect(superuser_url(database)) as connection:
        await fill(connection)
        assert await connection.fetchval(KNOWN) <= 0
        await catch_up(connection)
        assert await connection.fetchval(KNOWN) == pytest.approx(20000, rel=0.05)
        await connection.execute("DELETE FROM cpimportd.lineage WHERE source_row > 10")
        await catch_up(connection)
        assert await connection.fetchval(KNOWN) == pytest.approx(20000, rel=0.05)


@pytest.mark.asyncio
async def test_a_lock_that_somebody_else_holds_is_not_waited_for(database, superuser_url, connect):
    async with connect(superuser_url(database)) as connection, connect(superuser_url(database)) as other:
        await fill(connection)
        async with other.transaction():
            await other.execute("LOCK TABLE cpimportd.lineage IN SHARE UPDATE EXCLUSIVE MODE")
            await catch_up(connection)
        assert await connection.fetchval(KNOWN) <= 0
        assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.asyncio
async def test_tables_of_another_role_are_left_to_it(backend_database, superuser_url, connect):
    await upgrade(Database(url=backend_database))
    async with connect(superuser_url(backend_database)) as owner:
        await owner.execute("ALTER TABLE fin_receipts SET (autovacuum_enabled = false)")
        await owner.execute("SET session_replication_role = replica")
        await owner.execute(
            "INSERT INTO fin_receipts (operation_id, amount, department_id, organization_id, is_active, created_at,"
            " updated_at) SELECT 'document ' || n, 1, 8, 1, true, now(), now() FROM generate_series(1, 20000) n"
        )
    async with connect(backend_database) as guest:
        await catch_up(guest)
        assert await guest.fetchval("SELECT reltuples FROM pg_class WHERE oid = 'fin_receipts'::regclass") <= 0


def settings_while_publishing(workplace, as_root):
    """What the planner may do when a run records its units, late in its transaction; a list that grows."""
    as_root(
        "CREATE TABLE seen (nested_loops text)",
        "GRANT ALL ON seen TO public",
        "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO seen VALUES (current_setting('enable_nestloop')); RETURN NEW; END $$",
        "CREATE TRIGGER look AFTER INSERT ON cpimportd.run_unit FOR EACH STATEMENT EXECUTE FUNCTION look()",
    )
    return lambda: {row["nested_loops"] for row in workplace.sql(workplace.url, "SELECT * FROM seen")}


@pytest.mark.asyncio
@pytest.mark.parametrize(("looked_at", "allowed"), [(False, "on"), (True, "off")])
async def test_after_a_dry_run_no_table_is_taken_for_empty_while_it_is_filled(
    database, superuser_url, sql, tmp_path, looked_at, allowed
):
    workplace = make_workplace(database, tmp_path, sql)

    def as_root(*statements):
        return sql(superuser_url(database), *statements)

    seen = settings_while_publishing(workplace, as_root)
    tables = ("fin_receipts", "fin_expenses", "fin_expense_details")
    as_root(*(f"ALTER TABLE {table} SET (autovacuum_enabled = false)" for table in tables))
    workplace.sample("day1")
    assert (await workplace.run(dry_run=True)).code == 0
    if looked_at:
        as_root(*(f"ANALYZE {table}" for table in tables))
    known = as_root("SELECT relpages, reltuples FROM pg_class WHERE oid = 'fin_expenses'::regclass")
    assert [(row["relpages"] > 0, row["reltuples"]) for row in known] == [(looked_at, 0 if looked_at else -1)]
    assert (await workplace.run()).status is RunStatus.PUBLISHED
    assert seen() == {allowed}


@pytest.mark.asyncio
async def test_a_table_of_nothing_but_rows_that_were_rolled_back_is_not_looked_at(database, superuser_url, connect):
    async with connect(superuser_url(database)) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(FILL)
        await transaction.rollback()
        await catch_up(connection)
        assert await connection.fetchval(KNOWN) == -1
