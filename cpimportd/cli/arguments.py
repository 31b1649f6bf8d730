"""The types of the verbs' arguments: numbers, days, spans, names and files, refused in the same words by every verb."""

import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from cpimportd.config.settings import Settings

    _Integer = click.ParamType[int]
    _Datetime = click.ParamType[datetime]
    _Timedelta = click.ParamType[timedelta]
    _Text = click.ParamType[str]
else:  # before click 8.3 it was not generic
    _Integer = _Datetime = _Timedelta = _Text = click.ParamType

_BIGGEST_RUN: Final = 2**63 - 1
_BIGGEST_DEPARTMENT: Final = 2**31 - 1
"""PostgreSQL's bigint and integer."""

_OLDEST_YEAR: Final = 1900
_LAST_YEAR: Final = 9999
"""So that an instant is one in every zone, and in PostgreSQL."""

_DAY: Final = "%Y-%m-%d"
_OTHER_DAYS: Final = ("%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%d-%m-%Y", "%Y.%m.%d", "%Y/%m/%d", "%Y%m%d")
"""How people write a day otherwise: only to guess what they meant."""


class _Number(_Integer):
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


class _Day(_Datetime):
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
            suggest = next((day for day in (_read(value, form) for form in _OTHER_DAYS) if day), None)
            written = f"write {suggest:%Y-%m-%d}" if suggest else "write YYYY-MM-DD, such as 2026-11-24"
            self.fail(f"{value!r} is no date that can be read: {written}", param, ctx)
        if found.year < _OLDEST_YEAR:
            self.fail(f"{value!r} is before {_OLDEST_YEAR}, and nothing in the books is so old", param, ctx)
        return found


DAY: Final = _Day()
"""A date on the command line."""


class _Instant(_Datetime):
    """A moment with its offset."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401
        """The moment, aware.

        Raises:
            click.BadParameter: not an instant, or one without a known zone.
        """
        if isinstance(value, datetime):
            return value
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an ISO instant such as 2026-11-24T06:00:00+03:00", param, ctx)
        if instant.tzinfo is None:
            self.fail(f"{value!r} has no offset; write e.g. {instant.isoformat()}+03:00", param, ctx)
        if not _OLDEST_YEAR <= instant.year < _LAST_YEAR:
            self.fail(f"{value!r} is in no year from {_OLDEST_YEAR} to {_LAST_YEAR - 1}", param, ctx)
        return instant


INSTANT: Final = _Instant()
"""A moment on the command line, with its offset."""


def require_order(since: datetime | None, until: datetime | None) -> None:
    """Refuse a period that ends before it begins, in which nothing can be.

    Raises:
        click.UsageError: it does.
    """
    if since is not None and until is not None and since > until:
        raise click.UsageError("--since is after --until")


def require_past(since: datetime | None, now: datetime) -> None:
    """Refuse to look back to a day that is still to come.

    Args:
        since: midnight of the day, with its zone; None if not given.
        now: the present instant.

    Raises:
        click.BadParameter: it is still to come.
    """
    if since is not None and since > now:
        raise click.BadParameter(f"{since:%Y-%m-%d} is still to come; name a day in the past", param_hint="--since")


class _Seconds(_Timedelta):
    """A length of time that a clock can count to."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:  # noqa: ANN401
        """The length.

        Raises:
            click.BadParameter: it is none.
        """
        if isinstance(value, timedelta):
            return value
        try:
            length = timedelta(seconds=float(value))
        except (ValueError, OverflowError):
            length = _LESS_THAN_NOTHING
        if not timedelta(0) <= length <= _LONGEST:
            self.fail(f"{value!r} is no number of seconds from 0 to {_LONGEST.total_seconds():.0f}", param, ctx)
        return length


_LESS_THAN_NOTHING: Final = timedelta(-1)
_LONGEST: Final = timedelta(days=36_500)
"""As spans in the configuration."""

SECONDS: Final = _Seconds()
"""A length of time in seconds on the command line."""


class _Name(_Text):
    """The name of a unit, a document, a contract or a schedule."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401
        """The name as it was given.

        Raises:
            click.BadParameter: it is empty or blank, as a variable that is not set makes it.
        """
        text = str(value)
        if not text.strip():
            self.fail(f"{text!r} is no name: it is empty", param, ctx)
        return text


NAME: Final = _Name()
"""A name on the command line; whether anything is called so is found out later."""


class FilePath(click.Path):
    """A file or folder. An empty text is none, although ``Path("")`` is the current folder."""

    def __init__(self, *, exists: bool = False, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(exists=exists, file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """The path.

        Raises:
            click.BadParameter: it is empty, or not what it has to be.
        """
        if not os.fspath(value):
            self.fail(f"{'file' if self.file_okay else 'folder'} name is empty", param, ctx)
        return super().convert(value, param, ctx)


def _read(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text.strip(), form)  # noqa: DTZ007 - a day; its zone is the reader's business
    except ValueError:
        return None


def require_schedule(settings: "Settings", name: str, verb: str, *, enabled: bool = True) -> None:
    """Make sure that the configuration has such a schedule.

    Args:
        settings: the configuration.
        name: of the schedule.
        verb: that asks.
        enabled: whether one that is switched off does not count.

    Raises:
        ProblemError: ``wrong-use``; names those that there are.
    """
    from cpimportd.core.folding import near_hint
    from cpimportd.core.phrases import phrase
    from cpimportd.core.problems import ProblemError, problem

    known = [one for one, schedule in settings.schedules.items() if schedule.enabled or not enabled]
    if name not in known:
        which = "enabled" if enabled else "configured"
        there, near = known or phrase("none"), near_hint(name, known)
        reason = phrase("no-such-schedule", name=name, which=which, there=there, near=near)
        raise ProblemError(problem("wrong-use", reason=reason, verb=verb))
