"""Long lists of problems, told in a length that a human reads."""

from collections.abc import Sequence

from cpimportd.core.catalog import Effect
from cpimportd.core.problems import Problem, problem

LIMIT = 20
"""As many of one kind are listed one by one; a file left on the server under its old name doubles thousands."""


def capped(problems: Sequence[Problem], limit: int = LIMIT) -> tuple[Problem, ...]:
    """The first ``limit`` problems of a list of one code, and a line that counts the rest."""
    if len(problems) <= limit:
        return tuple(problems)
    first = problems[0]
    rest = problem(
        "and-more", file=first.file, organization=first.organization, value=first.code, count=len(problems) - limit
    )
    return (*problems[:limit], rest)


def stops(found: Problem) -> bool:
    """Whether a problem holds what it concerns and nobody can override it."""
    return found.effect in (Effect.INTEGRITY, Effect.FAILS)


def name_of(missed: Problem) -> str:
    """The name of a workbook that was not fetched; one whose name was refused stands in no file's place."""
    return missed.file or missed.value or ""


def holds(problems: Sequence[Problem], accepted: Sequence[str] = ()) -> bool:
    """Whether any of these problems holds what they concern.

    Args:
        problems: what was found.
        accepted: codes of plausibility problems that a human overrode.
    """
    return any(
        stops(found) or (found.effect is Effect.PLAUSIBILITY and found.code not in accepted) for found in problems
    )
