"""What a run made different, document by document, with sums that agree with the run's own bridges.

A run from long ago is told as it was then: what has happened to its documents since is taken back first.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import asyncpg

from cpimportd.books.lives import Life, later, states_after
from cpimportd.books.movements import (
    Movement,
    Sums,
    Title,
    What,
    added,
    changed,
    compare_lines_extra,
    removed,
)
from cpimportd.books.netting import undone_movements
from cpimportd.books.origins import Origins
from cpimportd.books.queries import sql
from cpimportd.books.states import Entry, Key, State, entry, lines_of, put_right, undone, whole
from cpimportd.model import Figure, Kind
from cpimportd.problems import ProblemError, problem
from cpimportd.report import Bridge

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Diff:
    """What one run made different.

    Attributes:
        run: its number.
        status: how it ended.
        started_at: when it began.
        finished_at: when it ended.
        undoes: the runs that it undid.
        movements: every document that it added, removed or changed, by kind and organization.
        sums: per organization and kind.
    """

    run: int
    status: str
    started_at: datetime
    finished_at: datetime | None
    undoes: tuple[int, ...]
    movements: tuple[Movement, ...]
    sums: tuple[Sums, ...]

    def of(self, *what: What) -> list[Movement]:
        """Those documents that this became of."""
        return [one for one in self.movements if one.what in what]

    @property
    def documents(self) -> list[Movement]:
        """Each document once: of one that was put right and that 1C changed, what 1C did, as the run counted it."""
        by_1c = [one for one in self.movements if one.why != "put-right"]
        concerned = {(one.key.kind, name) for one in by_1c for name in (one.key.operation_id, one.was)}
        return [
            one
            for one in self.movements
            if one.why != "put-right" or (one.key.kind, one.key.operation_id) not in concerned
        ]

    @property
    def unexplained(self) -> tuple[Sums, ...]:
        """Sums that the documents told here do not explain."""
        return tuple(one for one in self.sums if one.unexplained)

    def head(self) -> dict[str, object]:
        """All but the documents, as scripts get it."""
        return {
            "run": self.run,
            "status": self.status,
            "started_at": self.started_at.isoformat(),
            "finished_at": None if self.finished_at is None else self.finished_at.isoformat(),
            "undoes": list(self.undoes),
            "counts": {what.value: sum(one.what is what for one in self.documents) for what in What},
            "moved": sum(one.moved for one in self.documents),
            "sums": [one.as_json() for one in self.sums],
        }

    def as_json(self, title: Title) -> dict[str, object]:
        """The diff as scripts get it.

        Args:
            title: what a field is called in the workbook.
        """
        return {**self.head(), "documents": [one.as_json(title) for one in self.movements]}


async def diff(connection: asyncpg.Connection, run: int, *, organization: str | None = None) -> Diff:
    """What a run made different, and where that came from.

    Args:
        connection: any; outside a transaction one is opened, so that everything told belongs to one moment.
        run: its number.
        organization: only this organization's documents.

    Raises:
        ProblemError: ``nothing-found``: there is no such run, or the organization had no part in it.
    """
    at_one_moment = connection.transaction(isolation="repeatable_read", readonly=True)
    async with nullcontext() if connection.is_in_transaction() else at_one_moment:
        row = await connection.fetchrow(sql("past", "run"), run)
        if row is None:
            raise ProblemError(
                problem("nothing-found", what="run", value=str(run), hint="`cpimportd history` lists the runs.")
            )
        told = undone_movements if row["undoes"] else _movements
        movements = await told(connection, row["department_id"], run)
        bridges = await connection.fetch(sql("past", "bridges"), run, organization)
        units = [one["organization"] for one in await connection.fetch(sql("past", "organizations"), run)]
    if organization is not None:
        movements = [m for m in movements if organization in {m.organization_before, m.organization_after}]
        if not movements and organization not in units:
            hint = f"In run {run} there were: {'; '.join(f'«{name}»' for name in units) or 'none'}."
            raise ProblemError(problem("nothing-found", what="organization", value=organization, hint=hint))
    order = list(Kind)
    movements.sort(key=lambda m: (order.index(m.key.kind), m.organization, m.fields.get("document_date") or "", m.key))
    return Diff(
        run=run,
        status=row["status"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        undoes=tuple(row["undoes"]),
        movements=tuple(movements),
        sums=_sums(movements, bridges, organization, undo=bool(row["undoes"])),
    )


async def _movements(connection: asyncpg.Connection, department_id: int, run: int) -> list[Movement]:
    entries = [entry(row) for row in await connection.fetch(sql("past", "entries"), run)]
    inserted = {
        Key(Kind(row["kind"]), row["operation_id"])
        for row in await connection.fetch(sql("past", "inserted"), department_id, run)
    }
    brought_back = {one.key: one for one in entries if one.op == "insert"}
    kept = _by_document(one for one in entries if one.op in {"update", "rekey"})
    gone = [one for one in entries if one.op == "delete"]
    # Whatever became of it since: the other half of a re-timed document came in this run.
    inserted |= {Key(one.key.kind, one.paired_with) for one in gone if one.paired_with is not None}
    concerned = {*inserted, *brought_back, *kept}
    life = Life(await later(connection, department_id, run, concerned))
    came = {life.name_then(key) for key in inserted} - kept.keys() | brought_back.keys()
    after = await states_after(connection, department_id, run, life, {*came, *kept})
    for key, one in brought_back.items():
        after.setdefault(key, whole(key, one.new, None))
    origins = Origins(connection)
    await origins.load([*(state.lineage for state in after.values()), *(one.lineage for one in gone)])
    left = {one.key: whole(one.key, one.old, one.lineage) for one in gone}
    found = [
        movement
        for key, ones in kept.items()
        for movement in _changes(key, ones, after.get(key) or left.get(key), origins)
    ]
    for one in gone:
        state = whole(one.key, one.old, one.lineage)
        new = after.get(Key(one.key.kind, one.paired_with)) if one.paired_with else None
        if new is not None and new.key in came:
            came.discard(new.key)
            found.append(changed(What.RETIMED, state, new, why=one.why, origin=origins.of(new.lineage)))
        else:
            found.append(removed(state, one.why, origins.of(state.lineage)))
    for key in came:
        if key in after:
            one_back = brought_back.get(key)
            came_as = whole(key, one_back.new, None) if one_back is not None and key in kept else after[key]
            why = "snapshot" if one_back is None else one_back.why
            found.append(added(came_as, why, origins.of(after[key].lineage)))
    return found


def _by_document(entries: Iterable[Entry]) -> Mapping[Key, Sequence[Entry]]:
    """A re-keyed document may have two lines in one run: its new name, and what else differs."""
    found: dict[Key, list[Entry]] = defaultdict(list)
    for one in entries:
        found[one.key].append(one)
    return found


def _changes(key: Key, entries: Sequence[Entry], after: State | None, origins: Origins) -> Iterator[Movement]:
    """What one run did to a document; first, as a change of its own, what it put right of somebody else's writing."""
    first, *others = entries
    if not (put_right(first) and others):
        yield _changed(key, entries, after, origins)
        return
    theirs = _changed(key, others, after, origins)
    published = after
    for one in reversed(others):
        published = undone(published, one) if published is not None else None
    yield _changed(key, [first], published, origins)
    yield theirs


