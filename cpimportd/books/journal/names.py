"""Names and numbers that people give: what they fit, and whether there is such a thing."""

import shlex
from collections.abc import Sequence
from typing import Final

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.core.folding import did_you_mean, fold
from cpimportd.core.problems import Problem, ProblemError, printable, problem

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


async def find_organization(connection: asyncpg.Connection, department_id: int, name: str) -> str:
    """An organization by its name, or by a part of it that fits no other.

    The name as the books write it goes before one that only looks the same; a part is looked for as it looks. One that
    only a run knows, because nothing of it was published or nothing is left, is found, too.

    Raises:
        ProblemError: ``nothing-found``, ``name-ambiguous``.
    """
    known = [str(row["name"]) for row in await connection.fetch(sql("names", "organizations"), department_id)]
    told = {printable(one): one for one in known}
    wanted = name.strip()
    if wanted in known:
        return wanted
    if wanted in told:  # as a problem tells it
        return told[wanted]
    alike = [one for one in known if fold(one) == fold(wanted)]
    fitting = alike or [one for one in known if wanted and fold(wanted) in fold(one)]
    if len(fitting) > 1:
        raise ProblemError(ambiguous("organizations", name, fitting))
    if not fitting:
        hint = _listed(did_you_mean(wanted, known) + "The books know: ", known) if known else "The books are empty."
        raise ProblemError(problem("nothing-found", what="organization", value=name or '""', hint=hint))
    return fitting[0]


async def chosen_organization(connection: asyncpg.Connection, department_id: int, name: str | None) -> str | None:
    """The same where somebody need not have named one: None stays None."""
    return None if name is None else await find_organization(connection, department_id, name)


async def require_run(connection: asyncpg.Connection, department_id: int, run: int) -> None:
    """Make sure that there is such a run.

    Raises:
        ProblemError: ``nothing-found``.
    """
    row = await connection.fetchrow(sql("names", "run"), run, department_id)
    if row["department_id"] == department_id:
        return
    of = "" if row["department_id"] is None else f"That run is of department {row['department_id']}. "
    latest = "there is none yet" if row["latest"] is None else f"the latest is {row['latest']}"
    hint = f"{of}`cpimportd history` lists the runs; {latest}."
    raise ProblemError(problem("nothing-found", what="run", value=str(run), hint=hint))


async def require_department(connection: asyncpg.Connection, department_id: int) -> None:
    """Make sure that the backend has such a department.

    Raises:
        ProblemError: ``nothing-found``.
    """
    known = {row["id"]: row["name"] for row in await connection.fetch(sql("names", "departments"))}
    if department_id not in known:
        hint = _listed("The backend has: ", [f"{number} {name}" for number, name in known.items()])
        raise ProblemError(problem("nothing-found", what="department", value=str(department_id), hint=hint))


def _listed(lead: str, names: Sequence[str]) -> str:
    """A sentence that ends in names, as many as one reads."""
    told = "; ".join(f"«{printable(name)}»" for name in names[:_CANDIDATES])
    rest = len(names) - _CANDIDATES
    return f"{lead}{told}; and {rest} more." if rest > 0 else f"{lead}{told}."
