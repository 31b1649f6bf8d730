"""The keys of one workbook's rows: taken from the lines of the process that reads it, and kept in columns.

A day may have a million rows, and all their keys are in memory at once. As one object each they take some 600 bytes a
row; in columns, with equal texts kept once, a fifth of that.
"""

import re
import sys
from array import array
from collections.abc import Iterator, Sequence
from typing import overload

from cpimportd.core.model import Document
from cpimportd.workbook.copytext import NULL, text_of

# File, row, document, organization, amount (as numeric(15, 2) holds it), number, moment with its offset.
_KEY = re.compile(
    r"([0-9]{1,9})\t([0-9]{1,9})\t([^\t]*)\t([^\t]*)\t(-?[0-9]{1,13})(?:\.([0-9]{1,2}))?\t[^\t]*\t"
    r"(?:\\N|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\t|\Z)"
)


class Keys(Sequence[Document]):
    """Documents in file order; each is made anew whenever it is asked for."""

    __slots__ = ("_kopecks", "_operation_ids", "_organizations", "_rows")

    def __init__(self) -> None:
        self._rows = array("I")
        self._kopecks = array("q")
        self._operation_ids: list[str] = []
        self._organizations: list[str | None] = []

    def add(self, row: int, operation_id: str, organization: str | None, kopecks: int) -> None:
        """Add the next row.

        Args:
            row: its number in the sheet.
            operation_id: which document it is, or belongs to.
            organization: as the row names it; None where it names none.
            kopecks: its amount.
        """
        self._rows.append(row)
        self._kopecks.append(kopecks)
        self._operation_ids.append(operation_id)
        self._organizations.append(organization)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Document]:
        fields = zip(self._rows, self._operation_ids, self._organizations, self._kopecks, strict=True)
        return map(Document._make, fields)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Keys):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # it grows

    @overload
    def __getitem__(self, index: int) -> Document: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Document]: ...

    def __getitem__(self, index: int | slice) -> Document | Sequence[Document]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return Document(self._rows[index], self._operation_ids[index], self._organizations[index], self._kopecks[index])


class KeyReader:
    """Takes the keys of rows that another process wrote, with every doubt about it.

    Args:
        keys: where they go.
        columns: how many a line must have.
        file_no: what its first one must say.
    """

    def __init__(self, keys: Keys, columns: int, file_no: int) -> None:
        self._keys = keys
        self._tabs, self._file_no = columns - 1, str(file_no)
        self._above = 0

    def read(self, line: str) -> None:
        """Take the key of one line, which comes without its line feed.

        Raises:
            ValueError: the line is not what the child was asked for.
        """
        tabs = line.count("\t")
        if tabs != self._tabs:
            raise ValueError(f"a line has {tabs + 1} columns, not {self._tabs + 1}")
        match = _KEY.match(line)
        if match is None:
            raise ValueError(f"a line begins with {line[:60]!r}, which is no key")
        file_no, number, operation_id, organization, whole, fraction = match.groups("")
        row = int(number)
        if file_no != self._file_no or row <= self._above:
            raise ValueError(f"a line claims to be row {row} of file {file_no}, after row {self._above}")
        if operation_id == NULL:
            raise ValueError(f"row {row} names no document")
        self._above = row
        kopecks = int(whole + fraction.ljust(2, "0"))
        self._keys.add(row, _once(operation_id), None if organization == NULL else _once(organization), kopecks)


def _once(field: str) -> str:
    # Details name the documents of their expenses, in another file of the day.
    return sys.intern(text_of(field))
