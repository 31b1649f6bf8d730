"""``history``, ``diff`` and ``rejects``: the verbs with which an accountant asks what happened."""

from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from cpimportd.cli.arguments import DAY, RUN, FilePath, require_order
from cpimportd.cli.common import (
    config_option,
    guarded,
    guarded_deed,
    guarded_deed_with,
    json_option,
    load,
    print_json,
    run_async,
    say,
)
from cpimportd.cli.looking import reading
from cpimportd.cli.streaming import print_json_lists
from cpimportd.core.outcomes import ENDED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import asyncpg

    from cpimportd.books.journal.diff import Diff
    from cpimportd.books.journal.movements import Movement
    from cpimportd.books.reports.history import RunLine
    from cpimportd.config.load import Loaded
    from cpimportd.run.marking import Faulty, Marked

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
@guarded
def history(
    config_file: Path | None,
    limit: int,
    before: int | None,
    since: datetime | None,
    until: datetime | None,
    statuses: tuple[str, ...],
    organization: str | None,
    as_json: bool,
) -> None:
    """The latest runs, newest first: when, how they ended, what they changed.

    Days are those of the configured time zone.

    Example: cpimportd history --since 2026-11-01 --status held --status partial --organization "ЛОТОС ООО"
    """
    from cpimportd.books.journal.names import chosen_organization
    from cpimportd.books.reports.history import history as read_history
    from cpimportd.render.layout import stdout_console
    from cpimportd.render.past import render_history

    require_order(since, until)
    loaded = load(config_file)
    settings = loaded.settings

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

    runs = run_async(reading(loaded, read))
    if as_json:
        print_json({"runs": runs})
        return
    if not runs and (before or since or until or statuses or organization):
        click.echo("No run is like that.")
        return
    render_history(runs, settings.zone, stdout_console())
    if len(runs) == limit:
        click.echo(f"Older ones: add --before {runs[-1].run}", err=True)


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
@click.option("--organization", metavar="NAME", help="Only this organization's documents.")
@click.option("--xlsx", type=FilePath(dir_okay=False), metavar="FILE",
              help="Write it into this workbook: Добавлено, Удалено, Изменено, Итоги.")  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
@json_option
@guarded_deed_with("xlsx")
def diff(
    config_file: Path | None, run: int, organization: str | None, xlsx: Path | None, force: bool, as_json: bool
) -> None:
    """What a run made different: documents added, removed and changed, field by field, old and new.

    A document that 1C only gave another time is shown once, as re-timed. The sums agree with the run's bridge. A run
    from long ago is told as it was then, whatever has happened to its documents since.

    Example: cpimportd diff 42 --organization "ЛОТОС ООО" --xlsx changes.xlsx
    """
    if force and xlsx is None:
        raise click.UsageError("--force goes with --xlsx")
    loaded = load(config_file)
    run_async(reading(loaded, lambda connection: _diff(connection, loaded, run, organization, xlsx, force, as_json)))


async def _diff(
    connection: "asyncpg.Connection",
    loaded: "Loaded",
    run: int,
    organization: str | None,
    xlsx: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    from cpimportd.books.database.cursors import at_one_moment
    from cpimportd.books.journal.diff import diff as read_diff
    from cpimportd.books.journal.diff import movements
    from cpimportd.books.journal.names import chosen_organization, require_run

    department = loaded.settings.department_id
    await require_run(connection, department, run)
    organization = await chosen_organization(connection, department, organization)
    async with at_one_moment(connection):
        found = await read_diff(connection, run, organization=organization)
        tell = partial(movements, connection, found)
        if xlsx is not None:
            from cpimportd.render.workbooks.diff import write_diff
            from cpimportd.render.workbooks.output import opened_output

            with opened_output(xlsx, force=force) as path:
                await write_diff(found, tell, path)
        if as_json:
            from cpimportd.render.titles import title_of

            head = {**found.head(), "xlsx": None if xlsx is None else str(xlsx)}
            await print_json_lists(head, {"documents": (one.titled(title_of) async for one in tell())})
        elif xlsx is not None:
            from cpimportd.core.figures import count

            click.echo(f"{xlsx}: {count(found.total)} documents", err=True)
        else:
            await _print_diff(found, tell, loaded.settings.zone)


async def _print_diff(found: "Diff", tell: "Callable[..., AsyncIterator[Movement]]", zone: ZoneInfo) -> None:
    from cpimportd.books.journal.movements import What
    from cpimportd.render.diff import MOST_ROWS, render_diff
    from cpimportd.render.layout import stdout_console

    documents = {what: [one async for one in tell(what, limit=MOST_ROWS)] for what in What if what in found.movements}
    render_diff(found, documents, zone, stdout_console())


@click.command()
@config_option
@click.argument("run", type=RUN)
@click.option("--output", "folder", type=FilePath(file_okay=False), metavar="FOLDER", default=".",
              help="Where the marked workbooks go; it is made if need be.  [default: the current folder]")  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite what an earlier call wrote there.")
@click.option("--upload", is_flag=True, help="Put them into source.outbox on 1C's server, too.")
@json_option
@guarded_deed
def rejects(config_file: Path | None, run: int, folder: Path, force: bool, upload: bool, as_json: bool) -> int:
    """The workbooks of a run as 1C sent them, with what is to be corrected coloured and explained in Russian.

    For whoever looks after 1C: each cell has a comment with what is wrong and what to do, and the first sheet lists
    everything with links. Exit code 1 where a workbook could not be marked or uploaded.

    Example: cpimportd rejects 42 --output /tmp/to-correct --upload
    """
    from cpimportd.books.journal.names import require_run
    from cpimportd.render.workbooks.output import make_folder
    from cpimportd.run.marking import faulty_workbooks, mark_workbook, marked_names
    from cpimportd.source.outbox import put, require_outbox

    loaded = load(config_file)
    settings = loaded.settings
    if upload:
        require_outbox(settings.source)

    async def read(connection: "asyncpg.Connection") -> "list[Faulty]":
        await require_run(connection, settings.department_id, run)
        return await faulty_workbooks(connection, run, settings.spool_directory)

    async def work() -> "list[Marked]":
        found = await reading(loaded, read)
        if found:
            make_folder(folder)
        copies = marked_names(one.file for one in found)
        marked = [await mark_workbook(one, settings, run, folder / copies[one.file], force=force) for one in found]
        if upload:
            await put(settings.source, [one.path for one in marked if one.path is not None])
        return marked

    marked = run_async(work())
    missing = tuple(one.problem for one in marked if one.problem is not None)
    if as_json:
        print_json({"run": run, "uploaded": upload, "workbooks": marked})
    elif not marked:
        click.echo(f"In run {run} no row of any workbook has a problem; `cpimportd show {run}` shows the whole report.")
    for one in marked:
        if one.path is not None and not as_json:
            click.echo(f"{one.path}: {one.count} to look at")
    say(missing)
    return 1 if missing else 0
