"""Runs the planner, the child process that reads the configuration: the daemon stays small and holds no secret."""

import subprocess
from asyncio.subprocess import PIPE
from datetime import timedelta
from pathlib import Path
from typing import Final

from cpimportd.core.phrases import Reason, phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.system import exhausted
from cpimportd.daemon.command_lines import command_line
from cpimportd.daemon.plan import Plan, decode
from cpimportd.daemon.process import run_to_completion

READ_TIMEOUT: Final = 30.0
"""Seconds that reading the configuration may take."""


def wait_for_plan(planner: "subprocess.Popen[str]") -> Plan:
    """Wait for the planner and read its plan.

    Raises:
        ProblemError: all problems of the configuration.
    """
    try:
        answer, _ = planner.communicate(timeout=READ_TIMEOUT)
    except subprocess.TimeoutExpired:
        planner.kill()
        planner.wait()
        raise ProblemError(_failed(phrase("no-answer-within", limit=timedelta(seconds=READ_TIMEOUT)))) from None
    return _parse_answer(answer, planner.returncode)


async def read_plan(configuration: Path | None) -> Plan:
    """The plan of the present configuration.

    Raises:
        ProblemError: all problems of the configuration.
    """
    try:
        code, answer = await run_to_completion(command_line(configuration), READ_TIMEOUT, stdout=PIPE, stderr=None)
    except TimeoutError:
        raise ProblemError(_failed(f"no answer within {READ_TIMEOUT:g} s")) from None
    except (OSError, RuntimeError) as error:
        raise ProblemError(exhausted(error) or _failed(str(error))) from error
    return _parse_answer(answer.decode(errors="replace"), code)


def _parse_answer(answer: str, code: int | None) -> Plan:
    try:
        return decode(answer)
    except (ValueError, KeyError, TypeError):
        raise ProblemError(_failed(phrase("reader-of-configuration-ended", status=code))) from None


def _failed(reason: Reason) -> Problem:
    return problem("internal", reason=phrase("configuration-not-read", said=reason))
