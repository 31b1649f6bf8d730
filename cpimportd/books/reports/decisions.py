"""The information for accepting a held unit: why it is held, what was not read, and what it would change."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal

import asyncpg
import msgspec

from cpimportd.books.database.queries import in_batches, sql
from cpimportd.books.journal.diff import Diff
from cpimportd.books.journal.movements import Movement, What
from cpimportd.books.publish.held import held_units
from cpimportd.core.folding import did_you_mean
from cpimportd.core.model import Unit
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.report import HeldUnit

_FEW = 5
_DIFF = msgspec.json.Decoder(Diff, float_hook=Decimal)
_MOVEMENT = msgspec.json.Decoder(Movement, float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Decision:
    """What there is to be decided about one unit.

    Attributes:
        held: the unit, and why it is held.
        rows: problems of single rows of its workbooks, which are not among those of the unit; as many as were kept.
        difference: what it would change; None where nobody knows: the integrity checks hold it, or an undo did.
        kept: how many of the documents that it would change are kept.
    """

    held: HeldUnit
    rows: tuple[Problem, ...]
    difference: Diff | None
    kept: int


async def decisions(
    connection: asyncpg.Connection, department_id: int, names: Sequence[str] = (), run: int | None = None
) -> list[Decision]:
    """What there is to be decided, by unit.

    Args:
        connection: any; best :func:`at_one_moment` with the documents.
        department_id: whose books.
        names: of units that are held now; all without any.
        run: only units that this run held last.

    Raises:
        ProblemError: ``nothing-found``, one for each name that is not held, or not by this run.
    """
    held = {one.unit.name: one for one in await held_units(connection, department_id)}
    by_run = {name: one for name, one in held.items() if run in {None, one.run}}
    if missing := [name for name in names if name not in by_run]:
        raise ProblemError(*(_not_held(name, held) for name in missing))
    if run is not None and not by_run:
        raise ProblemError(_not_held(phrase("of-run", run=run), held))
    chosen = [by_run[name] for name in names or by_run]
    return [await decision_about(connection, department_id, one) for one in chosen]


def _not_held(name: str | Phrase, held: Mapping[str, HeldUnit]) -> Problem:
    """What somebody asks for is not held; what is held now, and by which run."""
    same = held.get(str(name))
    known = list(held.values())[:_FEW] if same is None else [same]
    names = [phrase("hint-held-unit", unit=one.unit.name, run=one.run) for one in known]
    meant = did_you_mean(name, held) if isinstance(name, str) and same is None else ""
    hint = phrase("hint-held-units", meant=meant, names=names) if names else phrase("hint-nothing-held")
    return problem("nothing-found", what="held unit", value=name, hint=hint)


async def decision_about(connection: asyncpg.Connection, department_id: int, held: HeldUnit) -> Decision:
    """What there is to be decided about one held unit."""
    unit = held.unit
    row = await connection.fetchrow(sql("held", "difference"), department_id, unit.group.value, unit.organization)
    stored = None if row is None else row["difference"]
    rows = await connection.fetch(sql("held", "row_problems"), held.run, unit.organization, unit.group.value)
    told = {(found.file, found.row, found.code) for found in held.problems}
    every = (Problem(**json.loads(one["problem"])) for one in rows)
    return Decision(
        held,
        tuple(found for found in every if (found.file, found.row, found.code) not in told),
        None if stored is None else _DIFF.decode(stored),
        0 if row is None else row["kept"],
    )


async def held_documents(
    connection: asyncpg.Connection,
    department_id: int,
    unit: Unit,
    *what: What,
    skip: int = 0,
    limit: int | None = None,
) -> AsyncGenerator[Movement, None]:
    """The documents that a held unit would change, as a diff gives those of a run; a few are fetched at a time.

    Args:
        connection: any; between two documents it may be used for other things.
        department_id: whose books.
        unit: which.
        what: only documents that this would become of; all without any.
        skip: how many to leave out at the beginning.
        limit: how many at most.
    """
    scope = (department_id, unit.group.value, unit.organization, [one.value for one in what] or None, skip, limit)
    async with aclosing(in_batches(connection, sql("held", "documents"), *scope)) as batches:
        async for rows in batches:
            for row in rows:
                yield _MOVEMENT.decode(row["movement"])
