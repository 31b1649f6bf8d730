"""Should a human look first: shrinkage, pairs, moves."""

from datetime import date
from decimal import Decimal

import pytest

from cpimportd.checks.plausibility import plausibility
from cpimportd.config.settings import Guards
from cpimportd.core.formatting import count
from cpimportd.core.model import Group, Unit
from cpimportd.core.problems import problem
from cpimportd.core.unit_facts import DocumentFact, UnitFacts

A = Unit("А", Group.EXPENSES)
B = Unit("Б", Group.EXPENSES)
GUARDS = Guards()


def fact(key, amount=100, number=None, year=2024, on=date(2024, 5, 1)):
    return DocumentFact(str(key), number, year, Decimal(amount), on)


def facts(unit=A, *, before=1000, gone=(), new=(), sum_before=None, **more):
    after = before - len(gone) + len(new)
    total = Decimal(before * 100 if sum_before is None else sum_before)
    return UnitFacts(unit, before, more.pop("after", after), total, tuple(gone), tuple(new), **more)


def judge(*several, guards=GUARDS, accepted=(), today=("А", "Б")):
    return plausibility(several, guards, frozenset(accepted), organizations_today=frozenset(today))


def codes(verdict):
    return [p.code for p in verdict.problems]


@pytest.mark.parametrize(
    ("before", "gone", "amount", "held"),
    [
        (1000, 0, 100, False),
        (200, 3, 100, False),  # 1.5 %, but never more than 3 documents
        (200, 4, 100, True),
        (1000, 10, 100, False),
        (1000, 11, 100, True),
        (1000, 10, 101, True),  # 1 % of the documents, 1.01 % of the sum
        (200, 2, 9000, False),  # most of the sum: a small book may lose its 3 documents
        (1000, 4, 251, True),  # 0.4 % of the documents, 1.004 % of the sum
        (1000, 4, 250, False),
        (3, 3, 100, True),  # but nothing may be left of none
        (1, 1, 100, True),
        (4, 3, 100, False),
    ],
)
def test_how_much_may_be_removed_unseen(before, gone, amount, held):
    verdict = judge(facts(before=before, gone=[fact(i, amount) for i in range(gone)]))[A]
    assert verdict.held == held
    assert codes(verdict) == (["shrunk"] if held else [])


@pytest.mark.parametrize(
    ("before", "gone", "amount", "limit"),
    [
        (100, 5, 1, "3 documents, or 1 % of them"),
        (1000, 5, 900, "3 documents, or 1 % of the sum: 1\u00a0000,00"),
        (2, 2, 900, "never all of them"),
    ],
)
def test_the_limit_that_was_exceeded_is_named(before, gone, amount, limit):
    (found,) = judge(facts(before=before, gone=[fact(i, amount) for i in range(gone)]))[A].problems
    assert found.message == (
        f"А: {gone} of {count(before)} documents, {count(gone * amount)},00, would be removed (allowed: {limit})"
    )
    assert found.way_out.endswith("cpimportd accept 'А/expenses'.")


def test_the_limits_can_be_set():
    removed = facts(before=100, gone=[fact(i) for i in range(5)])
    assert not judge(removed, guards=Guards(removed_documents=5))[A].held
    assert not judge(removed, guards=Guards(removed_percent=5.0, removed_sum_percent=5.0))[A].held
    assert judge(removed, guards=Guards(removed_percent=5.0, removed_sum_percent=4.9))[A].held
    assert judge(facts(gone=[fact(1)]), guards=Guards(removed_documents=0, removed_percent=0))[A].held


def test_retimed_documents_do_not_count_as_removed():
    gone = [fact(f"{i} от 8:01:53", number=f"0А00-{i}") for i in range(50)]
    new = [fact(f"{i} от 8:02:00", number=f"0А00-{i}", amount=7) for i in range(50)]
    verdict = judge(facts(gone=gone, new=new, before=100))[A]
    assert not verdict.held
    assert len(verdict.retimed) == 50
    assert verdict.retimed["3 от 8:01:53"] == "3 от 8:02:00"
    assert verdict.rekeyed == {}


