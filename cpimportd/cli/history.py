"""``history``, ``show`` and ``diff``: the runs and their changes."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from cpimportd.cli.arguments import DAY, RUN, FilePath, require_order
from cpimportd.cli.common import Call, config_option, json_option, verb
from cpimportd.cli.output import Answer, print_json_lists, print_list
from cpimportd.core.lists import each
from cpimportd.core.model import ENDED

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import asyncpg

    from cpimportd.books.journal.diff import Diff
    from cpimportd.books.journal.movements import Movement
    from cpimportd.books.reports.history import RunLine, Shown

_STATUSES = ("running", *ENDED)


@click.command()
@config_option
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many runs.")
@click.option("--before", type=RUN, metavar="RUN", help="Only runs before this one: the next page.")
@click.option("--since", type=DAY, metavar="DATE", help="Only runs that began on this day or later, as 2026-11-24.")
@click.option("--until", type=DAY, metavar="DATE", help="Only runs that began on this day or earlier.")
@click.option("--status", "statuses", multiple=True, type=click.Choice(_STATUSES),
              help="Only runs that ended so (repeatable).")  # fmt: skip
@click.option("--organization", metavar="NAME", help="Only runs that changed its documents, or held a unit of it.")
@json_option
@verb()
def history(
    call: Call,
    limit: int,
    before: int | None,
    since: datetime | None,
    until: datetime | None,
    statuses: tuple[str, ...],
    organization: str | None,
) -> Answer:
    """The latest runs, newest first: when, how they ended, what they changed.

    Days are those of the configured time zone.

    Example: cpimportd history --since 2026-11-01 --status held --status partial --organization "ЛОТОС ООО"
    """
    from cpimportd.books.journal.names import chosen_organization
    from cpimportd.books.reports.history import history as read_history
    from cpimportd.render.history import render_history

    require_order(since, until)
    settings = call.settings

    async def read(connection: "asyncpg.Connection") -> "list[RunLine]":
        named = await chosen_organization(connection, settings.department_id, organization)
        return await read_history(
            connection,
            department_id=settings.department_id,
            limit=limit,
            before=before,
            statuses=statuses or None,
            since=_midnight(since, settings.zone),
            until=_midnight(until, settings.zone, days=1),
            organization=named,
        )

    runs = call.read(read)
    filtered = before or since or until or statuses or organization
    return Answer(
        lambda: {"runs": runs},
        "No runs match these filters."
        if filtered and not runs
        else lambda console: render_history(runs, settings.zone, console),
        hint=f"Older ones: add --before {runs[-1].run}" if len(runs) == limit else "",
    )


def _midnight(day: datetime | None, zone: ZoneInfo, days: int = 0) -> datetime | None:
    """When a day begins, or one so many days later."""
    if day is None:
        return None
    try:
        begins: date = day.date() + timedelta(days=days)
    except OverflowError:  # the last day of all
        return None
    return datetime(begins.year, begins.month, begins.day, tzinfo=zone)


@click.command()
@config_option
@click.argument("run", type=RUN)
@click.option("--organization", metavar="NAME", help="Only this organization's changes.")
@click.option("--contracts", "by_contract", is_flag=True, help="The bridge per contract, too (always in --json).")
@click.option(
    "--whole", is_flag=True, help="Every row of the report's tables, also of hundreds of workbooks, and of the journal."
)
@json_option
@verb()
def show(call: Call, run: int, organization: str | None, by_contract: bool, whole: bool) -> None:
    """One run: its report, and its journal of what was added, changed and removed, with what was before.

    Of a large run the first 100 documents of each kind, and as many sums of contracts; --whole and --json have all.

    Example: `cpimportd show 42`; `cpimportd history` has the numbers, `cpimportd diff 42` each field old and new.
    """
    from cpimportd.books.database.queries import at_one_moment
    from cpimportd.books.journal.names import chosen_organization, require_run
    from cpimportd.books.reports.history import show as read_run

    department = call.settings.department_id

    async def print_run(connection: "asyncpg.Connection") -> None:
        await require_run(connection, department, run)
        named = await chosen_organization(connection, department, organization)
        async with at_one_moment(connection):
            shown = await read_run(connection, run)
            if call.as_json:
                await _show_json(connection, shown, named)
            else:
                zone = call.settings.zone
                await _show_text(connection, shown, named, zone, by_contract=by_contract, whole=whole)

    call.read(print_run)


async def _show_json(connection: "asyncpg.Connection", shown: "Shown", organization: str | None) -> None:
    from cpimportd.books.journal.contracts import bridges_of_run
    from cpimportd.books.reports.history import changes, inserted
    from cpimportd.core.typed import to_json

    run = shown.line.run
    moved = each(lambda one: [one.of_run()], bridges_of_run(connection, run, organization=organization))
    changed = changes(connection, run, organization=organization)
    came = inserted(connection, run, organization=organization)
    lists = {"contracts": moved, "changes": changed, "inserted": came}
    await print_json_lists({**to_json(shown.line), "report": shown.report}, lists)


async def _show_text(
    connection: "asyncpg.Connection",
    shown: "Shown",
    organization: str | None,
    zone: ZoneInfo,
    *,
    by_contract: bool,
    whole: bool,
) -> None:
    from cpimportd.books.journal import contracts as of_contracts
    from cpimportd.books.reports.history import changes, how_many, inserted
    from cpimportd.render.bridge import render_contracts
    from cpimportd.render.history import render_changes, render_stored
    from cpimportd.render.layout import stdout_console

    console, number = stdout_console(), shown.line.run
    render_stored(shown, zone, console, whole=whole)
    if by_contract:
        contracts = of_contracts.bridges_of_run(connection, number, organization=organization)
        every = await of_contracts.how_many(connection, number, organization=organization)
        await print_list(contracts, every, partial(render_contracts, console=console), whole=whole)
    all_changed, all_came = await how_many(connection, number, organization=organization)
    if not all_changed and not all_came:
        render_changes([], [], console)
    lines = changes(connection, number, organization=organization)
    await print_list(lines, all_changed, partial(render_changes, inserted=[], console=console), whole=whole)
    documents = inserted(connection, number, organization=organization)
    await print_list(documents, all_came, partial(render_changes, [], console=console), whole=whole)


@click.command()
@config_option
@click.argument("run", type=RUN)
@click.option("--organization", metavar="NAME", help="Only this organization's documents.")
@click.option("--held", is_flag=False, flag_value="", metavar="[UNIT]",
              help="Instead: what the units would change that this run holds, or one of them.")  # fmt: skip
@click.option("--xlsx", type=FilePath(dir_okay=False), metavar="FILE",
              help="Write it into this workbook: Добавлено, Удалено, Изменено, Итоги.")  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
@json_option
@verb(changes_something=("xlsx",))
def diff(call: Call, run: int, organization: str | None, held: str | None, xlsx: Path | None, force: bool) -> None:
    """What a run made different: documents added, removed and changed, field by field, old and new.

    A document that 1C only gave another time is shown once, as re-timed. The sums agree with the run's bridge. A run
    from long ago is shown as it was then, whatever has happened to its documents since.

    With --held: why units are held, which rows were not read, and what would come, go and change if you accepted them.

    Example: cpimportd diff 42 --organization "ЛОТОС ООО" --xlsx changes.xlsx; cpimportd diff 42 --held
    """
    if force and xlsx is None:
        raise click.UsageError("--force goes with --xlsx")
    if held is not None:
        if organization is not None:
            raise click.UsageError(
                "--organization does not go with --held: name the unit, --held ORGANIZATION/receipts"
            )
        from cpimportd.cli.decision import print_decisions

        call.read(lambda connection: print_decisions(connection, call, [held] if held else [], run, xlsx, force))
        return
    call.read(lambda connection: _diff(connection, call, run, organization, xlsx, force))


async def _diff(
    connection: "asyncpg.Connection",
    call: Call,
    run: int,
    organization: str | None,
    xlsx: Path | None,
    force: bool,
) -> None:
    from cpimportd.books.database.queries import at_one_moment
    from cpimportd.books.journal.diff import diff as read_diff
    from cpimportd.books.journal.diff import movements
    from cpimportd.books.journal.names import chosen_organization, require_run

    department = call.settings.department_id
    await require_run(connection, department, run)
    organization = await chosen_organization(connection, department, organization)
    async with at_one_moment(connection):
        found = await read_diff(connection, run, organization=organization)
        moved = partial(movements, connection, found)
        if xlsx is not None:
            from cpimportd.render.workbooks.diff import write_diff
            from cpimportd.render.workbooks.tables import opened_output

            with opened_output(xlsx, force=force) as path:
                await write_diff(found, moved, path)
        if call.as_json:
            from cpimportd.render.fields import title_of

            head = {**found.head(), "xlsx": None if xlsx is None else str(xlsx)}
            await print_json_lists(head, {"documents": each(lambda one: [one.titled(title_of)], moved())})
        elif xlsx is not None:
            from cpimportd.core.formatting import count

            click.echo(f"{xlsx}: {count(found.total)} documents", err=True)
        else:
            await _print_diff(found, moved, call.settings.zone)


async def _print_diff(found: "Diff", moved: "Callable[..., AsyncGenerator[Movement, None]]", zone: ZoneInfo) -> None:
    from cpimportd.render.diff import first_of_each, render_diff
    from cpimportd.render.layout import stdout_console

    render_diff(found, await first_of_each(found, moved), zone, stdout_console())
