"""Any value is led back to run, workbook, sheet, row and cell, and a sum to exactly what it counts."""

import gc
import json
from contextlib import nullcontext
from decimal import Decimal

import openpyxl
import pytest

from cpimportd.books.database.queries import at_one_moment
from cpimportd.books.journal.contracts import beginning, bridges_of, documents_of, explain_contract
from cpimportd.books.journal.diff import diff as read_diff
from cpimportd.books.journal.diff import movements
from cpimportd.books.journal.explain import explain
from cpimportd.books.journal.movements import What
from cpimportd.books.journal.names import find_organization
from cpimportd.books.journal.summed import Month, explain_figure, figure_parts
from cpimportd.books.reports.overview import summary
from cpimportd.core.lists import each, first
from cpimportd.core.model import Figure, Kind
from cpimportd.core.problems import ProblemError
from cpimportd.core.typed import to_json
from cpimportd.render.fields import title_of
from tests.support.books.whole_diff import diff

SEVERNAYA = 'ООО "СЕВЕРНАЯ"'  # published four times; of the other one run 4's expenses are held

# As the backend's own report counts, written down once more and differently.
BY_MONTH = """
    WITH lines AS (
        SELECT expense_operation_id AS id, payment_type AS type, payment_amount AS amount FROM fin_expense_details
        WHERE department_id = 8
    )
    SELECT o.name AS organization, to_char(e.document_date, 'YYYY-MM') AS month,
           coalesce(sum((SELECT sum(amount) FROM lines WHERE id = e.operation_id AND type = 'Погашение долга')), 0)
               AS principal,
           coalesce(sum((SELECT sum(amount) FROM lines WHERE id = e.operation_id AND type = 'Уплата процентов')), 0)
               AS interest,
           sum(e.amount) AS expenses
    FROM fin_expenses e JOIN fin_organizations o ON o.id = e.organization_id WHERE e.department_id = 8 GROUP BY 1, 2
"""
RECEIPTS_BY_MONTH = """
    SELECT o.name AS organization, to_char(r.document_date, 'YYYY-MM') AS month, sum(r.amount) AS receipts
    FROM fin_receipts r JOIN fin_organizations o ON o.id = r.organization_id WHERE r.department_id = 8 GROUP BY 1, 2
"""


@pytest.fixture
def cell_value(two_days):
    """What stands in the cell that a place names, in the workbook of today's upload."""
    sheets = {}

    def value(place, field):
        name = place.workbook.file
        if name not in sheets:
            sheets[name] = openpyxl.load_workbook(two_days.folder / "upload" / name)[place.workbook.sheet]
        return sheets[name][place.cell(field)].value

    return value


@pytest.mark.asyncio
async def test_every_month_of_every_organization_is_what_an_independent_query_counts(two_days, connect, sql):
    rows = [dict(row) for query in (BY_MONTH, RECEIPTS_BY_MONTH) for row in sql(two_days.url, query)]
    assert len(rows) > 100
    async with connect(two_days.url) as connection:
        for row in rows:
            scope = {"organization": row.pop("organization"), "month": Month.parse(row.pop("month"))}
            for figure, expected in row.items():
                found = await explain_figure(connection, 8, Figure(figure), **scope)
                assert found.total == sum((part.amount for part in found.parts), Decimal(0)) == expected, (
                    scope,
                    figure,
                )


@pytest.mark.asyncio
async def test_the_whole_figures_are_those_of_the_summary(two_days, connect):
    async with connect(two_days.url) as connection:
        whole = await summary(connection, 8)
        found = {figure: (await explain_figure(connection, 8, figure)).total for figure in Figure}
    assert found[Figure.RECEIPTS] == whole.total_receipts
    assert found[Figure.EXPENSES] == whole.total_expenses
    assert (found[Figure.PRINCIPAL], found[Figure.INTEREST], found[Figure.OTHER]) == (
        whole.principal, whole.interest, whole.other,
    )  # fmt: skip


