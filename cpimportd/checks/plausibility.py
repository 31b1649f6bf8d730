"""Compares today's snapshot of each unit with the books, and decides whether a human must check it first."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType

from cpimportd.checks.guards import (
    NOTHING,
    Earlier,
    closed_period,
    earlier_problems,
    growth,
    organization_lookalikes,
    shrinkage,
    twins_in_books,
)
from cpimportd.checks.pairs import rekeyed_pairs, retimed_pairs
from cpimportd.config.settings import Guards
from cpimportd.core.formatting import money
from cpimportd.core.model import Unit
from cpimportd.core.problems import Problem, problem
from cpimportd.core.unit_facts import UnitFacts
from cpimportd.core.verdicts import Judgement, capped, held_by_others, overridden


def plausibility(
    facts: Sequence[UnitFacts],
    guards: Guards,
    accepted: frozenset[str],
    *,
    organizations_today: frozenset[str],
    strict: bool = False,
    first_open: date | None = None,
    undone: Mapping[Unit, int] = MappingProxyType({}),
    earlier: Mapping[Unit, Earlier] = MappingProxyType({}),
) -> Mapping[Unit, Judgement]:
    """Decide which units, though their files are right, differ too much from the books to be believed unseen.

    Args:
        facts: of the units that are to be published; those of a renamed organization's old name, where they take part,
            too: they are judged as part of the unit that goes on for it.
        guards: the limits.
        accepted: names of units that a human accepted for today; integrity problems stay.
        organizations_today: whom today's files name: an organization in the books that none names may be renamed.
        strict: one held unit holds all.
        first_open: the first day that is in no closed period; None: nothing is closed.
        undone: units whose files of today are those that a human has undone, with the run that was undone.
        earlier: of units whose workbooks of earlier days have a say, what is known of them.

    Returns:
        Per unit, in the units' order.
    """
    facts_of = {one.unit: one for one in facts}
    successors = _successors(facts, organizations_today)
    old_names = {successor: old for old, successor in successors.items()}
    judgements = {}
    for unit in sorted(facts_of):
        if unit in successors:
            continue
        one = _with_old_name(facts_of[unit], facts_of[old_names[unit]]) if unit in old_names else facts_of[unit]
        found = _judge(one, guards, organizations_today, first_open)
        undone_before = _undone(unit, undone)
        before = earlier_problems(one, found, earlier.get(unit, NOTHING))
        judgements[unit] = _judgement(unit, found, [*undone_before, *before, *found.problems], accepted)
    for old, successor in successors.items():
        judgements[old] = Judgement(accepted=judgements[successor].accepted)
    settled = _hold_incomplete_moves(dict(sorted(judgements.items())), facts, accepted, organizations_today)
    for old, successor in successors.items():
        if settled[old].held:
            settled[successor] = _without_pairs(settled[successor], facts_of[old])
    if strict and any(one.held for one in settled.values()):
        return {unit: held_by_others(unit, one) for unit, one in settled.items()}
    return settled


def _successors(facts: Sequence[UnitFacts], organizations_today: frozenset[str]) -> Mapping[Unit, Unit]:
    """Old name → the unit that goes on for it; where several do, nobody can say whose the rest is."""
    taking_part = {one.unit for one in facts}
    renamed = [
        (Unit(old, one.unit.group), one.unit)
        for one in facts
        if (old := _renamed_from(one, organizations_today)) is not None
    ]
    claimed = Counter(old for old, _ in renamed)
    return {old: successor for old, successor in renamed if old in taking_part and claimed[old] == 1}


def _with_old_name(successor: UnitFacts, old: UnitFacts) -> UnitFacts:
    """What stands under both names: what the snapshot lacks of the old one's is lost, or has come under another id."""
    return replace(
        successor,
        before=successor.before + old.before,
        sum_before=successor.sum_before + old.sum_before,
        gone=(*successor.gone, *old.gone),
        closed=(*successor.closed, *old.closed),
    )


