"""One answer to each question: whoever tells of a run or an undo tells the same documents and sums, and those of the tables."""

import io
import random
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from cpimportd.books.journal.movements import What
from cpimportd.books.reports.weekly import weekly
from cpimportd.core.model import Group, Unit
from cpimportd.core.report import RunReport
from cpimportd.core.typed import to_json
from cpimportd.render.diff import render_diff
from cpimportd.render.fields import title_of
from cpimportd.render.jobs import render_weekly
from cpimportd.render.layout import make_console
from cpimportd.render.run import render
from cpimportd.render.workbooks.diff import tables_of
from tests.books.test_books_undo_random import ORGANIZATIONS, Ledger, edit_by_hand
from tests.support.books.tellers import (
    all_agree,
    booked,
    booked_by_contract,
    contracts_agree,
    of_units,
    week_agrees,
)
from tests.support.books.whole_diff import diff

A, B = ORGANIZATIONS
UNITS = tuple(Unit(name, group) for name in ORGANIZATIONS for group in Group)


class Restless(Ledger):
    """Documents that are re-timed, change hands, or both, too."""

    def _change(self, kind, row, lines):
        what = self._random.choice(("as ever", "as ever", "time", "time and owner", "all"))
        if what == "as ever":
            return super()._change(kind, row, lines)
        name = row["operation_id"]
        later = name[:-2] + f"{self._random.randint(1, 59):02}"
        row = {**row, "operation_id": later}
        lines = [{**line, "operation_id": later} for line in lines]
        if what != "time":
            row["organization"] = self._random.choice(ORGANIZATIONS)
        if what == "all":
            row["amount"] = Decimal(self._random.randint(1, 9999)) / 100
            lines = self._lines(kind, row)
        return kind, row, lines

    def next_day(self):
        day = super().next_day()
        names = [unit.name for unit in UNITS]
        return replace(day, judge=self._made.guarded(*UNITS, accepted=names))


@pytest.fixture
def lives(database, publish_day, take_back, sql, connect):
    """Publish and take back, and see each time that everybody tells the same."""

    class Lives:
        run = 0
        told = ()
        diffs = ()

        async def _agree(self, doing):
            self.run += 1
            before, contracts = booked(sql, database), booked_by_contract(sql, database)
            published = await doing
            async with connect(database) as connection:
                told, found = await all_agree(connection, sql, database, published, self.run, before)
            contracts_agree(sql, database, self.run, told[1], contracts)
            self.told, self.diffs = (*self.told, told), (*self.diffs, (found.sums, found.head()["counts"]))
            return published

        async def publish(self, day):
            return await self._agree(publish_day(day))

        async def undo(self, run, *, through=False):
            return await self._agree(take_back(run, through=through))

        async def ends(self):
            """Whatever came later, each run is told as it was told then, and the week is their sum."""
            async with connect(database) as connection:
                for run, (sums, counts) in enumerate(self.diffs, 1):
                    found = await diff(connection, run)
                    assert (found.sums, found.head()["counts"]) == (sums, counts), run
                await week_agrees(connection, self.told)

    return Lives()


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(6))
async def test_everybody_tells_the_same_of_any_run_and_any_undo(lives, made, seed):
    ledger, chance = Restless(made, seed), random.Random(seed)
    for run in range(1, 13):
        if run > 3 and chance.random() < 0.45:
            await lives.undo(chance.randint(run - 3, run - 1), through=True)
        else:
            await lives.publish(ledger.next_day())
    await lives.ends()


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(4))
async def test_everybody_tells_the_same_where_somebody_else_had_written(lives, made, database, sql, seed):
    ledger, chance = Restless(made, seed), random.Random(seed)
    for run in range(1, 11):
        if run > 1:
            edit_by_hand(sql, database, chance)
        await lives.publish(ledger.next_day())


