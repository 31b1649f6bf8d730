"""``check``, ``summary`` and ``show``: the verbs that only look."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from cpimportd.cli.arguments import DAY, DEPARTMENT, RUN, require_order
from cpimportd.cli.common import config_option, explained, guarded, json_option, load, print_json, run_async
from cpimportd.cli.streaming import print_json_lists, print_list

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

    import asyncpg

    from cpimportd.books.reports.history import Shown
    from cpimportd.books.reports.summary import Summary
    from cpimportd.config.load import Loaded

Result = TypeVar("Result")


@click.command()
@click.option("--nagios", is_flag=True, help="Answer as a plugin of Nagios or Icinga: how the imports fare.")
@click.option(
    "--warning", metavar="SPAN", help="With --nagios: the last success may be so old.  [default: by the slots]"
)
@click.option("--critical", metavar="SPAN", help="The same for CRITICAL, such as 26h.  [default: by the slots]")
@config_option
@json_option
@guarded
def check(nagios: bool, warning: str | None, critical: str | None, config_file: Path | None, as_json: bool) -> int:
    """Look whether everything that a run needs is there: one line each, with the way out.

    Tries the configuration, the source, the database with its rights and schema, the cache, the disk and the clock.
    Changes nothing. Exit code 1 where a line says FAILED.

    With --nagios it looks at the imports themselves: CRITICAL (2) where the newest slot should be done and is not, or
    database or source cannot be reached; WARNING (1) where a unit is held, the last run failed, a workbook is stale or
    the daemon does not run; UNKNOWN (3) where the configuration is wrong. The user needs no rights to the state folder.

    Examples: `cpimportd check`; `cpimportd check --nagios --critical 26h`.
    """
    if nagios:
        return _nagios(config_file, warning, critical, as_json=as_json)
    if warning is not None or critical is not None:
        raise click.UsageError("--warning and --critical go with --nagios")
    from cpimportd.cli.checkup import checkup
    from cpimportd.render.layout import stdout_console
    from cpimportd.render.lists import render_checks

    lines = run_async(checkup(config_file))
    if as_json:
        print_json({"ok": all(line.ok for line in lines), "checks": lines})
    else:
        render_checks(lines, stdout_console())
    return 0 if all(line.ok for line in lines) else 1


def _nagios(config_file: Path | None, warning: str | None, critical: str | None, *, as_json: bool) -> int:
    """Whatever happens, a plugin answers: what it cannot know is UNKNOWN."""
    from datetime import UTC, datetime

    from cpimportd.core.problems import ProblemError
    from cpimportd.notify.nagios import Thresholds, ask
    from cpimportd.notify.plugin import unknown, wrong_configuration
    from cpimportd.render.layout import stdout_console

    try:
        thresholds = Thresholds(_span(warning, "--warning"), _span(critical, "--critical"))
        answer = run_async(ask(load(config_file), thresholds, datetime.now(UTC)))
    except ProblemError as error:
        answer = wrong_configuration(error.problems)
    except Exception as error:  # noqa: BLE001 - exit code 1 would be read as WARNING
        answer = unknown(f"{type(error).__name__}: {error}")
    if as_json:
        print_json(answer)
    else:
        stdout_console()  # whatever the encoding, no name makes it fail
        click.echo(str(answer))
    return int(answer.level)


def _span(text: str | None, option: str) -> "timedelta | None":
    from datetime import timedelta

    from cpimportd.config.values import parse_span
    from cpimportd.core.problems import ProblemError, problem

    try:
        found = None if text is None else parse_span(text)
    except ValueError as error:
        raise ProblemError(problem("wrong-use", reason=f"{option}: {error}", verb="check")) from error
    return found if isinstance(found, timedelta) else None


@click.command()
@config_option
@click.option("--department", type=DEPARTMENT, metavar="ID", help="Another department than department_id.")
@click.option("--since", type=DAY, metavar="DATE", help="Only documents of this day or later, as 2024-05-01.")
@click.option("--until", type=DAY, metavar="DATE", help="Only documents of this day or earlier.")
@json_option
@guarded
def summary(
    config_file: Path | None, department: int | None, since: "datetime | None", until: "datetime | None", as_json: bool
) -> None:
    """Total receipts, expenses, balance, active contracts, principal and interest, as the books hold them now.

    A period is one of the documents' own dates, both days included, as in the backend's reports; documents without a
    date are in none.

    Examples: `cpimportd summary`; `cpimportd summary --since 2024-05-01 --until 2024-05-31`. Where a figure comes from:
    `cpimportd explain principal`.
    """
    from cpimportd.books.journal.names import require_department
    from cpimportd.books.journal.period import Period
    from cpimportd.books.reports.summary import summary as read_summary
    from cpimportd.core.typed import to_json
    from cpimportd.render.layout import stdout_console
    from cpimportd.render.lists import render_summary

    loaded = load(config_file)
    number = loaded.settings.department_id if department is None else department
    require_order(since, until)
    period = Period(None if since is None else since.date(), None if until is None else until.date())

    async def read(connection: "asyncpg.Connection") -> "Summary":
        await require_department(connection, number)
        return await read_summary(connection, number, period)

    found = run_async(reading(loaded, read))
    if as_json:
        print_json({"department_id": number, **to_json(found)})
    else:
        render_summary(found, number, loaded.settings.zone, stdout_console())


@click.command()
@config_option
@click.argument("run", type=RUN)
@click.option("--organization", metavar="NAME", help="Only this organization's changes.")
@click.option("--contracts", "by_contract", is_flag=True, help="The bridge per contract, too (always in --json).")
@click.option(
    "--whole", is_flag=True, help="Every row of the report's tables, also of hundreds of workbooks, and of the journal."
)
@json_option
@guarded
def show(
    config_file: Path | None, run: int, organization: str | None, by_contract: bool, whole: bool, as_json: bool
) -> None:
    """One run: its report, and its journal of what was added, changed and removed, with what was before.

    Of a large run the first 100 documents of each kind, and as many contracts; --whole and --json have all of them.

    Example: `cpimportd show 42`; `cpimportd history` has the numbers, `cpimportd diff 42` each field old and new.
    """
    loaded = load(config_file)
    asked = _Asked(run, organization, by_contract=by_contract, whole=whole, as_json=as_json)
    run_async(reading(loaded, lambda connection: _show(connection, loaded, asked)))


@dataclass(frozen=True)
class _Asked:
    run: int
    organization: str | None
    by_contract: bool
    whole: bool
    as_json: bool


async def _show(connection: "asyncpg.Connection", loaded: "Loaded", asked: _Asked) -> None:
    from cpimportd.books.database.cursors import at_one_moment
    from cpimportd.books.journal.names import chosen_organization, require_run
    from cpimportd.books.reports.history import show as read_run

    department = loaded.settings.department_id
    await require_run(connection, department, asked.run)
    organization = await chosen_organization(connection, department, asked.organization)
    asked = replace(asked, organization=organization)
    async with at_one_moment(connection):
        shown = await read_run(connection, asked.run)
        if asked.as_json:
            await _show_json(connection, shown, asked)
        else:
            await _show_text(connection, shown, asked, loaded.settings.zone)


async def _show_json(connection: "asyncpg.Connection", shown: "Shown", asked: _Asked) -> None:
    from cpimportd.books.journal.bycontract import contract_bridges
    from cpimportd.books.reports.history import changes, inserted
    from cpimportd.core.typed import to_json

    moved = contract_bridges(connection, asked.run, organization=asked.organization)
    changed = changes(connection, asked.run, organization=asked.organization)
    came = inserted(connection, asked.run, organization=asked.organization)
    lists = {
        "contracts": moved,
        "changes": changed,
        "inserted": came,
    }
    await print_json_lists({**to_json(shown.line), "report": shown.report}, lists)


async def _show_text(connection: "asyncpg.Connection", shown: "Shown", asked: _Asked, zone: "ZoneInfo") -> None:
    from cpimportd.books.journal import bycontract
    from cpimportd.books.reports.history import changes, how_many, inserted
    from cpimportd.render.contracts import render_contracts
    from cpimportd.render.layout import stdout_console
    from cpimportd.render.past import render_changes, render_stored

    console, number, organization = stdout_console(), asked.run, asked.organization
    render_stored(shown, zone, console, whole=asked.whole)
    if asked.by_contract:
        contracts = bycontract.contract_bridges(connection, number, organization=organization)
        every = await bycontract.how_many(connection, number, organization=organization)
        await print_list(contracts, every, partial(render_contracts, console=console), whole=asked.whole)
    all_changed, all_came = await how_many(connection, number, organization=organization)
    if not all_changed and not all_came:
        render_changes([], [], console)
    lines = changes(connection, number, organization=organization)
    await print_list(lines, all_changed, partial(render_changes, inserted=[], console=console), whole=asked.whole)
    documents = inserted(connection, number, organization=organization)
    await print_list(documents, all_came, partial(render_changes, [], console=console), whole=asked.whole)


async def reading(
    loaded: "Loaded", read: "Callable[[asyncpg.Connection], Awaitable[Result]]", *, direct: bool = False
) -> Result:
    """Read something from the books on a connection of its own.

    Args:
        loaded: the configuration.
        read: what is done on the connection.
        direct: past the pooler.

    Raises:
        ProblemError: the database is away, or not ready.
    """
    import asyncpg

    from cpimportd.books.database.connection import connect
    from cpimportd.books.schema.upgrade import require_current
    from cpimportd.config.load import require_database
    from cpimportd.core.problems import ProblemError

    require_database(loaded.settings, loaded.path)
    connection = await connect(loaded.settings.database, direct=direct)
    try:
        await require_current(connection)
        return await read(connection)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise ProblemError(explained(error)) from error
    finally:
        await connection.close()