def _judge(facts: UnitFacts, guards: Guards, organizations_today: frozenset[str], first_open: date | None) -> Judgement:
    rekeyed = rekeyed_pairs(facts, guards.removed_documents)
    gone = [document for document in facts.gone if document.operation_id not in rekeyed]
    renewed = set(rekeyed.values())
    retimed = retimed_pairs(gone, [document for document in facts.new if document.operation_id not in renewed])
    removed = [document for document in gone if document.operation_id not in retimed]
    renamed_from = _renamed_from(facts, organizations_today)
    organization, unit = facts.unit.organization, facts.unit.name
    problems = [*_other_departments_documents(facts), *capped(facts.equal_lines), *_negative(facts)]
    if rekeyed:
        problems.append(problem("rekeyed", organization=organization, unit=unit, count=len(rekeyed)))
    if renamed_from is not None:
        problems.append(problem("renamed", organization=organization, unit=unit, value=renamed_from))
    problems.extend(shrinkage(facts, removed, guards, moved=len(rekeyed) + len(retimed)))
    problems.extend(
        _documents_elsewhere(facts, other)
        for other in sorted(facts.elsewhere)
        if other not in organizations_today and other != renamed_from
    )
    problems.extend(closed_period(facts, first_open, retimed))
    problems.extend(growth(facts, guards, moved=len(rekeyed) + len(retimed)))
    problems.extend(twins_in_books(facts))
    problems.extend(organization_lookalikes(facts, organizations_today))
    return Judgement(tuple(problems), rekeyed=rekeyed, retimed=retimed, renamed_from=renamed_from)


def _without_pairs(judgement: Judgement, old: UnitFacts) -> Judgement:
    """Documents of an old name that is not published stay where they are: nothing has come in their place."""
    staying = {document.operation_id for document in old.gone}
    return replace(judgement, retimed={gone: new for gone, new in judgement.retimed.items() if gone not in staying})


def _undone(unit: Unit, undone: Mapping[Unit, int]) -> tuple[Problem, ...]:
    """What a human has undone does not come back by itself with the next run."""
    if unit not in undone:
        return ()
    return (problem("undone", organization=unit.organization, unit=unit.name, run=undone[unit]),)


def _hold_incomplete_moves(
    judgements: dict[Unit, Judgement],
    facts: Sequence[UnitFacts],
    accepted: frozenset[str],
    organizations_today: frozenset[str],
) -> dict[Unit, Judgement]:
    """Hold both ends of a move of documents between organizations unless both are published.

    Repeated until nothing changes. Where only the new owner is published, the old one loses documents that no check of
    its own allowed; where only the old one is, its documents stay in the books although its file lacks them, and its
    sums cannot come out right.
    """
    moves = [
        (one, other, Unit(other, one.unit.group))
        for one in sorted(facts, key=lambda one: one.unit)
        for other in sorted(one.elsewhere)
        if other in organizations_today or Unit(other, one.unit.group) in judgements
    ]
    settled = False
    while not settled:
        settled = True
        for one, other, source in moves:
            target = one.unit
            source_published = source in judgements and not judgements[source].held
            incomplete = _documents_elsewhere(one, other)
            known = incomplete in judgements[target].problems or judgements[target].renamed_from == other
            if not source_published and not known:
                settled = False
                judgements[target] = _judgement(
                    target, judgements[target], [*judgements[target].problems, incomplete], accepted
                )
            documents_gone = _move_incomplete(one, other)
            if source_published and judgements[target].held:
                settled = False
                judgements[source] = _judgement(
                    source, judgements[source], [*judgements[source].problems, documents_gone], accepted
                )
    return judgements


def _judgement(unit: Unit, judgement: Judgement, problems: Sequence[Problem], accepted: Collection[str]) -> Judgement:
    return replace(judgement, problems=tuple(problems), accepted=overridden(unit, problems, accepted))


def _renamed_from(facts: UnitFacts, organizations_today: frozenset[str]) -> str | None:
    """The organization without a file today under which the books hold most of the unit's documents."""
    absent = {other: count for other, count in facts.elsewhere.items() if other not in organizations_today}
    other = max(sorted(absent), key=absent.__getitem__, default=None)
    return other if other is not None and 2 * absent[other] > facts.after else None


def _documents_elsewhere(facts: UnitFacts, other: str) -> Problem:
    organization, unit = facts.unit.organization, facts.unit.name
    return problem(
        "document-elsewhere", organization=organization, unit=unit, value=other, count=facts.elsewhere[other]
    )


def _move_incomplete(facts: UnitFacts, other: str) -> Problem:
    organization = facts.unit.organization
    return problem("move-incomplete", organization=other, value=organization, count=facts.elsewhere[other])


def _other_departments_documents(facts: UnitFacts) -> Iterable[Problem]:
    organization = facts.unit.organization
    return capped(
        [problem("other-department", organization=organization, value=one) for one in facts.other_departments]
    )


def _negative(facts: UnitFacts) -> Iterable[Problem]:
    if not facts.negative:
        return ()
    return (
        problem(
            "negative-amount",
            organization=facts.unit.organization,
            unit=facts.unit.name,
            value=facts.negative[0].operation_id,
            count=len(facts.negative),
            sum=money(sum((document.amount for document in facts.negative), Decimal(0))),
        ),
    )