@pytest.mark.asyncio
async def test_a_document_that_somebody_gave_to_another_changes_hands(lives, made, database, sql):
    one, other = made.expense(1, "10.00", organization=A), made.expense(2, "20.00", organization=A)
    await lives.publish(day(made, (one, PRINCIPAL), (other, PRINCIPAL)))
    sql(
        database,
        f"UPDATE fin_expenses SET organization_id = (SELECT id FROM fin_organizations WHERE name = '{B}')"
        " WHERE amount IN (10, 20)",
    )
    published = await lives.publish(day(made, (one, PRINCIPAL), ({**other, "amount": Decimal("25.00")}, PRINCIPAL)))
    assert unit_counts(published, A) == {"updated": 2, "moved_in": 1}  # 1C changed the other one, too: that is told
    assert unit_counts(published, B) == {"moved_out": 1}


def day(made, *pairs, judge=None):
    """Expenses with a line each, of (row, payment type), and an expense of both organizations that always stays."""
    staying = [
        (made.expense(90, "1.00", organization=A), "Прочее"),
        (made.expense(91, "1.00", organization=B), "Прочее"),
    ]
    every = [*staying, *pairs]
    return made.Day(
        expenses=[row for row, _ in every],
        details=[made.line(row, str(row["amount"]), kind) for row, kind in every],
        judge=judge or made.guarded(*UNITS, accepted=[unit.name for unit in UNITS]),
    )


def unit_counts(published, name):
    counts, _ = of_units(published.units)
    return {what: number for what, number in counts[Unit(name, Group.EXPENSES)].items() if number}


PRINCIPAL, INTEREST = "Погашение долга", "Уплата процентов"


@pytest.mark.asyncio
async def test_a_changed_payment_type_shows_in_principal_and_interest(lives, made):
    row = made.expense(1, "754253.24", organization=A)
    await lives.publish(day(made, (row, PRINCIPAL)))
    published = await lives.publish(day(made, (row, INTEREST)))
    _, sums = of_units(published.units)
    moved = {figure: sums[A, figure][1:4] for figure in ("expenses", "details", "principal", "interest", "other")}
    nothing, amount = (Decimal(0),) * 3, Decimal("754253.24")
    assert moved == {
        "expenses": nothing, "details": nothing, "other": nothing,
        "principal": (0, 0, -amount), "interest": (0, 0, amount),
    }  # fmt: skip
    undone = await lives.undo(2)
    _, back = of_units(undone.units)
    assert (back[A, "principal"][3], back[A, "interest"][3]) == (amount, -amount)
    await lives.ends()


@pytest.mark.asyncio
async def test_every_page_has_the_rows_of_principal_and_interest(lives, made, database, connect):
    row = made.expense(1, "754253.24", organization=A)
    await lives.publish(day(made, (row, PRINCIPAL)))
    published = await lives.publish(day(made, (row, INTEREST)))
    async with connect(database) as connection:
        found = await diff(connection, 2)
        week = await weekly(connection, 8, datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC))
    told = {one["kind"]: one["changed"] for one in found.titled(title_of)["sums"] if one["organization"] == A}
    assert (told["principal"], told["interest"], told["other"]) == ("-754253.24", "754253.24", "0.00")
    (sums,) = [table for table in tables_of(found.found, found.tell) if table.title == "Итоги"]
    in_book = {line[1]: line[5] for line in sums.rows if line[0] == A}
    assert (in_book["Основной долг"], in_book["Проценты"]) == (Decimal("-754253.24"), Decimal("754253.24"))
    text = io.StringIO()
    console = make_console(text)
    render(RunReport(2, published.status, datetime.now(UTC), 1.0, units=published.units), console)
    render_diff(found.found, {what: found.of(what) for what in What}, UTC, console)
    render_weekly(week, UTC, console)
    for name, moved in (("principal", "-754 253,24"), ("interest", "+754 253,24")):
        lines = [line for line in text.getvalue().replace("\N{NO-BREAK SPACE}", " ").splitlines() if moved in line]
        assert len([line for line in lines if line.startswith(A) and name in line]) == 3, name
    assert [line["kind"] for line in (to_json(unit) for unit in published.units if unit.unit == UNITS[1])
            for line in line["bridge"]] == ["expenses", "details", "principal", "interest", "other"]  # fmt: skip


