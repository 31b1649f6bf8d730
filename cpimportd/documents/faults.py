"""What makes a row a reject: one cell that cannot be understood."""

from typing import NamedTuple

from cpimportd.core.model import Cell, UncalculatedFormula
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import Problem, problem
from cpimportd.documents.values import is_blank

_SHOWN = 80


class Fault(NamedTuple):
    """A cell that cannot be understood: its column's title, the cell, and what is wrong with it.

    ``reason`` goes on a sentence that begins with the cell: «abc» *is no number*.
    """

    title: str
    cell: Cell
    reason: Phrase | str

    def reject(self, file: str, row: int) -> Problem:
        """The fault as a problem of its row."""
        if is_blank(self.cell):
            return problem("reject", file=file, row=row, column=self.title, cell="", reason=self.reason)
        text = str(self.cell)
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        if isinstance(self.cell, UncalculatedFormula):
            code = "formula-without-value"
            return problem(code, file=file, row=row, column=self.title, value=text, formula=shown)
        cell = phrase("cell", text=shown)
        return problem("reject", file=file, row=row, column=self.title, value=text, cell=cell, reason=self.reason)
