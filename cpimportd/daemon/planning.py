"""The configuration, read and judged by a child process, so that the daemon stays small and holds no secret."""

import subprocess
from asyncio.subprocess import PIPE
from datetime import timedelta
from pathlib import Path
from typing import Final

from cpimportd.core.phrases import Reason, phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.system import exhausted
from cpimportd.daemon.beginning import command
from cpimportd.daemon.plan import Plan, decode
from cpimportd.daemon.process import run_to_completion

WITHIN: Final = 30.0
"""Seconds that reading the configuration may take."""


def finish(child: "subprocess.Popen[str]") -> Plan:
    """Wait for the child that :func:`begin` started.

    Raises:
        ProblemError: everything that is wrong with the configuration.
    """
    try:
        answer, _ = child.communicate(timeout=WITHIN)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        raise ProblemError(_failed(phrase("no-answer-within", limit=timedelta(seconds=WITHIN)))) from None
    return _understand(answer, child.returncode)


async def read_plan(configuration: Path | None) -> Plan:
    """The plan that the configuration makes now.

    Raises:
        ProblemError: everything that is wrong with it.
    """
    try:
        code, answer = await run_to_completion(command(configuration), WITHIN, stdout=PIPE, stderr=None)
    except TimeoutError:
        raise ProblemError(_failed(f"no answer within {WITHIN:g} s")) from None
    except (OSError, RuntimeError) as error:
        raise ProblemError(exhausted(error) or _failed(str(error))) from error
    return _understand(answer.decode(errors="replace"), code)


def _understand(answer: str, code: int | None) -> Plan:
    try:
        return decode(answer)
    except (ValueError, KeyError, TypeError):
        raise ProblemError(_failed(phrase("reader-of-configuration-ended", status=code))) from None


def _failed(reason: Reason) -> Problem:
    return problem("internal", reason=phrase("configuration-not-read", said=reason))
