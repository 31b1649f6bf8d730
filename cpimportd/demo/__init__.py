"""A demo that needs nothing but pip: generated exports, a loopback FTP server, an embedded PostgreSQL."""

from collections.abc import Callable

from cpimportd.core.problems import ProblemError, problem


def run_demo(*, keep: bool, echo: Callable[[str], None]) -> int:
    """Import three days of a generated holding, the third broken, and compare the books with the truth.

    Args:
        keep: leave the servers running afterwards, until Ctrl-C.
        echo: prints a text and a line's end.

    Returns:
        The command's exit code: 0 where all three days went as told, 1 where one did not, 130 after Ctrl-C on the way.

    Raises:
        ProblemError: what the demo needs is not installed, or its PostgreSQL does not start.
    """
    # Whoever imports a part of the demo, such as its server for tests, does not want the whole product with it.
    try:
        from cpimportd.books.database.embedded import PostgresError  # noqa: PLC0415
        from cpimportd.demo.story import tell_story  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("cpimportd"):
            raise
        raise ProblemError(problem("demo-not-installed", reason=str(error))) from error
    try:
        return tell_story(keep=keep, echo=echo)
    except PostgresError as error:
        raise ProblemError(problem("demo-server", reason=str(error))) from error
    except KeyboardInterrupt:
        echo("\nStopped. The servers and their files are gone.")
        return 130
