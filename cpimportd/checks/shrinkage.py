"""How many documents may leave the books without a human looking."""

from collections.abc import Sequence
from decimal import Decimal

from cpimportd.checks.totals import money
from cpimportd.config.settings import Guards
from cpimportd.core.model import KOPECK, DocumentFact, UnitFacts
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import Problem, problem

ZERO = Decimal(0)


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
    return (
        problem(
            "shrunk",
            organization=organization,
            unit=unit,
            count=len(removed),
            before=facts.before,
            sum=lost,
            limit=exceeded,
        ),
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
