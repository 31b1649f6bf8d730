"""``daemon`` and the verbs that talk to it: ``status``, ``trigger``, ``reload``, ``reschedule``."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cpimportd.cli.arguments import NAME, require_schedule
from cpimportd.cli.common import config_option, guarded, guarded_deed, json_option, load, print_json, run_async, say

if TYPE_CHECKING:
    from datetime import tzinfo

    from cpimportd.core.problems import Problem
    from cpimportd.core.waiting import Wait
    from cpimportd.daemon.client import Client
    from cpimportd.daemon.journal import Form

_BOOKS_WITHIN: Final = 3.0
"""Seconds in which the database says what is held; the daemon's own word comes at once."""


@click.command()
@config_option
@click.option("--log-format", "form", type=click.Choice(["auto", "text", "json", "journal"]), default="auto",
              show_default=True, help="Of log lines; auto: the journal under systemd, else text.")  # fmt: skip
@guarded_deed
def daemon(config_file: Path | None, form: "Form") -> int:
    """Stay, and import whenever a schedule is due; systemd starts this.

    Signals: SIGUSR1 imports now, SIGHUP reads the configuration again, SIGUSR2 writes the status into the journal,
    SIGTERM ends: a run before its COMMIT is rolled back and its slot stays due. Under systemd:
    `systemctl kill --kill-who=main -s SIGUSR2 cpimportd`.

    Example: `systemctl start cpimportd`; by hand, to try it: `cpimportd daemon --log-format text`. It asks for nothing:
    look with `cpimportd status` from another terminal.
    """
    import signal

    from cpimportd.daemon.beginning import begin

    # Until the loop listens to them, they would end the process: signal(7).
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    path = None if config_file is None else config_file.absolute()
    child = begin(path)  # it reads the configuration while we import what we need
    from cpimportd.daemon.main import main

    return main(path, form, child)


def _client(config_file: Path | None) -> "Client":
    """The daemon, whatever stands in the configuration file by now; where none lives, the file may say why.

    Raises:
        ProblemError: what is wrong with the configuration, where no daemon lives.
    """
    from cpimportd.core.problems import ProblemError
    from cpimportd.core.statefolder import told, unset
    from cpimportd.daemon.client import Client
    from cpimportd.daemon.lock import holder

    folder = told(config_file)
    if folder is None or holder(folder) is None:
        try:
            folder = load(config_file).settings.state_directory
        except ProblemError:
            folder = unset()
            if holder(folder) is None:
                raise
    return Client(folder, say=_say_wait)


def _say_wait(wait: "Wait") -> None:
    """A daemon that is busy or stopped lets whoever asked it wait; he is told so, at a terminal or not."""
    from datetime import UTC, datetime

    click.echo(f"cpimportd: waiting for {wait.told(None, datetime.now(UTC))}", err=True)


@click.command()
@config_option
@json_option
@guarded
def status(config_file: Path | None, as_json: bool) -> int:
    """What the daemon does: running since when, next slots, the last run, the last good one, held units, workbooks.

    Exit codes: 0 it runs and all is well · 1 it runs, but the last run failed, held something or found no upload, the
    last job of a schedule failed, a schedule has no slot any more, a workbook is held or stale, a run or a slot waits
    on trouble, readers were not told of a run, or a configuration was refused · 2 it does not run, and the
    configuration has a fault · 3 it does not run. What is held the books say; where they cannot be asked, it is what
    the daemon remembers, and said so.

    Example: `cpimportd status --json | jq .well`. Why a unit is held: `cpimportd history`, then `cpimportd show RUN`.
    """
    from cpimportd.core.problems import ProblemError
    from cpimportd.daemon.client import as_told, verdict, with_held

    client = _client(config_file)
    try:
        found = client.status()
    except ProblemError as error:
        if error.problems[0].code != "daemon-not-running":
            raise
        if as_json:
            print_json({"running": False, "problems": error.problems})
        else:
            say(error.problems)
        return 3
    found = with_held(found, *_held_by_books(config_file))
    wrong = verdict(found)
    if as_json:
        print_json(as_told(found))
    else:
        from cpimportd.render.layout import stdout_console
        from cpimportd.render.status import render_status

        render_status(found, wrong, stdout_console())
    return 1 if wrong else 0


