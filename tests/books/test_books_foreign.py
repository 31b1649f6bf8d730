"""What somebody else wrote into the books is told from what 1C changed: document by document, in every form."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib import import_module

import pytest

from cpimportd.core.model import Group, Unit
from cpimportd.core.problems import problem
from cpimportd.core.report import UnitStatus
from cpimportd.core.verdicts import Judgement
from tests.support.books.before_and_after import content

INTEREST = "Уплата процентов"
LOTOS = Unit("ЛОТОС ООО", Group.EXPENSES)
RECEIPTS = Unit("ЛОТОС ООО", Group.RECEIPTS)
HAND_ADDED = """INSERT INTO fin_receipts (operation_id, amount, organization_id, department_id, is_active, currency,
    document_date, created_at, updated_at)
    SELECT 'руками ' || n, 1000000, o.id, 8, true, 'RUB', '2024-03-01', now(), now()
    FROM fin_organizations o, generate_series(1, 5) n WHERE o.name = 'ЛОТОС ООО'"""


def day_of(made, **more):
    one, two, three = (made.expense(n, f"{n}00.50") for n in (1, 2, 3))
    three = {**three, "contract": "Договор N 3", "contract_date": None, "bank_account": "ДРУГОЙ БАНК"}
    four = made.expense(4, "9.00", organization="МОСТ ООО")
    return made.Day(
        receipts=[made.receipt(9, "5000.00"), made.receipt(8, "1.00")],
        expenses=[one, two, three, four],
        details=[
            made.line(one, "60.50"),
            made.line(one, "40.00", INTEREST),
            made.line(two, "200.50"),
            made.line(three, "300.50", INTEREST),
            made.line(four, "9.00"),
        ],
        **more,
    )


FORMS = {
    "receipts added": [HAND_ADDED],
    "a receipt deleted": ["DELETE FROM fin_receipts WHERE amount = 1"],
    "all receipts deleted": ["TRUNCATE fin_receipts"],
    "an amount": ["UPDATE fin_receipts SET amount = amount + 7 WHERE amount = 1"],
    "two amounts that cancel out": ["UPDATE fin_receipts SET amount = 5001 - amount"],
    "a date": ["UPDATE fin_expenses SET document_date = '2001-01-01' WHERE amount = 100.50"],
    "all dates": ["UPDATE fin_expenses SET document_date = '2001-01-01'"],
    "is_active": ["UPDATE fin_expenses SET is_active = false WHERE amount = 100.50"],
    "a text": ["UPDATE fin_expenses SET recipient = 'кто-то' WHERE amount = 100.50"],
    "a text made empty": ["UPDATE fin_expenses SET recipient = NULL WHERE amount = 100.50"],
    "no contract": ["UPDATE fin_expenses SET contract_id = NULL"],
    "another contract": ["UPDATE fin_expenses SET contract_id = (SELECT max(id) FROM fin_contracts)"],
    "another organization": [
        "UPDATE fin_expenses SET organization_id = (SELECT id FROM fin_organizations WHERE name = 'МОСТ ООО')"
        " WHERE amount = 100.50"
    ],
    "principal for interest": ["UPDATE fin_expense_details SET payment_type = 'Уплата процентов'"],
    "a line's amount": ["UPDATE fin_expense_details SET payment_amount = payment_amount + 7 WHERE payment_amount = 40"],
    "a line deleted": ["DELETE FROM fin_expense_details WHERE payment_amount = 40"],
    "a line added": [
        "INSERT INTO fin_expense_details (expense_operation_id, payment_amount, department_id, settlement_rate, created_at)"
        " SELECT operation_id, 5, 8, 1, now() FROM fin_expenses WHERE amount = 100.50"
    ],
    "an expense deleted with its lines": ["DELETE FROM fin_expenses WHERE amount = 100.50"],
    "an operation_id": ["UPDATE fin_receipts SET operation_id = 'переименован' WHERE amount = 1"],
    "contract numbers swapped": [
        "UPDATE fin_contracts SET contract_number = 'x' WHERE contract_number = 'Договор N 3'",
        "UPDATE fin_contracts SET contract_number = 'Договор N 3' WHERE contract_number LIKE 'Договор N 17%'",
        "UPDATE fin_contracts SET contract_number = 'Договор N 17 от 23.09.2021' WHERE contract_number = 'x'",
    ],
    "a contract renamed": ["UPDATE fin_contracts SET contract_number = 'иной' WHERE contract_number = 'Договор N 3'"],
    "account numbers swapped": [
        "UPDATE fin_bank_accounts SET account_number = 'x' WHERE account_number = 'ДРУГОЙ БАНК'",
        "UPDATE fin_bank_accounts SET account_number = 'ДРУГОЙ БАНК' WHERE account_number LIKE 'ПРИМЕРБАНК%'",
        "UPDATE fin_bank_accounts SET account_number = 'ПРИМЕРБАНК основной (руб.)' WHERE account_number = 'x'",
    ],
    "an organization renamed": ["UPDATE fin_organizations SET name = 'ЛОТОС АО' WHERE name = 'ЛОТОС ООО'"],
    "organizations swapped": [
        "UPDATE fin_organizations SET name = 'x' WHERE name = 'МОСТ ООО'",
        "UPDATE fin_organizations SET name = 'МОСТ ООО' WHERE name = 'ЛОТОС ООО'",
        "UPDATE fin_organizations SET name = 'ЛОТОС ООО' WHERE name = 'x'",
    ],
}
UNITS = (LOTOS, RECEIPTS, Unit("МОСТ ООО", Group.EXPENSES))


@pytest.mark.asyncio
@pytest.mark.parametrize("edits", FORMS.values(), ids=list(FORMS))
async def test_whatever_somebody_wrote_is_put_right_told_and_not_judged(database, publish_day, made, sql, edits):
    """Files unchanged, all guards on, everything in a closed period: none of it is a change of 1C's."""
    end = date(2100, 1, 1)
    day = day_of(made, judge=made.guarded(*UNITS, closed_before=end), closed_before=end)
    await publish_day(day)
    before = content(sql, database)
    sql(database, *edits)
    assert content(sql, database) != before
    published = await publish_day(replace(day, put_right=True))
    assert content(sql, database) == before
    assert {unit.status for unit in published.units} == {UnitStatus.PUBLISHED}
    told = [found for unit in published.units for found in unit.problems]
    assert {found.code for found in told} == {"foreign-writes"}
    assert all(bridge.unexplained == 0 for unit in published.units for bridge in unit.bridges)
    entries = sql(database, "SELECT * FROM cpimportd.change WHERE run_id = 2")
    assert {row["why"] for row in entries} == {"put-right"}
    assert sum(unit.put_right for unit in published.units) >= len(
        {row["operation_id"] for row in entries if row["op"] != "reference"}
    )
    assert not any(unit.problems for unit in (await publish_day(day)).units)


