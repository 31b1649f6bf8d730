"""Shows held units before a decision: ``diff --held``, and ``accept`` before it asks."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cpimportd.cli.common import Call
from cpimportd.cli.output import print_json_lists

if TYPE_CHECKING:
    import asyncpg
    from rich.console import Console

    from cpimportd.books.reports.decisions import Decision


async def print_decisions(
    connection: "asyncpg.Connection", call: Call, names: Sequence[str], run: int | None, xlsx: Path | None, force: bool
) -> None:
    """Print what there is to be decided, as text, as JSON, or into a workbook.

    Raises:
        ProblemError: a unit is not held.
    """
    from cpimportd.books.database.queries import at_one_moment
    from cpimportd.books.reports.decisions import decisions

    department = call.settings.department_id
    async with at_one_moment(connection):
        found = await decisions(connection, department, names, run)
        if xlsx is not None:
            await _write(connection, call, found, xlsx, force)
        if call.as_json:
            head = {"run": run, "xlsx": None if xlsx is None else str(xlsx)}
            await print_json_lists(head, {"held": _documents(connection, call, found)})
        elif xlsx is None:
            from cpimportd.render.layout import stdout_console

            await render_decisions(connection, call, found, stdout_console())


async def render_decisions(
    connection: "asyncpg.Connection", call: Call, found: "Sequence[Decision]", console: "Console"
) -> None:
    """Print units for people, each with the first documents that it would change."""
    from cpimportd.books.reports.decisions import held_documents
    from cpimportd.render.diff import first_of_each
    from cpimportd.render.held import render_decision

    department, zone = call.settings.department_id, call.settings.zone
    for one in found:
        moved = partial(held_documents, connection, department, one.held.unit)
        documents = {} if one.difference is None else await first_of_each(one.difference, moved)
        render_decision(one, documents, zone, console)


async def _documents(
    connection: "asyncpg.Connection", call: Call, found: "Sequence[Decision]"
) -> "AsyncGenerator[object, None]":
    from cpimportd.books.reports.decisions import held_documents
    from cpimportd.core.typed import to_json
    from cpimportd.render.fields import title_of

    for one in found:
        async with aclosing(held_documents(connection, call.settings.department_id, one.held.unit)) as moved:
            documents = [movement.titled(title_of) async for movement in moved]
        yield {
            **to_json(one.held),
            "rows": to_json(one.rows),
            "difference": None if one.difference is None else one.difference.head(),
            "kept": one.kept,
            "documents": documents,
        }


async def _write(
    connection: "asyncpg.Connection", call: Call, found: "Sequence[Decision]", xlsx: Path, force: bool
) -> None:
    from cpimportd.books.reports.decisions import held_documents
    from cpimportd.core.formatting import count
    from cpimportd.render.workbooks.diff import write_diff
    from cpimportd.render.workbooks.tables import opened_output

    known = [(one, one.difference) for one in found if one.difference is not None]
    if len(known) != 1:
        raise click.UsageError(
            "--xlsx goes with one unit whose difference is known: --held UNIT"
            if known
            else "nobody knows what these units would change: the integrity checks hold them"
        )
    ((one, difference),) = known
    moved = partial(held_documents, connection, call.settings.department_id, one.held.unit)
    with opened_output(xlsx, force=force) as path:
        await write_diff(difference, moved, path)
    click.echo(f"{xlsx}: {count(one.kept)} of {count(difference.total)} documents", err=True)