def _held_by_books(config_file: Path | None) -> "tuple[list[str] | None, Problem | None, list[Problem]]":
    """The names of held units, or why the books could not be asked, and of what readers have not been told.

    The status does without them.
    """
    import asyncio

    from cpimportd.books.publish.held import held_units
    from cpimportd.books.publish.notices import outstanding, readers
    from cpimportd.cli.looking import reading
    from cpimportd.config.load import load as load_configuration
    from cpimportd.core.problems import ProblemError, problem

    async def ask() -> "tuple[list[str], list[Problem]]":
        async with asyncio.timeout(_BOOKS_WITHIN):
            loaded = load_configuration(config_file)
            settings, number = loaded.settings, loaded.settings.department_id
            units = await reading(loaded, lambda connection: held_units(connection, number))
            untold = await reading(loaded, lambda connection: outstanding(connection, number, readers(settings)))
            return [one.unit.name for one in units], [one.explained(settings.zone) for one in untold]

    try:
        held, untold = run_async(ask())
    except ProblemError as error:
        return None, error.problems[0], []
    except TimeoutError:
        return None, problem("database-unreachable", reason=f"no answer within {_BOOKS_WITHIN:g} s"), []
    else:
        return held, None, untold


@click.command()
@config_option
@click.option("--wait", is_flag=True, help="Show progress, and end with the run's exit code.")
@guarded_deed
def trigger(config_file: Path | None, wait: bool) -> int:
    """Import now, through the daemon: once more after the run that is under way, if one is.

    It is not tried again as a slot is, nor does it wait for the other half of an upload: what is wrong is told at once.

    Example: `cpimportd trigger --wait`. Without a daemon: `cpimportd run`.
    """
    client = _client(config_file)
    if not wait:
        client.trigger()
        click.echo("asked; look with `cpimportd status` or `journalctl -u cpimportd -f`", err=True)
        return 0
    from cpimportd.render.status import showing

    with showing() as show:
        finished = client.trigger_and_wait(show)
    click.echo(finished["summary"])
    for line in (finished["problem"], finished["way_out"] and f"  → {finished['way_out']}"):
        if line:
            click.echo(line, err=True)
    return int(finished["code"])


@click.command()
@config_option
@guarded_deed
def reload(config_file: Path | None) -> int:
    """Let the daemon read its configuration again, and wait for its answer; systemctl reload calls this.

    Exit code 2 where it refused: the problems are told, and the configuration in force stays.

    Example: edit the file, `cpimportd check`, `cpimportd reload`. To see beforehand what it would have done to the days
    that are kept: `cpimportd rehearse NEW.toml`.
    """
    from cpimportd.core.problems import problem

    refused = _client(config_file).reload()  # a file with a fault, too: the daemon refuses it, and its journal says so
    if refused:
        say((*refused, problem("config-refused")))
        return 2
    click.echo("the new configuration is in force, or will be when the run under way is over", err=True)
    return 0


@click.command()
@config_option
@click.argument("name", type=NAME)
@click.argument("expression", required=False)
@click.option("--reset", is_flag=True, help="Go by the configuration again.")
@guarded_deed
def reschedule(config_file: Path | None, name: str, expression: str | None, reset: bool) -> int:
    """Give the schedule NAME another OnCalendar EXPRESSION until the daemon's next start.

    The configuration file stays as it is. Slots count from now: no run begins for one that lay before.

    Examples: `cpimportd reschedule import '*-*-* 07:30:00'`; `cpimportd reschedule import --reset`. What an expression
    means: `cpimportd next --schedule '*-*-* 07:30:00'`.
    """
    from cpimportd.core.problems import problem
    from cpimportd.daemon.client import Client

    if expression is not None and reset:
        raise click.UsageError("give an expression or --reset, not both")
    loaded = load(config_file)
    schedules = loaded.settings.schedules
    require_schedule(loaded.settings, name, "reschedule")
    if expression is None and not reset:
        now = f"now {schedules[name].at!r}"
        raise click.UsageError(f"say when: an OnCalendar expression such as '*-*-* 07:30' ({now}), or --reset")
    client = Client(loaded.settings.state_directory, say=_say_wait)
    if expression is not None:
        _require_slot(expression, loaded.settings.zone)
    refused = client.reschedule(name, expression)
    if refused:
        say((*refused, problem("config-refused")))
        return 2
    told = _due_next(expression or schedules[name].at, loaded.settings.zone)
    later = "; this takes effect when the run under way is over" if client.status()["running"] is not None else ""
    click.echo(f"{name} is due next at {told}{later}", err=True)
    return 0


def _require_slot(expression: str, zone: "tzinfo") -> None:
    from datetime import UTC, datetime

    from cpimportd.timetable.calendar import ExpressionError, next_slot

    with suppress(ExpressionError):  # the daemon's client says what is wrong with one that cannot be understood
        if next_slot(expression, zone, datetime.now(UTC)) is None:
            reason = f"{expression!r} has no slot any more: every date that it names has passed"
            raise click.BadParameter(reason, param_hint="EXPRESSION")


def _due_next(expression: str, zone: "tzinfo") -> str:
    """The next slot of an expression: the daemon's status still tells the old one while a run is under way."""
    from datetime import UTC, datetime

    from cpimportd.core.time import moment
    from cpimportd.timetable.calendar import next_slot

    slot = next_slot(expression, zone, datetime.now(UTC))
    return "no time any more" if slot is None else moment(slot, zone)
