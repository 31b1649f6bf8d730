"""Reconciliation finds every write by others, also where all sums agree, and says by how much which figure is off."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cpimportd.books.database.connection import connect
from cpimportd.books.reports.reconciliation import reconcile
from cpimportd.config.settings import Database
from cpimportd.core.model import Group, Unit
from cpimportd.core.verdicts import Judgement
from tests.books.test_books_foreign import FORMS, day_of

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PRINCIPAL = "Погашение долга"


async def problems(database):
    connection = await connect(Database(url=database))
    try:
        return (await reconcile(connection, 8, LONG_AGO)).problems
    finally:
        await connection.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("edits", FORMS.values(), ids=list(FORMS))
async def test_whatever_somebody_wrote_is_told(database, publish_day, made, sql, edits):
    day = day_of(made)
    await publish_day(day)
    assert not await problems(database)
    sql(database, *edits)
    found = await problems(database)
    assert {one.code for one in found} & {"books-written", "books-moved"}
    assert all("cpimportd run" in one.way_out for one in found if one.code == "books-written")
    assert await problems(database) == found
    await publish_day(replace(day, put_right=True))
    assert not await problems(database)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("edits", "told"),
    [
        (FORMS["principal for interest"], ("expenses 0,00, details 0,00", "principal -261,00", "interest +261,00")),
        (FORMS["all dates"], ("month 2001-01 +601,50", "month 2024-03 -601,50")),
        (FORMS["no contract"], ("contract Договор N 17 от 23.09.2021 -301,00", "contract (none) +601,50")),
        (
            FORMS["contract numbers swapped"],
            ("contract Договор N 3 +0,50", "contract Договор N 17 от 23.09.2021 -0,50"),
        ),
        (FORMS["two amounts that cancel out"], ("2 documents (receipts)", "receipts 0,00")),
    ],
)
async def test_the_figures_that_are_off_are_named(database, publish_day, made, sql, edits, told):
    await publish_day(day_of(made))
    sql(database, *edits)
    found = [one.message for one in await problems(database) if one.code == "books-written"]
    assert any(all(text in message for text in told) for message in found), found


@pytest.mark.asyncio
async def test_a_workbook_of_which_one_organization_is_held_vouches_for_neither(database, publish_day, made):
    one, other = made.receipt(1, "10.00"), made.receipt(2, "20.00", organization="МОСТ ООО")
    await publish_day(made.Day(receipts=[one, other]))
    held = {Unit("МОСТ ООО", Group.RECEIPTS): Judgement(stuck=True)}
    changed = made.Day(receipts=[made.receipt(1, "11.00"), made.receipt(2, "22.00", organization="МОСТ ООО")])
    await publish_day(replace(changed, judge=lambda _: held))
    assert not await problems(database)
    await publish_day(changed)
    connection = await connect(Database(url=database))
    try:
        accounts = (await reconcile(connection, 8, LONG_AGO)).accounts
    finally:
        await connection.close()
    assert {str(one.control_total) for one in accounts} == {"33.00"}
