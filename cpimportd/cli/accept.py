"""``accept`` and ``undo``: decisions reserved for a human."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cpimportd.cli.arguments import NAME, RUN
from cpimportd.cli.common import Call, config_option, current_user, json_option, verb
from cpimportd.cli.connect import run_async
from cpimportd.cli.output import Answer, confirm, require_terminal
from cpimportd.cli.run import answer_of, do_run, notify_daemon

if TYPE_CHECKING:
    import asyncpg

    from cpimportd.core.report import HeldUnit, RunReport


@click.command()
@config_option
@click.argument("units", nargs=-1, type=NAME, metavar="[UNIT]...")
@click.option("--run", "run_id", type=RUN, metavar="RUN", help="The run that held them, where it was not the last one.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@verb(changes_something=("units",))
def accept(call: Call, units: tuple[str, ...], run_id: int | None, yes: bool) -> Answer:
    """Publish units that were held as implausible, after you have checked that they are right.

    Shows why each is held and what it would change, and asks. Accepts only the files that were held: if 1C has uploaded
    others since, nothing is published. Units held by
    integrity checks (sums that do not add up, rejected rows) cannot be accepted. The history records who accepted what,
    and when. Without a UNIT, lists the held units.

    Example: cpimportd accept "ЛОТОС ООО/expenses"
    """
    from cpimportd.run.request import RunRequest

    if not units:
        return _list(call)
    held = _to_accept(call, units, run_id)
    if not yes:
        _ask(call, held)
    request = RunRequest(
        accepted=tuple(one.unit.name for one in held),
        accepted_files={one.unit.name: one.contents for one in held},
        requested_by=current_user(),
    )
    report = run_async(do_run(call.settings, request, "auto", None, None))
    notify_daemon(call.loaded, report)
    return answer_of(report, call.settings.zone)


def _ask(call: Call, held: "Sequence[HeldUnit]") -> None:
    """Show what would change, on stderr, and ask."""
    from cpimportd.books.reports.decisions import decisions
    from cpimportd.cli.decision import render_decisions
    from cpimportd.render.layout import make_console

    require_terminal()
    names = [one.unit.name for one in held]

    async def show(connection: "asyncpg.Connection") -> None:
        found = await decisions(connection, call.settings.department_id, names)
        await render_decisions(connection, call, found, make_console(sys.stderr))

    call.read(show)
    confirm(f"Publish {', '.join(names)}?", "Nothing was published.")


def _list(call: Call) -> Answer:
    from cpimportd.books.publish.held import held_units

    department = call.settings.department_id
    units = call.read(lambda connection: held_units(connection, department))
    names = [one.unit.name for one in units]
    return Answer(
        lambda: {"held": names, "units": units},
        "\n".join(names) or "no unit is held",
        hint="`cpimportd history` names the runs that held them, `cpimportd show RUN` says why." if units else "",
    )


def _to_accept(call: Call, units: Sequence[str], run_id: int | None) -> "list[HeldUnit]":
    from cpimportd.books.journal.names import require_run
    from cpimportd.books.publish.held import to_accept

    department = call.settings.department_id

    async def read(connection: "asyncpg.Connection") -> "list[HeldUnit]":
        if run_id is not None:
            await require_run(connection, department, run_id)
        return await to_accept(connection, department, units, run_id)

    return call.read(read)


@click.command()
@config_option
@click.argument("run", type=RUN)
@click.option("--through", is_flag=True, help="Undo the later runs that published the same units as well.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@verb(changes_something=True)
def undo(call: Call, run: int, through: bool, yes: bool) -> int:
    """Restore the books of a run's units to their state before it.

    In one transaction, checked against the sums of that time; refused where a later run published the same units
    (--through undoes those, too) or where somebody else has written to them. The undone files are not taken again:
    their units are held until 1C uploads others, or until you accept them. An undo is a run itself: it has a journal,
    and can be undone.

    Example: cpimportd undo 42
    """
    from cpimportd.books.journal.names import require_run
    from cpimportd.books.publish.undo import runs_to_undo
    from cpimportd.core.formatting import command

    department = call.settings.department_id

    async def read(connection: "asyncpg.Connection") -> tuple[int, ...]:
        await require_run(connection, department, run)
        return await runs_to_undo(connection, department, run, through=through)

    which = call.read(read)
    if not yes:
        require_terminal()
        runs = ", ".join(str(run) for run in sorted(which))
        confirm(f"Undo run {runs}? `cpimportd diff` shows what would be taken back.", "Nothing was undone.")
    report = run_async(_undo(call, run, through=through))
    notify_daemon(call.loaded, report)
    code = call.print(answer_of(report, call.settings.zone))
    for unit in (one.unit.name for one in report.held_now or () if one.run == report.run):
        paste = command("accept", unit)
        click.echo(f"held until 1C uploads other files: {unit}\n  → to take those of now: {paste}", err=True)
    return code


async def _undo(call: Call, run: int, *, through: bool) -> "RunReport":
    from cpimportd.render.progress import choose_progress
    from cpimportd.run.undoing import undo_once

    with choose_progress("auto") as progress:
        report = await undo_once(call.settings, run, through=through, requested_by=current_user(), progress=progress)
        progress.end(report)
        return report