@pytest.mark.asyncio
async def test_each_part_of_a_sum_stands_in_the_cell_that_is_named(two_days, connect, cell_value):
    """Documents that run 4 brought lie in today's workbooks; where a line stands is known to the very line."""
    checked = 0
    async with connect(two_days.url) as connection:
        for figure in (Figure.EXPENSES, Figure.PRINCIPAL, Figure.INTEREST):
            for part in (await explain_figure(connection, 8, figure, organization=SEVERNAYA)).parts:
                assert part.place is not None
                if part.place.workbook.run == 4:
                    assert Decimal(str(cell_value(part.place, "amount"))) == part.amount
                    assert cell_value(part.place, "operation_id") == part.operation_id
                    checked += 1
    assert checked >= 10


@pytest.mark.asyncio
async def test_a_repriced_document_is_told_with_every_earlier_value_and_its_cells(two_days, connect, cell_value):
    async with connect(two_days.url) as connection:
        changes = [one for one in (await diff(connection, 2)).of(What.CHANGED) if one.organization == SEVERNAYA]
        for one in changes:
            found = await explain(connection, 8, one.key.operation_id)
            assert found.in_books
            assert [version.since for version in found.versions] == [4, 3, 2, 1]
            assert [version.until for version in found.versions] == [None, 4, 3, 2]
            before, after = one.amount_before, one.amount_after
            assert [version.state.amount for version in found.versions] == [after, before, after, before]
            assert [version.how for version in found.versions] == ["changed", "changed", "changed", "added"]
            assert [version.origin.document.workbook.run for version in found.versions] == [4, 3, 2, 1]
            now = found.versions[0]
            assert Decimal(str(cell_value(now.origin.document, "amount"))) == after
            assert [Decimal(str(cell_value(place, "payment_amount"))) for place in now.origin.lines] == [
                line["payment_amount"] for line in now.state.lines
            ]
            assert ("amount", before, after) in [(d.field, d.old, d.new) for d in now.change.differences]
            assert all(version.since_at is not None for version in found.versions)
    assert len(changes) == 3


@pytest.mark.asyncio
async def test_a_retimed_document_is_one_document_under_either_name_and_its_number(two_days, connect):
    async with connect(two_days.url) as connection:
        pair = next(one for one in (await diff(connection, 2)).of(What.RETIMED) if one.organization != SEVERNAYA)
        number = pair.key.operation_id.split(" от ")[0].split()[-1]
        told = [await explain(connection, 8, name) for name in (pair.key.operation_id, pair.was, number)]
    assert told[0] == told[1] == told[2]
    found = told[0]
    assert found.key.operation_id == pair.was  # run 3 gave it its first name back
    assert [version.state.key.operation_id for version in found.versions] == [pair.was, pair.key.operation_id, pair.was]
    assert [(version.since, version.how) for version in found.versions] == [
        (3, "retimed"), (2, "retimed"), (1, "added"),
    ]  # fmt: skip


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "written",
    [
        str.upper,
        lambda text: text.replace(" ", "  "),
        lambda text: text.replace(" ", "\u00a0"),
        lambda text: text.replace("0С00", "0C00").replace("0Л0Л-", "0Л0Л\u2013"),
        lambda text: f"\ufeff{text[:1]}\u00ad{text[1:]}",
    ],
)
async def test_a_document_and_an_organization_are_found_by_what_looks_the_same(two_days, connect, written):
    async with connect(two_days.url) as connection:
        name = (await diff(connection, 2)).of(What.CHANGED)[0].key.operation_id
        number = name.split(" от ")[0].split()[-1]
        plainly = await explain(connection, 8, name)
        assert await explain(connection, 8, written(name)) == plainly
        assert await explain(connection, 8, written(number)) == plainly
        assert await find_organization(connection, 8, written("ЛОТОС ООО")) == "ЛОТОС ООО"
        assert await find_organization(connection, 8, written("ЛОТОС")) == "ЛОТОС ООО"
        contract = (await connection.fetch("SELECT contract_number FROM fin_contracts ORDER BY 1 DESC LIMIT 1"))[0][0]
        assert await explain_contract(connection, 8, written(contract)) == await explain_contract(
            connection, 8, contract
        )


