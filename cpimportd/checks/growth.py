"""How many documents may come to the books in a day without a human looking."""

from decimal import ROUND_FLOOR, Decimal

from cpimportd.checks.totals import money
from cpimportd.config.settings import Guards
from cpimportd.core.model import UnitFacts
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, problem


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
    return (
        problem(
            "grown",
            organization=facts.unit.organization,
            unit=facts.unit.name,
            count=grown.documents - moved,
            before=facts.before,
            sum=money(grown.total),
            limit=phrase(
                "limit-usual-days" if days else "limit-usual",
                documents=guards.added_documents,
                times=f"{times.normalize():f}",
                usual=str(grown.usual),
                **days,
            ),
        ),
    )
