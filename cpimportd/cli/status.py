"""``status``, ``check`` and ``summary``: the present state of the daemon, the machine and the books."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cpimportd.cli.arguments import DAY, DEPARTMENT, require_order
from cpimportd.cli.common import Call, config_option, json_option, verb
from cpimportd.cli.connect import daemon_client, reading, run_async
from cpimportd.cli.output import Answer, print_json, print_problems

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    import asyncpg
    from rich.console import Console

    from cpimportd.books.reports.overview import Summary
    from cpimportd.config.settings import Settings
    from cpimportd.core.problems import Problem

_BOOKS_WITHIN: Final = 3.0
"""Seconds for the query of held units; the daemon's own status needs no query."""


@click.command()
@config_option
@json_option
@verb()
def status(call: Call) -> Answer | int:
    """What the daemon does: running since when, next slots, the last run, the last good one, held units, workbooks.

    Exit codes: 0 it runs and all is well · 1 it runs, but the last run failed, held something or found no upload, the
    last job of a schedule failed, a schedule has no slot any more, a workbook is held or stale, a wait of a run or a
    slot needs attention, notifications are outstanding, or a configuration was refused · 2 it does not run, and the
    configuration is wrong · 3 it does not run. Held units are read from the database; if that fails, the daemon's own
    list is shown, with a note.

    Example: `cpimportd status --json | jq .well`. Why a unit is held: `cpimportd history`, then `cpimportd show RUN`.
    """
    from cpimportd.core.problems import ProblemError
    from cpimportd.daemon.client import needing_attention, with_attention, with_database_facts

    client = daemon_client(call.config_file)
    try:
        found = client.status()
    except ProblemError as error:
        if error.problems[0].code != "daemon-not-running":
            raise
        if call.as_json:
            print_json({"running": False, "problems": error.problems})
        else:
            print_problems(error.problems)
        return 3
    found = with_database_facts(found, *_held_by_books(call.config_file))
    wrong = needing_attention(found)

    def show(console: "Console") -> None:
        from cpimportd.render.status import render_status

        render_status(found, wrong, console)

    return Answer(lambda: with_attention(found), show, code=1 if wrong else 0)


def _held_by_books(config_file: Path | None) -> "tuple[list[str] | None, Problem | None, list[Problem]]":
    """The names of held units, or why the books could not be read, and the runs that readers were not notified of.

    The status does without them.
    """
    import asyncio
    from datetime import timedelta

    from cpimportd.books.publish.held import held_units
    from cpimportd.books.publish.notices import outstanding, readers
    from cpimportd.config.load import load as load_configuration
    from cpimportd.core.phrases import phrase
    from cpimportd.core.problems import ProblemError, problem

    async def query() -> "tuple[list[str], list[Problem]]":
        async with asyncio.timeout(_BOOKS_WITHIN):
            loaded = load_configuration(config_file)
            return await reading(loaded, lambda connection: look(connection, loaded.settings))

    async def look(connection: "asyncpg.Connection", settings: "Settings") -> "tuple[list[str], list[Problem]]":
        units = await held_units(connection, settings.department_id)
        untold = await outstanding(connection, settings.department_id, readers(settings))
        return [one.unit.name for one in units], [one.explained(settings.zone) for one in untold]

    try:
        held, untold = run_async(query())
    except ProblemError as error:
        return None, error.problems[0], []
    except TimeoutError:
        return (
            None,
            problem("database-unreachable", reason=phrase("no-answer-within", limit=timedelta(seconds=_BOOKS_WITHIN))),
            [],
        )
    else:
        return held, None, untold


