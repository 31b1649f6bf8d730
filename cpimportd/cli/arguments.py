"""What the verbs' arguments may be: numbers, days and spans, refused in the same words by every verb."""

import re
from datetime import datetime
from typing import Any, Final

import click

_BIGGEST_RUN: Final = 2**63 - 1
_BIGGEST_DEPARTMENT: Final = 2**31 - 1
"""PostgreSQL's bigint and integer."""

_DAY: Final = "%Y-%m-%d"
_OTHER_DAYS: Final = ("%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%d-%m-%Y", "%Y.%m.%d", "%Y/%m/%d", "%Y%m%d")
"""How people write a day otherwise: only to guess what they meant."""


class _Number(click.ParamType):
    """A whole number from 1 on, as large as the database's column."""

    def __init__(self, name: str, biggest: int, known: str) -> None:
        self.name = name
        self._biggest = biggest
        self._known = known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        """The number.

        Raises:
            click.BadParameter: it is none that could exist; says where the right ones are listed.
        """
        text = str(value)
        # int() takes digits of every script, and "1_0".
        number = int(text) if re.fullmatch("[0-9]{1,19}", text) else 0
        if not 1 <= number <= self._biggest:
            self.fail(f"{text!r} is no number of a {self.name}; {self._known}", param, ctx)
        return number


RUN: Final = _Number("run", _BIGGEST_RUN, "`cpimportd history` lists the runs")
"""A run's number on the command line; whether there is such a run the books know."""

DEPARTMENT: Final = _Number("department", _BIGGEST_DEPARTMENT, "the backend's table departments has them as id")


class _Day(click.ParamType):
    """A date."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401
        """Midnight of the day, without a zone.

        Raises:
            click.BadParameter: it is no date; says how it is written.
        """
        if isinstance(value, datetime):
            return value
        found = _read(value, _DAY) if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value) else None
        if found is None:
            meant = next((day for day in (_read(value, form) for form in _OTHER_DAYS) if day), None)
            written = f"write {meant:%Y-%m-%d}" if meant else "write YYYY-MM-DD, such as 2026-11-24"
            self.fail(f"{value!r} is no date that can be read: {written}", param, ctx)
        return found


DAY: Final = _Day()
"""A date on the command line."""


def _read(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text.strip(), form)  # noqa: DTZ007 - a day; its zone is the reader's business
    except ValueError:
        return None
