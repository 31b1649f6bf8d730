"""``check``, ``summary``, ``history`` and ``show``: the verbs that only look."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from cpimportd.cli.common import config_option, guarded, json_option, load, print_json, run_async

if TYPE_CHECKING:
    import asyncpg

    from cpimportd.books.history import Change, Inserted, Shown
    from cpimportd.configuration import Loaded

Result = TypeVar("Result")


@click.command()
@config_option
@json_option
@guarded
def check(config_file: Path | None, as_json: bool) -> int:
    """Look whether everything that a run needs is there: one line each, with the way out.

    Tries the configuration, the source, the database with its rights and schema, the cache, the disk and the clock.
    Changes nothing. Exit code 1 where a line says FAILED.
    """
    from cpimportd.checkup import checkup
    from cpimportd.rendering import render_checks, stdout_console

    lines = run_async(checkup(config_file))
    if as_json:
        print_json({"ok": all(line.ok for line in lines), "checks": [line.as_json() for line in lines]})
    else:
        render_checks(lines, stdout_console())
    return 0 if all(line.ok for line in lines) else 1


@click.command()
@config_option
@click.option("--department", type=int, metavar="ID", help="Another department than department_id.")
@json_option
@guarded
def summary(config_file: Path | None, department: int | None, as_json: bool) -> None:
    """Total receipts, expenses, balance, active contracts, principal and interest, as the books hold them now."""
    from cpimportd.books.summary import summary as read_summary
    from cpimportd.rendering import render_summary, stdout_console

    loaded = load(config_file)
    number = department or loaded.settings.department_id
    found = run_async(_reading(loaded, lambda connection: read_summary(connection, number)))
    if as_json:
        print_json({"department_id": number, **found.as_json()})
    else:
        render_summary(found, number, stdout_console())


@click.command()
@config_option
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many runs.")
@json_option
@guarded
def history(config_file: Path | None, limit: int, as_json: bool) -> None:
    """The latest runs, newest first: when, how they ended, what they changed."""
    from cpimportd.books.history import history as read_history
    from cpimportd.rendering import render_history, stdout_console

    loaded = load(config_file)
    number = loaded.settings.department_id
    runs = run_async(_reading(loaded, lambda connection: read_history(connection, department_id=number, limit=limit)))
    if as_json:
        print_json({"runs": [line.as_json() for line in runs]})
    else:
        render_history(runs, loaded.settings.zone, stdout_console())


@click.command()
@config_option
@click.argument("run", type=int)
@click.option("--organization", metavar="NAME", help="Only this organization's changes.")
@json_option
@guarded
def show(config_file: Path | None, run: int, organization: str | None, as_json: bool) -> None:
    """One run: its report, and its journal of what was added, changed and removed, with what was before."""
    from cpimportd.rendering import render_changes, render_stored, stdout_console

    loaded = load(config_file)
    shown, changes, inserted = run_async(_reading(loaded, lambda connection: _show(connection, run, organization)))
    if as_json:
        print_json(
            {
                **shown.line.as_json(),
                "report": shown.report,
                "changes": [change.as_json() for change in changes],
                "inserted": [{name: getattr(document, name) for name in document.__slots__} for document in inserted],
            }
        )
        return
    console = stdout_console()
    render_stored(shown, loaded.settings.zone, console)
    render_changes(changes, inserted, console)


async def _show(
    connection: "asyncpg.Connection", run: int, organization: str | None
) -> "tuple[Shown, list[Change], list[Inserted]]":
    from cpimportd.books.history import changes, inserted
    from cpimportd.books.history import show as read_run

    shown = await read_run(connection, run)
    changed = [change async for change in changes(connection, run, organization=organization)]
    added = [document async for document in inserted(connection, run, organization=organization)]
    return shown, changed, added


async def _reading(loaded: "Loaded", read: "Callable[[asyncpg.Connection], Awaitable[Result]]") -> Result:
    """Read something from the books on a connection of its own.

    Raises:
        ProblemError: the database is away, or not ready.
    """
    import asyncpg

    from cpimportd.books import connect, require_current, translate
    from cpimportd.configuration import require_database
    from cpimportd.problems import ProblemError

    require_database(loaded.settings, loaded.path)
    connection = await connect(loaded.settings.database)
    try:
        await require_current(connection)
        return await read(connection)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise ProblemError(translate(error)) from error
    finally:
        await connection.close()
