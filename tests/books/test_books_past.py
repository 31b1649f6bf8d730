"""Whatever happens to a document, every run is told so that it adds up, also long after: days made by hand."""

import random
from decimal import Decimal

import pytest

from cpimportd.books.journal.explain import explain
from cpimportd.books.journal.movements import What
from cpimportd.core.model import Group, Unit
from cpimportd.core.verdicts import Judgement
from tests.support.books.whole_diff import diff

LOTOS, MOST = (Unit(name, Group.EXPENSES) for name in ("ЛОТОС ООО", "МОСТ АО"))


async def every_run(connect, database, last):
    async with connect(database) as connection:
        found = {run: await diff(connection, run) for run in range(1, last + 1)}
    for run, told in found.items():
        assert told.unexplained == (), (run, told.unexplained)
    return found


def day_of(made, rows, **more):
    return made.Day(expenses=rows, details=[made.line(row, str(row["amount"])) for row in rows], **more)


def renamed(row, old, new):
    return {**row, "operation_id": str(row["operation_id"]).replace(old, new)}


@pytest.mark.asyncio
async def test_a_rekeyed_document_is_told_under_the_name_that_it_had(database, publish_day, made, connect):
    first = [made.expense(n, f"{n}00.00") for n in (1, 2)]
    second = [renamed(row, "Списание с", "Списание со") for row in first]
    pairs = {str(old["operation_id"]): str(new["operation_id"]) for old, new in zip(first, second, strict=True)}
    third = [{**second[0], "amount": Decimal("111.00")}, second[1]]
    await publish_day(day_of(made, first))
    await publish_day(day_of(made, second, accepted=("rekeyed",), judge=lambda _: {LOTOS: Judgement(rekeyed=pairs)}))
    await publish_day(day_of(made, third))
    await publish_day(day_of(made, third[1:]))
    found = await every_run(connect, database, 4)
    old, new = str(first[0]["operation_id"]), str(second[0]["operation_id"])
    assert {one.key.operation_id for one in found[1].of(What.ADDED)} == set(pairs)
    assert {(one.was, one.key.operation_id) for one in found[2].of(What.REKEYED)} == set(pairs.items())
    assert all((one.lines_gone, one.lines_new, one.differences) == ((), (), ()) for one in found[2].movements)
    assert [one.key.operation_id for one in found[3].of(What.CHANGED)] == [new]
    assert [one.key.operation_id for one in found[4].of(What.REMOVED)] == [new]
    async with connect(database) as connection:
        told = await explain(connection, 8, old)
        assert told == await explain(connection, 8, new)
    assert [(v.since, v.state and v.state.key.operation_id, v.state and v.state.amount) for v in told.versions] == [
        (4, None, None), (3, new, Decimal(111)), (2, new, Decimal(100)), (1, old, Decimal(100)),
    ]  # fmt: skip


@pytest.mark.asyncio
async def test_a_document_that_changes_hands_goes_from_one_and_comes_to_the_other(database, publish_day, made, connect):
    rows = [made.expense(1, "100.00"), made.expense(2, "7.00"), made.expense(3, "5.00", organization="МОСТ АО")]
    await publish_day(day_of(made, rows))
    await publish_day(day_of(made, [{**rows[0], "organization": "МОСТ АО", "amount": Decimal("90.00")}, *rows[1:]]))
    found = await every_run(connect, database, 2)
    (moved,) = found[2].movements
    assert (moved.organization_before, moved.organization_after) == ("ЛОТОС ООО", "МОСТ АО")
    sums = {(one.organization, one.kind.value): (one.added, one.removed, one.changed) for one in found[2].sums}
    assert sums["ЛОТОС ООО", "details"] == sums["ЛОТОС ООО", "expenses"] == (0, Decimal(100), 0)
    assert sums["МОСТ АО", "details"] == sums["МОСТ АО", "expenses"] == (Decimal(90), 0, 0)


@pytest.mark.asyncio
async def test_columns_without_a_field_are_told_by_their_titles(database, publish_day, made, connect):
    row = made.expense(1, "100.00")
    lines = [made.line(row, "100.00", extra={"Ставка": "5"})]
    await publish_day(made.Day(expenses=[{**row, "extra": {"ИНН": "1"}}], details=lines))
    await publish_day(made.Day(expenses=[{**row, "extra": {"ИНН": "2"}}], details=lines))
    lines = [made.line(row, "100.00", extra={"Ставка": "6"})]
    await publish_day(made.Day(expenses=[{**row, "extra": {"ИНН": "2"}}], details=lines))
    found = await every_run(connect, database, 3)
    ((second,), (third,)) = found[2].movements, found[3].movements
    assert [(d.field, d.old, d.new) for d in second.differences] == [("extra.ИНН", "1", "2")]
    assert [(d.field, d.old, d.new) for d in third.differences] == [
        ("details_extra", '[{"Ставка": "5"}]', '[{"Ставка": "6"}]')
    ]


