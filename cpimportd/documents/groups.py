"""Headings that 1C writes above the rows of a group, with the group's total or without.

They hold no document and are never added. A heading without an amount is one if documents follow it; one with an amount
if the documents that follow sum to it, up to some later heading, total, or the end.
"""

from decimal import Decimal
from typing import NamedTuple

Waiting = tuple[int, str]
"""A row and its text."""


class _Open(NamedTuple):
    row: int
    text: str
    documents: int


class Groups:
    """The headings of one sheet whose rows have not all been seen yet."""

    def __init__(self) -> None:
        self._headings: list[Waiting] = []
        # By what the running sum must come to; so that no number of headings makes it slow.
        self._open: dict[Decimal, list[_Open]] = {}
        self._documents = 0

    def heading(self, row: int, text: str, amount: Decimal | None, running: Decimal) -> None:
        """Remember a heading.

        Args:
            row: the sheet's row.
            text: what it says.
            amount: the group's total, where it has one.
            running: the sum of all documents so far.
        """
        self._close(running)
        if amount is None:
            self._headings.append((row, text))
        else:
            self._open.setdefault(running + amount, []).append(_Open(row, text, self._documents))

    def document(self) -> None:
        """A document: what stands above it was a heading."""
        self._documents += 1
        if self._headings:
            self._headings.clear()

    def end_of_block(self, running: Decimal) -> list[Waiting]:
        """A total: gives the headings without an amount that no document followed."""
        self._close(running)
        lost, self._headings = self._headings, []
        return lost

    def end(self, running: Decimal) -> list[Waiting]:
        """The end of the sheet: gives every heading that turned out to be none."""
        lost = self.end_of_block(running)
        return lost + [(one.row, one.text) for several in self._open.values() for one in several]

    def _close(self, running: Decimal) -> None:
        candidates = self._open.pop(running, [])
        still_open = [one for one in candidates if one.documents == self._documents]
        if still_open:
            self._open[running] = still_open
