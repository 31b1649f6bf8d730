"""Warnings that are told once per file, not once per row: what was seen, how often, and for how much."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from cpimportd.documents.columns import INTEREST, KNOWN_OPERATION_TYPES, PRINCIPAL
from cpimportd.documents.titles import fold
from cpimportd.problems import Problem, problem

LISTED = 20
"""As many of one kind are told one by one; the rest is counted."""

_KNOWN_TYPES = frozenset(fold(text) for text in KNOWN_OPERATION_TYPES)
_NO_TEXT = "(empty)"


@dataclass(slots=True)
class Tally:
    """How often something was seen, where first, and for how much."""

    count: int = 0
    row: int = 0
    sum: Decimal = Decimal(0)

    def add(self, row: int, amount: Decimal = Decimal(0)) -> None:
        """Count one more."""
        if not self.count:
            self.row = row
        self.count += 1
        self.sum += amount


class Tallies:
    """What one file's rows gave reason to mention.

    Attributes:
        undated: documents whose date was empty, so that their own moment's was taken.
        zero: documents with an amount of 0.
        unconfirmed: documents that the bank's statement does not confirm.
    """

    def __init__(self, file: str) -> None:
        self.undated, self.zero, self.unconfirmed = Tally(), Tally(), Tally()
        self._file = file
        self._operation_types: dict[str, Tally] = {}
        self._payment_types: dict[str, Tally] = {}
        self._listed: dict[str, list[Problem]] = {}
        self._unlisted: dict[str, int] = {}

    def operation_type(self, text: str | None, row: int, amount: Decimal) -> None:
        """Count a document by its kind of operation, unless that is a known one."""
        if text not in KNOWN_OPERATION_TYPES and fold(text or _NO_TEXT) not in _KNOWN_TYPES:
            self._operation_types.setdefault(text or _NO_TEXT, Tally()).add(row, amount)

    def payment_type(self, text: str | None, row: int, amount: Decimal) -> None:
        """Count a detail line that is neither principal nor interest; reports compare these texts exactly."""
        if text not in (PRINCIPAL, INTEREST):
            self._payment_types.setdefault(text or _NO_TEXT, Tally()).add(row, amount)

    def settlement(self, row: int, column: str, value: Decimal, expected: Decimal) -> None:
        """Mention a settlement amount that does not follow from payment and rate."""
        self._list(
            "settlement-mismatch",
            row=row,
            column=column,
            value=value,
            expected=f"{expected.quantize(Decimal('0.01')):f}",
        )

    def text_cut(self, row: int, column: str, text: str, limit: int) -> None:
        """Mention a text that was cut."""
        self._list("text-cut", row=row, column=column, value=text, length=len(text), limit=limit)

    def problems(self, date_title: str, amount_title: str, flag_title: str) -> Iterator[Problem]:
        """Everything that was seen, as warnings.

        Args:
            date_title: of the column with the documents' dates.
            amount_title: of the column with their amounts.
            flag_title: of the column that says what the bank did not confirm.
        """
        for code, tally, title in (
            ("date-from-document", self.undated, date_title),
            ("amount-zero", self.zero, amount_title),
            ("unconfirmed", self.unconfirmed, flag_title),
        ):
            if tally.count:
                yield self._told(code, tally, title)
        for code, types in (
            ("operation-type-new", self._operation_types),
            ("payment-type-other", self._payment_types),
        ):
            every = list(types.items())
            for text, tally in every[:LISTED]:
                yield self._told(code, tally, value=text)
            yield from self._rest(code, len(every) - LISTED)
        for code, listed in self._listed.items():
            yield from listed
            yield from self._rest(code, self._unlisted.get(code, 0))

    def _told(self, code: str, tally: Tally, column: str | None = None, value: str | None = None) -> Problem:
        return problem(
            code,
            file=self._file,
            row=tally.row,
            column=column,
            value=value,
            count=tally.count,
            sum=f"{tally.sum:.2f}",
        )

    def _list(self, code: str, *, row: int, column: str, value: object, **facts: object) -> None:
        listed = self._listed.setdefault(code, [])
        if len(listed) < LISTED:
            listed.append(problem(code, file=self._file, row=row, column=column, value=value, **facts))
        else:
            self._unlisted[code] = self._unlisted.get(code, 0) + 1

    def _rest(self, code: str, count: int) -> Iterator[Problem]:
        if count > 0:
            yield problem("and-more", file=self._file, value=code, count=count)
