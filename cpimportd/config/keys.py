"""The tree of keys of Settings: existing keys, secret ones, and the key most similar to a misspelt one."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from cpimportd.config.sections import Section
from cpimportd.config.settings import Schedule, Settings
from cpimportd.core.state_folder import PREFIX

KeyPath = tuple[str, ...]
"""A key with the sections around it, from the outside: ``("schedules", "import", "at")``."""

SCHEDULE = "import"
"""The default schedule; it represents every schedule in the tree of keys."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its path, and its field in config/settings.py."""

    path: KeyPath
    field: FieldInfo
    section: type[Section]

    @property
    def secret(self) -> bool:
        """Whether its value must never be shown."""
        return _mentions(self.field.annotation, SecretStr)


def _mentions(annotation: object, wanted: type) -> bool:
    return annotation is wanted or any(_mentions(part, wanted) for part in get_args(annotation))


def _walk(section: type[Section], above: KeyPath) -> Iterator[Key]:
    for name, field in section.model_fields.items():
        inner = field.annotation
        if name == "schedules":
            yield from _walk(Schedule, (name, SCHEDULE))
        elif isinstance(inner, type) and issubclass(inner, Section):
            yield from _walk(inner, (*above, name))
        else:
            yield Key((*above, name), field, section)


@cache
def all_keys() -> Mapping[KeyPath, Key]:
    """Every key there is, in the order of config/settings.py; schedules under the name of the default one."""
    return {key.path: key for key in _walk(Settings, ())}


def find(path: KeyPath) -> Key | None:
    """The key at a path, whatever the schedule's name in it; None if there is none."""
    return all_keys().get(_in_schedule(path, SCHEDULE))


def _in_schedule(path: KeyPath, name: str) -> KeyPath:
    return (path[0], name, path[2]) if len(path) == 3 and path[0] == "schedules" else path


def dotted(path: KeyPath) -> str:
    """A key as people write it: ``schedules.import.at``."""
    return ".".join(path)


def variable(path: KeyPath) -> str:
    """The environment variable that sets a key: ``CPIMPORTD_SCHEDULES__IMPORT__AT``."""
    return PREFIX + "__".join(path).upper()


def in_file(path: KeyPath) -> str:
    """A key as in the file: ``[schedules.import] at``."""
    *sections, leaf = path
    return f"[{'.'.join(sections)}] {leaf}" if sections else f"{leaf}, above the first section"


def suggest(path: KeyPath, *, section: bool = False) -> tuple[KeyPath, ...]:
    """The keys that an unknown one may have been meant for: misplaced first, else misspelt.

    Args:
        path: of the unknown key.
        section: whether it is a section with keys of its own; then the answer is a section too.
    """
    if section:
        sections = {dotted(key[:-1]): key[:-1] for key in all_keys() if len(key) > 1}
        return tuple(sections[name] for name in get_close_matches(dotted(path), sections, n=1))
    schedule = path[1] if len(path) == 3 and path[0] == "schedules" else SCHEDULE
    return tuple(_in_schedule(key, schedule) for key in _nearest(_in_schedule(path, SCHEDULE)))


def _nearest(path: KeyPath) -> list[KeyPath]:
    if misplaced := {dotted(key[:-1]): key for key in all_keys() if key[-1] == path[-1]}:
        close = get_close_matches(dotted(path[:-1]), misplaced, n=1)
        return [misplaced[section] for section in close] or list(misplaced.values())
    known = {dotted(key): key for key in all_keys()}
    leaves = {key[-1]: key for key in all_keys()}
    return [known[name] for name in get_close_matches(dotted(path), known, n=1, cutoff=0.8)] or [
        leaves[name] for name in get_close_matches(path[-1], leaves, n=1)
    ]


MASK = "********"

_WHOLE = frozenset({"alerts"})
"""Sections whose secret URLs are secret in every part: a token may stand where others have a host."""

# Greedy to the last @: a password with an unencoded / or @ is covered whole, at worst with a bit of what follows it.
_LOGIN = re.compile(r"(://[^:/?#@]*:).*@", re.DOTALL)
_PARAMETER = re.compile(r"([?&](?:ssl)?password=)[^&#]*", re.IGNORECASE)


def mask_url(text: str) -> str:
    """A URL without its password; user, host and path stay, so that a reader knows which server is meant."""
    return _PARAMETER.sub(rf"\g<1>{MASK}", _LOGIN.sub(rf"\g<1>{MASK}@", text))


def masked(path: KeyPath, value: object) -> object:
    """A key's value as it may be shown: secrets hidden, passwords inside URLs too, whatever the key."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    key = find(path)
    if key is not None and key.secret and path[0] in _WHOLE and text:
        return MASK
    if not isinstance(text, str):
        return MASK if key is not None and key.secret and text is not None else text
    login = "@" in text and path[-1].endswith("url")  # of a url whose scheme was forgotten
    hidden = isinstance(value, SecretStr) or key is None or key.secret or login
    return MASK if hidden and "://" not in text else mask_url(text)


def holds_secret(path: KeyPath, value: object) -> bool:
    """Whether a value of a file is one that others should not read."""
    key = find(path)
    return isinstance(value, str | list) and key is not None and (masked(path, value) != value)