@pytest.mark.parametrize(
    ("gone", "new"),
    [
        ([("a", "7", 2023)], [("b", "7", 2024)]),  # numbers begin anew each year
        ([("a", "7", 2024), ("b", "7", 2024)], [("c", "7", 2024)]),  # which of the two?
        ([("a", "7", 2024), ("b", "7", 2024)], [("c", "7", 2024), ("d", "7", 2024)]),
        ([("a", None, 2024)], [("b", None, 2024)]),
        ([("a", "7", None)], [("b", "7", None)]),
    ],
)
def test_only_exact_pairs_of_number_and_year_are_retimed(gone, new):
    def made(rows):
        return [fact(key, number=number, year=year) for key, number, year in rows]

    assert judge(facts(gone=made(gone), new=made(new)))[A].retimed == {}


def rekeyed_unit(count=20, **more):
    gone = [fact(f"Списание {i}", 10 * i, number=str(i)) for i in range(count)]
    new = [fact(f"Выплата {i}", 10 * i, number=str(i)) for i in range(count)]
    return facts(before=count, gone=gone, new=new, **more)


def test_a_changed_title_rekeys_everything_and_waits_for_a_human():
    verdict = judge(rekeyed_unit())[A]
    assert codes(verdict) == ["rekeyed"]
    assert verdict.held
    assert verdict.rekeyed == {f"Списание {i}": f"Выплата {i}" for i in range(20)}
    assert verdict.retimed == {}
    accepted = judge(rekeyed_unit(), accepted=["А/expenses"])[A]
    assert not accepted.held
    assert accepted.accepted == ("rekeyed",)
    assert accepted.rekeyed == verdict.rekeyed


