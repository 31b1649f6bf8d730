r"""Understood rows in the text format of PostgreSQL's COPY: how the child writes them and what the parent reads back.

One line a row, columns apart by tabs, ``\N`` for NULL, and backslash, tab, line feed and carriage return escaped
(PostgreSQL's manual, COPY, "Text Format").
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain

from cpimportd.model import KEY_COLUMNS, Document, Value

NULL = r"\N"

_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_UNESCAPED = {r"\\": "\\", r"\t": "\t", r"\n": "\n", r"\r": "\r"}
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_NUL = "a text holds a NUL character, which PostgreSQL cannot store"
_AMOUNT = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,12})?")
_PLACE = re.compile(r"[0-9]{1,9}")
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
        raise ValueError(_NUL)
    try:
        return line.encode()
    except UnicodeEncodeError as error:
        raise ValueError("a text holds half of a UTF-16 pair, which PostgreSQL cannot store") from error


def decode_key(line: str, columns: int, file_no: int, above: int, organizations: dict[str, str]) -> Document:
    """The key of a row that another process wrote, with every doubt about it.

    Args:
        line: one line, without its line feed.
        columns: how many it must have.
        file_no: what its first column must say.
        above: the number of the row above, which its own must exceed.
        organizations: texts seen so far, so that each is kept once.

    Raises:
        ValueError: the line is not what the child was asked for.
    """
    fields = line.split("\t", len(KEY_COLUMNS))
    if line.count("\t") != columns - 1:
        raise ValueError(f"a line has {line.count(chr(9)) + 1} columns, not {columns}")
    place, row, operation_id, organization, amount, number, moment = fields[: len(KEY_COLUMNS)]
    if place != str(file_no) or not _PLACE.fullmatch(row) or int(row) <= above:
        raise ValueError(f"a line claims to be row {row[:20]!r} of file {place[:20]!r}, after row {above}")
    if operation_id == NULL:
        raise ValueError(f"row {row} names no document")
    known = None if organization == NULL else organizations.setdefault(organization, _text(organization))
    when = None if moment == NULL else datetime.fromisoformat(moment)
    if when is not None and when.tzinfo is None:
        raise ValueError(f"row {row} has a moment without a zone")
    return Document(int(row), _text(operation_id), known, amount_of(amount), _optional(number), when)


def amount_of(text: str) -> Decimal:
    """An amount that another process wrote.

    Raises:
        ValueError: it is not digits with at most one point; Decimal itself would take NaN, exponents and underscores.
    """
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no amount")
    return Decimal(text)


def _text(field: str) -> str:
    return _ESCAPE.sub(lambda match: _UNESCAPED.get(match[0], match[0]), field) if "\\" in field else field


def _optional(field: str) -> str | None:
    return None if field == NULL else _text(field)


def _escaped(text: str) -> str:
    # Most texts need nothing, and asking is faster than translating.
    return text if text.isprintable() and "\\" not in text else text.translate(_ESCAPES)


def _mapping(value: Mapping[str, object]) -> str:
    text = _json(value if type(value) is dict else dict(value))
    if r"\u0000" in text and any("\x00" in str(part) for part in chain(value, value.values())):
        raise ValueError(_NUL)
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
