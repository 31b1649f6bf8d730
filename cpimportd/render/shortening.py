"""Long tables made short: what somebody should look at stays, then what moved most; the rest is counted."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Final, NamedTuple, TypeVar

from rich.console import Console

from cpimportd.render.layout import print_line
from cpimportd.render.numbers import count

MOST_ROWS: Final = 60
"""Rows that a table shows whole: twenty organizations with three workbooks each. Of a longer one, the most it shows."""

FEW_ROWS: Final = 20
"""Rows that a longer table shows, where fewer deserve a look."""

MOST_PROBLEMS: Final = 100
"""Problems that are told one by one; of the rest, how many of which code."""

Row = TypeVar("Row")


class Weight(NamedTuple):
    """How much a row deserves to be seen: whether somebody should look at it, then how much it moved."""

    notable: bool
    moved: Decimal = Decimal(0)


def shorten(rows: Sequence[Row], weigh: Callable[[Row], Weight], *, whole: bool = False) -> tuple[list[Row], list[Row]]:
    """The rows to show and those that are only counted, both in their own order.

    Args:
        rows: of a table.
        weigh: how much a row deserves to be seen.
        whole: show all of them, however many there are.

    Returns:
        All rows and none, where there are at most ``MOST_ROWS``; else the heaviest.
    """
    if whole or len(rows) <= MOST_ROWS:
        return list(rows), []
    weights = [weigh(row) for row in rows]
    room = min(MOST_ROWS, max(FEW_ROWS, sum(weight.notable for weight in weights)))
    heaviest = set(sorted(range(len(rows)), key=weights.__getitem__, reverse=True)[:room])
    shown = [row for place, row in enumerate(rows) if place in heaviest]
    return shown, [row for place, row in enumerate(rows) if place not in heaviest]


def print_rest(console: Console, names: Iterable[str], where: str) -> None:
    """Say what was left out: how many of each name, and where all of it is; nothing where nothing was.

    Args:
        console: where to.
        names: of each row that is not shown, what it is, such as its status.
        where: what has all of them.
    """
    counted = Counter(names)
    if total := sum(counted.values()):
        parts = ", ".join(f"{count(number)} {name}" for name, number in counted.most_common())
        print_line(console, f"… and {count(total)} more ({parts}): {where} has all of them.")


def print_more(console: Console, more: int) -> None:
    """Say how many of a run's list follow that are not shown, and how to see them; nothing where none does."""
    if more:
        told = "--whole or --json has all of them, --organization NAME those of one organization."
        print_line(console, f"… and {count(more)} more: {told}")
