"""Which units are held, and by which files: what a human accepts by name."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from cpimportd.books.queries import sql
from cpimportd.core.folding import lookalike_hint
from cpimportd.model import Group, Unit
from cpimportd.problems import CATALOG, Effect, ProblemError, printable, problem


@dataclass(frozen=True, slots=True)
class HeldUnit:
    """A unit that is held and that a human may accept.

    Attributes:
        unit: which.
        run: that held it, or put it back.
        digests: of the files that it held; none where a file is missing.
    """

    unit: Unit
    run: int
    digests: frozenset[str]


@dataclass(frozen=True, slots=True)
class PutBack:
    """A unit that an undo put back, and that no run has judged since: it is held as soon as it is undone.

    Attributes:
        undo: the run that put it back.
        since: when.
        undone_run: whose publication is undone; the earliest, where there were several.
        digests: of the files that the latest of these published.
    """

    undo: int
    since: datetime
    undone_run: int
    digests: frozenset[str]


async def put_back(connection: asyncpg.Connection, department_id: int) -> dict[Unit, PutBack]:
    """The units that an undo put back and that no run has judged since, in order of their names."""
    return {
        Unit(row["organization"], Group(row["kind"])): PutBack(
            row["run_id"], row["started_at"], row["undone_run"], frozenset(row["digests"])
        )
        for row in await connection.fetch(sql("held", "put_back"), department_id)
    }


async def held_units(connection: asyncpg.Connection, department_id: int) -> Mapping[Unit, tuple[str, ...]]:
    """The units that are held now, in order of their names, each with the codes of why."""
    judged = await _judged(connection, department_id)
    undone = dict.fromkeys(await put_back(connection, department_id), ("undone",))
    return dict(sorted({**judged, **undone}.items()))


async def _judged(connection: asyncpg.Connection, department_id: int) -> dict[Unit, tuple[str, ...]]:
    """The units that the latest run which judged them held, each with the codes of why."""
    return {
        Unit(row["organization"], Group(row["kind"])): tuple(row["codes"])
        for row in await connection.fetch(sql("held", "now"), department_id)
    }


async def to_accept(
    connection: asyncpg.Connection, department_id: int, names: Sequence[str], run: int | None = None
) -> list[HeldUnit]:
    """What a human accepts by these names: the files that he has seen held.

    Args:
        connection: any.
        department_id: whose books.
        names: as in the report, ``ORGANIZATION/receipts`` or ``ORGANIZATION/expenses``; invisible characters as they
            are, or escaped as a problem's way out has them.
        run: that held them; None: the last one that decided about each.

    Raises:
        ProblemError: ``accept-nothing``, one for each name that cannot be accepted.
    """
    found, refused = [], []
    now, undone = await _judged(connection, department_id), await put_back(connection, department_id)
    told = {printable(unit.name): unit.name for unit in now | undone}
    for given in names:
        name = told.get(given, given)
        organization, _, group = name.rpartition("/")
        if not organization or group not in set(Group):
            refused.append(problem("accept-nothing", value=name, reason="no unit is called so"))
            continue
        unit = Unit(organization, Group(group))
        if unit in undone and run in {None, undone[unit].undo}:
            found.append(HeldUnit(unit, undone[unit].undo, undone[unit].digests))
            continue
        row = await connection.fetchrow(sql("held", "held"), department_id, organization, group, run)
        if reason := _why_not(row, run is not None or unit in now):
            near = lookalike_hint(name, [one.name for one in (now | undone)])
            refused.append(problem("accept-nothing", value=name, reason=reason + near))
        else:
            found.append(HeldUnit(unit, row["run_id"], frozenset(row["digests"])))
    if refused:
        raise ProblemError(*refused)
    return found


def _why_not(row: asyncpg.Record | None, held: bool) -> str | None:
    if row is None:
        return "no run has said anything of it"
    if row["status"] != "held":
        return f"run {row['run_id']} did not hold it"
    if not held:
        return f"run {row['run_id']} held it, a later one did not"
    codes = {found["code"] for found in json.loads(row["problems"])}
    graver = sorted(code for code in codes if code in CATALOG and CATALOG[code].effect is Effect.INTEGRITY)
    return f"run {row['run_id']} held it for {', '.join(graver)}, which nobody can override" if graver else None
