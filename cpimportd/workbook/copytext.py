r"""Rows in the text format of PostgreSQL's COPY: the child writes them, the parent keeps their keys.

One line a row, columns separated by tabs, ``\N`` for NULL, and backslash, tab, line feed and carriage return escaped
(PostgreSQL's manual, COPY, "Text Format").

A day may have a million rows, and all their keys are in memory at once. As one object each they take some 600 bytes a
row; in columns, with equal texts kept once, a fifth of that.
"""

import json
import re
import sys
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import overload

from cpimportd.core.model import Document, Value
from cpimportd.core.phrases import UnfitError

NULL = r"\N"

_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_UNESCAPED = {r"\\": "\\", r"\t": "\t", r"\n": "\n", r"\r": "\r"}
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_AMOUNT = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,12})?")
_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str).encode


def encode_row(values: Sequence[Value]) -> bytes:
    """A row as one line of COPY's text format in UTF-8, with its line feed.

    Args:
        values: one per column.

    Raises:
        ValueError: a text holds what PostgreSQL cannot store: NUL, or half of a UTF-16 pair.
    """
    line = "\t".join([_ENCODERS.get(type(value), _other)(value) for value in values]) + "\n"
    if "\x00" in line:
        raise UnfitError("text-with-nul")
    try:
        return line.encode()
    except UnicodeEncodeError as error:
        raise UnfitError("text-with-half-character") from error


def amount_of(text: str) -> Decimal:
    """An amount that another process wrote.

    Raises:
        ValueError: it is not digits with at most one point; Decimal itself would take NaN, exponents and underscores.
    """
    if not _AMOUNT.fullmatch(text):
        raise UnfitError("no-amount", text=repr(text[:40]))
    return Decimal(text)


def text_of(field: str) -> str:
    """A field that is not NULL, as the text that was written."""
    return _ESCAPE.sub(lambda match: _UNESCAPED.get(match[0], match[0]), field) if "\\" in field else field


def _escaped(text: str) -> str:
    # Most texts need nothing, and asking is faster than translating.
    return text if text.isprintable() and "\\" not in text else text.translate(_ESCAPES)


def _mapping(value: Mapping[str, object]) -> str:
    text = _json(value if type(value) is dict else dict(value))
    if r"\u0000" in text and any("\x00" in str(part) for part in chain(value, value.values())):
        raise UnfitError("text-with-nul")
    return _escaped(text)


def _other(value: Value) -> str:
    for kind, encode in _ENCODERS.items():
        if isinstance(value, kind):
            return encode(value)
    if isinstance(value, Mapping):
        return _mapping(value)
    raise TypeError(f"a value of type {type(value).__name__} has no form in COPY")


_ENCODERS: Mapping[type, Callable[..., str]] = {
    type(None): lambda _: NULL,
    bool: lambda value: "t" if value else "f",
    str: _escaped,
    Decimal: "{:f}".format,
    int: str,
    datetime: datetime.isoformat,
    date: date.isoformat,
    dict: _mapping,
}


# File, row, document, organization, amount (as numeric(15, 2) holds it), number, moment with its offset.
_KEY = re.compile(
    r"([0-9]{1,9})\t([0-9]{1,9})\t([^\t]*)\t([^\t]*)\t(-?[0-9]{1,13})(?:\.([0-9]{1,2}))?\t[^\t]*\t"
    r"(?:\\N|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\t|\Z)"
)


class Keys(Sequence[Document]):
    """Documents in file order; each is created on access."""

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
            organization: as the row names it; None if it names none.
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
    """Reads the keys of rows from an untrusted process.

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
            raise UnfitError("line-columns", found=tabs + 1, expected=self._tabs + 1)
        match = _KEY.match(line)
        if match is None:
            raise UnfitError("line-no-key", text=repr(line[:60]))
        file_no, number, operation_id, organization, whole, fraction = match.groups("")
        row = int(number)
        if file_no != self._file_no or row <= self._above:
            raise UnfitError("line-of-other-row", row=row, file_no=file_no, above=self._above)
        if operation_id == NULL:
            raise UnfitError("row-without-document", row=row)
        self._above = row
        kopecks = int(whole + fraction.ljust(2, "0"))
        self._keys.add(row, _once(operation_id), None if organization == NULL else _once(organization), kopecks)


def _once(field: str) -> str:
    # Details name the documents of their expenses, in another file of the day.
    return sys.intern(text_of(field))
