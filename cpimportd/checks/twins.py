"""New documents that are in the books already, under an organization that today's files do not touch."""

from decimal import Decimal

from cpimportd.checks.totals import money
from cpimportd.core.folding import describe_differences, fold
from cpimportd.core.model import UnitFacts
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, problem


def twins_in_books(facts: UnitFacts) -> tuple[Problem, ...]:
    """Hold a unit whose new documents would stand in the books twice, by name or by number and year.

    Within today's files that is an integrity problem (:func:`cpimportd.checks.duplicates.duplicate_documents`). Here
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
