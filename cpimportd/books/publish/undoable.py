"""Whether a run can be undone, and which later ones would have to be undone with it."""

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.core.outcomes import PUBLISHED
from cpimportd.core.problems import Problem, ProblemError, problem


async def runs_to_undo(
    connection: asyncpg.Connection, department_id: int, run_id: int, *, through: bool
) -> tuple[int, ...]:
    """Which runs have to be taken back so that a run's books are as they were before it, the latest first.

    Args:
        connection: any.
        department_id: whose books.
        run_id: the run.
        through: later runs that published the same units may be taken back with it.

    Raises:
        ProblemError: ``undo-refused``, with the reason.
    """
    runs = [row["run_id"] for row in await connection.fetch(sql("undo", "closure"), run_id, department_id)]
    for one in reversed(runs):
        await _require_undoable(connection, department_id, one)
    if len(runs) > 1 and not through:
        later = ", ".join(str(run) for run in sorted(runs)[1:])
        raise ProblemError(
            refused(run_id, f"run {later} published the same units since", f"cpimportd undo {run_id} --through")
        )
    return tuple(runs)


async def _require_undoable(connection: asyncpg.Connection, department_id: int, run_id: int) -> None:
    known = await connection.fetchrow(sql("undo", "about"), run_id, department_id)
    if known is None:
        raise ProblemError(refused(run_id, "there is no such run"))
    if known["status"] not in PUBLISHED:
        raise ProblemError(refused(run_id, f"it published nothing ({known['status']})"))
    if known["before_this_version"]:
        raise ProblemError(
            refused(run_id, "it was made by an older version, which did not keep what was served before")
        )
    if known["without_steps"]:
        raise ProblemError(
            refused(run_id, "it is an undo by an older version, which did not keep the order of what it took back")
        )
    if known["pruned"]:
        raise ProblemError(refused(run_id, "its journal is older than journal.keep and gone"))
    if known["renamed"]:
        raise ProblemError(refused(run_id, "a human let it rename an organization", "rename it back in 1C"))


def refused(run_id: int, reason: str, way_out: str = "cpimportd history") -> Problem:
    """Why a run cannot be undone, and what to do next."""
    return problem("undo-refused", run=run_id, reason=reason, way=way_out)
