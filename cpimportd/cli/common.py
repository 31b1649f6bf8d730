"""What all verbs share: --config and --json, and one way to end badly: a coded problem, its way out, an exit code."""

import functools
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import click

from cpimportd.cli.arguments import FilePath

if TYPE_CHECKING:
    import asyncio

    from cpimportd.config.load import Loaded
    from cpimportd.core.problems import Problem
    from cpimportd.core.waiting import Wait
    from cpimportd.daemon.messages import Message

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _named(context: click.Context, parameter: click.Parameter, file: Path | None) -> None:
    """Name a file of variables for everything that this command reads and starts."""
    import os

    from cpimportd.core.statefolder import ENV_FILE

    if file is not None:
        os.environ[ENV_FILE] = str(file.absolute())


def _configured(context: click.Context, parameter: click.Parameter, file: Path | None) -> Path | None:
    """Before anything is read, take over what the daemon's unit is given."""
    from cpimportd.config.unit import adopt

    adopt(file)
    return file


def config_option(verb: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Add --config and --env-file to a verb; it is given the first as ``config_file``."""
    verb = click.option(
        "--env-file",
        type=FilePath(exists=True, dir_okay=False),
        metavar="FILE",
        expose_value=False,
        callback=_named,
        help="File of variables, such as the predecessor's.  [default: $CPIMPORTD_ENV_FILE, else .env beside the "
        "configuration file]",
    )(verb)
    return click.option(
        "--config",
        "config_file",
        type=FilePath(dir_okay=False),
        metavar="FILE",
        callback=_configured,
        help="Configuration file.  [default: $CPIMPORTD_CONFIG, else /etc/cpimportd/cpimportd.toml]",
    )(verb)


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, all else on stderr.")

INTERRUPTED = 128 + signal.SIGINT
"""Exit code after Ctrl-C, as shells count it."""


def guarded(verb: Callable[Arguments, int | None]) -> Callable[Arguments, NoReturn]:
    """Turn what a verb returns or raises into its exit code; nobody is ever shown a traceback.

    A defect of ours is a problem like any other to the user; its traceback goes to the log at level debug. A verb that
    only shows something fails where that cannot be written; nobody reading it is no failure.
    """
    return _guard(verb, lambda _: False)


def guarded_deed(verb: Callable[Arguments, int | None]) -> Callable[Arguments, NoReturn]:
    """The same for a verb that does something: its exit code tells how that went, whatever became of its output."""
    return _guard(verb, lambda _: True)


def guarded_deed_with(*options: str) -> Callable[[Callable[Arguments, int | None]], Callable[Arguments, NoReturn]]:
    """The same for a verb that does something where one of these options is given, and else only shows something."""
    return lambda verb: _guard(verb, lambda given: any(given[name] for name in options))


def _guard(
    verb: Callable[Arguments, int | None], does: Callable[[Mapping[str, object]], bool]
) -> Callable[Arguments, NoReturn]:
    @functools.wraps(verb)
    def wrapper(*args: Arguments.args, **kwargs: Arguments.kwargs) -> NoReturn:
        import logging

        logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
        try:
            code = verb(*args, **kwargs) or 0
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            if sys.stderr.isatty():  # to whoever pressed Ctrl-C; everybody else goes by the exit code
                click.echo("interrupted", err=True)
            code = INTERRUPTED
        except Exception as error:  # noqa: BLE001 - a defect is told as a problem
            code = _failed(error, as_json=bool(kwargs.get("as_json")))
        sys.exit(after_output(code, did=does(kwargs)))

    return wrapper


def _failed(error: Exception, *, as_json: bool) -> int:
    """Tell why a verb failed; its exit code."""
    import logging

    from cpimportd.core.problems import ProblemError

    if isinstance(error, ProblemError):
        problems, code = error.problems, error.exit_code
    else:
        logging.getLogger(__name__).debug("a defect", exc_info=error)
        problems, code = (explained(error),), 1
    say(problems)
    if as_json:
        print_json_problems(problems)
    return code


def explained(error: Exception) -> "Problem":
    """What an exception means that nobody expected: a file or the database refuses, or a defect of ours."""
    from cpimportd.core.problems import problem
    from cpimportd.core.system import exhausted, unusable

    if isinstance(error, OSError) and error.filename:
        return unusable(error.filename, error)
    if (found := exhausted(error)) is not None:
        return found
    if type(error).__module__.partition(".")[0] == "asyncpg":
        from cpimportd.books.database.failures import translate

        return translate(error)
    return problem("internal", reason=f"{type(error).__name__}: {error}")


def after_output(code: int, *, did: bool) -> int:
    """The exit code once everything is written: what could not be is said on stderr, where somebody would have read it.

    Args:
        code: how the verb itself ended.
        did: whether it did something, and was not only asked to show something.
    """
    from cpimportd.core.problems import problem
    from cpimportd.core.streams import give_up, loss, unread

    lost = loss(sys.stdout)
    if lost is None or unread(sys.stdout):
        return code
    give_up(sys.stdout)
    say((problem("output-lost", reason=lost.strerror or str(lost)),))
    return code if code or did else 1


def say(problems: "tuple[Problem, ...]") -> None:
    """Show problems to a human, each with its way out, on stderr."""
    for one in problems:
        click.echo(f"cpimportd: {one}", err=True)
        click.echo(f"  → {one.way_out}", err=True)


def who() -> str:
    """The human at the terminal, for the history: who became somebody else by sudo is told by his own name."""
    import getpass
    import os
    import socket

    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user whom the machine does not know
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def load(config_file: Path | None) -> "Loaded":
    """The configuration; its warnings are said on stderr.

    Raises:
        ProblemError: it cannot be used.
    """
    from cpimportd.config.load import load as load_configuration
    from cpimportd.run.usable import require_addresses

    loaded = load_configuration(config_file)
    require_addresses(loaded)
    say(loaded.problems)
    return loaded


def _without_exhaustion(loop: "asyncio.AbstractEventLoop", context: "dict[str, Any]") -> None:
    """Leave out what asyncio would show with a traceback, and the verb itself ends with as a problem."""
    from cpimportd.core.system import exhausted

    error = context.get("exception")
    if error is None or exhausted(error) is None:
        loop.default_exception_handler(context)


def _say_waits(waits: "tuple[Wait, ...]") -> None:
    """Whoever sits before a terminal is told what a verb waits for; a log or a script is not."""
    from datetime import UTC, datetime

    from cpimportd.core.waiting import told

    if waits and sys.stderr.isatty():
        click.echo(f"cpimportd: waiting for {told(waits, None, datetime.now(UTC))}", err=True)


_PRINTED = "cpimportd.printed"
"""In click's context: a JSON document was printed."""


def print_json(document: object) -> None:
    """One JSON document on stdout, readable by people too."""
    from cpimportd.core.typed import json_text

    click.echo(json_text(document, indent=2))
    note_printed()


def send_messages(*messages: "Message") -> None:
    """Let the daemon that started this verb hear these, a line each; it reads our stderr."""
    from cpimportd.daemon.messages import encode

    for message in messages:
        sys.stderr.write(f"{encode(message)}\n")
    sys.stderr.flush()


def print_json_problems(problems: "Iterable[Problem]") -> None:
    """What went wrong as the one JSON document of a verb; nothing where it has begun to print another."""
    if (context := click.get_current_context(silent=True)) is None or _PRINTED not in context.meta:
        print_json({"problems": problems})


def note_printed() -> None:
    """Note that a JSON document was begun: what goes wrong after it is no second one."""
    if (context := click.get_current_context(silent=True)) is not None:
        context.meta[_PRINTED] = True


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a verb's work; SIGTERM stops it as Ctrl-C does: in order, before COMMIT or after it."""
    import asyncio

    from cpimportd.core.system import exhausted
    from cpimportd.core.waiting import told_to

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
        with told_to(_say_waits):
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