@pytest.mark.asyncio
async def test_what_is_written_exactly_goes_before_what_looks_the_same(database, connect, sql):
    sql(
        database,
        "INSERT INTO fin_organizations (name, department_id, is_active) VALUES ('ООО А', 8, true), ('OOO А', 8, true)",
    )
    async with connect(database) as connection:
        assert await find_organization(connection, 8, "OOO А") == "OOO А"
        assert await find_organization(connection, 8, "ООО А") == "ООО А"
        with pytest.raises(ProblemError) as refused:
            await find_organization(connection, 8, "ооо а")
    assert refused.value.problems[0].code == "name-ambiguous"


@pytest.mark.asyncio
async def test_a_document_that_is_gone_is_told_from_the_journal(two_days, connect):
    async with connect(two_days.url) as connection:
        gone = next(one for one in (await diff(connection, 4)).of(What.REMOVED))
        found = await explain(connection, 8, gone.key.operation_id)
    assert not found.in_books
    assert [(version.state is None, version.since, version.until) for version in found.versions] == [
        (True, 4, None), (False, 3, 4), (True, 2, 3), (False, 1, 2),
    ]  # fmt: skip
    assert {version.state.amount for version in found.versions if version.state} == {gone.amount_before}
    assert [version.origin.document.workbook.run for version in found.versions if version.state] == [3, 1]
    json.dumps(found.titled(title_of))


@pytest.mark.asyncio
async def test_a_contract_is_told_with_its_documents_and_its_bridges(two_days, connect, sql):
    (row,) = sql(
        two_days.url,
        "SELECT k.contract_number, sum(e.amount) AS total, count(*) AS documents FROM fin_contracts k "
        "JOIN fin_expenses e ON e.contract_id = k.id GROUP BY 1 ORDER BY 2 DESC LIMIT 1",
    )
    async with connect(two_days.url) as connection:
        found = await explain_contract(connection, 8, row["contract_number"])
        shown = await beginning(connection, found)
        documents = tuple([one async for one in documents_of(connection, found)])
        (earliest,) = (await beginning(connection, found, 1)).documents
    assert shown.documents == documents
    assert earliest == documents[0]
    for kind, totals in found.totals.items():
        own = [one for one in documents if one.kind is kind]
        assert totals.documents == len(own)
        for name in ("amount", "principal", "interest", "other"):
            assert getattr(totals, name) == sum(getattr(one, name) for one in own)
    expenses = [one for one in documents if one.kind is Kind.EXPENSES]
    assert (len(expenses), found.totals[Kind.EXPENSES].amount) == (row["documents"], row["total"])
    assert all(one.principal + one.interest + one.other == one.amount for one in expenses)
    assert all(one.place is not None for one in documents)
    assert shown.bridges
    assert (shown.all_left, shown.all_bridges) == (len(shown.left), len(shown.bridges))
    for bridge in shown.bridges:
        assert bridge.opening + bridge.added - bridge.removed + bridge.changed == bridge.closing
    json.dumps([found.head(), *(to_json(one) for one in (*documents, *shown.left, *shown.bridges))])


@pytest.mark.asyncio
async def test_what_fits_several_is_refused_with_the_names_to_choose_from(two_days, connect):
    async with connect(two_days.url) as connection:
        with pytest.raises(ProblemError) as contract:
            await explain_contract(connection, 8, "договор")
        with pytest.raises(ProblemError) as organization:
            await explain_figure(connection, 8, Figure.RECEIPTS, organization="ООО")
    assert contract.value.problems[0].code == organization.value.problems[0].code == "name-ambiguous"
    assert "'Основной договор'" in contract.value.problems[0].way_out
    assert "'ЛОТОС ООО'" in organization.value.problems[0].way_out
    assert contract.value.exit_code == 2


