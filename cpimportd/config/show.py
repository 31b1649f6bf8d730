"""Shows the configuration to people and scripts, without secrets; an example; and the slots of a year."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from textwrap import wrap
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from cpimportd.config.keys import Key, KeyPath, all_keys, dotted, find, masked
from cpimportd.config.load import Loaded, values
from cpimportd.config.settings import Settings
from cpimportd.config.values import format_size, format_span, parse_size
from cpimportd.core.state_folder import DEFAULT_PATH
from cpimportd.core.typed import json_keys, to_json
from cpimportd.timetable.calendar import count_slots, slots
from cpimportd.timetable.irregular import IrregularDate, irregular_dates


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


YEAR: Final = timedelta(days=365)
_MOST: Final = 10_000
"""Slots that are counted one by one: a little more than one an hour."""


@json_keys("zone", timezone="zone", more="many", slots="local_slots")
@dataclass(frozen=True, slots=True)
class YearOfSlots:
    """What is to come of one schedule within a year.

    Attributes:
        at: its expression.
        job: what it starts.
        zone: in which it is computed.
        slots: the first of them.
        count: how many there are; no more than were counted.
        irregular: dates on which a local time does not exist or comes twice.
    """

    at: str
    job: str
    zone: ZoneInfo
    slots: tuple[datetime, ...]
    count: int
    irregular: tuple[IrregularDate, ...]

    @property
    def local_slots(self) -> tuple[datetime, ...]:
        """The first of them by the clock of their zone."""
        return tuple(slot.astimezone(self.zone) for slot in self.slots)

    @property
    def many(self) -> bool:
        """Whether there are more than were counted."""
        return self.count >= _MOST


@json_keys(change="change")
@dataclass(frozen=True, slots=True)
class ComparedSchedule:
    """A schedule as it is and as it would be; None if it is not enabled."""

    name: str
    present: YearOfSlots | None
    proposed: YearOfSlots | None

    @property
    def change(self) -> str:
        """``same``, ``changed``, ``new`` or ``gone``."""
        if self.present is None or self.proposed is None:
            return "new" if self.present is None else "gone"
        return "same" if self.present == self.proposed else "changed"


def compare_schedules(
    present: Settings, proposed: Settings, now: datetime, shown: int = 5
) -> tuple[ComparedSchedule, ...]:
    """Look a year ahead.

    Args:
        present: the configuration in force.
        proposed: the other one.
        now: an aware instant, from which the year counts.
        shown: how many slots of each schedule are listed.
    """
    before, after = dict(_years(present, now, shown)), dict(_years(proposed, now, shown))
    return tuple(ComparedSchedule(name, before.get(name), after.get(name)) for name in sorted(before | after))


def _years(settings: Settings, now: datetime, shown: int) -> Iterator[tuple[str, YearOfSlots]]:
    zone, until = settings.zone, now + YEAR
    for name, schedule in settings.schedules.items():
        if schedule.enabled:
            coming = tuple(slot for slot in islice(slots(schedule.at, zone, now), shown) if slot <= until)
            count = count_slots(schedule.at, zone, now, until, _MOST)
            yield (
                name,
                YearOfSlots(
                    schedule.at, schedule.job, zone, coming, count, irregular_dates(schedule.at, zone, now, until)
                ),
            )
