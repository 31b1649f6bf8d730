"""The guards: they find differences to the books that a human should check before a unit is published."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from cpimportd.checks.units import file_missing
from cpimportd.config.settings import Guards
from cpimportd.core.folding import describe_differences, fold, with_code_points
from cpimportd.core.formatting import money
from cpimportd.core.model import KOPECK
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import Problem, problem
from cpimportd.core.unit_facts import DocumentFact, UnitFacts
from cpimportd.core.verdicts import Judgement
from cpimportd.core.workbooks import Served

PREVIOUS_MONTH: Final = "previous-month"
ZERO: Final = Decimal(0)


def shrinkage(facts: UnitFacts, removed: Sequence[DocumentFact], guards: Guards, moved: int) -> tuple[Problem, ...]:
    """Hold a unit that loses more documents than usual, or more money.

    ``removed_documents`` are always believed. Beyond them the unit may lose ``removed_percent`` of its documents and
    ``removed_sum_percent`` of its sum. The sum does not count below that: in a small book one deleted document is
    easily more than one per cent of the sum, and the allowance would mean nothing. A unit that would have nothing left
    is held however small it was: a filter in 1C that lets nothing through looks just like that.

    Args:
        facts: of the unit.
        removed: documents that are really gone: neither re-timed nor re-keyed.
        guards: the limits.
        moved: documents that went and came again under another name.
    """
    exceeded = _exceeded(facts, removed, guards)
    if exceeded is None:
        return ()
    lost = money(sum((document.amount for document in removed), ZERO))
    organization, unit = facts.unit.organization, facts.unit.name
    if _period_moved(facts, removed, moved):
        first = "" if facts.first_date is None else facts.first_date.isoformat()
        return (
            problem("period-moved", organization=organization, unit=unit, count=len(removed), date=first, sum=lost),
        )
    count, before = len(removed), facts.before
    return (
        problem("shrunk", organization=organization, unit=unit, count=count, before=before, sum=lost, limit=exceeded),
    )


def _exceeded(facts: UnitFacts, removed: Sequence[DocumentFact], guards: Guards) -> Phrase | None:
    """Which limit is exceeded, in words; None if none is."""
    if removed and facts.after == 0:
        return phrase("never-all")
    if len(removed) <= guards.removed_documents:
        return None
    few = guards.removed_documents
    # Settings are binary floats: their shortest text is what the administrator wrote.
    percent, sum_percent = Decimal(str(guards.removed_percent)), Decimal(str(guards.removed_sum_percent))
    if len(removed) * 100 > percent * facts.before:
        return phrase("limit-percent", documents=few, percent=f"{percent.normalize():f}")
    lost = sum((abs(document.amount) for document in removed), ZERO)
    allowed = sum_percent * abs(facts.sum_before) / 100
    if lost > allowed:
        share = f"{sum_percent.normalize():f}"
        return phrase("limit-sum", documents=few, percent=share, sum=str(allowed.quantize(KOPECK)))
    return None


def _period_moved(facts: UnitFacts, removed: Sequence[DocumentFact], moved: int) -> bool:
    """Whether only the beginning of the period is gone, and no older document changed; new ones come every day."""
    first = facts.first_date
    if first is None or moved or facts.amount_changed:
        return False
    return all(document.document_date is not None and document.document_date < first for document in removed)


def growth(facts: UnitFacts, guards: Guards, moved: int) -> tuple[Problem, ...]:
    """Hold a unit to which more documents come than ever do: what is doubled, or another organization's.

    ``added_documents`` are always believed. Beyond them there may come ``added_times`` as many as a day with many
    brings, for each day since the unit was published last. A unit's first import is no growth, nor is what somebody
    else removed and comes back.

    Args:
        facts: of the unit.
        guards: the limits.
        moved: documents that went and came again under another name.
    """
    grown = facts.beside.growth
    if grown is None or not guards.added_times:
        return ()
    times = Decimal(str(guards.added_times))  # a binary float: its shortest text is what the administrator wrote
    by_usual = int((times * grown.usual * grown.days).to_integral_value(ROUND_FLOOR))
    if grown.documents - moved <= max(guards.added_documents, by_usual):
        return ()
    days = {"days": grown.days} if grown.days > 1 else {}
    limit = phrase(
        "limit-usual-days" if days else "limit-usual",
        documents=guards.added_documents,
        times=f"{times.normalize():f}",
        usual=str(grown.usual),
        **days,
    )
    return (
        problem(
            "grown",
            organization=facts.unit.organization,
            unit=facts.unit.name,
            count=grown.documents - moved,
            before=facts.before,
            sum=money(grown.total),
            limit=limit,
        ),
    )


def closed_before(setting: date | str | None, today: date) -> date | None:
    """The first day that is still open.

    Args:
        setting: a date; ``previous-month``: the month before this one is open, all earlier ones are closed; None:
            nothing is closed.
        today: in the zone of the books.
    """
    if setting != PREVIOUS_MONTH:
        return setting if isinstance(setting, date) else None
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1)


def closed_period(facts: UnitFacts, first_open: date | None, retimed: Mapping[str, str]) -> tuple[Problem, ...]:
    """Hold a unit that would change a closed period; a document that only got another time of day changes nothing.

    Args:
        facts: of the unit.
        first_open: the first day that is still open.
        retimed: removed operation id → added one, where the two are one document.
    """
    if first_open is None:
        return ()
    concerned = {document.operation_id: document for document in facts.closed}
    for old, new in retimed.items():
        if _reports_show_the_same(concerned.get(old), concerned.get(new)):
            del concerned[old], concerned[new]
    if not concerned:
        return ()
    return (
        problem(
            "period-closed",
            organization=facts.unit.organization,
            unit=facts.unit.name,
            value=next(iter(concerned)),
            count=len(concerned),
            date=first_open.isoformat(),
            sum=money(sum((abs(document.amount or ZERO) for document in concerned.values()), ZERO)),
        ),
    )


def _reports_show_the_same(old: DocumentFact | None, new: DocumentFact | None) -> bool:
    if old is None or new is None:
        return False
    return (old.amount, old.document_date, old.shown) == (new.amount, new.document_date, new.shown)


def twins_in_books(facts: UnitFacts) -> tuple[Problem, ...]:
    """Hold a unit whose new documents would stand in the books twice, by name or by number and year.

    Within today's files that is an integrity problem (:func:`cpimportd.checks.files.duplicate_documents`). Here
    1C may really have moved them and not exported the old owner's file yet, so a human may accept it.
    """
    twins = facts.beside.twins
    if not twins:
        return ()
    first = twins[0]
    alike = fold(first.operation_id) == fold(first.twin)
    differences = describe_differences(first.operation_id, first.twin)
    return (
        problem(
            "document-twin",
            organization=facts.unit.organization,
            unit=facts.unit.name,
            value=first.operation_id,
            twin=first.twin,
            owner=phrase("owner", owner=first.owner) if first.owner else phrase("nobody"),
            characters=phrase("differ", characters=differences) if alike else "",
            count=len(twins),
            sum=money(sum((twin.amount for twin in twins), Decimal(0))),
        ),
    )


def organization_lookalikes(facts: UnitFacts, organizations_today: Collection[str]) -> tuple[Problem, ...]:
    """Hold a unit whose organization is new, and looks the same as one of the books or another one of today's files.

    Where the books know both, somebody has accepted that; so only a name that they do not know is asked about.
    """
    if not facts.beside.new:
        return ()
    name = facts.unit.organization
    places = dict.fromkeys(facts.beside.names, "in-books")
    for other in sorted(organizations_today):
        if other != name and fold(other) == fold(name):
            places.setdefault(other, "in-todays-files")
    return tuple(
        problem(
            "organization-lookalike",
            organization=name,
            unit=facts.unit.name,
            value=with_code_points(name, twin),
            twin=twin,
            place=phrase(place),
            characters=describe_differences(name, twin),
        )
        for twin, place in places.items()
    )


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known of a unit's workbooks of earlier days.

    Attributes:
        older: workbooks of today whose content was published before and superseded; none where that changes nothing.
        gone: workbooks that served it and came no more, while others came that may hold their documents.
    """

    older: tuple[Problem, ...] = ()
    gone: tuple[Served, ...] = ()


NOTHING = Earlier()
"""Of a unit whose workbooks are what is to be expected."""


def earlier_problems(facts: UnitFacts, judgement: Judgement, earlier: Earlier) -> Iterator[Problem]:
    """What a human should look at.

    Documents that many workbooks held may come in one: then none of them is gone. Where as many are gone as the
    smallest of the absent workbooks held, nobody can say that it did not hold just these.

    Args:
        facts: of the unit.
        judgement: which of its documents only changed their names.
        earlier: its workbooks of earlier days.
    """
    if facts.differs:
        yield from earlier.older
    removed = sum(
        document.operation_id not in judgement.rekeyed and document.operation_id not in judgement.retimed
        for document in facts.gone
    )
    gone = [entry for entry in earlier.gone if entry.rows]
    if gone and removed >= min(entry.rows for entry in gone):
        yield from map(file_missing, gone)
