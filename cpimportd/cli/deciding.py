"""``accept`` and ``undo``: what only a human may decide."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cpimportd.cli.arguments import NAME, RUN
from cpimportd.cli.beside import tell_daemon
from cpimportd.cli.common import config_option, guarded_deed, guarded_deed_with, json_option, load, run_async, who
from cpimportd.cli.importing import do_run, show_report

if TYPE_CHECKING:
    import asyncpg

    from cpimportd.config.load import Loaded
    from cpimportd.core.report import HeldUnit, RunReport


@click.command()
@config_option
@click.argument("units", nargs=-1, type=NAME, metavar="[UNIT]...")
@click.option("--run", "run_id", type=RUN, metavar="RUN", help="The run that held them, where it was not the last one.")
@json_option
@guarded_deed_with("units")
def accept(config_file: Path | None, units: tuple[str, ...], run_id: int | None, as_json: bool) -> int:
    """Publish units that were held because they looked implausible: you have looked, and they are right.

    Holds for the files that were held: if 1C has uploaded others since, nothing is published. What the integrity checks
    hold (sums that do not add up, rejected rows) nobody can accept. The history keeps who accepted what, and when.
    Without a UNIT, lists those that are held.

    Example: cpimportd accept "ЛОТОС ООО/expenses"
    """
    from cpimportd.run.pipeline import RunRequest

    loaded = load(config_file)
    if not units:
        return _list(run_async(_held(loaded)), as_json=as_json)
    held = run_async(_to_accept(loaded, units, run_id))
    request = RunRequest(
        accepted=tuple(one.unit.name for one in held),
        accepted_files={one.unit.name: one.contents for one in held},
        requested_by=who(),
    )
    report = run_async(do_run(loaded.settings, request, "auto", None, None))
    tell_daemon(loaded, report)
    show_report(report, loaded.settings.zone, as_json=as_json)
    return report.code


def _list(units: "Sequence[HeldUnit]", *, as_json: bool) -> int:
    from cpimportd.cli.common import print_json

    if as_json:
        print_json({"held": [one.unit.name for one in units], "units": units})
    elif units:
        for one in units:
            click.echo(one.unit.name)
        click.echo("`cpimportd history` names the runs that held them, `cpimportd show RUN` says why.", err=True)
    else:
        click.echo("no unit is held")
    return 0


async def _held(loaded: "Loaded") -> "list[HeldUnit]":
    from cpimportd.books.publish.held import held_units
    from cpimportd.cli.looking import reading

    return await reading(loaded, lambda connection: held_units(connection, loaded.settings.department_id))


async def _to_accept(loaded: "Loaded", units: Sequence[str], run_id: int | None) -> "list[HeldUnit]":
    from cpimportd.books.journal.names import require_run
    from cpimportd.books.publish.held import to_accept
    from cpimportd.cli.looking import reading

    department = loaded.settings.department_id

    async def read(connection: "asyncpg.Connection") -> "list[HeldUnit]":
        if run_id is not None:
            await require_run(connection, department, run_id)
        return await to_accept(connection, department, units, run_id)

    return await reading(loaded, read)


@click.command()
@config_option
@click.argument("run", type=RUN)
@click.option("--through", is_flag=True, help="Undo the later runs that published the same units as well.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@guarded_deed
def undo(config_file: Path | None, run: int, through: bool, yes: bool, as_json: bool) -> int:
    """Make the books of a run's units what they were before it.

    In one transaction, checked against the sums of that time; refused where a later run published the same units
    (--through undoes those, too) or where somebody else has written to them. The undone files are not taken again:
    their units are held until 1C uploads others, or until you accept them. An undo is a run itself: it has a journal,
    and can be undone.

    Example: cpimportd undo 42
    """
    from cpimportd.books.journal.names import require_run
    from cpimportd.books.publish.undoable import runs_to_undo
    from cpimportd.cli.looking import reading
    from cpimportd.core.shell import command

    loaded = load(config_file)
    department = loaded.settings.department_id

    async def read(connection: "asyncpg.Connection") -> tuple[int, ...]:
        await require_run(connection, department, run)
        return await runs_to_undo(connection, department, run, through=through)

    which = run_async(reading(loaded, read))
    if not yes:
        _confirm(which)
    report = run_async(_undo(loaded, run, through=through))
    tell_daemon(loaded, report)
    show_report(report, loaded.settings.zone, as_json=as_json)
    for unit in (one.unit.name for one in report.held_now or () if one.run == report.run):
        paste = command("accept", unit)
        click.echo(f"held until 1C uploads other files: {unit}\n  → to take those of now: {paste}", err=True)
    return report.code


def _confirm(which: Sequence[int]) -> None:
    # A question that goes into a file, or nowhere, is seen by nobody; whoever waits for its answer waits in vain.
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("nobody is there to be asked: say --yes")
    runs = ", ".join(str(run) for run in sorted(which))
    try:
        click.confirm(f"Undo run {runs}? `cpimportd diff` shows what would be taken back.", abort=True, err=True)
    except click.Abort:
        click.echo("\nNothing was undone. Without the question: --yes", err=True)
        raise


async def _undo(loaded: "Loaded", run: int, *, through: bool) -> "RunReport":
    from cpimportd.render.progress import choose_progress
    from cpimportd.run.undoing import undo_once

    with choose_progress("auto") as progress:
        report = await undo_once(loaded.settings, run, through=through, requested_by=who(), progress=progress)
        progress.end(report)
        return report