@pytest.mark.asyncio
async def test_a_payment_type_that_nobody_knows_is_other(lives, made):
    row = made.expense(1, "10.00", organization=A)
    await lives.publish(day(made, (row, PRINCIPAL)))
    await lives.publish(day(made, (row, None)))
    published = await lives.publish(day(made, (row, "погашение долга")))  # not 1C's word: BOOKS.md 9
    _, sums = of_units(published.units)
    assert sums[A, "other"] == (Decimal("11.00"), 0, 0, 0, Decimal("11.00"))
    await lives.ends()


@pytest.mark.asyncio
@pytest.mark.parametrize("more", [{}, {"amount": Decimal("12.50")}], ids=["moved", "moved-and-changed"])
async def test_a_document_that_changes_hands_is_one_changed_document(lives, made, more):
    row, other = made.expense(1, "10.00", organization=A), made.expense(2, "20.00", organization=A)
    await lives.publish(day(made, (row, PRINCIPAL), (other, PRINCIPAL)))
    moved = {**row, "organization": B, **more}
    published = await lives.publish(day(made, (moved, PRINCIPAL), (other, PRINCIPAL)))
    assert unit_counts(published, A) == {"moved_out": 1}
    assert unit_counts(published, B) == {"updated": 1, "moved_in": 1}
    _, sums = of_units(published.units)
    assert sums[A, "principal"][1:4] == (0, Decimal("10.00"), 0)
    assert sums[B, "principal"][1:4] == (moved["amount"], 0, 0)
    back = await lives.undo(2)
    assert unit_counts(back, B) == {"moved_out": 1}
    assert unit_counts(back, A) == {"updated": 1, "moved_in": 1}
    again = await lives.undo(3)
    assert unit_counts(again, B) == {"updated": 1, "moved_in": 1}
    await lives.ends()


@pytest.mark.asyncio
async def test_a_document_that_is_retimed_and_changes_hands_is_one_retimed_document(lives, made):
    row = made.expense(1, "10.00", organization=A)
    await lives.publish(day(made, (row, PRINCIPAL)))
    later = {**row, "organization": B, "operation_id": row["operation_id"].replace("10:01:00", "11:01:00")}
    judge = made.guarded(*UNITS, accepted=[unit.name for unit in UNITS])

    def pairing(facts):
        found = dict(judge(facts))
        unit = Unit(B, Group.EXPENSES)
        return {**found, unit: replace(found[unit], retimed={row["operation_id"]: later["operation_id"]})}

    published = await lives.publish(day(made, (later, PRINCIPAL), judge=pairing))
    assert unit_counts(published, A) == {"moved_out": 1}
    assert unit_counts(published, B) == {"retimed": 1, "moved_in": 1}
    _, sums = of_units(published.units)
    assert (sums[A, "expenses"][1:4], sums[B, "expenses"][1:4]) == ((0, 10, 0), (10, 0, 0))
    back = await lives.undo(2)
    assert unit_counts(back, A) == {"retimed": 1, "moved_in": 1}
    again = await lives.undo(3)
    assert unit_counts(again, B) == {"retimed": 1, "moved_in": 1}
    await lives.ends()


@pytest.mark.asyncio
async def test_a_document_that_comes_from_a_held_unit_is_told_where_it_is_now(lives, made):
    row = made.expense(1, "10.00", organization=A)
    await lives.publish(day(made, (row, PRINCIPAL)))
    judge = made.guarded(*UNITS, accepted=[unit.name for unit in UNITS])

    def only_b(facts):
        found = dict(judge(facts))
        unit = Unit(A, Group.EXPENSES)
        return {**found, unit: replace(found[unit], stuck=True)}

    moved = {**row, "organization": B}
    published = await lives.publish(day(made, (moved, PRINCIPAL), judge=only_b))
    assert unit_counts(published, B) == {"updated": 1, "moved_in": 1}
    back = await lives.undo(2)
    assert unit_counts(back, B) == {"updated": 1, "moved_out": 1}
    again = await lives.undo(3)
    assert unit_counts(again, B) == {"updated": 1, "moved_in": 1}
    await lives.ends()