@pytest.mark.asyncio
async def test_what_lies_in_an_organization_that_got_another_name_is_found_there(database, publish_day, made, sql):
    """Its units are held: nothing but what is remembered tells that these documents are none of ours."""
    day = day_of(made)
    await publish_day(day)
    before = content(sql, database)
    sql(database, HAND_ADDED, "UPDATE fin_organizations SET name = 'x ' || name WHERE name = 'ЛОТОС ООО'")
    held = {unit: Judgement(problems=(problem("strict", organization="ЛОТОС ООО"),)) for unit in UNITS}
    published = await publish_day(replace(day, judge=lambda _: held))
    assert {unit.status for unit in published.units} == {UnitStatus.HELD}
    assert content(sql, database) == before
    rows = sql(database, "SELECT op, count(*) FROM cpimportd.change WHERE run_id = 2 AND foreign_write GROUP BY op")
    assert dict(rows) == {"reference": 1, "update": 5, "delete": 5}


@pytest.mark.asyncio
async def test_number_and_sum_are_told_and_the_bridge_opens_with_what_lay_there(database, publish_day, made, sql):
    day = day_of(made)
    await publish_day(day)
    sql(database, HAND_ADDED, "UPDATE fin_receipts SET amount = 8 WHERE amount = 1")
    published = await publish_day(replace(day, put_right=True))
    unit = next(unit for unit in published.units if unit.unit == RECEIPTS)
    (told,) = unit.problems
    assert "6 documents" in told.message
    assert "receipts +5\u00a0000\u00a0007,00" in told.message
    (bridge,) = unit.bridges
    assert (bridge.rows_before, bridge.opening, bridge.added, bridge.removed, bridge.changed, bridge.closing) == (
        7, Decimal("5005008.00"), 0, Decimal(5000000), Decimal(-7), Decimal("5001.00"),
    )  # fmt: skip
    assert (unit.put_right, unit.updated, unit.removed, unit.unchanged) == (6, 1, 5, 1)


