"""What all verbs share: --config and --json, and one way to end badly: a coded problem, its way out, an exit code."""

import functools
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    import asyncio

    from cpimportd.configuration import Loaded
    from cpimportd.problems import Problem

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Configuration file.  [default: $CPIMPORTD_CONFIG, else /etc/cpimportd/cpimportd.toml]",
)
DAY = click.DateTime(["%Y-%m-%d"])
"""A date on the command line."""

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, all else on stderr.")

INTERRUPTED = 128 + signal.SIGINT
"""Exit code after Ctrl-C, as shells count it."""


def guarded(verb: Callable[Arguments, int | None]) -> Callable[Arguments, NoReturn]:
    """Turn what a verb returns or raises into its exit code; nobody is ever shown a traceback.

    A defect of ours is a problem like any other to the user; its traceback goes to the log at level debug.
    """

    @functools.wraps(verb)
    def wrapper(*args: Arguments.args, **kwargs: Arguments.kwargs) -> NoReturn:
        import logging

        from cpimportd.problems import ProblemError

        logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
        try:
            code = verb(*args, **kwargs) or 0
        except ProblemError as error:
            say(error.problems)
            code = error.exit_code
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            if sys.stderr.isatty():  # to whoever pressed Ctrl-C; everybody else goes by the exit code
                click.echo("interrupted", err=True)
            code = INTERRUPTED
        except BrokenPipeError:
            # Whoever read us has seen enough; Python would complain once more while it closes stdout.
            sys.stderr.close()
            code = 0
        except Exception as error:
            logging.getLogger(__name__).debug("a defect", exc_info=True)
            say((explained(error),))
            code = 1
        sys.exit(code)

    return wrapper


def explained(error: Exception) -> "Problem":
    """What an exception means that nobody expected: a file or the database refuses, or a defect of ours."""
    from cpimportd.problems import problem
    from cpimportd.resources import exhausted, unusable

    if isinstance(error, OSError) and error.filename:
        return unusable(error.filename, error)
    if (found := exhausted(error)) is not None:
        return found
    if type(error).__module__.partition(".")[0] == "asyncpg":
        from cpimportd.books import translate

        return translate(error)
    return problem("internal", reason=f"{type(error).__name__}: {error}")


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
    from cpimportd.configuration import load as load_configuration

    loaded = load_configuration(config_file)
    say(loaded.problems)
    return loaded


def _without_exhaustion(loop: "asyncio.AbstractEventLoop", context: "dict[str, Any]") -> None:
    """Leave out what asyncio would show with a traceback, and the verb itself ends with as a problem."""
    from cpimportd.resources import exhausted

    error = context.get("exception")
    if error is None or exhausted(error) is None:
        loop.default_exception_handler(context)


def print_json(document: object) -> None:
    """One JSON document on stdout, readable by people too."""
    import json

    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def print_json_list(head: Mapping[str, object], name: str, items: Iterable[object]) -> None:
    """One JSON document on stdout whose last member is a list that may be too long to be made at once."""
    import json

    text = json.dumps({**head, name: []}, ensure_ascii=False, indent=2)
    click.echo(text.removesuffix("[]\n}") + "[", nl=False)
    for number, item in enumerate(items):
        click.echo(("," if number else "") + "\n" + json.dumps(item, ensure_ascii=False), nl=False)
    click.echo("]}")


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a verb's work; SIGTERM stops it as Ctrl-C does: in order, before COMMIT or after it."""
    import asyncio

    from cpimportd.resources import exhausted

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
