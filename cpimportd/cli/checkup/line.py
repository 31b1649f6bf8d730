"""One line of ``check``: the test, its result, and the remedy."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from cpimportd.core.catalog import Effect
from cpimportd.core.phrases import exception
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.typed import json_keys

Status = Literal["OK", "WARNING", "FAILED"]


@json_keys(status="status")
@dataclass(frozen=True, slots=True)
class CheckLine:
    """One thing that was tried.

    Attributes:
        name: what, such as ``database``.
        ok: whether a run can take place with it.
        warning: whether something about it asks for attention all the same.
        text: what was found.
        way_out: what to do about it; None if there is nothing to do.
        code: of the problem in the catalog; None if there is none.
    """

    name: str
    ok: bool
    warning: bool
    text: str
    way_out: str | None = None
    code: str | None = None

    @property
    def status(self) -> Status:
        """OK, WARNING or FAILED."""
        if not self.ok:
            return "FAILED"
        return "WARNING" if self.warning else "OK"


def good(name: str, text: str) -> CheckLine:
    """What is as it should be."""
    return CheckLine(name, ok=True, warning=False, text=text)


def bad(name: str, found: Problem) -> CheckLine:
    """What is not: a WARNING if a run would only warn of it, else FAILED."""
    warns = found.effect is Effect.WARNS
    return CheckLine(name, ok=warns, warning=warns, text=found.message, way_out=found.way_out, code=found.code)


def skipped(name: str, why: str) -> CheckLine:
    """What could not be tried."""
    return CheckLine(name, ok=True, warning=True, text=f"not tried: {why}")


async def attempt(name: str, work: Awaitable[Sequence[CheckLine]], within: timedelta) -> tuple[CheckLine, ...]:
    """Try one thing; whatever happens in it becomes a line and stays in it.

    Args:
        name: for the line that says that it failed.
        work: gives its lines.
        within: how long it may take.
    """
    try:
        async with asyncio.timeout(within.total_seconds()):
            return tuple(await work)
    except ProblemError as error:
        return tuple(bad(name, found) for found in error.problems)
    except TimeoutError:
        return (bad(name, problem("check-timeout", value=within)),)
    except Exception as error:  # noqa: BLE001 - one failure never hides the other lines
        return (bad(name, problem("internal", reason=exception(error))),)