@pytest.mark.asyncio
async def test_a_hand_edit_and_a_change_of_1cs_in_one_document_are_told_apart(
    database, publish_day, made, sql, take_back
):
    day = day_of(made)
    await publish_day(day)
    before = content(sql, database)
    sql(database, "UPDATE fin_receipts SET amount = amount + 7, comment = 'руками' WHERE amount = 1")
    big, small = day.receipts
    await publish_day(replace(day, receipts=[big, {**small, "amount": Decimal("2.00")}]))
    found = sql(database, "SELECT why, amount_before, amount_after FROM cpimportd.change WHERE run_id = 2 ORDER BY seq")
    assert [tuple(row) for row in found] == [("put-right", 8, 1), ("snapshot", 1, 2)]
    await take_back(2)
    assert content(sql, database) == before
    await take_back(3)
    assert sql(database, "SELECT min(amount) FROM fin_receipts")[0][0] == 2
    await take_back(4)
    assert content(sql, database) == before


@pytest.mark.asyncio
async def test_no_undo_brings_back_what_somebody_wrote(database, publish_day, made, sql, take_back):
    """Added, deleted and changed by hand, beside and in documents that 1C changed, added and removed the same day."""
    day = day_of(made)
    await publish_day(day)
    before = content(sql, database)
    one, _, three, four = day.expenses
    sql(
        database,
        HAND_ADDED,
        "DELETE FROM fin_expenses WHERE amount = 200.50",
        "UPDATE fin_expense_details SET payment_amount = 47 WHERE payment_amount = 40",
        "UPDATE fin_expenses SET amount = 307.50 WHERE amount = 300.50",
    )
    new = made.expense(5, "7.00")
    later = replace(
        day,
        expenses=[{**one, "comment": "иначе"}, three, four, new],
        details=[made.line(one, "100.50"), *day.details[3:], made.line(new, "7.00")],
    )
    published = await publish_day(later)
    after = content(sql, database)
    unit = next(unit for unit in published.units if unit.unit == LOTOS)
    assert [bridge.unexplained for bridge in unit.bridges] == [0] * 5
    assert [bridge.opening for bridge in unit.bridges[:2]] == [Decimal("408.00"), Decimal("408.00")]
    assert sum(bridge.opening for bridge in unit.bridges[2:]) == Decimal("408.00")
    await take_back(2)
    assert content(sql, database) == before
    await take_back(3)
    assert content(sql, database) == after


@pytest.mark.asyncio
async def test_a_unit_that_the_guards_hold_is_put_right_and_says_where_somebody_wrote(database, publish_day, made, sql):
    day = day_of(made)
    await publish_day(day)
    before = content(sql, database)
    sql(database, "UPDATE fin_expenses SET amount = amount + 7 WHERE amount = 100.50", HAND_ADDED)
    shrunk = problem("shrunk", organization="ЛОТОС ООО", count=2, before=3, sum="1", limit="1", unit=LOTOS.name)
    held = {unit: Judgement(problems=(shrunk,)) for unit in (LOTOS, RECEIPTS)}
    cut = replace(day, expenses=[day.expenses[0]], details=day.details[:2], judge=lambda _: held)
    published = await publish_day(cut)
    reports = {unit.unit: unit for unit in published.units}
    assert [found.code for found in reports[LOTOS].problems] == ["shrunk", "foreign-writes"]
    assert "1 documents (expenses)" in reports[LOTOS].problems[1].message
    assert "expenses +7,00" in reports[LOTOS].problems[1].message
    assert content(sql, database) == before
    assert not any(unit.problems for unit in (await publish_day(day)).units)


@pytest.mark.asyncio
async def test_what_cannot_be_put_right_holds_its_unit_with_number_and_sum(database, publish_day, made, sql):
    day = day_of(made)
    await publish_day(day)
    sql(
        database,
        "INSERT INTO departments (id, name, code, is_active, created_at, updated_at)"
        " VALUES (9, 'X', 'X', true, now(), now())",
        "UPDATE fin_expenses SET department_id = 9 WHERE amount = 100.50",
        "UPDATE fin_expenses SET amount = 207.50 WHERE amount = 200.50",
    )
    for _ in range(2):
        published = await publish_day(replace(day, put_right=True))
        unit = next(unit for unit in published.units if unit.unit == LOTOS)
        assert unit.status is UnitStatus.HELD
        assert {"foreign-writes", "foreign-stays"} <= {found.code for found in unit.problems}
        assert "cannot be put right" in unit.problems[-2].message
    assert "1 documents" in unit.problems[-2].message
    assert "-100,50" in unit.problems[-2].message
    assert sql(database, "SELECT sum(amount) FROM fin_expenses WHERE department_id = 8")[0][0] == Decimal("510.00")


