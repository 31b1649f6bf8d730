"""Documents of a closed period: nothing of them changes without a human."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

from cpimportd.checks.totals import money
from cpimportd.core.model import DocumentFact, UnitFacts
from cpimportd.core.problems import Problem, problem

PREVIOUS_MONTH = "previous-month"
ZERO = Decimal(0)


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
        if _same(concerned.get(old), concerned.get(new)):
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


def _same(old: DocumentFact | None, new: DocumentFact | None) -> bool:
    if old is None or new is None:
        return False
    return (old.amount, old.document_date, old.shown) == (new.amount, new.document_date, new.shown)