@pytest.mark.asyncio
async def test_an_undo_is_net_of_all_runs_that_it_takes_back(lives, made):
    """Came and went, changed twice, re-timed twice: each is told once, and a re-timed one comes back as one."""
    one, two, three = (made.expense(n, f"{n}0.00", organization=A) for n in (1, 2, 3))
    await lives.publish(day(made, (one, PRINCIPAL), (two, PRINCIPAL)))
    dearer = {**two, "amount": Decimal("25.00")}
    times = [one["operation_id"].replace("10:01:00", f"1{hour}:01:00") for hour in (1, 2)]
    await lives.publish(
        day(made, ({**one, "operation_id": times[0]}, PRINCIPAL), (dearer, INTEREST), (three, INTEREST))
    )
    dearest = {**two, "amount": Decimal("27.00")}
    await lives.publish(day(made, ({**one, "operation_id": times[1]}, PRINCIPAL), (dearest, INTEREST)))
    undone = await lives.undo(2, through=True)
    assert unit_counts(undone, A) == {"updated": 1, "retimed": 1}
    _, sums = of_units(undone.units)
    assert sums[A, "expenses"] == (Decimal("38.00"), 0, 0, Decimal("-7.00"), Decimal("31.00"))
    assert sums[A, "principal"][1:4] == (0, 0, Decimal("20.00"))
    assert sums[A, "interest"][1:4] == (0, 0, Decimal("-27.00"))
    again = await lives.undo(4)
    assert unit_counts(again, A) == {"updated": 1, "retimed": 1}
    await lives.ends()


@pytest.mark.asyncio
async def test_a_first_import_that_is_undone_leaves_nothing(lives, made):
    await lives.publish(day(made, (made.expense(1, "10.00", organization=A), PRINCIPAL)))
    undone = await lives.undo(1)
    assert unit_counts(undone, A) == {"removed": 2}
    assert unit_counts(await lives.undo(2), A) == {"inserted": 2}
    await lives.ends()


@pytest.mark.asyncio
async def test_the_diff_of_an_undo_tells_the_pairs(lives, made, database, connect):
    row = made.expense(1, "10.00", organization=A)
    await lives.publish(day(made, (row, PRINCIPAL)))
    later = {**row, "operation_id": row["operation_id"].replace("10:01:00", "11:01:00")}
    await lives.publish(day(made, (later, PRINCIPAL)))
    for run, (was, name) in enumerate([(later, row), (row, later), (later, row)], 3):
        await lives.undo(run - 1)
        async with connect(database) as connection:
            (one,) = (await diff(connection, run)).movements
        assert (one.what, one.was, one.key.operation_id) == (What.RETIMED, was["operation_id"], name["operation_id"])
    await lives.ends()


@pytest.mark.asyncio
async def test_a_document_that_the_undone_runs_retimed_to_and_fro_is_told_as_the_bridge_has_it(lives, made):
    """It goes under the name that a later run brought, and comes under the one from before: no pair of the undo's own."""
    row = made.expense(1, "10.00", organization=A)
    later = {**row, "operation_id": row["operation_id"].replace("10:01:00", "11:01:00")}
    await lives.publish(day(made, (row, PRINCIPAL)))
    await lives.publish(day(made, (later, PRINCIPAL)))
    await lives.undo(2)
    await lives.undo(1, through=True)
    await lives.publish(day(made, (later, PRINCIPAL)))
    undone = await lives.undo(4, through=True)
    assert unit_counts(undone, A) == {"inserted": 1, "removed": 1}
    await lives.ends()
