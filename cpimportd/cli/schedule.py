"""``next``, ``trigger``, ``reload`` and ``reschedule``: due times, and requests to the daemon."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from cpimportd.cli.arguments import NAME, require_schedule
from cpimportd.cli.common import Call, config_option, json_option, verb
from cpimportd.cli.connect import daemon_client, print_wait
from cpimportd.cli.output import Answer, print_problems

if TYPE_CHECKING:
    from rich.console import Console

    from cpimportd.timetable.irregular import IrregularDate


@dataclass(frozen=True, slots=True)
class _Slots:
    """What is to come of one schedule: its slots in UTC, and the irregular dates among them."""

    at: str
    slots: "tuple[datetime, ...]"
    irregular: "tuple[IrregularDate, ...]"

    def by_clock(self, zone: ZoneInfo) -> dict[str, object]:
        return {"slots": [slot.astimezone(zone) for slot in self.slots], "irregular": self.irregular}


@click.command(name="next")
@click.option(
    "--schedule", "expression", metavar="EXPRESSION", help="Of this OnCalendar expression, or schedule, alone."
)
@click.option("--timezone", metavar="ZONE", help="Where the local times are.  [default: the configuration's]")
@click.option("--from", "start", metavar="INSTANT", help="ISO 8601; without an offset it is of ZONE.  [default: now]")
@click.option("--count", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many of each schedule.")
@config_option
@json_option
@verb()
def next_slots(call: Call, expression: str | None, timezone: str | None, start: str | None, count: int) -> Answer:
    """The coming slots of the enabled schedules, or of any expression, in the order of time.

    What `cpimportd reschedule` gave a schedule counts, for as long as the daemon lives.

    Also names the dates between on which a local time does not exist, or exists twice, because clocks are changed.
    An expression that is tried with both --schedule and --timezone needs no configuration.

    Examples: `cpimportd next`; `cpimportd next --schedule 'Mon..Fri 07:30' --timezone Europe/Moscow --count 10`.
    """
    changed: dict[str, str] = {}
    notes: list[str] = []
    if expression is not None:
        zone = _zone(_usual_timezone(call) if timezone is None else timezone)
        schedules = {"": _expression(expression, zone, call.config_file)}
    else:
        settings = call.settings
        zone = _zone(settings.timezone if timezone is None else timezone)
        schedules = {name: schedule.at for name, schedule in settings.schedules.items() if schedule.enabled}
        changed, notes = _rescheduled(settings.state_directory, schedules)
    begin = _instant(start, zone)
    found = {name: _slots(changed.get(name, at), zone, begin, count) for name, at in schedules.items()}
    countdown = "In" if start is None else "After that instant"
    return Answer(
        lambda: _document(expression, found, zone, begin, changed),
        lambda console: _show(found, zone, begin, count, countdown, notes, console),
    )


def _document(
    expression: str | None, found: Mapping[str, _Slots], zone: ZoneInfo, begin: datetime, changed: Mapping[str, str]
) -> dict[str, object]:
    common = {"timezone": zone.key, "from": begin.isoformat(timespec="seconds")}
    if expression is not None:
        return {"expression": expression, **common, **found[""].by_clock(zone)}
    told = {name: {"at": one.at, "rescheduled": name in changed, **one.by_clock(zone)} for name, one in found.items()}
    return {**common, "schedules": told}


def _rescheduled(state: Path, schedules: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Expressions that hold until the daemon's next start, by schedule, and a note on each for people."""
    from cpimportd.core.problems import ProblemError
    from cpimportd.daemon.client import rescheduled

    try:
        changed = {name: at for name, at in rescheduled(state).items() if name in schedules}
    except ProblemError:
        return {}, ["Whether a schedule was rescheduled cannot be seen by this user: `sudo cpimportd next`."]
    until = "until the daemon's next start"
    return changed, [f"{name}: rescheduled to {at} {until}, then {schedules[name]}" for name, at in changed.items()]


def _expression(text: str, zone: ZoneInfo, config_file: Path | None) -> str:
    """The expression that was given, or that of the schedule whose name was given instead."""
    from cpimportd.timetable.calendar import ExpressionError, next_slot

    try:
        next_slot(text, zone, datetime.now(UTC))
    except ExpressionError as error:
        schedules = _schedules(config_file)
        if text in schedules:
            return schedules[text]
        from cpimportd.core.folding import near_hint

        there = f", and no schedule; configured: {', '.join(schedules)}{near_hint(text, schedules)}"
        known = there if schedules else ""
        raise click.BadParameter(f"{error}{known}", param_hint="--schedule") from error
    return text


def _schedules(config_file: Path | None) -> dict[str, str]:
    """The expressions of all schedules; none if the configuration cannot be read: an expression needs none."""
    from cpimportd.config.load import load as load_configuration
    from cpimportd.core.problems import ProblemError

    try:
        schedules = load_configuration(config_file).settings.schedules
    except ProblemError:
        return {}
    return {name: schedule.at for name, schedule in schedules.items()}


def _slots(at: str, zone: ZoneInfo, begin: datetime, count: int) -> _Slots:
    from itertools import islice

    from cpimportd.timetable.calendar import slots
    from cpimportd.timetable.irregular import irregular_dates

    found = tuple(islice(slots(at, zone, begin), count))
    # Where slots run out, the reason can be a local time that does not exist.
    end = found[-1] if len(found) == count else datetime.max.replace(tzinfo=UTC)
    return _Slots(at, found, irregular_dates(at, zone, begin, end))


