"""Should a human look first: growth, documents that the books hold elsewhere, organizations that look the same."""

from decimal import Decimal

import pytest

from cpimportd.config.settings import Guards
from cpimportd.core.unit_facts import Beside, Growth, Twin
from tests.checks.test_checks_plausibility import A, codes, fact, facts, judge


def grown(documents, usual=4, days=1, guards=Guards(), **more):  # noqa: B008
    return judge(facts(beside=Beside(growth=Growth(documents, Decimal(500), usual, days)), **more), guards=guards)[A]


@pytest.mark.parametrize(
    ("documents", "usual", "days", "held"),
    [
        (20, 0, 1, False),
        (21, 0, 1, True),
        (20, 4, 1, False),
        (21, 4, 1, True),  # five times four
        (50, 10, 1, False),  # a month's end of a large organization
        (51, 10, 1, True),
        (100, 10, 2, False),  # a weekend
        (101, 10, 2, True),
    ],
)
def test_how_much_may_come_unseen(documents, usual, days, held):
    verdict = grown(documents, usual, days)
    assert verdict.held is held
    assert codes(verdict) == (["grown"] if held else [])


def test_growth_is_told_with_numbers_sums_and_what_is_allowed():
    (found,) = grown(300, usual=10, days=3).problems
    assert found.message == (
        "А: 300 new documents, 500,00, beside 1\u00a0000 that the books hold "
        "(allowed: 20 documents, or 5 × the usual 10 in 3 days)"
    )
    assert "cpimportd accept" in found.way_out


def test_growth_is_accepted_by_name_configured_and_switched_off():
    beside = Beside(growth=Growth(300, Decimal(500), 4, 1))
    assert not judge(facts(beside=beside), accepted=["А/expenses"])[A].held
    assert not grown(300, guards=Guards(added_times=0)).held
    assert not grown(300, guards=Guards(added_times=75)).held
    assert grown(301, guards=Guards(added_times=75)).held
    assert grown(3, guards=Guards(added_documents=2, added_times=0.5)).held
    assert not grown(300, guards=Guards(added_documents=300)).held


def test_documents_that_only_got_another_time_are_no_growth():
    gone = [fact(f"old {n}", number=str(n)) for n in range(30)]
    new = [fact(f"new {n}", number=str(n)) for n in range(30)]
    assert not grown(50, gone=gone, new=new).held
    assert grown(51, gone=gone, new=new).held


def test_a_first_import_is_no_growth():
    assert not judge(facts(before=0, after=500))[A].held


def test_a_document_that_the_books_hold_elsewhere_is_named_with_both_names():
    twins = (Twin("С 1", Decimal(5), "C 1", "Б"), Twin("С 2", Decimal(7), "С 2 иначе", ""))
    verdict = judge(facts(beside=Beside(twins=twins)))[A]
    assert verdict.held
    (found,) = verdict.problems
    assert (found.code, found.value) == ("document-twin", "С 1")
    assert "2 new documents, 12,00, are in the books already" in found.message
    assert (
        "«C 1» of «Б»: character 1: U+0421 CYRILLIC CAPITAL LETTER ES, not U+0043 LATIN CAPITAL LETTER C"
        in found.message
    )
    assert not judge(facts(beside=Beside(twins=twins)), accepted=["А/expenses"])[A].held


def test_an_organization_that_looks_the_same_as_one_of_today_or_of_the_books_is_named():
    verdict = judge(facts(beside=Beside(new=True, names=("а",))), today=("А", "A", "Б"))[A]
    assert codes(verdict) == ["organization-lookalike", "organization-lookalike"]
    books, today = (found.message for found in verdict.problems)
    assert "«а» in the books" in books
    assert "«A» in today's files" in today
    assert "U+0410 CYRILLIC CAPITAL LETTER A, not U+0041 LATIN CAPITAL LETTER A" in today
    assert not judge(facts(beside=Beside(new=True, names=("а",))), accepted=["А/expenses"])[A].held


def test_an_organization_that_the_books_know_is_not_asked_for_again():
    assert not judge(facts(), today=("А", "A", "Б"))[A].held


@pytest.mark.parametrize("other", ["АО", "А.", "Я", "АА"])
def test_another_name_is_another_organization(other):
    assert not judge(facts(beside=Beside(new=True)), today=("А", other))[A].held
