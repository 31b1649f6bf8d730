"""How today's workbooks stand to those of earlier days: old ones that come back, and fewer that hold what more did."""

from collections.abc import Iterator
from dataclasses import dataclass

from cpimportd.core.model import Served, UnitFacts
from cpimportd.core.problems import Problem, problem
from cpimportd.core.verdicts import Judgement


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


def earlier_problems(facts: UnitFacts, verdict: Judgement, earlier: Earlier) -> Iterator[Problem]:
    """What a human should look at.

    Documents that many workbooks held may come in one: then none of them is gone. Where as many are gone as the
    smallest of the absent workbooks held, nobody can say that it did not hold just these.

    Args:
        facts: of the unit.
        verdict: which of its documents only changed their names.
        earlier: its workbooks of earlier days.
    """
    if facts.differs:
        yield from earlier.older
    removed = sum(
        document.operation_id not in verdict.rekeyed and document.operation_id not in verdict.retimed
        for document in facts.gone
    )
    gone = [entry for entry in earlier.gone if entry.rows]
    if gone and removed >= min(entry.rows for entry in gone):
        yield from map(file_missing, gone)


def file_missing(entry: Served) -> Problem:
    """The problem of a workbook that is gone with its documents."""
    unit = f"{entry.organization}/{entry.kind.group.value}"
    return problem("file-missing", file=entry.file, organization=entry.organization, unit=unit)
