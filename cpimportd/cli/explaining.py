"""``explain``: from a document, a contract or a sum back to the cells that it came from."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cpimportd.cli.arguments import NAME
from cpimportd.cli.common import config_option, guarded, json_option, load, print_json, run_async
from cpimportd.cli.looking import reading
from cpimportd.cli.streaming import print_json_lists

if TYPE_CHECKING:
    import asyncpg

    from cpimportd.config.load import Loaded

_FIGURES = ("receipts", "expenses", "details", "principal", "interest", "other")


@click.command()
@config_option
@click.argument("what", required=False, type=NAME)
@click.option("--contract", type=NAME, metavar="NUMBER", help="A contract: its text, or a part that fits no other.")
@click.option("--organization", metavar="NAME", help="Of a sum: only this organization's documents.")
@click.option("--month", metavar="YYYY-MM", help="Of a sum: only documents of this month, by their own date.")
@json_option
@guarded
def explain(
    config_file: Path | None,
    what: str | None,
    contract: str | None,
    organization: str | None,
    month: str | None,
    as_json: bool,
) -> None:
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
    loaded = load(config_file)
    if contract is not None:
        _refuse(organization, month, "a contract")
        _explain_contract(loaded, contract, as_json=as_json)
    elif what in _FIGURES:
        _explain_figure(loaded, what, organization, month, as_json=as_json)
    elif what is not None:
        _refuse(organization, month, "a document")
        _explain_document(loaded, what, as_json=as_json)


def _refuse(organization: str | None, month: str | None, what: str) -> None:
    if organization or month:
        raise click.UsageError(f"--organization and --month belong to a sum ({', '.join(_FIGURES)}), not to {what}")


def _explain_document(loaded: "Loaded", name: str, *, as_json: bool) -> None:
    from cpimportd.books.journal.explain import explain as read
    from cpimportd.render.titles import title_of

    department = loaded.settings.department_id
    found = run_async(reading(loaded, lambda connection: read(connection, department, name)))
    if as_json:
        print_json(found.titled(title_of))
    else:
        from cpimportd.render.explain import render_explained
        from cpimportd.render.layout import stdout_console

        render_explained(found, loaded.settings.zone, stdout_console())


def _explain_contract(loaded: "Loaded", number: str, *, as_json: bool) -> None:
    from cpimportd.books.database.cursors import at_one_moment
    from cpimportd.books.journal.contracts import beginning, bridges_of, documents_of, explain_contract, left_of
    from cpimportd.render.explain import render_contract
    from cpimportd.render.layout import stdout_console

    async def read(connection: "asyncpg.Connection") -> None:
        async with at_one_moment(connection):
            found = await explain_contract(connection, loaded.settings.department_id, number)
            if as_json:
                lists = {
                    "documents": documents_of(connection, found),
                    "left": left_of(connection, found),
                    "bridges": bridges_of(connection, found),
                }
                await print_json_lists(found.head(), lists)
            else:
                shown = await beginning(connection, found)
                render_contract(found, shown, loaded.settings.zone, stdout_console())

    run_async(reading(loaded, read))


def _explain_figure(
    loaded: "Loaded", figure: str, organization: str | None, month: str | None, *, as_json: bool
) -> None:
    from cpimportd.books.database.cursors import at_one_moment
    from cpimportd.books.journal.summed import Month, explain_figure, figure_parts
    from cpimportd.core.model import Figure
    from cpimportd.render.explain import render_figure
    from cpimportd.render.layout import stdout_console

    try:
        when = None if month is None else Month.parse(month)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--month") from error
    department = loaded.settings.department_id

    async def read(connection: "asyncpg.Connection") -> None:
        async with at_one_moment(connection):
            found = await explain_figure(connection, department, Figure(figure), organization=organization, month=when)
            if as_json:
                parts = figure_parts(connection, department, found)
                await print_json_lists(found.head(), {"parts": parts})
            else:
                render_figure(found, loaded.settings.zone, stdout_console())

    run_async(reading(loaded, read))