@pytest.mark.asyncio
async def test_what_somebody_else_changed_is_told_as_put_right(database, publish_day, made, connect, sql):
    rows = [made.expense(n, f"{n}00.00") for n in (1, 2, 3)]
    await publish_day(day_of(made, rows))
    sql(database, "UPDATE fin_expenses SET amount = 150 WHERE amount = 100")
    await publish_day(day_of(made, rows, put_right=True))
    found = await every_run(connect, database, 2)
    (one,) = found[2].movements
    assert (one.what, one.why, one.amount_before, one.amount_after) == (
        What.CHANGED, "put-right", Decimal(150), Decimal(100),
    )  # fmt: skip
    async with connect(database) as connection:
        told = await explain(connection, 8, one.key.operation_id)
    assert [(v.since, v.until, v.how, v.state.amount) for v in told.versions] == [
        (2, None, "changed", Decimal(100)), (None, 2, "foreign", Decimal(150)), (1, 2, "added", Decimal(100)),
    ]  # fmt: skip


def random_days(made, dice):
    """Documents come, go, come back, are re-priced, get other lines, contracts and organizations."""
    books = {}
    for _ in range(5):
        for number in range(1, 9):
            for kind, builder in (("e", made.expense), ("r", made.receipt)):
                fate = dice.random()
                if (kind, number) in books and fate < 0.25 and number > 1:
                    del books[kind, number]
                elif (kind, number) not in books and (fate < 0.6 or number == 1):
                    books[kind, number] = builder(number, str(dice.randint(1, 9999)))
                elif (kind, number) in books and fate < 0.55:
                    organization = dice.choice(["ЛОТОС ООО", "МОСТ АО"]) if number > 1 else "ЛОТОС ООО"
                    books[kind, number] = {
                        **books[kind, number],
                        "organization": organization,
                        "amount": Decimal(dice.randint(1, 9999)),
                        "contract": dice.choice(["Договор N 17 от 23.09.2021", "Договор N 9 от 01.02.2022"]),
                    }
        rows = [row for (kind, _), row in sorted(books.items()) if kind == "e"]
        # One document of each kind stays in both organizations, so that neither's file ever fails to come.
        rows += [made.expense(20, "3.00", organization="МОСТ АО")]
        receipts = [row for (kind, _), row in sorted(books.items()) if kind == "r"]
        receipts += [made.receipt(20, "4.00", organization="МОСТ АО")]
        details = []
        for row in rows:
            part = min(row["amount"], Decimal(dice.choice([1, 2])))
            details.append(made.line(row, str(part), "Уплата процентов"))
            if row["amount"] > part:
                details.append(made.line(row, str(row["amount"] - part)))
        yield made.Day(receipts=receipts, expenses=rows, details=details)


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(4))
async def test_random_days_add_up_whenever_they_are_asked_about(database, publish_day, made, connect, seed):
    for day in random_days(made, random.Random(seed)):
        await publish_day(day)
    found = await every_run(connect, database, 5)
    assert sum(len(told.movements) for told in found.values()) > 40
    # What one run says was there afterwards is what the next one says was there before.
    for run in (1, 2, 3, 4):
        after = {one.key: one.amount_after for one in found[run].movements if one.amount_after is not None}
        for one in found[run + 1].movements:
            if one.key in after and one.amount_before is not None:
                assert after[one.key] == one.amount_before
    async with connect(database) as connection:
        for key in {one.key for told in found.values() for one in told.movements}:
            told = await explain(connection, 8, key.operation_id)
            sinces = [version.since for version in told.versions]
            assert sinces == sorted(sinces, reverse=True)
            assert [v.until for v in told.versions] == [None, *sinces[:-1]]


@pytest.mark.asyncio
async def test_what_somebody_wrote_and_what_1c_changed_the_same_day_are_told_apart(
    database, publish_day, made, connect, sql
):
    """Changed by both; deleted by hand and changed by 1C; changed by hand and dropped by 1C; added by hand."""
    rows = [made.expense(n, f"{n}00.00") for n in (1, 2, 3, 4)]
    await publish_day(day_of(made, rows))
    sql(
        database,
        "UPDATE fin_expenses SET amount = 150 WHERE amount = 100",
        "DELETE FROM fin_expenses WHERE amount = 200",
        "UPDATE fin_expenses SET amount = 350 WHERE amount = 300",
        "INSERT INTO fin_expenses (operation_id, amount, organization_id, department_id, is_active, currency,"
        " unconfirmed_by_bank, document_date, created_at, updated_at) SELECT 'by hand', 7, organization_id, 8, true,"
        " 'RUB', false, document_date, now(), now() FROM fin_expenses WHERE amount = 400",
    )
    one, two, _, four = rows
    later = [{**one, "amount": Decimal(110)}, {**two, "amount": Decimal(220)}, four]
    await publish_day(day_of(made, later))
    found = (await every_run(connect, database, 2))[2]
    told = sorted((m.what.value, m.why, m.amount_before, m.amount_after) for m in found.movements)
    assert told == [
        ("added", "put-right", None, Decimal(200)),
        ("changed", "put-right", Decimal(150), Decimal(100)),
        ("changed", "put-right", Decimal(350), Decimal(300)),
        ("changed", "snapshot", Decimal(100), Decimal(110)),
        ("changed", "snapshot", Decimal(200), Decimal(220)),
        ("removed", "put-right", Decimal(7), None),
        ("removed", "snapshot", Decimal(300), None),
    ]
    assert not found.unexplained
