"""An organization that 1C calls by another name: what stands under the old one is judged with the new one."""

from datetime import date
from decimal import Decimal

from cpimportd.checks.plausibility import plausibility
from cpimportd.config.settings import Guards
from cpimportd.core.model import Group, Unit
from cpimportd.core.unit_facts import UnitFacts
from tests.checks.test_checks_plausibility import codes, fact

OLD, A, B, C = (Unit(name, Group.EXPENSES) for name in ("Старое имя", "А", "Б", "В"))


def facts(unit, after, **more):
    return UnitFacts(unit, more.pop("before", 0), after, Decimal(more.pop("sum_before", 0)), **more)


def old_name(gone, before=100):
    return facts(OLD, 0, before=before, sum_before=before * 100, gone=tuple(gone))


def judge(*several, accepted=()):
    return plausibility(several, Guards(), frozenset(accepted), organizations_today=frozenset({"А", "Б", "В"}))


def test_an_organization_whose_documents_are_all_under_an_absent_one_was_renamed():
    unit = facts(A, 10, elsewhere={"Старое имя": 9})
    verdict = judge(unit)[A]
    assert codes(verdict) == ["renamed"]
    assert verdict.renamed_from == "Старое имя"
    accepted = judge(unit, accepted=["А/expenses"])[A]
    assert not accepted.held
    assert accepted.renamed_from == "Старое имя"


def test_a_few_documents_of_an_absent_organization_are_no_rename():
    verdict = judge(facts(A, 1000, elsewhere={"Старое имя": 9}))[A]
    assert codes(verdict) == ["document-elsewhere"]
    assert verdict.renamed_from is None


def test_what_the_new_name_lacks_of_the_old_one_counts_as_removed_from_it():
    heir = facts(A, 97, elsewhere={"Старое имя": 97})
    assert codes(judge(heir, old_name(fact(i) for i in range(3)))[A]) == ["renamed"]
    (renamed, shrunk) = judge(facts(A, 96, elsewhere={"Старое имя": 96}), old_name(fact(i) for i in range(4)))[
        A
    ].problems
    assert (renamed.code, shrunk.code) == ("renamed", "shrunk")
    assert "4 of 100 documents, 400,00" in shrunk.message


def test_a_document_that_was_retimed_meanwhile_is_one_document():
    heir = facts(A, 100, elsewhere={"Старое имя": 99}, new=(fact("new", number="1"),))
    verdict = judge(heir, old_name([fact("old", number="1")]), accepted=["А/expenses"])[A]
    assert verdict.retimed == {"old": "new"}
    assert codes(verdict) == ["renamed"]


def test_a_document_of_a_closed_period_that_is_left_under_the_old_name_is_one_of_the_new_ones():
    old = facts(OLD, 0, before=100, gone=(fact("old"),), closed=(fact("old"),))
    heir = facts(A, 99, elsewhere={"Старое имя": 99})
    verdict = plausibility(
        [heir, old], Guards(), frozenset(), organizations_today=frozenset({"А"}), first_open=date(2025, 1, 1)
    )[A]
    assert codes(verdict) == ["renamed", "period-closed"]


def test_the_old_name_goes_as_its_heir_does():
    several = [facts(A, 96, elsewhere={"Старое имя": 96}), old_name(fact(i) for i in range(4))]
    held = judge(*several)
    assert (codes(held[OLD]), held[OLD].held) == (["move-incomplete"], True)
    accepted = judge(*several, accepted=["А/expenses"])
    assert (codes(accepted[OLD]), accepted[OLD].held) == ([], False)
    assert accepted[OLD].accepted == ("renamed", "shrunk")


def test_where_two_go_on_for_one_the_rest_is_nobodys():
    several = [facts(unit, 40, elsewhere={"Старое имя": 40}) for unit in (A, B)]
    verdicts = judge(*several, old_name(fact(i) for i in range(20)), accepted=["А/expenses", "Б/expenses"])
    assert codes(verdicts[A]) == codes(verdicts[B]) == ["renamed"]
    assert codes(verdicts[OLD]) == ["shrunk"]
    assert verdicts[OLD].held


def test_while_a_third_unit_holds_the_old_name_back_nothing_replaces_what_stays_there():
    heir = facts(A, 98, elsewhere={"Старое имя": 97}, new=(fact("new", number="1"),))
    third = facts(C, 1000, before=999, elsewhere={"Старое имя": 2})
    verdicts = judge(heir, third, old_name([fact("old", number="1")]), accepted=["А/expenses"])
    assert codes(verdicts[OLD]) == ["move-incomplete"]
    assert not verdicts[A].held
    assert verdicts[A].retimed == {}