@pytest.mark.asyncio
async def test_a_number_of_two_documents_is_refused_with_both_names(database, connect, sql):
    """Numbers begin anew every year."""
    names = [f"Списание с расчетного счета 0А00-000001 от 01.02.{year} 10:00:00" for year in (2023, 2024)]
    values = ", ".join(f"('{name}', 1, 100, 'RUB', false, 8, true)" for name in names)
    sql(
        database,
        "INSERT INTO fin_organizations (id, name, department_id, is_active) VALUES (1, 'A', 8, true)",
        "INSERT INTO fin_expenses (operation_id, organization_id, amount, currency, unconfirmed_by_bank, "
        "department_id, is_active) "
        f"VALUES {values}",
    )
    async with connect(database) as connection:
        with pytest.raises(ProblemError) as refused:
            await explain(connection, 8, "0А00-000001")
        assert all(f"'{name}'" in refused.value.problems[0].way_out for name in names)
        one = await explain(connection, 8, names[0])
    # Nobody knows where a row came from that we did not write.
    assert (one.versions[0].since, one.versions[0].origin.document, one.versions[0].state.amount) == (None, None, 100)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["0А00-999999", "nothing", "%", ""])
async def test_what_does_not_exist_is_said_with_a_way_out(two_days, connect, name):
    async with connect(two_days.url) as connection:
        for asked in (explain(connection, 8, name), explain_contract(connection, 8, name or "nowhere")):
            with pytest.raises(ProblemError) as refused:
                await asked
            assert refused.value.problems[0].code == "nothing-found"
            assert refused.value.problems[0].way_out


@pytest.mark.parametrize(
    "text", ["2024", "2024-13", "2024-00", "05-2024", "2024-5", "9999-12", "0206-05", "1024-05", "٢٠٢٤-٠٥"]
)
def test_what_is_no_month_is_refused(text):
    with pytest.raises(ValueError, match="2024-05"):
        Month.parse(text)


def test_a_months_end_is_the_next_ones_beginning():
    assert str(Month.parse("2024-12").next) == "2025-01-01"
    assert str(Month.parse("2024-02").next) == "2024-03-01"


@pytest.mark.asyncio
async def test_a_list_that_is_left_early_leaves_the_connection_to_whatever_comes_next(two_days, connect):
    async with connect(two_days.url) as connection, at_one_moment(connection):
        (number,) = await connection.fetchrow("SELECT contract_number FROM fin_contracts ORDER BY id LIMIT 1")
        found = await explain_contract(connection, 8, number)
        for _ in range(5):
            assert len(await first(documents_of(connection, found), 1)) == 1
            gc.collect()
            assert [await connection.fetchval("SELECT $1::int", number) for number in range(3)] == [0, 1, 2]


@pytest.mark.asyncio
@pytest.mark.parametrize("around", [at_one_moment, lambda _: nullcontext()], ids=["within a transaction", "alone"])
async def test_the_server_keeps_nothing_of_a_list_that_is_left_early(two_days, connect, around):
    async with connect(two_days.url) as connection, around(connection):
        began = connection.is_in_transaction()
        (number,) = await connection.fetchrow("SELECT contract_number FROM fin_contracts ORDER BY id LIMIT 1")
        contract = await explain_contract(connection, 8, number)
        figure = await explain_figure(connection, 8, Figure.PRINCIPAL)
        lists = {
            "documents": lambda: documents_of(connection, contract),
            "bridges": lambda: bridges_of(connection, contract),
            "parts": lambda: figure_parts(connection, 8, figure),
            "rows": lambda: each(lambda one: [one.operation_id], documents_of(connection, contract)),
        }
        run = await read_diff(connection, 2)
        lists["movements"] = lambda: movements(connection, run)
        for name, read in lists.items():
            assert len(await first(read(), 1)) == 1, name
            left = await connection.fetch(
                "SELECT name FROM pg_prepared_statements WHERE name LIKE 'cpimportd%'"
                " UNION ALL SELECT name FROM pg_cursors WHERE name <> ''"
            )
            assert (left, connection.is_in_transaction()) == ([], began), name
