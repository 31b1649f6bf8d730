"""The configuration as people and scripts see it, secrets hidden; and the annotated example of the file."""

import json
from datetime import timedelta
from textwrap import wrap
from typing import Literal, NamedTuple

from cpimportd.config.keys import Key, KeyPath, all_keys, dotted, find, masked
from cpimportd.config.load import Loaded, values
from cpimportd.config.values import format_size, format_span, parse_size
from cpimportd.core.statefolder import DEFAULT_PATH
from cpimportd.core.typed import to_json


class Row(NamedTuple):
    """One key: its dotted name, its value as in the file, and the value's place."""

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


def config_document(loaded: Loaded) -> dict[str, object]:
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


_HEAD = f"""\
# {DEFAULT_PATH}: the configuration of cpimportd.
#
# Every key is listed with its default, commented out; a key without a default shows an example.
# Each can also be set by an environment variable, CPIMPORTD_SECTION__KEY, and a secret by a systemd
# credential named section.key. `cpimportd config show` says which value holds and where it comes from.
"""


def example() -> str:
    """A TOML file that says what can be set: prose after ``# ``, keys after ``#`` alone.

    Uncommenting every key that has a default changes nothing.
    """
    lines = [_HEAD.rstrip()]
    section: KeyPath = ()
    for key in all_keys().values():
        if key.path[:-1] != section:
            section = key.path[:-1]
            lines += ["", *_wrapped_comment(key.section.__doc__ or ""), f"[{dotted(section)}]"]
        lines += ["", *_wrapped_comment(key.field.description or ""), f"#{key.path[-1]} = {_value(key)}"]
    return "\n".join(lines) + "\n"


def _wrapped_comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(" ".join(text.split()), 98)]


def _value(key: Key) -> str:
    default = key.field.get_default(call_default_factory=True)
    value = (key.field.examples or [None])[0] if default is None else plain(key.path, default)
    return json.dumps(value, ensure_ascii=False)  # texts, numbers, booleans and lists look alike in JSON and TOML
