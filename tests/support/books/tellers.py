"""What each of those who tell of a run says of it, in one shape: counts of documents per unit, and the terms of each sum."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal

from cpimportd.books.journal.movements import What
from cpimportd.books.publish.runs import finish
from cpimportd.books.reports.history import history, show
from cpimportd.books.reports.weekly import weekly
from cpimportd.core.model import Figure, Kind, Unit
from cpimportd.core.report import RunReport, UnitStatus
from cpimportd.core.typed import to_json
from cpimportd.render.history import stored_report
from tests.support.books.whole_diff import diff

COUNTS = ("inserted", "updated", "removed", "retimed", "moved_in", "moved_out")
TERMS = ("opening", "added", "removed", "changed", "closing")

BOOKED = """
    WITH lines AS (
        SELECT o.name, d.payment_type, d.payment_amount AS amount
        FROM fin_expense_details d JOIN fin_expenses f ON f.operation_id = d.expense_operation_id
        JOIN fin_organizations o ON o.id = f.organization_id WHERE f.department_id = 8
    )
    SELECT o.name, 'receipts' AS figure, count(*) AS rows, sum(f.amount) AS total
    FROM fin_receipts f JOIN fin_organizations o ON o.id = f.organization_id WHERE f.department_id = 8 GROUP BY 1
    UNION ALL
    SELECT o.name, 'expenses', count(*), sum(f.amount)
    FROM fin_expenses f JOIN fin_organizations o ON o.id = f.organization_id WHERE f.department_id = 8 GROUP BY 1
    UNION ALL
    SELECT name, 'details', count(*), sum(amount) FROM lines GROUP BY 1
    UNION ALL
    SELECT name, 'principal', count(*), sum(amount) FROM lines WHERE payment_type = 'Погашение долга' GROUP BY 1
    UNION ALL
    SELECT name, 'interest', count(*), sum(amount) FROM lines WHERE payment_type = 'Уплата процентов' GROUP BY 1
    UNION ALL
    SELECT name, 'other', count(*), sum(amount) FROM lines
    WHERE payment_type IS NULL OR payment_type NOT IN ('Погашение долга', 'Уплата процентов') GROUP BY 1
"""
BOOKED_BY_CONTRACT = """
    WITH documents AS (
        SELECT 'receipts' AS figure, operation_id, organization_id, contract_id, amount FROM fin_receipts WHERE department_id = 8
        UNION ALL
        SELECT 'expenses', operation_id, organization_id, contract_id, amount FROM fin_expenses WHERE department_id = 8
    ), named AS (
        SELECT o.name, d.figure, coalesce(k.contract_number, '') AS contract, d.operation_id, d.amount
        FROM documents d JOIN fin_organizations o ON o.id = d.organization_id
        LEFT JOIN fin_contracts k ON k.id = d.contract_id
    ), lines AS (
        SELECT n.name, n.contract, d.payment_type, d.payment_amount AS amount
        FROM named n JOIN fin_expense_details d ON n.figure = 'expenses' AND d.expense_operation_id = n.operation_id
    )
    SELECT name, figure, contract, sum(amount) AS total FROM named GROUP BY 1, 2, 3
    UNION ALL
    SELECT name, 'details', contract, sum(amount) FROM lines GROUP BY 1, 3
    UNION ALL
    SELECT name, 'principal', contract, sum(amount) FROM lines WHERE payment_type = 'Погашение долга' GROUP BY 1, 3
    UNION ALL
    SELECT name, 'interest', contract, sum(amount) FROM lines WHERE payment_type = 'Уплата процентов' GROUP BY 1, 3
    UNION ALL
    SELECT name, 'other', contract, sum(amount) FROM lines
    WHERE payment_type IS NULL OR payment_type NOT IN ('Погашение долга', 'Уплата процентов') GROUP BY 1, 3
"""


def booked(sql, database):
    """Rows and sum of each figure that the tables hold now, asked in plain SQL."""
    found = defaultdict(lambda: (0, Decimal(0)))
    return found | {(row["name"], row["figure"]): (row["rows"], row["total"]) for row in sql(database, BOOKED)}


def booked_by_contract(sql, database):
    """The sum of each figure per contract, of the document's contract."""
    found = defaultdict(Decimal)
    rows = sql(database, BOOKED_BY_CONTRACT)
    return found | {(row["name"], row["figure"], row["contract"]): row["total"] for row in rows}


def contracts_agree(sql, database, run, sums, before):
    """The bridges per contract tell what the tables held and hold, and add up to those of their organizations.

    Args:
        sql: asks the database.
        database: which.
        run: its number.
        sums: of the run, terms per organization and figure.
        before: of ``booked_by_contract``, before the run.

    Returns:
        The terms per organization, figure and contract.
    """
    after = booked_by_contract(sql, database)
    rows = sql(database, f"SELECT * FROM cpimportd.run_contract WHERE run_id = {run}")
    told = {(row["organization"], row["kind"], row["contract"]): tuple(row[name] for name in TERMS) for row in rows}
    for key, (opening, added, removed, changed, closing) in told.items():
        assert opening + added - removed + changed == closing, (run, key)
        assert (opening, closing) == (before[key], after[key]), (run, key)
        assert (added, removed, changed) != (0, 0, 0), (run, key)
    taking_part = {(organization, figure) for organization, figure in sums}
    moved = {key for key in {**before, **after} if before[key] != after[key] and (key[0], key[1]) in taking_part}
    assert moved <= told.keys(), run
    for organization, figure in taking_part:
        own = [terms for key, terms in told.items() if key[:2] == (organization, figure)]
        opening, _, _, _, closing = sums[organization, figure]
        assert sum(terms[4] - terms[0] for terms in own) == closing - opening, (run, organization, figure)
    for organization, contract in {(key[0], key[2]) for key in told}:
        details, *parts = (
            told.get((organization, figure, contract), (0,) * 5)[1:4]
            for figure in ("details", "principal", "interest", "other")
        )
        assert tuple(map(sum, zip(*parts, strict=True))) == tuple(details), (run, organization, contract)
    return told


