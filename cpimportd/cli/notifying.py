"""``notify``: what readers of the books have not been told of yet is told now."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cpimportd.cli.common import (
    config_option,
    guarded_deed,
    json_option,
    load,
    print_json,
    run_async,
    say,
    send_messages,
)

_UNDER_WAY: Final = 4

if TYPE_CHECKING:
    from cpimportd.books.publish.notices import Outstanding
    from cpimportd.config.load import Loaded
    from cpimportd.core.problems import Problem

    Told = tuple[Sequence[Outstanding], Mapping[str, tuple[Problem, ...]]]


@click.command()
@config_option
@click.option("--progress", "form", type=click.Choice(["json", "none"]), default="none", hidden=True,
              help="How the daemon is told.")  # fmt: skip
@json_option
@guarded_deed
def notify(config_file: Path | None, form: str, as_json: bool) -> int:
    """Clear caches and refresh views for runs that could not do it.

    Every run does that itself after its COMMIT. Where its process died before, or the cache was away, it is
    outstanding: `cpimportd status` and `cpimportd check` say so. The daemon and the next run try again by themselves;
    this does it now. Exit code 1 where something is still outstanding, 4 where a run is under way, which does it.

    Example: `cpimportd notify`, after Redis was started again.
    """
    from cpimportd.core.problems import ProblemError

    loaded = load(config_file)
    try:
        found, problems = run_async(_notify(loaded))
    except ProblemError as error:
        if form == "json":
            # The next run tells of a database that is away; another run that is under way tells readers itself.
            silent = error.passing or error.exit_code == _UNDER_WAY
            _tell_daemon(error.exit_code, "", () if silent else error.problems)
        if form == "json" or as_json:
            print_json({"told": [], "problems": error.problems})
            return error.exit_code
        raise
    untold = tuple(dict.fromkeys(every for why in problems.values() for every in why))
    told = [one for one in found if not problems[one.target]]
    said = "; ".join(one.done for one in told)
    if form == "json":
        known = {every for one in found for every in one.problems}  # the journal has them already
        _tell_daemon(1 if untold else 0, said, tuple(new for new in untold if new not in known))
    if as_json:
        print_json({
            "told": [{"target": one.target, "runs": one.runs} for one in told],
            "problems": untold,
        })  # fmt: skip
    elif form == "none":
        click.echo(said or ("nothing was outstanding" if not found else "nothing could be done"))
        say(untold)
    return 1 if untold else 0


async def _notify(loaded: "Loaded") -> "Told":
    from cpimportd.config.load import require_database
    from cpimportd.run.notifying import tell_outstanding

    require_database(loaded.settings, loaded.path)
    return await tell_outstanding(loaded.settings)


def _tell_daemon(code: int, summary: str, problems: "Sequence[Problem]") -> None:
    """What the daemon hears: a line for its journal each, and how it ended."""
    import logging

    from cpimportd.daemon.messages import Result, Said, said

    lines = [Said(logging.INFO, summary)] if summary else []
    lines += [said(found, found.effect.level) for found in problems]
    result = Result(None, "failed" if code else "done", code, summary, untold=bool(code))
    send_messages(*lines, result)
