"""An upgrade finds what is held in what earlier versions left: the reports of their runs, and their undos."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from cpimportd.books.database.connection import connect
from cpimportd.books.publish.held import held_units
from cpimportd.books.schema.upgrade import upgrade
from cpimportd.config.settings import Database
from cpimportd.core.model import Kind
from cpimportd.run.undoing import undo_once
from tests.support.run.workbooks import shrink
from tests.support.run.workplace import make_workplace

BEFORE = (
    "DROP TABLE cpimportd.notice",
    "DROP TABLE cpimportd.held_document",
    "DROP TABLE cpimportd.held",
    "DROP INDEX cpimportd.snapshot_digest_idx, cpimportd.snapshot_sha256_idx",
    "ALTER TABLE cpimportd.runs DROP COLUMN kinds",
    "DROP TABLE cpimportd.run_payment",
    "ALTER TABLE cpimportd.runs DROP COLUMN seconds",
    "ALTER TABLE cpimportd.run_unit DROP COLUMN moved_in, DROP COLUMN moved_out",
    "UPDATE cpimportd.alembic_version SET version_num = '0005'",
)


async def held(workplace):
    connection = await connect(workplace.settings.database)
    try:
        return await held_units(connection, 8)
    finally:
        await connection.close()


def without_facts(units):
    return [replace(one, problems=tuple(replace(found, facts={}) for found in one.problems)) for one in units]


@pytest.fixture
def workplace(database, tmp_path, sql):
    return make_workplace(database, tmp_path, sql)


@pytest.mark.asyncio
async def test_what_is_held_is_the_same_after_an_upgrade(workplace):
    workplace.sample("day1")
    await workplace.run()
    workplace.sample("day2")
    second = await workplace.run()
    shrink(workplace.file("Lotos - Postuplenie"), keep=20)
    await workplace.run()
    await workplace.run()
    for _ in range(22):  # as many as nobody looked back
        await workplace.run(only=frozenset({Kind.DETAILS}))
    await undo_once(workplace.settings, second.run)
    now = await held(workplace)
    assert {code for one in now for code in one.codes} == {"shrunk", "undone"}
    kinds = workplace.sql(workplace.url, "SELECT kinds FROM cpimportd.runs WHERE undoes = '{}' ORDER BY id")
    workplace.sql(workplace.url, *BEFORE)
    await upgrade(Database(url=SecretStr(workplace.url)))
    assert without_facts(await held(workplace)) == without_facts(now)  # of an undo, earlier versions kept none
    after = workplace.sql(workplace.url, "SELECT kinds FROM cpimportd.runs WHERE undoes = '{}' ORDER BY id")
    assert [set(row["kinds"]) for row in after] == [set(row["kinds"]) for row in kinds]


@pytest.mark.asyncio
async def test_where_nothing_is_held_nothing_comes_of_it(workplace):
    workplace.sample("day1")
    await workplace.run()
    shrink(workplace.file("Lotos - Postuplenie"), keep=20)
    await workplace.run()
    workplace.sample("day1")
    await workplace.run()
    workplace.sql(workplace.url, *BEFORE)
    await upgrade(Database(url=SecretStr(workplace.url)))
    assert await held(workplace) == []
