"""What became of a run that died: asked of the database by a child process, and put into words. Nobody guesses."""

import json
from asyncio.subprocess import DEVNULL, PIPE
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from cpimportd.core.outcomes import PUBLISHED
from cpimportd.core.phrases import Phrase, Reason, phrase
from cpimportd.core.problems import Problem, printable, problem, with_facts
from cpimportd.core.typed import from_tree
from cpimportd.daemon.beginning import ours
from cpimportd.daemon.process import accepted_environment, run_to_completion

WITHIN: Final = 45.0
"""Seconds that the asking may take: a connection, and three times the usual wait for a lock."""

_CODES: Final = {"published": 0, "partial": 3, "held": 3, "unchanged": 0}
"""Exit codes of runs that came to their COMMIT, by the status of their row."""


class Aftermath(msgspec.Struct, frozen=True):
    """What is known of a run that died.

    Attributes:
        run: its number; None where it had none yet.
        status: as its row says; None where that is not known.
        why: why not.
    """

    run: int | None = None
    status: str | None = None
    why: Reason | None = None

    @property
    def code(self) -> int | None:
        """The exit code that says how the books stand; None where the run published nothing, or nobody knows."""
        return _CODES.get(self.status or "")

    def told(self, how: Phrase, otherwise: Problem) -> Problem:
        """The problem that tells of it.

        Args:
            how: its process ended.
            otherwise: what tells of a run that did not publish.
        """
        if self.status in PUBLISHED:
            part = phrase("in-part") if self.status == "partial" else ""
            return problem("run-broken-off", run=self.run, part=part, reason=how)
        if self.run is not None and self.status is None:
            known = phrase("published-unknown", run=self.run, why=self.why or "")
        elif self.status == "held":
            known = phrase("nothing-published-held", run=self.run or 0)
        else:
            known = phrase("nothing-published")
        return with_facts(otherwise, reason=how, known=known)


async def ask(configuration: Path, run: int) -> Aftermath:
    """Ask the database; never raises for what keeps it from answering.

    Args:
        configuration: the run's.
        run: its number.
    """
    argv = ours("cpimportd.run.aftermath", str(configuration), str(run))
    try:
        _, said = await run_to_completion(argv, WITHIN, stdout=PIPE, stderr=DEVNULL, environ=accepted_environment())
        found = json.loads(said)
        if "problem" in found:
            told = from_tree(found["problem"], Problem)
            return Aftermath(run, why=phrase("coded", problem=told, code=told.code))
        return Aftermath(run, None if found["status"] is None else printable(found["status"]), phrase("row-gone"))
    except TimeoutError:
        return Aftermath(run, why=phrase("no-answer-within", limit=timedelta(seconds=WITHIN)))
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        return Aftermath(run, why=phrase("database-not-asked", said=str(error)))