def _show(
    found: Mapping[str, _Slots], zone: ZoneInfo, begin: datetime, count: int, countdown: str, said: Sequence[str],
    console: "Console",
) -> None:  # fmt: skip
    from cpimportd.core.formatting import moment, span
    from cpimportd.render.lists import render_slots

    slots = sorted((slot, name) for name, one in found.items() for slot in one.slots)
    rows = [(f"{slot.astimezone(zone):%a} {moment(slot, zone)}", name, span(slot - begin)) for slot, name in slots]
    notes = list(said) if found else ["No schedule is enabled: nothing is imported by itself."]
    for name, one in found.items():
        prefix = f"{name}: " if name else ""
        notes += [f"{prefix}{irregular.day}: {irregular.describe(zone.key)}" for irregular in one.irregular]
        if len(one.slots) < count:
            left = "no more slots" if one.slots else "no slot"
            notes.append(f"{name or one.at}: {left} before 2200, where systemd's calendar ends")
    render_slots(rows, notes, console, named=any(found), countdown=countdown)


def _usual_timezone(call: Call) -> str:
    """The configuration's time zone, the default where there is none: an expression can be tried before there is."""
    from cpimportd.config.settings import Settings
    from cpimportd.core.problems import ProblemError

    try:
        return call.settings.timezone
    except ProblemError as error:
        if call.config_file is not None or os.environ.get("CPIMPORTD_CONFIG"):
            raise
        usual: str = Settings.model_fields["timezone"].default
        if {found.code for found in error.problems} != {"config-missing"}:
            click.echo(f"cpimportd: the configuration cannot be used ({error}); the time zone is {usual}", err=True)
        return usual


def _zone(name: str) -> ZoneInfo:
    from cpimportd.core.formatting import parse_zone

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


@click.command()
@config_option
@click.option("--wait", is_flag=True, help="Show progress, and end with the run's exit code.")
@verb(changes_something=True)
def trigger(call: Call, wait: bool) -> int:
    """Import now, through the daemon: once more after the run that is under way, if one is.

    The run is not retried as a slot is, and does not wait for the other half of an upload: it reports problems at once.

    Example: `cpimportd trigger --wait`. Without a daemon: `cpimportd run`.
    """
    client = daemon_client(call.config_file)
    if not wait:
        client.trigger()
        click.echo("asked; look with `cpimportd status` or `journalctl -u cpimportd -f`", err=True)
        return 0
    from cpimportd.render.status import live_line

    with live_line() as show:
        finished = client.trigger_and_wait(show)
    click.echo(finished["summary"])
    for line in (finished["problem"], finished["way_out"] and f"  → {finished['way_out']}"):
        if line:
            click.echo(line, err=True)
    return int(finished["code"])


@click.command()
@config_option
@verb(changes_something=True)
def reload(call: Call) -> int:
    """Let the daemon read its configuration again, and wait for its answer; systemctl reload calls this.

    Exit code 2 if it was refused: the problems are printed, and the configuration in force stays.

    Example: edit the file, `cpimportd check`, `cpimportd reload`. To see beforehand what it would have done to the days
    that are kept: `cpimportd rehearse NEW.toml`.
    """
    from cpimportd.core.problems import problem

    # Even a file with a fault is sent: the daemon refuses it and writes why into its journal.
    refused = daemon_client(call.config_file).reload()
    if refused:
        print_problems((*refused, problem("config-refused")))
        return 2
    click.echo("the new configuration is in force, or will be when the run under way is over", err=True)
    return 0


@click.command()
@config_option
@click.argument("name", type=NAME)
@click.argument("expression", required=False)
@click.option("--reset", is_flag=True, help="Go by the configuration again.")
@verb(changes_something=True)
def reschedule(call: Call, name: str, expression: str | None, reset: bool) -> int:
    """Give the schedule NAME another OnCalendar EXPRESSION until the daemon's next start.

    The configuration file stays as it is. Slots count from now: no run begins for one that lay before.

    Examples: `cpimportd reschedule import '*-*-* 07:30:00'`; `cpimportd reschedule import --reset`. What an expression
    means: `cpimportd next --schedule '*-*-* 07:30:00'`.
    """
    from cpimportd.core.formatting import moment
    from cpimportd.core.problems import problem
    from cpimportd.daemon.client import Client
    from cpimportd.timetable.calendar import next_slot

    if expression is not None and reset:
        raise click.UsageError("give an expression or --reset, not both")
    settings = call.settings
    require_schedule(settings, name, "reschedule")
    usual = settings.schedules[name].at
    if expression is None and not reset:
        now = f"now {usual!r}"
        raise click.UsageError(f"say when: an OnCalendar expression such as '*-*-* 07:30' ({now}), or --reset")
    client = Client(settings.state_directory, on_wait=print_wait)
    if expression is not None:
        _require_slot(expression, settings.zone)
    refused = client.reschedule(name, expression)
    if refused:
        print_problems((*refused, problem("config-refused")))
        return 2
    # The daemon's status still shows the old slot while a run is under way.
    slot = next_slot(expression or usual, settings.zone, datetime.now(UTC))
    due = "no time any more" if slot is None else moment(slot, settings.zone)
    later = "; this takes effect when the run under way is over" if client.status()["running"] is not None else ""
    click.echo(f"{name} is due next at {due}{later}", err=True)
    return 0


def _require_slot(expression: str, zone: ZoneInfo) -> None:
    from cpimportd.timetable.calendar import ExpressionError, next_slot

    with suppress(ExpressionError):  # the daemon's client says what is wrong with one that cannot be understood
        if next_slot(expression, zone, datetime.now(UTC)) is None:
            reason = f"{expression!r} has no slot any more: every date that it names has passed"
            raise click.BadParameter(reason, param_hint="EXPRESSION")
