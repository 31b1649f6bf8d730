"""The changes of a run, document by document, with sums that agree with the run's own bridges.

An old run is shown as it was then: later changes of its documents are taken back first. The database selects, orders
and sums the documents. They are fetched in batches, as they are requested, however many there are.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import asyncpg

from cpimportd.books.database.queries import at_one_moment, server_cursor, sql
from cpimportd.books.journal.heads import heads_query, movements_of, whole_sets
from cpimportd.books.journal.movements import (
    Movement,
    Sums,
    What,
)
from cpimportd.core.model import Figure, Group
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.report import TERMS, Bridge
from cpimportd.core.typed import json_keys, to_json

_ZERO = Decimal(0)
_AT_ONCE = 200
"""Documents that are in memory at the same time."""


@json_keys("department_id", "organization", "group", "movements", "documents", counts="counts")
@dataclass(frozen=True, slots=True)
class Diff:
    """What one run made different, less the documents: :func:`movements` gives these.

    Attributes:
        organization: whose documents alone; None: everybody's.
        group: documents of this group alone; None: of both.
        movements: how many there are of each kind; of a document that was corrected and that 1C changed, both.
        documents: the same, each document once: what 1C did, as the run counted it.
        moved: how many of these are of another organization now.
    """

    run: int
    department_id: int
    status: str
    started_at: datetime
    finished_at: datetime | None
    undoes: tuple[int, ...]
    organization: str | None
    group: Group | None
    movements: Mapping[What, int]
    documents: Mapping[What, int]
    moved: int
    sums: tuple[Sums, ...]

    @property
    def total(self) -> int:
        """How many movements there are."""
        return sum(self.movements.values())

    @property
    def unexplained(self) -> tuple[Sums, ...]:
        """Sums that the documents told here do not explain."""
        return tuple(one for one in self.sums if one.unexplained)

    @property
    def counts(self) -> dict[What, int]:
        """How many documents there are of every kind."""
        return {what: self.documents.get(what, 0) for what in What}

    def head(self) -> dict[str, object]:
        """It as scripts get it."""
        found: dict[str, object] = to_json(self)
        return found


async def diff(
    connection: asyncpg.Connection, run: int, *, organization: str | None = None, group: Group | None = None
) -> Diff:
    """What a run made different, in numbers.

    Args:
        connection: any; best :func:`at_one_moment` with what is asked of it next.
        run: its number.
        organization: only this organization's documents.
        group: only documents of this group.

    Raises:
        ProblemError: ``nothing-found``: there is no such run, or the organization had no part in it.
    """
    async with at_one_moment(connection):
        row = await connection.fetchrow(sql("past", "run"), run)
        if row is None:
            raise ProblemError(problem("nothing-found", what="run", value=str(run), hint=phrase("hint-history")))
        undo, scope = bool(row["undoes"]), (run, row["department_id"], organization, group)
        async with whole_sets(connection):
            numbers = await connection.fetch(heads_query("numbers", undo=undo), *scope)
        counts = [one for one in numbers if one["what"] is not None]
        sums = [one for one in numbers if one["what"] is None]
        if organization is not None and not counts:
            await _require_part(connection, run, organization)
        bridges = await connection.fetch(sql("past", "bridges", recorded=sql("past", "recorded")), run, organization)
    return Diff(
        run=run,
        department_id=row["department_id"],
        status=row["status"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        undoes=tuple(row["undoes"]),
        organization=organization,
        group=group,
        movements={What(one["what"]): one["movements"] for one in counts},
        documents={What(one["what"]): one["documents"] for one in counts},
        moved=sum(one["moved"] for one in counts),
        sums=_sums(sums, (one for one in bridges if group is None or one["kind"] in group.figures), undo=undo),
    )


async def _require_part(connection: asyncpg.Connection, run: int, organization: str) -> None:
    units = [one["organization"] for one in await connection.fetch(sql("past", "organizations"), run)]
    if organization not in units:
        names = [phrase("quoted", name=name) for name in units] or [phrase("none")]
        hint = phrase("hint-units-of-run", run=run, names=names)
        raise ProblemError(problem("nothing-found", what="organization", value=organization, hint=hint))


async def movements(
    connection: asyncpg.Connection, found: Diff, *what: What, skip: int = 0, limit: int | None = None
) -> AsyncGenerator[Movement, None]:
    """Documents that a run added, removed or changed, by kind, organization, day and name; a few are fetched at a time.

    Args:
        connection: any; between two documents it may be used for other things.
        found: the run's diff.
        what: only documents that this became of; all without any.
        skip: how many to leave out at the beginning.
        limit: how many at most.
    """
    undo = bool(found.undoes)
    kinds = [one.value for one in what] or None
    scope = (found.run, found.department_id, found.organization, kinds, skip, limit, found.group)
    async with at_one_moment(connection), AsyncExitStack() as stack:
        # Not by pages: the order of a large run is worth being made once.
        async with whole_sets(connection):
            cursor = server_cursor(connection, heads_query("page", undo=undo), *scope)
            heads = await stack.enter_async_context(cursor)
            batch = await heads.fetch(_AT_ONCE)
        while batch:
            for one in await movements_of(connection, found.department_id, found.run, batch, undo=undo):
                yield one
            batch = await heads.fetch(_AT_ONCE)


def _sums(movements: Iterable[asyncpg.Record], bridges: Iterable[asyncpg.Record], *, undo: bool) -> tuple[Sums, ...]:
    """Per organization and figure, what the documents add up to beside what the run recorded."""
    moved = {(row["organization"], Figure(row["figure"])): row for row in movements}
    recorded, gross = {}, set()
    for row in bridges:
        key = (row["organization"], Figure(row["kind"]))
        recorded[key] = _bridge(row)
        if undo and row["gross"]:
            gross.add(key)
    order = list(Figure)
    sums = []
    for key in sorted({*moved, *recorded}, key=lambda key: (key[0], order.index(key[1]))):
        row = moved.get(key, {"added": _ZERO, "removed": _ZERO, "changed": _ZERO})
        sums.append(Sums(*key, row["added"], row["removed"], row["changed"], recorded.get(key), key in gross))
    return tuple(sums)


def _bridge(row: asyncpg.Record) -> Bridge:
    terms = {name: row[name] or _ZERO for name in TERMS}
    return Bridge(Figure(row["kind"]), **terms, rows_before=row["rows_before"] or 0, rows_after=row["rows_after"] or 0)
