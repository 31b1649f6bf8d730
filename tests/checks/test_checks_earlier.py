"""Workbooks of earlier days: old ones that come back, and fewer that hold what more did."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from cpimportd.checks.guards import Earlier
from cpimportd.checks.plausibility import plausibility
from cpimportd.config.settings import Guards
from cpimportd.core.model import Group, Kind, Unit
from cpimportd.core.problems import problem
from cpimportd.core.unit_facts import DocumentFact, UnitFacts
from cpimportd.core.workbooks import Served

UNIT = Unit("А", Group.RECEIPTS)
FACTS = UnitFacts(UNIT, 100, 100, Decimal(100))
OLDER = problem("older-file", file="a.xlsx", organization="А", unit=UNIT.name, run=1, day="2026-11-24", later=2)


def document(number):
    return DocumentFact(f"П {number} от 01.11.2026", str(number), 2026, Decimal(1), date(2026, 11, 1))


def served(name, rows):
    return Served(Kind.RECEIPTS, "А", name, "digest", "sha256", rows, Decimal(rows))


def judge(facts, earlier, accepted=()):
    found = plausibility(
        [facts], Guards(), frozenset(accepted), organizations_today=frozenset({"А"}), earlier={UNIT: earlier}
    )
    return found[UNIT]


def test_an_older_workbook_holds_its_unit_until_it_is_accepted():
    verdict = judge(FACTS, Earlier((OLDER,)))
    assert ([found.code for found in verdict.problems], verdict.held) == (["older-file"], True)
    taken = judge(FACTS, Earlier((OLDER,)), [UNIT.name])
    assert (taken.held, taken.accepted) == (False, ("older-file",))


def test_one_that_would_change_nothing_is_nothing_to_look_at():
    assert judge(replace(FACTS, differs=False), Earlier((OLDER,))).problems == ()


@pytest.mark.parametrize(
    ("gone", "removed", "missed"),
    [
        ((served("b.xlsx", 3),), 0, []),
        ((served("b.xlsx", 3),), 2, []),
        ((served("b.xlsx", 3),), 3, ["b.xlsx"]),
        ((served("b.xlsx", 3),), 4, ["b.xlsx"]),
        ((served("b.xlsx", 50), served("c.xlsx", 2)), 2, ["b.xlsx", "c.xlsx"]),
        ((served("b.xlsx", 0),), 1, []),  # it came without any document
        ((), 3, []),
    ],
)
def test_a_workbook_is_missed_where_as_many_documents_go_as_it_held(gone, removed, missed):
    facts = replace(FACTS, gone=tuple(document(number) for number in range(removed)))
    verdict = judge(facts, Earlier(gone=gone))
    assert [found.file for found in verdict.problems if found.code == "file-missing"] == missed
    assert verdict.held == bool(missed)


def test_a_document_that_got_another_time_is_not_gone():
    old = document(7)
    new = old._replace(operation_id="П 7 от 01.11.2026 12:00:00")
    facts = replace(FACTS, gone=(old,), new=(new,))
    assert not judge(facts, Earlier(gone=(served("b.xlsx", 1),))).held
