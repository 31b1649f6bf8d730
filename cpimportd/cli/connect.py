"""Gives verbs the configuration, the books and the daemon, and waits for them."""

import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cpimportd.cli.output import print_problems
from cpimportd.core.phrases import exception

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable

    import asyncpg

    from cpimportd.config.load import Loaded
    from cpimportd.core.problems import Problem
    from cpimportd.core.waiting import Wait
    from cpimportd.daemon.client import Client

Result = TypeVar("Result")


def load(config_file: Path | None) -> "Loaded":
    """The configuration; its warnings are said on stderr.

    Raises:
        ProblemError: it cannot be used.
    """
    from cpimportd.config.load import load as load_configuration
    from cpimportd.run.usable import require_addresses

    loaded = load_configuration(config_file)
    require_addresses(loaded)
    print_problems(loaded.problems)
    return loaded


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
    from cpimportd.books.database.connection import opened
    from cpimportd.books.schema.upgrade import require_current
    from cpimportd.config.load import require_database

    require_database(loaded.settings, loaded.path)
    async with opened(loaded.settings.database, direct=direct) as connection:
        await require_current(connection)
        return await read(connection)


def daemon_client(config_file: Path | None) -> "Client":
    """The daemon's client, even if the configuration file is broken by now; without a daemon its errors are raised.

    Raises:
        ProblemError: what is wrong with the configuration, where no daemon lives.
    """
    from cpimportd.core.problems import ProblemError
    from cpimportd.core.state_folder import configured_state_folder, default_state_folder
    from cpimportd.daemon.client import Client
    from cpimportd.daemon.lock import holder

    folder = configured_state_folder(config_file)
    if folder is None or holder(folder) is None:
        try:
            folder = load(config_file).settings.state_directory
        except ProblemError:
            folder = default_state_folder()
            if holder(folder) is None:
                raise
    return Client(folder, on_wait=print_wait)


def print_wait(wait: "Wait") -> None:
    """Print on stderr that the daemon is busy or stopped, at a terminal or not."""
    from datetime import UTC, datetime

    click.echo(f"cpimportd: waiting for {wait.describe(None, datetime.now(UTC))}", err=True)


def _print_waits(waits: "tuple[Wait, ...]") -> None:
    """Print at a terminal what a verb waits for; a log or a script does not get it."""
    from datetime import UTC, datetime

    from cpimportd.core.waiting import describe_waits

    if waits and sys.stderr.isatty():
        click.echo(f"cpimportd: waiting for {describe_waits(waits, None, datetime.now(UTC))}", err=True)


def _without_exhaustion(loop: "asyncio.AbstractEventLoop", context: "dict[str, Any]") -> None:
    """Suppress asyncio's traceback of an exhausted machine: the verb reports that as a problem."""
    from cpimportd.core.system import exhausted

    error = context.get("exception")
    if error is None or exhausted(error) is None:
        loop.default_exception_handler(context)


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a verb's work; SIGTERM stops it as Ctrl-C does: in order, before COMMIT or after it."""
    import asyncio

    from cpimportd.core.system import exhausted
    from cpimportd.core.waiting import report_waits_to

    done: list[Result] = []

    async def stoppable() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_without_exhaustion)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        done.append(await task)

    begun = stoppable()
    try:
        with report_waits_to(_print_waits):
            asyncio.run(begun)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except RuntimeError as error:
        # asyncio takes a thread to end its threads; what was done is done where there is none to be had.
        if not done or exhausted(error) is None:
            raise
    finally:
        begun.close()  # where no loop could be made, neither was begun
        work.close()
    return done[0]


def problem_from_exception(error: Exception) -> "Problem":
    """The problem of an unexpected exception: of a file, of the database, or a defect."""
    from cpimportd.core.problems import problem
    from cpimportd.core.system import exhausted, unusable

    if isinstance(error, OSError) and error.filename:
        return unusable(error.filename, error)
    if (found := exhausted(error)) is not None:
        return found
    if type(error).__module__.partition(".")[0] == "asyncpg":
        from cpimportd.books.database.failures import translate

        return translate(error)
    return problem("internal", reason=exception(error))
