"""``demo``: the product on generated data."""

from collections.abc import Callable

import click

from cpimportd.cli.common import Call, verb


@click.command()
@click.option("--keep", is_flag=True, help="Leave all of it running, with a daemon and the dashboard, to look around.")
@verb(changes_something=True)
def demo(_: Call, keep: bool) -> int:
    """Show the product on generated exports: day 1, day 2 and a broken day.

    Needs nothing but the extra `demo`: an embedded PostgreSQL and a loopback FTP server are started,
    and removed afterwards.

    Example: `cpimportd demo --keep`, then look around at what it prints.
    """
    return run_demo(keep=keep, echo=click.echo)


def run_demo(*, keep: bool, echo: Callable[[str], None]) -> int:
    """Import three days of a generated holding, the third broken, and compare the books with the truth.

    Args:
        keep: leave the servers running afterwards, until Ctrl-C.
        echo: prints a text and a line's end.

    Returns:
        The command's exit code: 0 if all three days went as told, 1 where one did not, 130 after Ctrl-C on the way.

    Raises:
        ProblemError: what the demo needs is not installed, or its PostgreSQL does not start.
    """
    from cpimportd.core.problems import ProblemError, problem

    try:
        from cpimportd.books.database.embedded import PostgresError
        from cpimportd.demo.story import run_story
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("cpimportd"):
            raise
        raise ProblemError(problem("demo-not-installed", reason=str(error))) from error
    try:
        return run_story(keep=keep, echo=echo)
    except PostgresError as error:
        raise ProblemError(problem("demo-server", reason=error.phrase)) from error
    except KeyboardInterrupt:
        echo("\nStopped. The servers and their files are gone.")
        return 130
