"""The generated holding: the same seed gives the same files, and the truth about them is what the files say."""

import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from python_calamine import CalamineError, CalamineWorkbook

from cpimportd.core.model import Group, Kind, Unit
from cpimportd.demo.exports import WRONG_TOTAL_BY, Damage, Holding, Truth, books_after
from cpimportd.demo.ledger import Changes
from cpimportd.demo.organizations import DETAIL_TITLES, EXPENSE_TITLES, RECEIPT_TITLES, organizations

SAMPLES = Path(__file__).parents[1] / "samples" / "day1"
AMOUNT = {Kind.RECEIPTS: "Сумма", Kind.EXPENSES: "Сумма", Kind.DETAILS: "Сумма платежа"}
SMALL = Holding(organizations=5, receipts=12, expenses=60)


def money(cell):
    text = str(cell).replace("\u00a0", "").replace("\u202f", "").replace(",", ".")
    return Decimal(text).quantize(Decimal("0.01"))


def read(path):
    """The rows as dictionaries by title, and the totals."""
    rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python(skip_empty_area=False)
    header = next(n for n, row in enumerate(rows) if row[0] in (RECEIPT_TITLES[0], EXPENSE_TITLES[0]))
    assert rows[-1][0] == "Итого"
    return [dict(zip(rows[header], row, strict=True)) for row in rows[header + 1 :]]


@pytest.fixture(scope="module")
def first_day(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    SMALL.day(1).write(folder)
    return folder


@pytest.mark.parametrize(
    ("sample", "titles"),
    [("Postuplenie(kredity)", RECEIPT_TITLES), ("Spisanie kredity", EXPENSE_TITLES), ("rasshifrovka", DETAIL_TITLES)],
)
def test_the_titles_are_those_of_the_samples(sample, titles):
    (path,) = (path for path in SAMPLES.iterdir() if path.name.startswith("Lotos") and sample in path.name)
    assert tuple(CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()[0]) == titles


def test_every_file_says_what_the_truth_says(first_day):
    day = SMALL.day(1)
    for file in day.files:
        *rows, last = read(first_day / file.name)
        title = AMOUNT[file.kind]
        truth = day.units[Unit(file.organization.name, file.kind.group)]
        assert len(rows) == truth.rows[file.kind]
        assert sum(money(row[title]) for row in rows) == truth.sums[file.kind] == money(last[title])


def test_details_add_up_to_their_expenses(first_day):
    day = SMALL.day(1)
    for organization in organizations(5):
        paid = defaultdict(Decimal)
        for row in read(first_day / organization.file_name(Kind.DETAILS))[:-1]:
            paid[row["Списание с расчетного счета"]] += money(row["Сумма платежа"])
        expenses = read(first_day / organization.file_name(Kind.EXPENSES))[:-1]
        assert {row["Списание с расчетного счета"]: money(row["Сумма"]) for row in expenses} == paid
    assert day.truth.sums[Kind.EXPENSES] == day.truth.sums[Kind.DETAILS] == day.truth.principal + day.truth.interest


def test_principal_and_interest_are_those_of_the_lines(first_day):
    paid = defaultdict(Decimal)
    for organization in organizations(5):
        for row in read(first_day / organization.file_name(Kind.DETAILS))[:-1]:
            paid[row["Вид платежа по кредитам займам"]] += money(row["Сумма платежа"])
    truth = SMALL.day(1).truth
    assert paid == {"Погашение долга": truth.principal, "Уплата процентов": truth.interest}


def test_numbers_are_unique_within_a_year_and_repeat_across_years():
    (ledger,) = Holding(organizations=1, receipts=0, expenses=500).day(1).ledgers
    numbers = Counter((d.number, d.moment.year) for d in ledger.expenses)
    assert set(numbers.values()) == {1}
    assert len({d.number for d in ledger.expenses}) < 500


def test_the_organizations_differ_in_their_habits(first_day):
    _, severnaya, most, gorizont, zarya = organizations(5)
    details = read(first_day / severnaya.file_name(Kind.DETAILS))
    assert "Курс расчетов" not in details[0]
    assert re.fullmatch(r"\d{1,3}(\u00a0\d{3})*,\d\d", read(first_day / most.file_name(Kind.EXPENSES))[0]["Сумма"])
    titled = CalamineWorkbook.from_path(first_day / gorizont.file_name(Kind.RECEIPTS)).get_sheet_by_index(0)
    assert titled.to_python()[2][0] == "Поступление на расчетный счет"
    assert b"xl/SharedStrings.xml" in (first_day / zarya.file_name(Kind.RECEIPTS)).read_bytes()
    contracts = Counter(
        contract for organization in organizations(5) for contract in dict.fromkeys(organization.contracts)
    )
    assert [contract for contract, shared in contracts.items() if shared > 1] == ["Основной договор"]


def test_some_details_do_not_stand_beside_their_document(tmp_path):
    day = Holding(organizations=1, receipts=1, expenses=300).day(1)
    *_, details = day.write(tmp_path)
    ids = [row["Списание с расчетного счета"] for row in read(details)]
    groups = sum(1 for before, after in zip([None, *ids], ids, strict=False) if before != after)
    assert groups > len(set(ids))


def test_the_same_seed_gives_the_same_bytes(first_day, tmp_path):
    command = [sys.executable, str(Path(__file__).parents[2] / "bench" / "make_exports.py"), str(tmp_path)]
    sizes = ["--organizations", "5", "--receipts", "12", "--expenses", "60"]
    said = subprocess.run(
        [*command, *sizes], capture_output=True, check=True, cwd=Path(__file__).parents[2], env={"PYTHONPATH": "."}
    )
    assert json.loads(said.stdout)["expenses"]["sum"] == str(SMALL.day(1).truth.sums[Kind.EXPENSES])
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in first_day.iterdir())
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (first_day / path.name).read_bytes()


