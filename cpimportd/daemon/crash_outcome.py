"""The outcome of a crashed run, queried from the database by a child process."""

import json
from asyncio.subprocess import DEVNULL, PIPE
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from cpimportd.core.model import PUBLISHED
from cpimportd.core.phrases import Phrase, Reason, phrase
from cpimportd.core.problems import Problem, printable, problem, with_facts
from cpimportd.core.typed import from_tree
from cpimportd.daemon.command_lines import module_command
from cpimportd.daemon.process import run_environment, run_to_completion

QUERY_TIMEOUT: Final = 45.0
"""Seconds for the query: a connection, and three times the usual wait for a lock."""

_CODES: Final = {"published": 0, "partial": 3, "held": 3, "unchanged": 0}
"""Exit codes of runs that reached COMMIT, by the status of their row."""


class CrashOutcome(msgspec.Struct, frozen=True):
    """What the database says about a crashed run.

    Attributes:
        run: its number; None if it had none yet.
        status: from its row; None if unknown.
        why: why the status is unknown.
    """

    run: int | None = None
    status: str | None = None
    why: Reason | None = None

    @property
    def code(self) -> int | None:
        """The exit code for the state of the books; None if the run published nothing or that is unknown."""
        return _CODES.get(self.status or "")

    def to_problem(self, exit_reason: Phrase, unpublished: Problem) -> Problem:
        """The problem to report.

        Args:
            exit_reason: how the process ended.
            unpublished: the problem of a run that did not publish.
        """
        if self.status in PUBLISHED:
            part = phrase("in-part") if self.status == "partial" else ""
            return problem("run-broken-off", run=self.run, part=part, reason=exit_reason)
        if self.run is not None and self.status is None:
            known = phrase("published-unknown", run=self.run, why=self.why or "")
        elif self.status == "held":
            known = phrase("nothing-published-held", run=self.run or 0)
        else:
            known = phrase("nothing-published")
        return with_facts(unpublished, reason=exit_reason, known=known)


async def query_crash_outcome(configuration: Path, run: int) -> CrashOutcome:
    """Query the database; a failed query is part of the answer and is not raised.

    Args:
        configuration: of the run.
        run: its number.
    """
    argv = module_command("cpimportd.run.crash_outcome", str(configuration), str(run))
    try:
        _, answer = await run_to_completion(argv, QUERY_TIMEOUT, stdout=PIPE, stderr=DEVNULL, environ=run_environment())
        found = json.loads(answer)
        if "problem" in found:
            told = from_tree(found["problem"], Problem)
            return CrashOutcome(run, why=phrase("coded", problem=told, code=told.code))
        return CrashOutcome(run, None if found["status"] is None else printable(found["status"]), phrase("row-gone"))
    except TimeoutError:
        return CrashOutcome(run, why=phrase("no-answer-within", limit=timedelta(seconds=QUERY_TIMEOUT)))
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        return CrashOutcome(run, why=phrase("database-not-asked", said=str(error)))
