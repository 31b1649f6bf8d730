"""Closed periods: which day is the first that is open, and what counts as a change."""

from datetime import date
from decimal import Decimal

import pytest

from cpimportd.checks.guards import closed_before
from cpimportd.checks.plausibility import plausibility
from cpimportd.config.settings import Guards
from cpimportd.core.model import Group, Unit
from cpimportd.core.unit_facts import DocumentFact, UnitFacts

UNIT = Unit("ЛОТОС ООО", Group.EXPENSES)


def document(name, amount="10.00", day=date(2024, 1, 15), shown="contract 1"):
    return DocumentFact(name, "0Л00-000001", 2024, Decimal(amount), day, shown)


def judged(*closed, gone=(), new=(), first_open=date(2024, 2, 1), accepted=()):
    facts = UnitFacts(UNIT, 100, 100, Decimal(1000), gone=gone, new=new, closed=closed)
    return plausibility(
        [facts],
        Guards(),
        frozenset(accepted),
        organizations_today=frozenset({UNIT.organization}),
        first_open=first_open,
    )[UNIT]


@pytest.mark.parametrize(
    ("setting", "today", "first"),
    [
        (None, date(2024, 3, 31), None),
        (date(2024, 1, 1), date(2024, 3, 31), date(2024, 1, 1)),
        ("previous-month", date(2024, 3, 31), date(2024, 2, 1)),
        ("previous-month", date(2024, 3, 1), date(2024, 2, 1)),
        ("previous-month", date(2024, 1, 1), date(2023, 12, 1)),
    ],
)
def test_the_first_open_day(setting, today, first):
    assert closed_before(setting, today) == first


def test_a_change_of_a_closed_period_holds_the_unit_and_says_how_much():
    verdict = judged(document("a"), document("b", "5.50"))
    (found,) = verdict.problems
    assert (verdict.held, found.code, found.value) == (True, "period-closed", "a")
    assert "2 documents dated before 01.02.2024" in found.message
    assert "15,50" in found.message


def test_a_human_can_accept_it_by_name():
    assert not judged(document("a"), accepted=[UNIT.name]).held


def test_nothing_is_closed_where_nothing_is_set():
    assert not judged(document("a"), first_open=None).problems


@pytest.mark.parametrize(("other", "held"), [({}, False), ({"amount": "11.00"}, True), ({"shown": "contract 2"}, True)])
def test_another_time_of_day_is_no_change_but_what_a_report_shows_is(other, held):
    old, new = document("a"), document("b", **other)
    verdict = judged(old, new, gone=(old,), new=(new,))
    assert verdict.retimed == {"a": "b"}
    assert verdict.held is held