def test_another_seed_gives_other_documents():
    assert Holding(1, 5, 5, seed=1).day(1).truth != Holding(1, 5, 5, seed=2).day(1).truth


def test_a_night_changes_what_it_says_and_nothing_else():
    changes = Changes(deleted=2, retimed=3, repriced=4, added=5)
    holding = Holding(organizations=2, receipts=10, expenses=100, changes=changes)
    for before, after in zip(holding.day(1).ledgers, holding.day(2).ledgers, strict=True):
        told = holding.day(2).overnight[before.organization.name]
        old = {d.operation_id: d for d in (*before.receipts, *before.expenses)}
        new = {d.operation_id: d for d in (*after.receipts, *after.expenses)}
        counts = (len(told.deleted), len(told.retimed), len(told.repriced))
        assert counts == (2, 3, 4)
        assert old.keys() - new.keys() == {*told.deleted, *(was for was, _ in told.retimed)}
        assert new.keys() - old.keys() == {*told.added, *(became for _, became in told.retimed)}
        assert {i for i in old.keys() & new.keys() if old[i] != new[i]} == set(told.repriced)
        for was, became in told.retimed:
            assert old[was].number == new[became].number
            assert old[was].kopecks == new[became].kopecks


def test_a_night_stays_within_the_guard_on_removed_documents():
    holding = Holding()
    before, after = holding.day(1), holding.day(2)
    for ledger in before.ledgers:
        amounts = {d.operation_id: d.kopecks for d in ledger.expenses}
        gone = after.overnight[ledger.organization.name].deleted
        assert len(gone) <= 3
        assert sum(amounts[i] for i in gone) < 0.01 * sum(amounts.values())


def test_only_the_first_organization_gets_a_receipt():
    first, second = Holding(organizations=2, receipts=3, expenses=30).day(2).ledgers
    assert (len(first.receipts), len(second.receipts)) == (4, 3)


def test_a_broken_day_has_three_broken_files_and_three_held_units(tmp_path):
    holding = Holding(organizations=3, receipts=12, expenses=60)
    day = holding.broken_day(3)
    day.write(tmp_path)
    broken = {file.damage: file for file in day.files if file.damage}
    assert (tmp_path / broken[Damage.EMPTY].name).stat().st_size == 0
    with pytest.raises(CalamineError):
        CalamineWorkbook.from_path(tmp_path / broken[Damage.HALF].name)
    *rows, last = read(tmp_path / broken[Damage.WRONG_TOTAL].name)
    assert money(last["Сумма"]) - sum(money(row["Сумма"]) for row in rows) == WRONG_TOTAL_BY
    assert day.held == {
        Unit("ЛОТОС ООО", Group.EXPENSES),
        Unit('ООО "СЕВЕРНАЯ"', Group.RECEIPTS),
        Unit("МОСТ ООО", Group.EXPENSES),
    }


def test_held_units_keep_what_the_books_had():
    holding = Holding(organizations=3, receipts=12, expenses=60)
    days = [holding.day(1), holding.day(2), holding.broken_day(3)]
    held = days[2].held
    expected = Truth.total((days[1] if unit in held else days[2]).units[unit] for unit in days[2].units)
    assert books_after(days) == expected
    assert expected not in (days[1].truth, days[2].truth)


@pytest.mark.parametrize("wrong", [0, -1])
def test_days_are_counted_from_one(wrong):
    with pytest.raises(ValueError, match="counted from 1"):
        SMALL.day(wrong)