@click.command()
@click.option("--nagios", is_flag=True, help="Answer as a plugin of Nagios or Icinga: how the imports fare.")
@click.option(
    "--warning", metavar="SPAN", help="With --nagios: the last success may be so old.  [default: by the slots]"
)
@click.option("--critical", metavar="SPAN", help="The same for CRITICAL, such as 26h.  [default: by the slots]")
@config_option
@json_option
@verb()
def check(call: Call, nagios: bool, warning: str | None, critical: str | None) -> Answer | int:
    """Look whether everything that a run needs is there: one line each, with the way out.

    Tries the configuration, the source, the database with its rights and schema, the cache, the disk and the clock.
    Changes nothing. Exit code 1 if a line says FAILED.

    With --nagios it looks at the imports themselves: CRITICAL (2) where the newest slot should be done and is not, or
    database or source cannot be reached; WARNING (1) where a unit is held, the last run failed, a workbook is stale or
    the daemon does not run; UNKNOWN (3) where the configuration is wrong. The user needs no rights to the state folder.

    Examples: `cpimportd check`; `cpimportd check --nagios --critical 26h`.
    """
    if nagios:
        return _nagios(call, warning, critical)
    if warning is not None or critical is not None:
        raise click.UsageError("--warning and --critical go with --nagios")
    from cpimportd.cli.checkup.checkup import checkup
    from cpimportd.render.lists import render_checks

    lines = run_async(checkup(call.config_file))
    well = all(line.ok for line in lines)
    return Answer(
        lambda: {"ok": well, "checks": lines},
        lambda console: render_checks(lines, console),
        code=0 if well else 1,
    )


def _nagios(call: Call, warning: str | None, critical: str | None) -> int:
    """Whatever happens, a plugin answers: what it cannot know is UNKNOWN."""
    from datetime import UTC, datetime

    from cpimportd.core.problems import ProblemError
    from cpimportd.notify.nagios import Thresholds, check_imports
    from cpimportd.notify.nagios_answer import unknown, wrong_configuration
    from cpimportd.render.layout import stdout_console

    try:
        thresholds = Thresholds(_span(warning, "--warning"), _span(critical, "--critical"))
        answer = run_async(check_imports(call.loaded, thresholds, datetime.now(UTC)))
    except ProblemError as error:
        answer = wrong_configuration(error.problems)
    except Exception as error:  # noqa: BLE001 - exit code 1 would be read as WARNING
        answer = unknown(f"{type(error).__name__}: {error}")
    if call.as_json:
        print_json(answer)
    else:
        stdout_console()  # whatever the encoding, no name makes it fail
        click.echo(str(answer))
    return int(answer.level)


def _span(text: str | None, option: str) -> "timedelta | None":
    from datetime import timedelta

    from cpimportd.config.values import parse_span
    from cpimportd.core.phrases import phrase, reason_of
    from cpimportd.core.problems import ProblemError, problem

    try:
        found = None if text is None else parse_span(text)
    except ValueError as error:
        raise ProblemError(
            problem("wrong-use", reason=phrase("option-said", option=option, said=reason_of(error)), verb="check")
        ) from error
    return found if isinstance(found, timedelta) else None


@click.command()
@config_option
@click.option("--department", type=DEPARTMENT, metavar="ID", help="Another department than department_id.")
@click.option("--since", type=DAY, metavar="DATE", help="Only documents of this day or later, as 2024-05-01.")
@click.option("--until", type=DAY, metavar="DATE", help="Only documents of this day or earlier.")
@json_option
@verb()
def summary(call: Call, department: int | None, since: "datetime | None", until: "datetime | None") -> Answer:
    """Total receipts, expenses, balance, active contracts, principal and interest, as the books hold them now.

    A period is one of the documents' own dates, both days included, as in the backend's reports; documents without a
    date are in none.

    Examples: `cpimportd summary`; `cpimportd summary --since 2024-05-01 --until 2024-05-31`. Where a figure comes from:
    `cpimportd explain principal`.
    """
    from cpimportd.books.journal.memory import Period
    from cpimportd.books.journal.names import require_department
    from cpimportd.books.reports.overview import summary as read_summary
    from cpimportd.core.typed import to_json
    from cpimportd.render.lists import render_summary

    zone = call.settings.zone
    number = call.settings.department_id if department is None else department
    require_order(since, until)
    period = Period(None if since is None else since.date(), None if until is None else until.date())

    async def read(connection: "asyncpg.Connection") -> "Summary":
        await require_department(connection, number)
        return await read_summary(connection, number, period)

    found = call.read(read)
    return Answer(
        lambda: {"department_id": number, **to_json(found)},
        lambda console: render_summary(found, number, zone, console),
    )
