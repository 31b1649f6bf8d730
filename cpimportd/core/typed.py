"""JSON of frozen values, both ways: a document is the fields of its class, and a changed key is a changed field.

Out: :func:`to_json`, with the formats that scripts rely on. In: :func:`from_json`, by msgspec, by types.

============================ =====================================================================================
a field that is a Decimal    a sum: text with two decimals, a point, no thousands
another Decimal              text as it is: a stored value of whatever precision
instant, date, time of day   ISO 8601; an instant with the offset that it has, never ``Z``
span of time                 seconds
float                        seconds, to the millisecond
enumeration, path, zone      its value, text, name
mapping, sequence            object with text keys, list
frozen class                 object of its fields, as :func:`json_keys` says where it differs from them
============================ =====================================================================================

The daemon imports this module: it needs nothing that is heavy.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from operator import attrgetter
from pathlib import PurePath
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from cpimportd.core.formatting import money

T = TypeVar("T")

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""An instant with an offset; a document that has one without is refused."""

_KEYS = "__json_keys__"


def json_keys(*omit: str, **keys: str) -> Callable[[type[T]], type[T]]:
    """Say of a class where its JSON differs from its fields.

    Args:
        omit: fields that are not told, or are told under another key.
        keys: further keys, each with the attribute that it shows: a field, a property, or a path such as ``unit.name``.
    """

    def mark(marked: type[T]) -> type[T]:
        setattr(marked, _KEYS, (frozenset(omit), keys))
        return marked

    return mark


@cache
def _shown(kind: Any) -> tuple[tuple[str, Callable[[Any], object]], ...]:  # noqa: ANN401 - mypy knows no type of such classes
    """The keys of a class, each with what reads its value."""
    omit, more = getattr(kind, _KEYS, (frozenset(), {}))
    if issubclass(kind, msgspec.Struct):
        own = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
    else:
        own = {one.name: one.name for one in fields(kind)}
    shown = {**{key: name for key, name in own.items() if name not in omit}, **more}
    return tuple((key, _reader(path)) for key, path in shown.items())


def _reader(path: str) -> Callable[[Any], object]:
    """What reads an attribute, or one of an attribute; nothing has none of them."""
    first, _, rest = path.partition(".")
    if not rest:
        return attrgetter(first)
    deeper = _reader(rest)
    return lambda value: None if (found := getattr(value, first)) is None else deeper(found)


def to_json(value: Any) -> Any:  # noqa: ANN401, PLR0911 - whatever a document holds; one line a format
    """A value in JSON's own types."""
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | str():
            return value
        case float():
            return round(value, 3)
        case Mapping():
            return {str(to_json(key)): to_json(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [to_json(one) for one in value]
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal() | ZoneInfo() | PurePath():
            return str(value)
    kind: Any = type(value)
    if is_dataclass(kind) or issubclass(kind, msgspec.Struct):
        shown = ((key, read(value)) for key, read in _shown(kind))
        return {key: money(one) if isinstance(one, Decimal) else to_json(one) for key, one in shown}
    raise TypeError(f"{kind.__name__} has no JSON")


def json_text(value: object, *, indent: int | None = None) -> str:
    """A value as one JSON document."""
    return json.dumps(to_json(value), ensure_ascii=False, indent=indent)


def from_json(text: str | bytes, kind: type[T], *, lax: bool = False) -> T:
    """Read a document back; keys that are not known are passed over, so that a newer version may say more.

    Args:
        text: the document.
        kind: of the value.
        lax: whether it has spans of time, in seconds, or numbers as texts.

    Raises:
        ValueError: it is no JSON, or something in it is missing or of another type.
        RecursionError: it is nested deeper than any document of ours.
    """
    return msgspec.json.decode(text, type=kind, strict=not lax, dec_hook=_read)


def from_tree(tree: object, kind: type[T], *, lax: bool = False) -> T:
    """The same of a document that is in JSON's own types already."""
    return msgspec.convert(tree, type=kind, strict=not lax, dec_hook=_read)


def _read(kind: type, found: object) -> object:
    """A type that msgspec leaves to us: a path, a zone."""
    if isinstance(found, str) and issubclass(kind, PurePath | ZoneInfo):
        return kind(found)
    raise TypeError(f"expected {kind.__name__}, got {type(found).__name__}")


def in_utc(value: T) -> T:
    """The same value with every instant in it told in UTC.

    Raises:
        OverflowError: an instant lies before or after all time.
    """
    changed: T = _in_utc(value)
    return changed


def _in_utc(value: Any) -> Any:  # noqa: ANN401
    match value:
        case datetime():
            return value.astimezone(UTC)
        case dict():
            return {key: _in_utc(one) for key, one in value.items()}
        case tuple():
            return tuple(map(_in_utc, value))
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(value, **{name: _in_utc(one) for name, one in _values(value)})
    if is_dataclass(value):
        return replace(value, **{name: _in_utc(one) for name, one in _values(value)})  # type: ignore[type-var]
    return value


def _values(value: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    names = getattr(value, "__struct_fields__", None) or [one.name for one in fields(value)]
    return ((name, getattr(value, name)) for name in names)
