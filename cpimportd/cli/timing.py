"""``next``: when something is due, without a daemon; also for an expression that stands in no configuration yet."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from cpimportd.cli.common import config_option, guarded, json_option, load, print_json

if TYPE_CHECKING:
    from cpimportd.timetable.irregular import IrregularDate


@dataclass(frozen=True, slots=True)
class _Coming:
    """What is to come of one schedule: its slots in UTC, and the irregular dates among them."""

    at: str
    slots: "tuple[datetime, ...]"
    irregular: "tuple[IrregularDate, ...]"
    rescheduled: bool = False

    def by_clock(self, zone: ZoneInfo) -> dict[str, object]:
        return {
            "slots": [slot.astimezone(zone) for slot in self.slots],
            "irregular": self.irregular,
        }


@click.command(name="next")
@click.option(
    "--schedule", "expression", metavar="EXPRESSION", help="Of this OnCalendar expression, or schedule, alone."
)
@click.option("--timezone", metavar="ZONE", help="Where the local times are.  [default: the configuration's]")
@click.option("--from", "start", metavar="INSTANT", help="ISO 8601; without an offset it is of ZONE.  [default: now]")
@click.option("--count", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many of each schedule.")
@config_option
@json_option
@guarded
def coming(
    expression: str | None, timezone: str | None, start: str | None, count: int, config_file: Path | None, as_json: bool
) -> None:
    """The coming slots of the enabled schedules, or of any expression, in the order of time.

    What `cpimportd reschedule` gave a schedule counts, for as long as the daemon lives.

    Also names the dates between on which a local time does not exist, or exists twice, because clocks are changed.
    An expression that is tried with both --schedule and --timezone needs no configuration.

    Examples: `cpimportd next`; `cpimportd next --schedule 'Mon..Fri 07:30' --timezone Europe/Moscow --count 10`.
    """
    changed: dict[str, str] = {}
    notes: list[str] = []
    if expression is not None:
        zone = _zone(_usual_timezone(config_file) if timezone is None else timezone)
        schedules = {"": _expression(expression, zone, config_file)}
    else:
        settings = load(config_file).settings
        zone = _zone(settings.timezone if timezone is None else timezone)
        schedules = {name: schedule.at for name, schedule in settings.schedules.items() if schedule.enabled}
        changed, notes = _rescheduled(settings.state_directory, schedules)
    begin = _instant(start, zone)
    found = {name: _coming(changed.get(name, at), zone, begin, count) for name, at in schedules.items()}
    found = {name: replace(one, rescheduled=name in changed) for name, one in found.items()}
    if not as_json:
        _show(found, zone, begin, count, "In" if start is None else "After that instant", notes)
        return
    common = {"timezone": zone.key, "from": begin.isoformat(timespec="seconds")}
    if expression is not None:
        print_json({"expression": expression, **common, **found[""].by_clock(zone)})
    else:
        told = {
            name: {"at": one.at, "rescheduled": one.rescheduled, **one.by_clock(zone)} for name, one in found.items()
        }
        print_json({**common, "schedules": told})


def _rescheduled(state: Path, schedules: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Expressions that hold until the daemon's next start, by schedule, and what people are told of them."""
    from cpimportd.core.problems import ProblemError
    from cpimportd.daemon.client import rescheduled

    try:
        changed = {name: at for name, at in rescheduled(state).items() if name in schedules}
    except ProblemError:
        return {}, ["Whether a schedule was rescheduled cannot be seen by this user: `sudo cpimportd next`."]
    until = "until the daemon's next start"
    return changed, [f"{name}: rescheduled to {at} {until}, then {schedules[name]}" for name, at in changed.items()]


def _expression(text: str, zone: ZoneInfo, config_file: Path | None) -> str:
    """What somebody asks for: an expression, or that of the schedule that he names instead of one."""
    from cpimportd.timetable.calendar import ExpressionError, next_slot

    try:
        next_slot(text, zone, datetime.now(UTC))
    except ExpressionError as error:
        schedules = _schedules(config_file)
        if text in schedules:
            return schedules[text]
        from cpimportd.core.near import near_hint

        known = (
            f", and no schedule; configured: {', '.join(schedules)}{near_hint(text, schedules)}" if schedules else ""
        )
        raise click.BadParameter(f"{error}{known}", param_hint="--schedule") from error
    return text


def _schedules(config_file: Path | None) -> dict[str, str]:
    """The expressions of all schedules; none where the configuration cannot be read: an expression needs none."""
    from cpimportd.config.load import load as load_configuration
    from cpimportd.core.problems import ProblemError

    try:
        loaded = load_configuration(config_file)
    except ProblemError:
        return {}
    return {name: schedule.at for name, schedule in loaded.settings.schedules.items()}


def _coming(at: str, zone: ZoneInfo, begin: datetime, count: int) -> _Coming:
    from itertools import islice

    from cpimportd.timetable.calendar import slots
    from cpimportd.timetable.irregular import irregular_dates

    found = tuple(islice(slots(at, zone, begin), count))
    # Where slots run out, the reason can be a local time that does not exist.
    end = found[-1] if len(found) == count else datetime.max.replace(tzinfo=UTC)
    return _Coming(at, found, irregular_dates(at, zone, begin, end))


def _show(
    found: dict[str, _Coming], zone: ZoneInfo, begin: datetime, count: int, countdown: str, said: Sequence[str]
) -> None:
    from cpimportd.core.time import moment, span
    from cpimportd.render.layout import stdout_console
    from cpimportd.render.timing import render_coming

    slots = sorted((slot, name) for name, one in found.items() for slot in one.slots)
    rows = [(f"{slot.astimezone(zone):%a} {moment(slot, zone)}", name, span(slot - begin)) for slot, name in slots]
    notes = list(said) if found else ["No schedule is enabled: nothing is imported by itself."]
    for name, one in found.items():
        prefix = f"{name}: " if name else ""
        notes += [f"{prefix}{irregular.day}: {irregular.describe(zone.key)}" for irregular in one.irregular]
        if len(one.slots) < count:
            left = "no more slots" if one.slots else "no slot"
            notes.append(f"{name or one.at}: {left} before 2200, where systemd's calendar ends")
    render_coming(rows, notes, stdout_console(), named=any(found), countdown=countdown)


def _usual_timezone(config_file: Path | None) -> str:
    """The configuration's time zone, the default where there is none: an expression can be tried before there is."""
    from cpimportd.config.settings import Settings
    from cpimportd.core.problems import ProblemError

    try:
        return load(config_file).settings.timezone
    except ProblemError as error:
        if config_file is not None or os.environ.get("CPIMPORTD_CONFIG"):
            raise
        usual: str = Settings.model_fields["timezone"].default
        if {found.code for found in error.problems} != {"config-missing"}:
            click.echo(f"cpimportd: the configuration cannot be used ({error}); the time zone is {usual}", err=True)
        return usual


def _zone(name: str) -> ZoneInfo:
    from cpimportd.core.time import parse_zone

    try:
        return parse_zone(name)
    except ValueError as error:
        raise click.BadParameter(f"{error}, not {name!r}" if "expected" in str(error) else str(error),
                                 param_hint="--timezone") from error  # fmt: skip


def _instant(text: str | None, zone: ZoneInfo) -> datetime:
    if text is None:
        return datetime.now(zone)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        expected = "expected an instant of ISO 8601 such as 2026-11-24T06:00 or 2026-11-24T03:00Z"
        raise click.BadParameter(f"{expected}, not {text!r}", param_hint="--from") from error
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=zone)