def as_before_the_upgrade(sql, database):
    """Fingerprints of the older form, and nothing remembered of the documents."""
    marks = "coalesce(sum(hashint8extended(f.xmin::text::bigint, f.id)), 0)"
    for kind in ("receipts", "expenses"):
        sql(database, f"""
            UPDATE cpimportd.fingerprint p SET marks = (
                SELECT {marks} FROM fin_{kind} f JOIN fin_organizations o ON o.id = f.organization_id
                WHERE o.name = p.organization) WHERE kind = '{kind}'""")  # fmt: skip
    sql(database, "TRUNCATE cpimportd.published")


@pytest.mark.asyncio
async def test_after_the_upgrade_it_is_known_how_documents_were_published_and_nobody_is_blamed(
    database, publish_day, made, sql
):
    migration = import_module("cpimportd.books.schema.migrations.versions.0005_published_content")
    day = day_of(made)
    await publish_day(day)
    remembered = sql(database, "SELECT * FROM cpimportd.published ORDER BY operation_id")
    before = content(sql, database)
    as_before_the_upgrade(sql, database)
    sql(database, "UPDATE fin_expenses SET amount = 16 WHERE amount = 9")
    sql(database, migration.FINGERPRINTS, *map(migration.fill, migration.COLUMNS))
    filled = sql(database, "SELECT * FROM cpimportd.published ORDER BY operation_id")
    assert filled == [row for row in remembered if row["organization"] != "МОСТ ООО"]
    published = await publish_day(replace(day, put_right=True))
    told = {unit.unit.organization: [found.code for found in unit.problems] for unit in published.units}
    assert told == {"ЛОТОС ООО": [], "МОСТ ООО": ["foreign-writes"]}
    assert content(sql, database)[0]["fin_expenses"] == before[0]["fin_expenses"]
    assert sql(database, "SELECT * FROM cpimportd.published ORDER BY operation_id") == remembered


@pytest.mark.asyncio
async def test_a_contract_that_somebody_set_inactive_is_told_once_and_left(database, publish_day, made, sql):
    day = day_of(made)
    await publish_day(day)
    sql(database, "UPDATE fin_contracts SET is_active = false WHERE contract_number = 'Договор N 3'")
    published = await publish_day(replace(day, put_right=True))
    (told,) = [found for unit in published.units for found in unit.problems]
    assert (told.code, told.value) == ("contract-inactive", "«Договор N 3»")
    assert sql(database, "SELECT * FROM cpimportd.change") == []
    assert sql(database, "SELECT count(*) FROM fin_contracts WHERE NOT is_active")[0][0] == 1
    assert not [found for unit in (await publish_day(day)).units for found in unit.problems]


@pytest.mark.asyncio
async def test_lines_that_an_index_forbids_by_now_hold_their_unit_and_the_rest_is_put_right(
    database, publish_day, made, sql
):
    one, two = made.expense(1, "20.00"), made.expense(2, "5.00")
    day = made.Day(
        expenses=[one, two], details=[made.line(one, "10.00"), made.line(one, "10.00"), made.line(two, "5.00")]
    )
    await publish_day(day)
    sql(
        database,
        "DELETE FROM fin_expense_details WHERE id = (SELECT max(id) FROM fin_expense_details WHERE payment_amount = 10)",
        "UPDATE fin_expenses SET amount = 6 WHERE amount = 5",
        "CREATE UNIQUE INDEX ON fin_expense_details (expense_operation_id, payment_type, payment_amount, department_id)",
    )
    (unit,) = (await publish_day(replace(day, put_right=True))).units
    assert unit.status is UnitStatus.HELD
    assert {"foreign-writes", "foreign-stays"} <= {found.code for found in unit.problems}
    told = next(found.message for found in unit.problems if found.code == "foreign-writes")
    assert "2 documents (expenses)" in told
    assert "details -10,00" in told
    assert sql(database, "SELECT sum(amount) FROM fin_expenses")[0][0] == 25


@pytest.mark.asyncio
async def test_a_dry_run_tells_the_same_and_puts_nothing_right(database, publish_day, made, sql):
    day = day_of(made)
    await publish_day(day)
    sql(database, HAND_ADDED)
    before = content(sql, database)
    tried = await publish_day(replace(day, put_right=True, dry_run=True))
    assert content(sql, database) == before
    done = await publish_day(replace(day, put_right=True))
    assert [(unit.put_right, unit.bridges) for unit in tried.units] == [
        (unit.put_right, unit.bridges) for unit in done.units
    ]
