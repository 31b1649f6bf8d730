"""Today's documents of a unit compared with the books: the facts that the guards judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from cpimportd.core.model import Unit
from cpimportd.core.problems import Problem


class Twin(NamedTuple):
    """A new document that is in the books already, and stays there: today's publication does not touch its owner.

    Attributes:
        operation_id: of the new document.
        amount: of the new document.
        twin: ``operation_id`` of the one in the books.
        owner: the organization under which the books hold that.
    """

    operation_id: str
    amount: Decimal
    twin: str
    owner: str


class Growth(NamedTuple):
    """How many documents come new to a unit that was published before, and what is usual for it.

    Attributes:
        documents: new ones, re-timed ones included.
        usual: documents that a day with many brings: the most that the books hold of one day of the last year, or what
            one in ten of the last publications exceeded, whichever is more.
        days: since the unit was published last, at least 1.
    """

    documents: int
    total: Decimal
    usual: int
    days: int


@dataclass(frozen=True, slots=True)
class Beside:
    """What the books hold beside a unit's new documents.

    Attributes:
        new: whether the books do not know the unit's organization yet.
        names: organizations in the books that fold like the unit's; asked for where it is new.
        twins: new documents that the books hold elsewhere.
        growth: None where the unit was never published, or brings nothing new.
    """

    new: bool = False
    names: tuple[str, ...] = ()
    twins: tuple[Twin, ...] = ()
    growth: Growth | None = None


NOTHING_BESIDE: Final = Beside()


class DocumentFact(NamedTuple):
    """What the books know of a document that comes or goes.

    Attributes:
        year: in which the number is unique.
        shown: of one in a closed period, what else a report shows of it (organization, contract, lines by what was paid
            with them), as one text to be compared; else None.
    """

    operation_id: str
    number: str | None
    year: int | None
    amount: Decimal
    document_date: date | None
    shown: str | None = None


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """How today's snapshot of a unit stands to the books, before anything is written.

    Documents are counted, not detail lines. ``gone`` are documents of the unit's organization that the books hold and
    the snapshot does not; ``new`` the reverse.

    Attributes:
        before: documents in the books.
        after: documents in the snapshot.
        sum_before: their sum in the books.
        amount_changed: documents in both whose amount differs.
        first_date: the oldest document date in the snapshot.
        negative: documents with an amount below zero.
        elsewhere: per organization, how many of the snapshot's documents the books hold under it instead.
        other_departments: operation ids that another department owns.
        closed: documents of a closed period that would come, go, or change in a way that a report shows.
        equal_lines: documents with two equal detail lines, which the backend's unique index forbids.
        differs: whether anything would change at all; asked only where a content is known that was superseded.
        beside: what the books hold beside its new documents.
    """

    unit: Unit
    before: int
    after: int
    sum_before: Decimal
    gone: tuple[DocumentFact, ...] = ()
    new: tuple[DocumentFact, ...] = ()
    amount_changed: int = 0
    first_date: date | None = None
    negative: tuple[DocumentFact, ...] = ()
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    other_departments: tuple[str, ...] = ()
    closed: tuple[DocumentFact, ...] = ()
    equal_lines: tuple[Problem, ...] = ()
    differs: bool = True
    beside: Beside = NOTHING_BESIDE
