"""What a reader of workbooks could do besides reading, on this machine and as this user: a real one tries."""

from collections.abc import Sequence
from typing import Final

from cpimportd.cli.checkup.line import CheckLine, bad, good
from cpimportd.config.settings import Reader
from cpimportd.core.problems import problem
from cpimportd.workbook.confine import Walls
from cpimportd.workbook.forking import ForkServer
from cpimportd.workbook.reading import prefork_command
from cpimportd.workbook.sandbox import run_limited
from cpimportd.workbook.trial import understand

_NAME: Final = "reader confinement"
_JOB: Final = b'{"try": "what is possible besides reading"}'


async def reader_confinement(limits: Reader) -> Sequence[CheckLine]:
    """Whether who takes a reader over by its workbook gets anything more than that workbook.

    Args:
        limits: as a run sets them.

    Raises:
        ProblemError: ``reader-failed``, ``reader-limit``: there is no reader to be had.
        OSError: the machine has no process to give.
    """
    async with ForkServer(prefork_command()) as readers:
        said = b"".join([block async for block in run_limited(readers.fork, _JOB, limits, file="the trial")])
    trial = understand(said)
    if not trial.possible:
        return (good(_NAME, f"a reader can do nothing but read its workbook; held by {walls_in_words(trial.walls)}"),)
    possible, walls = ", ".join(trial.possible), walls_in_words(trial.walls)
    return (bad(_NAME, problem("reader-unconfined", value=possible, reason=walls)),)


def walls_in_words(walls: Walls) -> str:
    """By which means a reader is confined, such as ``Landlock 7, seccomp``."""
    there = {
        "seccomp": walls.seccomp,
        f"Landlock (ABI {walls.landlock})": walls.landlock > 0,
        "namespaces": walls.namespaces,
    }
    return ", ".join(name for name, stands in there.items() if stands) or "nothing"
