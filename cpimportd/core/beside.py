"""What the books hold beside a unit's new documents: names that look the same, documents that are the same, growth."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple


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
        total: their sum.
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