def test_keys_without_numbers_are_paired_by_date_and_sum_then_by_sum():
    gone = [fact(f"a{i}", 10 + i // 2, on=date(2024, 1, 1 + i // 2)) for i in range(8)] + [fact("x", 99, on=None)]
    new = [fact(f"b{i}", 10 + i // 2, on=date(2024, 1, 1 + i // 2)) for i in range(8)] + [fact("y", 99)]
    verdict = judge(facts(before=9, gone=gone, new=new))[A]
    assert codes(verdict) == ["rekeyed"]
    assert verdict.rekeyed == {**{f"a{i}": f"b{i}" for i in range(8)}, "x": "y"}


def test_a_repriced_document_among_the_rekeyed_is_retimed():
    unit = rekeyed_unit()
    new = (*unit.new[:-1], unit.new[-1]._replace(amount=Decimal(1)))
    verdict = judge(facts(before=20, gone=unit.gone, new=new))[A]
    assert codes(verdict) == ["rekeyed"]
    assert len(verdict.rekeyed) == 19
    assert verdict.retimed == {"Списание 19": "Выплата 19"}


def test_where_one_document_kept_its_name_nothing_was_rekeyed():
    unit = rekeyed_unit()
    verdict = judge(facts(before=21, gone=unit.gone, new=unit.new))[A]
    assert (codes(verdict), verdict.rekeyed, len(verdict.retimed)) == ([], {}, 20)


def test_a_whole_unit_exchanged_for_another_is_shrunk():
    new = [fact(f"b{i}", 7 + i) for i in range(20)]
    verdict = judge(facts(before=20, gone=rekeyed_unit().gone, new=new))[A]
    assert codes(verdict) == ["shrunk"]
    assert verdict.rekeyed == {}


def test_the_only_document_of_a_unit_may_be_retimed():
    verdict = judge(facts(before=1, gone=[fact("a", number="1")], new=[fact("b", number="1")]))[A]
    assert (codes(verdict), verdict.retimed) == ([], {"a": "b"})


OLD = [fact(i, on=date(2020, 1, 1 + i)) for i in range(20)]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "period-moved"),
        ({"new": [fact("new", on=date(2024, 1, 1))]}, "period-moved"),
        ({"amount_changed": 1}, "shrunk"),
        ({"gone": [*OLD, fact("a", number="7")], "new": [fact("b", number="7")]}, "shrunk"),
        ({"first_date": date(2020, 1, 20)}, "shrunk"),
        ({"first_date": None}, "shrunk"),
        ({"gone": [*OLD, fact("no date", on=None)]}, "shrunk"),
    ],
)
def test_a_period_that_begins_later_is_called_so(more, expected):
    unit = facts(before=100, **{"gone": OLD, "first_date": date(2021, 1, 1), **more})
    assert codes(judge(unit)[A]) == [expected]


def test_a_period_that_moves_by_three_documents_is_believed():
    assert codes(judge(facts(gone=OLD[:3], first_date=date(2021, 1, 1)))[A]) == []


def test_negative_amounts_wait_for_a_human():
    verdict = judge(facts(negative=(fact("a", -5), fact("b", "-0.50"))))[A]
    assert codes(verdict) == ["negative-amount"]
    assert "2 documents have a negative amount, -5,50 (first: a)" in verdict.problems[0].message


def test_what_another_department_owns_cannot_be_accepted():
    verdict = judge(facts(other_departments=tuple(f"o{i}" for i in range(30))), accepted=["А/expenses"])[A]
    assert len(verdict.problems) == 21
    assert codes(verdict)[0] == "other-department"
    assert verdict.held


def test_equal_lines_hold_a_unit_and_nobody_can_accept_them():
    found = problem("equal-lines", value="doc", index="x", organization="А")
    verdict = judge(facts(equal_lines=(found,)), accepted=["А/expenses"])[A]
    assert codes(verdict) == ["equal-lines"]
    assert verdict.held


def test_an_accept_holds_for_its_unit_only():
    several = [facts(unit, before=10, gone=[fact(i) for i in range(8)]) for unit in (A, B)]
    verdicts = judge(*several, accepted=["А/expenses"])
    assert not verdicts[A].held
    assert codes(verdicts[A]) == ["shrunk"]
    assert verdicts[A].accepted == ("shrunk",)
    assert verdicts[B].held
    assert verdicts[B].accepted == ()


def test_documents_may_move_between_organizations_that_are_published_together():
    verdicts = judge(facts(A, elsewhere={"Б": 2}), facts(B))
    assert codes(verdicts[A]) == codes(verdicts[B]) == []


def test_documents_do_not_move_away_from_an_organization_that_is_not_published():
    assert codes(judge(facts(A, elsewhere={"Б": 2}))[A]) == ["document-elsewhere"]
    held = facts(B, before=10, gone=[fact(i) for i in range(8)])
    assert codes(judge(facts(A, elsewhere={"Б": 2}), held)[A]) == ["document-elsewhere"]


def test_an_organization_is_held_with_the_one_that_its_documents_move_to():
    held = facts(A, before=10, gone=[fact(i) for i in range(8)], elsewhere={"Б": 2})
    verdicts = judge(held, facts(B), accepted=["Б/expenses"])
    assert codes(verdicts[B]) == ["move-incomplete"]
    assert verdicts[B].held
    assert judge(held, facts(B), accepted=["А/expenses"])[B].problems == ()


def test_a_chain_of_moves_is_held_as_a_whole():
    c = Unit("В", Group.EXPENSES)
    held = facts(c, before=10, gone=[fact(i) for i in range(8)])
    chain = [facts(A, elsewhere={"Б": 1}), facts(B, elsewhere={"В": 1}), held]
    verdicts = judge(*chain, today=("А", "Б", "В"))
    assert {unit.organization for unit, v in verdicts.items() if v.held} == {"А", "Б", "В"}
    assert verdicts == judge(*reversed(chain), today=("А", "Б", "В"))


def test_a_first_import_is_believed():
    assert codes(judge(facts(before=0, new=[fact(i) for i in range(100)]))[A]) == []
