"""The databases that tests stand on are what they claim to be."""

import time

import asyncpg
import pytest


def test_an_empty_database_belongs_to_a_role_that_is_no_superuser(empty_database, sql):
    (row,) = sql(
        empty_database,
        """SELECT current_user AS name, r.rolsuper, d.datdba::regrole::text AS owner
           FROM pg_roles r JOIN pg_database d ON d.datname = current_database() WHERE r.rolname = current_user""",
    )
    assert (row["name"], row["rolsuper"], row["owner"]) == ("cpimportd", False, "cpimportd")
    assert sql(empty_database, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []


def test_databases_of_one_test_do_not_see_each_other(make_database, sql):
    first, second = make_database(), make_database()
    sql(first, "CREATE TABLE here (id int)")
    with pytest.raises(asyncpg.UndefinedTableError):
        sql(second, "SELECT * FROM here")


def test_a_database_costs_little(make_database):
    make_database()
    spent = []
    for _ in range(5):
        started = time.perf_counter()
        make_database()
        spent.append(time.perf_counter() - started)
    assert min(spent) < 0.5  # the others may have waited for whatever else this machine does


@pytest.mark.asyncio
async def test_an_async_test_connects_on_its_own_loop(empty_database, connect):
    async with connect(empty_database) as connection:
        assert await connection.fetchval("SELECT upper('ёж')") == "ЁЖ"


def test_the_superuser_sees_the_same_database(empty_database, superuser_url, sql):
    sql(empty_database, "CREATE TABLE here (id int)")
    (row,) = sql(superuser_url(empty_database), "SELECT count(*) AS found, current_user AS name FROM here")
    assert (row["found"], row["name"]) == (0, "postgres")


def test_the_backends_tables_are_its_own_and_we_may_write_rows_only(backend_database, sql):
    (row,) = sql(
        backend_database,
        """SELECT current_user AS name, c.relowner::regrole::text AS owner,
                  has_table_privilege(c.oid, 'INSERT') AS insert, has_table_privilege(c.oid, 'TRUNCATE') AS truncate,
                  has_database_privilege(current_database(), 'CREATE') AS schema
           FROM pg_class c WHERE c.relname = 'fin_expenses'""",
    )
    assert dict(row) == {"name": "cpimportd", "owner": "backend", "insert": True, "truncate": False, "schema": True}
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        sql(backend_database, "ALTER TABLE fin_expenses ADD COLUMN mine int")


def test_the_newer_backends_index_refuses_two_equal_lines(make_database, sql):
    def indexes(url):
        (row,) = sql(
            url,
            """SELECT count(*) AS found FROM pg_index i WHERE i.indisunique AND NOT i.indisprimary
               AND i.indrelid = 'fin_expense_details'::regclass AND i.indnkeyatts = 4""",
        )
        return row["found"]

    assert indexes(make_database(backend=True)) == 0
    assert indexes(make_database(backend=True, details_index=True)) == 1


def test_a_migrated_database_is_copied_whole(database, sql):
    assert sql(database, "SELECT * FROM cpimportd.runs") == []
