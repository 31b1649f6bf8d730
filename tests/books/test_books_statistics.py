"""A run that follows a large one at once is planned for the tables as they are."""

import pytest

from cpimportd.books.publish.transaction import catch_up
from cpimportd.books.schema.upgrade import upgrade
from cpimportd.config.settings import Database

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
