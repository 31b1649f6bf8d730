"""The parts that all verbs share: --config and --json, their call, and their ending."""

import functools
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, ParamSpec, TypeVar

import click

from cpimportd.cli.arguments import FilePath
from cpimportd.cli.connect import load, problem_from_exception, reading, run_async
from cpimportd.cli.output import Answer, after_output, print_json_problems, print_problems

if TYPE_CHECKING:
    from collections.abc import Awaitable

    import asyncpg

    from cpimportd.config.load import Loaded
    from cpimportd.config.settings import Settings

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _named(context: click.Context, parameter: click.Parameter, file: Path | None) -> None:
    """Name a file of variables for everything that this command reads and starts."""
    import os

    from cpimportd.core.state_folder import ENV_FILE

    if file is not None:
        os.environ[ENV_FILE] = str(file.absolute())


def _configured(context: click.Context, parameter: click.Parameter, file: Path | None) -> Path | None:
    """Adopt the environment of the daemon's unit, before anything is read."""
    from cpimportd.config.unit import adopt

    adopt(file)
    return file


def config_option(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Add --config and --env-file to a verb."""
    work = click.option(
        "--env-file",
        type=FilePath(exists=True, dir_okay=False),
        metavar="FILE",
        expose_value=False,
        callback=_named,
        help="File of variables, such as the predecessor's.  [default: $CPIMPORTD_ENV_FILE, else .env beside the "
        "configuration file]",
    )(work)
    return click.option(
        "--config",
        "config_file",
        type=FilePath(dir_okay=False),
        metavar="FILE",
        callback=_configured,
        help="Configuration file.  [default: $CPIMPORTD_CONFIG, else /etc/cpimportd/cpimportd.toml]",
    )(work)


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, all else on stderr.")

INTERRUPTED: Final = 128 + signal.SIGINT
"""Exit code after Ctrl-C, as shells count it."""


class Call:
    """One call of a verb: its --config and --json, and what almost every verb does with them.

    Attributes:
        config_file: as it was given; None means the usual one.
        as_json: whether one JSON document is asked for.
    """

    def __init__(self, config_file: Path | None, *, as_json: bool) -> None:
        self.config_file = config_file
        self.as_json = as_json

    @functools.cached_property
    def loaded(self) -> "Loaded":
        """The configuration, read when a verb first needs it; its warnings are printed on stderr.

        Raises:
            ProblemError: it cannot be used.
        """
        return load(self.config_file)

    @property
    def settings(self) -> "Settings":
        """The configuration's values."""
        return self.loaded.settings

    def require_database(self) -> "Settings":
        """The configuration's values, with a database among them.

        Raises:
            ProblemError: the configuration cannot be used, or names no database.
        """
        from cpimportd.config.load import require_database

        require_database(self.settings, self.loaded.path)
        return self.settings

    def read(self, work: "Callable[[asyncpg.Connection], Awaitable[Result]]", *, direct: bool = False) -> "Result":
        """Run ``work`` on a database connection; see ``reading``."""
        return run_async(reading(self.loaded, work, direct=direct))

    def print(self, answer: Answer) -> int:
        """Print what was found out, in the form that was asked for; the exit code."""
        return answer.print(as_json=self.as_json)


Work = Callable[..., Answer | int | None]
"""What a verb does with its call and its options."""


def verb(*, changes_something: bool | tuple[str, ...] = False) -> "Callable[[Work], Callable[..., NoReturn]]":
    """Make a function a verb: it is given its call and its options, and what it returns or raises ends the process.

    An answer is printed; a problem is printed with its way out. A traceback is never shown: that of a defect goes to
    the log at level debug.

    Args:
        changes_something: whether the verb changes something, or the options with which it does. The exit code of such
            a verb reports its work, even if its output is lost. A verb that only shows something fails if its output
            cannot be written, but not if the reader has gone.
    """

    def decorate(work: Work) -> Callable[..., NoReturn]:
        @functools.wraps(work)
        def wrapper(*, config_file: Path | None = None, as_json: bool = False, **options: Any) -> NoReturn:  # noqa: ANN401
            acted = (
                changes_something
                if isinstance(changes_something, bool)
                else any(options[name] for name in changes_something)
            )
            call = Call(config_file, as_json=as_json)
            code = _ended(functools.partial(work, call, **options), as_json=as_json)
            sys.exit(after_output(code, acted=acted))

        return wrapper

    return decorate


def _ended(work: Callable[[], Answer | int | None], *, as_json: bool) -> int:
    """Do a verb's work and print its answer; its exit code."""
    import logging

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    try:
        found = work()
        return found.print(as_json=as_json) if isinstance(found, Answer) else found or 0
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt:
        if sys.stderr.isatty():  # for the person who pressed Ctrl-C; scripts read the exit code
            click.echo("interrupted", err=True)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - a defect is reported as a problem
        return _failed(error, as_json=as_json)


def _failed(error: Exception, *, as_json: bool) -> int:
    """Print why a verb failed; its exit code."""
    import logging

    from cpimportd.core.problems import ProblemError

    if isinstance(error, ProblemError):
        problems, code = error.problems, error.exit_code
    else:
        logging.getLogger(__name__).debug("a defect", exc_info=error)
        problems, code = (problem_from_exception(error),), 1
    print_problems(problems)
    if as_json:
        print_json_problems(problems)
    return code


def current_user() -> str:
    """The person at the terminal, for the history: under sudo, the user who called it."""
    import getpass
    import os
    import socket

    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user without an entry in the user database
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
