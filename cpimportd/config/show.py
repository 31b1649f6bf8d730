"""The configuration as people and scripts see it: key, value, origin; secrets hidden."""

from datetime import timedelta
from typing import Literal, NamedTuple

from cpimportd.config.keys import KeyPath, dotted, find
from cpimportd.config.load import Loaded, values
from cpimportd.config.masking import masked
from cpimportd.config.values import format_size, format_span, parse_size
from cpimportd.core.typed import to_json


class Row(NamedTuple):
    """One key: its dotted name, its value as it would be written in the file, and where that stands."""

    key: str
    value: str
    origin: str


def render(loaded: Loaded, show: Literal["all", "set"] = "all") -> list[Row]:
    """The rows of ``config show``.

    Args:
        loaded: the configuration.
        show: ``all`` keys, or only those that are ``set`` somewhere.
    """
    rows = [
        Row(dotted(path), written(path, value), loaded.origins[dotted(path)]) for path, value in values(loaded.settings)
    ]
    return rows if show == "all" else [row for row in rows if row.origin != "default"]


def as_json(loaded: Loaded) -> dict[str, object]:
    """The configuration for scripts, secrets hidden.

    Returns:
        ``path``, ``settings`` (per dotted key its ``value`` and ``origin``), ``notes`` and ``problems``. Time spans
        and sizes are texts such as ``20min`` and ``200M``.
    """
    return {
        "path": str(loaded.path) if loaded.path else None,
        "settings": {
            dotted(path): {"value": plain(path, value), "origin": loaded.origins[dotted(path)]}
            for path, value in values(loaded.settings)
        },
        "notes": list(loaded.notes),
        "problems": to_json(loaded.problems),
    }


def plain(path: KeyPath, value: object) -> str | int | float | bool | list[str] | None:
    """A value in JSON's and TOML's types, as the file would hold it, secrets hidden."""
    if isinstance(value, timedelta):
        return format_span(value)
    if isinstance(value, tuple):
        return [str(item) for item in value]
    value = masked(path, value)
    if isinstance(value, int) and not isinstance(value, bool) and _is_size(path):
        return format_size(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


def written(path: KeyPath, value: object) -> str:
    """A value on one line for people; an unset one is empty."""
    simple = plain(path, value)
    match simple:
        case None:
            return ""
        case bool():
            return "true" if simple else "false"
        case list():
            return ", ".join(simple)
        case _:
            return str(simple)


def _is_size(path: KeyPath) -> bool:
    key = find(path)
    return key is not None and any(getattr(part, "func", None) is parse_size for part in key.field.metadata)
