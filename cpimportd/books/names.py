"""Names that people give, and what they fit."""

import shlex
from collections.abc import Sequence
from typing import Final

import asyncpg

from cpimportd.books.queries import sql
from cpimportd.core.folding import fold
from cpimportd.problems import Problem, ProblemError, printable, problem

_CANDIDATES: Final = 12


def ambiguous(what: str, name: str, candidates: Sequence[str]) -> Problem:
    """The problem of a name that several things bear."""
    return problem("name-ambiguous", value=name, what=what, count=len(candidates), candidates=_Names(candidates))


class _Names:
    """Names as a problem tells them: each one cleaned and whole, as a shell takes it, so that it can be copied."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def __str__(self) -> str:
        told = "; ".join(shlex.quote(printable(name)) for name in self._names[:_CANDIDATES])
        rest = len(self._names) - _CANDIDATES
        return f"{told}; and {rest} more" if rest > 0 else told


async def as_written(connection: asyncpg.Connection, department_id: int, name: str | None) -> str | None:
    """An organization's name as the books write it: this very name, else the only one that looks the same.

    A name that the books do not know comes back as it is: a run may have held what is not in the books.
    """
    if name is None:
        return None
    known = [row["name"] for row in await connection.fetch(sql("explain", "organizations"), department_id)]
    alike = [one for one in known if fold(one) == fold(name)]
    return alike[0] if len(alike) == 1 and name not in known else name


async def find_organization(connection: asyncpg.Connection, department_id: int, name: str) -> str:
    """An organization by its name, or by a part of it that fits no other.

    The name as the books write it goes before one that only looks the same; a part is looked for as it looks.

    Raises:
        ProblemError: ``nothing-found``, ``name-ambiguous``.
    """
    known = [row["name"] for row in await connection.fetch(sql("explain", "organizations"), department_id)]
    wanted = name.strip()
    if wanted in known:
        return wanted
    alike = [one for one in known if fold(one) == fold(wanted)]
    fitting = alike or [one for one in known if fold(wanted) in fold(one)]
    if len(fitting) > 1:
        raise ProblemError(ambiguous("organizations", name, fitting))
    if not fitting:
        hint = "The books know: " + "; ".join(f"«{one}»" for one in known) if known else "The books are empty."
        raise ProblemError(problem("nothing-found", what="organization", value=name, hint=hint))
    return str(fitting[0])
