"""A unique index on detail lines, as newer backends have one: what it forbids, and how the guards are told."""

from decimal import Decimal

import pytest

from cpimportd.books.schema.upgrade import upgrade
from cpimportd.config.settings import Database
from cpimportd.core.model import Group, Unit
from cpimportd.core.report import RunStatus
from tests.books.test_books_publish import LOTOS, SUMS

NORTH = Unit("СЕВЕРНАЯ ООО", Group.EXPENSES)
OWNERS = """SELECT o.name, sum(f.amount) FROM fin_expenses f JOIN fin_organizations o ON o.id = f.organization_id
            WHERE f.department_id = 8 GROUP BY 1 ORDER BY 1"""


async def with_index(make_database, make_publisher):
    url = make_database(backend=True, details_index=True)
    await upgrade(Database(url=url))
    return url, make_publisher(url)


@pytest.mark.asyncio
@pytest.mark.parametrize("index", [False, True], ids=["without the unique index", "with the unique index"])
async def test_amounts_can_swap_between_two_lines(make_database, make_publisher, made, sql, index):
    url = make_database(backend=True, details_index=index)
    await upgrade(Database(url=url))
    publish_day = make_publisher(url)
    one = made.expense(1, "100.00")
    lines = [made.line(one, "70.00", contract_number="А"), made.line(one, "30.00", contract_number="Б")]
    await publish_day(made.Day(expenses=[one], details=lines))
    lines = [made.line(one, "30.00", contract_number="А"), made.line(one, "70.00", contract_number="Б")]
    await publish_day(made.Day(expenses=[one], details=lines))
    rows = sql(url, "SELECT contract_number, payment_amount FROM fin_expense_details ORDER BY 1")
    assert [tuple(r) for r in rows] == [("А", Decimal(30)), ("Б", Decimal(70))]


@pytest.mark.asyncio
async def test_two_equal_lines_are_held_where_the_backends_index_forbids_them(make_database, make_publisher, made, sql):
    url, publish_day = await with_index(make_database, make_publisher)
    one = made.expense(1, "100.00")
    published = await publish_day(
        made.Day(
            receipts=[made.receipt(2, "1.00")],
            expenses=[one],
            details=[made.line(one, "50.00")] * 2,
            judge=made.guarded(LOTOS),
        )
    )
    held = next(u for u in published.units if u.unit == LOTOS)
    assert [p.code for p in held.problems] == ["equal-lines"]
    assert published.status is RunStatus.PARTIAL
    assert tuple(sql(url, "SELECT count(*) FROM fin_expenses WHERE department_id = 8")[0]) == (0,)


@pytest.mark.asyncio
async def test_two_equal_lines_are_two_lines_where_nothing_forbids_them(database, publish_day, made, sql):
    one = made.expense(1, "100.00")
    await publish_day(made.Day(expenses=[one], details=[made.line(one, "50.00")] * 2))
    assert sql(database, SUMS)[0]["details"] == Decimal("100.00")


def codes(published):
    return {unit.unit: [found.code for found in unit.problems] for unit in published.units}


@pytest.mark.asyncio
async def test_where_strict_holds_all_equal_lines_of_one_unit_hold_the_others(make_database, make_publisher, made, sql):
    url, publish_day = await with_index(make_database, make_publisher)
    mine, theirs = made.expense(1, "100.00"), made.expense(2, "50.00", organization=NORTH.organization)
    published = await publish_day(
        made.Day(
            expenses=[mine, theirs],
            details=[made.line(mine, "50.00"), made.line(mine, "50.00"), made.line(theirs, "50.00")],
            judge=made.guarded(LOTOS, NORTH, strict=True),
        )
    )
    assert published.status is RunStatus.HELD
    assert codes(published) == {LOTOS: ["equal-lines"], NORTH: ["strict"]}
    assert sql(url, OWNERS) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("held", [LOTOS, NORTH], ids=["to its new owner", "from its old one"])
async def test_no_document_is_lost_on_its_way_where_equal_lines_hold_an_end(
    make_database, make_publisher, made, sql, held
):
    url, publish_day = await with_index(make_database, make_publisher)
    mine, theirs, moving = (
        made.expense(number, f"{number}0.00", organization=unit.organization)
        for number, unit in ((1, LOTOS), (2, NORTH), (3, NORTH))
    )

    def day(moving, equal_lines_of=None):
        lines = []
        for one in (mine, theirs, moving):
            parts = 2 if one is not moving and one["organization"] == equal_lines_of else 1
            lines += [made.line(one, str(one["amount"] / parts))] * parts
        return made.Day(expenses=[mine, theirs, moving], details=lines, judge=made.guarded(LOTOS, NORTH))

    await publish_day(day(moving))
    before = sql(url, OWNERS)
    published = await publish_day(day({**moving, "organization": LOTOS.organization}, held.organization))
    assert published.status is RunStatus.HELD
    other = NORTH if held is LOTOS else LOTOS
    assert codes(published)[held][0] == "equal-lines"
    assert codes(published)[other] == ["move-incomplete" if held is LOTOS else "document-elsewhere"]
    assert sql(url, OWNERS) == before
