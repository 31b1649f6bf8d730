"""What an engine gives: worksheets, and their rows of cells."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cpimportd.model import Cell

Row = tuple[int, tuple[Cell, ...]]
"""A sheet's row: its number, from 1 as a spreadsheet program shows it, and its cells from column A on."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One worksheet; ``rows`` begins anew each time it is called."""

    name: str
    rows: Callable[[], Iterator[Row]]
