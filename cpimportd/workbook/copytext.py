r"""Understood rows in the text format of PostgreSQL's COPY: how the child writes them, and how a field is read back.

One line a row, columns apart by tabs, ``\N`` for NULL, and backslash, tab, line feed and carriage return escaped
(PostgreSQL's manual, COPY, "Text Format").
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain

from cpimportd.core.model import Value

NULL = r"\N"

_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_UNESCAPED = {r"\\": "\\", r"\t": "\t", r"\n": "\n", r"\r": "\r"}
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_NUL = "a text holds a NUL character, which PostgreSQL cannot store"
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
        raise ValueError(_NUL)
    try:
        return line.encode()
    except UnicodeEncodeError as error:
        raise ValueError("a text holds half of a UTF-16 pair, which PostgreSQL cannot store") from error


def amount_of(text: str) -> Decimal:
    """An amount that another process wrote.

    Raises:
        ValueError: it is not digits with at most one point; Decimal itself would take NaN, exponents and underscores.
    """
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no amount")
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
