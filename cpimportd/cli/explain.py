"""``explain`` and ``rejects``: the cells of 1C's workbooks behind the books, and the errors in the workbooks."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cpimportd.cli.arguments import NAME, RUN, FilePath
from cpimportd.cli.common import Call, config_option, json_option, verb
from cpimportd.cli.connect import reading, run_async
from cpimportd.cli.output import Answer, print_json, print_json_lists, print_problems

if TYPE_CHECKING:
    import asyncpg
    from rich.console import Console

    from cpimportd.run.marking import Faulty, Marked

_FIGURES = ("receipts", "expenses", "details", "principal", "interest", "other")


@click.command()
@config_option
@click.argument("what", required=False, type=NAME)
@click.option("--contract", type=NAME, metavar="NUMBER", help="A contract: its text, or a part that fits no other.")
@click.option("--organization", metavar="NAME", help="Of a sum: only this organization's documents.")
@click.option("--month", metavar="YYYY-MM", help="Of a sum: only documents of this month, by their own date.")
@json_option
@verb()
def explain(
    call: Call, what: str | None, contract: str | None, organization: str | None, month: str | None
) -> Answer | None:
    """Where a value comes from: run, workbook, sheet, row and cell, and every earlier value with its date.

    WHAT is a document, by its whole name or its number; or a sum: receipts, expenses, details, principal, interest or
    other.

    \b
    Examples:
      cpimportd explain 0А00-000523
      cpimportd explain "Списание с расчетного счета 0А00-000523 от 22.04.2022 8:01:53"
      cpimportd explain --contract "N 17 от 23.09.2021"
      cpimportd explain --organization "ЛОТОС ООО" --month 2024-05 principal
    """  # noqa: D301 - click wants a real backspace there
    if (what is None) == (contract is None):
        raise click.UsageError("name a document, a sum, or a contract with --contract")
    if contract is not None:
        _refuse(organization, month, "a contract")
        _explain_contract(call, contract)
    elif what in _FIGURES:
        _explain_figure(call, what, organization, month)
    elif what is not None:
        _refuse(organization, month, "a document")
        return _explain_document(call, what)
    return None


def _refuse(organization: str | None, month: str | None, what: str) -> None:
    if organization or month:
        raise click.UsageError(f"--organization and --month belong to a sum ({', '.join(_FIGURES)}), not to {what}")


def _explain_document(call: Call, name: str) -> Answer:
    from cpimportd.books.journal.explain import explain as read
    from cpimportd.render.fields import title_of

    department, zone = call.settings.department_id, call.settings.zone
    found = call.read(lambda connection: read(connection, department, name))

    def show(console: "Console") -> None:
        from cpimportd.render.explain import render_explained

        render_explained(found, zone, console)

    return Answer(lambda: found.titled(title_of), show)


def _explain_contract(call: Call, number: str) -> None:
    from cpimportd.books.database.queries import at_one_moment
    from cpimportd.books.journal.contracts import beginning, bridges_of, documents_of, explain_contract, left_of
    from cpimportd.render.explain import render_contract
    from cpimportd.render.layout import stdout_console

    async def read(connection: "asyncpg.Connection") -> None:
        async with at_one_moment(connection):
            found = await explain_contract(connection, call.settings.department_id, number)
            if call.as_json:
                lists = {
                    "documents": documents_of(connection, found),
                    "left": left_of(connection, found),
                    "bridges": bridges_of(connection, found),
                }
                await print_json_lists(found.head(), lists)
            else:
                shown = await beginning(connection, found)
                render_contract(found, shown, call.settings.zone, stdout_console())

    call.read(read)


def _explain_figure(call: Call, figure: str, organization: str | None, month: str | None) -> None:
    from cpimportd.books.database.queries import at_one_moment
    from cpimportd.books.journal.summed import Month, explain_figure, figure_parts
    from cpimportd.core.model import Figure
    from cpimportd.render.explain import render_figure
    from cpimportd.render.layout import stdout_console

    try:
        when = None if month is None else Month.parse(month)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--month") from error
    department = call.settings.department_id

    async def read(connection: "asyncpg.Connection") -> None:
        async with at_one_moment(connection):
            found = await explain_figure(connection, department, Figure(figure), organization=organization, month=when)
            if call.as_json:
                parts = figure_parts(connection, department, found)
                await print_json_lists(found.head(), {"parts": parts})
            else:
                render_figure(found, call.settings.zone, stdout_console())

    call.read(read)


@click.command()
@config_option
@click.argument("run", type=RUN)
@click.option("--output", "folder", type=FilePath(file_okay=False), metavar="FOLDER", default=".",
              help="Where the marked workbooks go; it is made if need be.  [default: the current folder]")  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite what an earlier call wrote there.")
@click.option("--upload", is_flag=True, help="Put them into source.outbox on 1C's server, too.")
@json_option
@verb(changes_something=True)
def rejects(call: Call, run: int, folder: Path, force: bool, upload: bool) -> int:
    """The workbooks of a run as 1C sent them, with what is to be corrected coloured and explained in Russian.

    For the people responsible for 1C: each cell has a comment with problem and remedy, and the first sheet lists
    everything with links. Exit code 1 if a workbook could not be marked or uploaded.

    Example: cpimportd rejects 42 --output /tmp/to-correct --upload
    """
    from cpimportd.books.journal.names import require_run
    from cpimportd.render.workbooks.tables import make_folder
    from cpimportd.run.marking import faulty_workbooks, mark_workbook, marked_names
    from cpimportd.source.upload import put, require_outbox

    settings = call.settings
    if upload:
        require_outbox(settings.source)

    async def read(connection: "asyncpg.Connection") -> "list[Faulty]":
        await require_run(connection, settings.department_id, run)
        return await faulty_workbooks(connection, run, settings.spool_directory)

    async def work() -> "list[Marked]":
        found = await reading(call.loaded, read)
        if found:
            make_folder(folder)
        copies = marked_names(one.file for one in found)
        marked = [await mark_workbook(one, settings, run, folder / copies[one.file], force=force) for one in found]
        if upload:
            await put(settings.source, [one.path for one in marked if one.path is not None])
        return marked

    marked = run_async(work())
    missing = tuple(one.problem for one in marked if one.problem is not None)
    if call.as_json:
        print_json({"run": run, "uploaded": upload, "workbooks": marked})
    elif not marked:
        click.echo(f"In run {run} no row of any workbook has a problem; `cpimportd show {run}` shows the whole report.")
    for one in marked:
        if one.path is not None and not call.as_json:
            click.echo(f"{one.path}: {one.count} to look at")
    print_problems(missing)
    return 1 if missing else 0
