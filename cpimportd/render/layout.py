"""Tables for people: framed by space in a terminal, plain aligned text in a pipe, never a cell cut off.

Long tables are made short: what needs attention stays, then what moved most; the rest is counted.
"""

import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Final, NamedTuple, TypeVar

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cpimportd.core.formatting import count
from cpimportd.core.problems import printable

_ENDLESS: Final = 100_000
"""Columns of a pipe: no line of ours is longer, so nothing is ever wrapped there."""

_NARROWEST_TEXT: Final = 16
_GAP: Final = 2

_LONGEST_TEXT: Final = 10_000

MAX_ROWS: Final = 60
"""Rows that a table shows whole: twenty organizations with three workbooks each. Of a longer one, the most it shows."""

FEW_ROWS: Final = 20
"""Rows that a longer table shows, where fewer deserve a look."""

MAX_PROBLEMS: Final = 100
"""Problems that are shown one by one; the rest is counted by code."""

Row = TypeVar("Row")

Cell = str | Text


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        title: its header.
        number: aligned to the right and never wrapped.
    """

    title: str
    number: bool = False


def make_console(stream: IO[str], *, color: bool | None = None) -> Console:
    """A console for a stream: the terminal's width in a terminal, plain and endless in a pipe.

    A character that the stream's encoding does not know is written escaped: a report must not fail on a name.

    Args:
        stream: where to.
        color: True or False to insist; else a terminal gets colours unless NO_COLOR (https://no-color.org) is set.
    """
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    return Console(
        file=stream, highlight=False, markup=False, emoji=False, force_terminal=color, no_color=color is False
    )


def stdout_console() -> Console:
    """The console of reports: standard output."""
    return make_console(sys.stdout)


@contextmanager
def unwrapped(console: Console) -> Iterator[None]:
    """Within it, a console that is no terminal is so wide that no line is wrapped or cut."""
    if console.is_terminal:
        yield
        return
    width = console.width
    console.width = _ENDLESS
    try:
        yield
    finally:
        console.width = width


def print_line(console: Console, text: str = "", *, style: str = "", indent: int = 0) -> None:
    """Print a paragraph, cleaned; a terminal gets it wrapped between words, its lines indented alike."""
    margin, text = " " * indent, clean(text)
    # textwrap, unlike rich, keeps a number together at its no-break spaces.
    width = max(_NARROWEST_TEXT, console.width - indent)
    lines = textwrap.wrap(text, width, break_on_hyphens=False) if console.is_terminal else [text]
    with unwrapped(console):
        for line in lines or [""]:
            console.print(Text(margin + line, style=style), overflow="fold")


def print_heading(console: Console, title: str) -> None:
    """Print a blank line and a heading."""
    console.print()
    console.print(Text(title, style="bold"))


def print_table(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table; where a terminal is too narrow for its numbers, each row as a list of its own.

    Args:
        console: where to.
        columns: the headers.
        rows: a cell per column; texts are taken literally, and what comes from outside is to be :func:`clean`.
    """
    if console.is_terminal and _needed(columns, rows) > console.width:
        _print_stacked(console, columns, rows)
        return
    table = Table(
        box=box.SIMPLE_HEAD if console.is_terminal else None,
        pad_edge=False,
        padding=(0, 1 if console.is_terminal else _GAP, 0, 0),  # a box adds a column of its own
        header_style="bold",
        show_edge=False,
    )
    for column in columns:
        table.add_column(
            Text(column.title), justify="right" if column.number else "left", no_wrap=column.number, overflow="fold"
        )
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    with unwrapped(console), console.capture() as printed:
        console.print(table)
    # A cell is padded to its column's width, the last one of a line in vain.
    with unwrapped(console):
        console.out("\n".join(line.rstrip() for line in printed.get().splitlines()), highlight=False)


def _needed(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> int:
    """The columns of a terminal below which a number, or a short text, would no longer fit on its line."""
    total = 0
    for place, column in enumerate(columns):
        widest = max(cell_len(str(cell)) for cell in (column.title, *(row[place] for row in rows)))
        total += (widest if column.number else min(widest, _NARROWEST_TEXT)) + _GAP
    return total


def _print_stacked(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    label = max(cell_len(column.title) for column in columns) + 1
    for number, row in enumerate(rows):
        if number:
            console.print()
        for column, cell in zip(columns, row, strict=True):
            if not cell:
                continue
            head = Text(f"{column.title}:".ljust(label) + " ", style="dim")
            # A number is shorter than any terminal, but rich would tear it apart where a long label leaves no room.
            console.print(
                head + (cell if isinstance(cell, Text) else Text(cell)), overflow="fold", no_wrap=column.number
            )


def clean(text: object) -> str:
    """A text from a file or a server, whole, on one line, its control characters escaped."""
    return printable(text, limit=_LONGEST_TEXT)


def clean_cell(text: object) -> Text:
    """A text from outside as a cell: cleaned, and taken literally."""
    return Text(clean(text))


class Weight(NamedTuple):
    """How much a row matters: whether it needs attention, then how much it moved."""

    notable: bool
    moved: Decimal = Decimal(0)


def shorten(rows: Sequence[Row], weigh: Callable[[Row], Weight], *, whole: bool = False) -> tuple[list[Row], list[Row]]:
    """The rows to show and those that are only counted, both in their own order.

    Args:
        rows: of a table.
        weigh: how much a row matters.
        whole: show all of them, however many there are.

    Returns:
        All rows and none, where there are at most ``MAX_ROWS``; else the heaviest.
    """
    if whole or len(rows) <= MAX_ROWS:
        return list(rows), []
    weights = [weigh(row) for row in rows]
    room = min(MAX_ROWS, max(FEW_ROWS, sum(weight.notable for weight in weights)))
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


ALL_OF_A_RUN: Final = "--whole or --json has all of them, --organization NAME those of one organization."


def print_more(console: Console, more: int, where: str) -> None:
    """Say how many of a list follow that are not shown, and what has all of them; nothing where none does."""
    if more > 0:
        print_line(console, f"… and {count(more)} more: {where}")
