"""Finds the organizations, documents and contracts that match the names and numbers given by people."""

import shlex
from collections.abc import Iterable, Sequence
from typing import Final

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.core.folding import did_you_mean, fold
from cpimportd.core.phrases import Phrase, Reason, Statement, phrase
from cpimportd.core.problems import Problem, ProblemError, printable, problem

_CANDIDATES: Final = 12


def ambiguous(what: str, name: str, candidates: Sequence[str]) -> Problem:
    """The problem of a name that several things bear."""
    return problem(
        "name-ambiguous", value=name, what=what, count=len(candidates), candidates=_first(map(_pasted, candidates))
    )


def _pasted(name: str) -> Statement:
    """A name cleaned and whole, as a shell takes it, so that it can be copied."""
    return Statement(shlex.quote(printable(name)))


def _first(names: Iterable[Reason]) -> list[Reason]:
    """As many names as one reads."""
    every = list(names)
    rest = len(every) - _CANDIDATES
    return [*every[:_CANDIDATES], *([phrase("and-more", more=rest)] if rest > 0 else [])]


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
        names, meant = _first(map(_quoted, known)), did_you_mean(wanted, known)
        hint = phrase("hint-organizations", meant=meant, names=names) if known else phrase("books-empty")
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
    other, newest = row["department_id"], row["latest"]
    of = "" if other is None else phrase("run-of-department", department=other)
    latest = phrase("no-run-yet") if newest is None else phrase("latest-run", run=newest)
    hint = phrase("hint-run-of-department", of=of, latest=latest)
    raise ProblemError(problem("nothing-found", what="run", value=str(run), hint=hint))


async def require_department(connection: asyncpg.Connection, department_id: int) -> None:
    """Make sure that the backend has such a department.

    Raises:
        ProblemError: ``nothing-found``.
    """
    known = {row["id"]: row["name"] for row in await connection.fetch(sql("names", "departments"))}
    if department_id not in known:
        names = _first(_quoted(f"{number} {name}") for number, name in known.items())
        hint = phrase("hint-departments", names=names)
        raise ProblemError(problem("nothing-found", what="department", value=str(department_id), hint=hint))


def _quoted(name: str) -> Phrase:
    return phrase("quoted", name=name)