def _changed(key: Key, entries: Sequence[Entry], after: State | None, origins: Origins) -> Movement:
    last = entries[-1]
    if after is None:  # somebody else removed it since: what the journal itself says must do
        fields = {**last.new, "organization": last.organization, "amount": last.amount_after}
        after = State(key, fields, lines_of(last.new.get("details")), last.new.get("extra") or {}, None)
    state = after
    for one in reversed(entries):
        state = undone(state, one)
    rekeyed = any(one.op == "rekey" for one in entries)
    what = What.REKEYED if rekeyed else What.CHANGED
    origin = origins.of(after.lineage)
    more = [difference for one in entries for difference in compare_lines_extra(one.old, one.new)]
    return changed(what, state, after, why=last.why, origin=origin, more=more)


def _sums(
    movements: Iterable[Movement], bridges: Iterable[asyncpg.Record], organization: str | None, *, undo: bool
) -> tuple[Sums, ...]:
    """Per organization and figure: a document that changed hands went from one and came to the other."""
    added: dict[tuple[str, Figure], Decimal] = defaultdict(Decimal)
    removed: dict[tuple[str, Figure], Decimal] = defaultdict(Decimal)
    changed: dict[tuple[str, Figure], Decimal] = defaultdict(Decimal)
    for one in movements:
        stays = one.organization_before == one.organization_after
        for figure, before, after in one.sums():
            if one.organization_before is not None and before is not None:
                (changed if stays else removed)[one.organization_before, figure] += -before if stays else before
            if one.organization_after is not None and after is not None:
                (changed if stays else added)[one.organization_after, figure] += after
    recorded = {(row["organization"], Figure(row["kind"])): _bridge(row) for row in bridges}
    gross = {(row["organization"], Figure(row["kind"])) for row in bridges if undo and row["moved_in"] is None}
    order = list(Figure)
    keys = sorted({*added, *removed, *changed, *recorded}, key=lambda key: (key[0], order.index(key[1])))
    return tuple(
        Sums(*key, added[key], removed[key], changed[key], recorded.get(key), key in gross)
        for key in keys
        if organization in {None, key[0]}
    )


def _bridge(row: asyncpg.Record) -> Bridge:
    sums = {name: row[name] or _ZERO for name in ("opening", "added", "removed", "changed", "closing")}
    return Bridge(Figure(row["kind"]), row["rows_before"] or 0, row["rows_after"] or 0, **sums)