def of_units(units):
    """What reports of units say: counts per unit, and terms per organization and figure."""
    published = [one for one in units if one.status is UnitStatus.PUBLISHED]
    counts = {one.unit: {name: getattr(one, name) for name in COUNTS} for one in published}
    sums = {
        (one.unit.organization, bridge.kind.value): tuple(getattr(bridge, name) for name in TERMS)
        for one in published
        for bridge in one.bridges
    }
    return counts, sums


def of_diff(found, units):
    """The same, counted from the documents of a diff."""
    counts = {unit: dict.fromkeys(COUNTS, 0) for unit in units}
    names = {What.ADDED: "inserted", What.REMOVED: "removed", What.RETIMED: "retimed"}
    for one in found.documents:
        before, after = (
            None if name is None else Unit(name, one.key.kind.group)
            for name in (one.organization_before, one.organization_after)
        )
        if (home := after if after in counts else before) in counts:
            counts[home][names.get(one.what, "updated")] += 1
        if one.moved:
            if after in counts:
                counts[after]["moved_in"] += 1
            if before in counts:
                counts[before]["moved_out"] += 1
    sums = {
        (one.organization, one.kind.value): (
            one.bridge.opening, one.added, one.removed, one.changed, one.bridge.closing
        )
        for one in found.sums if one.bridge is not None
    }  # fmt: skip
    assert not found.unexplained
    return counts, sums


def of_rows(sql, database, run):
    """The same, as the database keeps it."""
    rows = sql(database, f"SELECT * FROM cpimportd.run_unit WHERE run_id = {run} AND status = 'published'")
    counts = {
        Unit(row["organization"], Kind(row["kind"]).group): {
            name: row["deleted" if name == "removed" else name] for name in COUNTS
        }
        for row in rows
        if row["kind"] != "details"
    }
    sums = {(row["organization"], row["kind"]): tuple(row[name] for name in TERMS) for row in rows}
    for row in sql(database, f"SELECT * FROM cpimportd.run_payment WHERE run_id = {run}"):
        sums[row["organization"], row["figure"]] = tuple(row[name] for name in TERMS)
    return counts, sums


async def all_agree(connection, sql, database, published, run, before):
    """Everybody who tells of a run tells the same, and what the tables held and hold.

    Args:
        connection: any.
        sql: asks the database.
        database: which.
        published: what the run answered.
        run: its number.
        before: of ``booked``, before the run.

    Returns:
        What they tell, and the documents of the diff.
    """
    told = counts, sums = of_units(published.units)
    after = booked(sql, database)
    for (organization, figure), (opening, added, removed, changed, closing) in sums.items():
        assert opening + added - removed + changed == closing, (run, organization, figure)
        assert opening == before[organization, figure][1], (run, organization, figure)
        assert closing == after[organization, figure][1], (run, organization, figure)
    for report in published.units:
        for bridge in report.bridges:
            key = report.unit.organization, bridge.kind.value
            assert (bridge.rows_before, bridge.rows_after) == (before[key][0], after[key][0]), (run, key)
    for organization in {name for name, figure in sums if figure == "details"}:
        parts = [sums[organization, figure] for figure in ("principal", "interest", "other")]
        assert tuple(map(sum, zip(*parts, strict=True))) == sums[organization, "details"], (run, organization)
    assert of_rows(sql, database, run) == told
    found = await diff(connection, run)
    assert of_diff(found, counts) == told
    report = RunReport(run, published.status, datetime.now(UTC), 1.0, units=published.units)
    await finish(connection, run, published.status.value, json.loads(json.dumps(to_json(report))))
    shown = await show(connection, run)
    assert of_units(stored_report(shown.report).units) == told
    whole = {name: sum(one[name] for one in counts.values()) for name in COUNTS}
    (line,) = await history(connection, department_id=8, limit=1)
    named = {What.ADDED: "inserted", What.REMOVED: "removed", What.RETIMED: "retimed"}
    of_run = Counter(named.get(one.what, "updated") for one in found.documents)
    for name in ("inserted", "updated", "removed", "retimed"):
        assert getattr(line, name) == whole[name] == of_run[name], (run, name)
    return told, found


async def week_agrees(connection, told):
    """The weekly summary is what the runs told, added up."""
    found = await weekly(connection, 8, datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC))
    counts, sums = defaultdict(Counter), defaultdict(list)
    for of_units_, of_sums in told:
        for unit, numbers in of_units_.items():
            counts[unit.organization, unit.group.value].update(numbers)
        for key, terms in of_sums.items():
            sums[key].append(terms)
    assert {(one.organization, one.bridge.kind.value) for one in found.moved} == sums.keys()
    for one in found.moved:
        bridge, key = one.bridge, (one.organization, one.bridge.kind.value)
        every = sums[key]
        assert (bridge.opening, bridge.added, bridge.removed, bridge.changed, bridge.closing) == (
            every[0][0], *(sum(terms[place] for terms in every) for place in (1, 2, 3)), every[-1][4]
        )  # fmt: skip
        assert bridge.opening + bridge.added - bridge.removed + bridge.changed == bridge.closing
        if bridge.kind in {Figure.RECEIPTS, Figure.EXPENSES}:
            assert {name: getattr(one, name) for name in COUNTS} == {name: counts[key][name] for name in COUNTS}
