"""Describes a batch of the documents that a run changed, as they were on that day.

A *head* names a document, its change, and the entries of the run's journal that record the change
(``sql/movements.sql``).
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import asyncpg

from cpimportd.books.database.queries import SHAPES, planned_without, queries, sql
from cpimportd.books.journal.lives import Life, states_after
from cpimportd.books.journal.movements import Difference, Movement, What, added, changed, compare_lines_extra, removed
from cpimportd.books.journal.origins import Origins
from cpimportd.books.journal.states import Entry, Key, State, entry, field_names, is_correction, lines_of, undone, whole
from cpimportd.core.model import Kind


def heads_query(name: Literal["page", "numbers"], *, undo: bool) -> str:
    """A question about the heads of a run; ``page`` does not ask what detail lines pay, so they need not be read."""
    kind, pays = "undo" if undo else "run", name == "numbers"
    old, new, then = (
        _piece("lines_paid", lines=f"({side} -> 'details')") if pays else _UNASKED for side in ("old", "new", "c.old")
    )
    stood = _piece("stood_paid") if pays else _UNASKED
    names = _piece("names", called="names", of="wanted")
    later = _piece("later", seeds=_piece(f"seeds_of_{kind}"), names=names, later_paid=then)
    fields = {*(name for shape in SHAPES for name in field_names(shape.kind)), "extra", "details", "details_extra"}
    differs = _piece(
        "differs",
        fields=", ".join(f"'{name}'" for name in sorted(fields)),
        sorted_old=_piece("sorted", side="c.old"),
        sorted_new=_piece("sorted", side="c.new"),
    )
    entries = _piece("entries_of", old_paid=old, new_paid=new)
    heads = _piece(f"heads_of_{kind}", entries=entries, later=later, stood_paid=stood, differs=differs)
    return sql("movements", name, heads=heads, names_of_page=_piece("names", called="page_names", of="chosen"))


_UNASKED = "NULL::jsonb"


@asynccontextmanager
async def whole_sets(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Within it, queries over heads are planned for large runs: nobody has statistics about what a query makes itself.

    A plan for a few rows compares each with each, which a hundred thousand make into hours; one for many costs a run of
    a few rows some milliseconds.

    Args:
        connection: in a transaction.
    """
    await connection.execute("SET LOCAL jit = off")
    async with planned_without(connection, "nestloop"):
        yield


def _piece(name: str, **identifiers: str) -> str:
    return queries("movements")[name].text.format(paid=sql("account", "paid"), **identifiers)


@dataclass(frozen=True, slots=True)
class _Context:
    """What is known of some heads: their entries of the run, how documents stood after it, and where that came from."""

    entries: Mapping[int, Entry]
    after: Mapping[Key, State]
    origins: Origins

    def of(self, head: asyncpg.Record) -> list[Entry]:
        return [self.entries[seq] for seq in head["seqs"]]


async def movements_of(
    connection: asyncpg.Connection, department_id: int, run: int, heads: Sequence[asyncpg.Record], *, undo: bool
) -> list[Movement]:
    """The movements that some heads, rows of the query ``page``, name; in their order."""
    seqs = sorted({seq for head in heads for seq in head["seqs"]})
    rows = await connection.fetch(sql("movements", "entries"), run, seqs) if seqs else []
    entries = {row["seq"]: entry(row) for row in rows}
    keys = {Key(Kind(head["kind"]), head["key"]) for head in heads if head["names"]}
    life = Life(await _entries_since(connection, department_id, run, heads))
    after = await states_after(connection, department_id, run, life, keys)
    origins = Origins(connection)
    lineages = (*(state.lineage for state in after.values()), *(one.lineage for one in entries.values()))
    await origins.load(lineages)
    context, movement_of = _Context(entries, after, origins), _of_undo if undo else _of_run
    return [movement for head in heads if (movement := movement_of(head, context)) is not None]


async def _entries_since(
    connection: asyncpg.Connection, department_id: int, run: int, heads: Iterable[asyncpg.Record]
) -> list[Entry]:
    """Every line of the journal after a run about documents, under all names that they had."""
    found: list[Entry] = []
    for shape in SHAPES:
        names = sorted({name for head in heads if head["kind"] == shape.kind.value for name in head["names"] or ()})
        if names:
            rows = await connection.fetch(sql("movements", "since"), department_id, run, shape.kind.value, names)
            found += [entry(row) for row in rows]
    return sorted(found, key=lambda one: (one.run, one.seq))


def _of_run(head: asyncpg.Record, context: _Context) -> Movement | None:
    what, key, entries = What(head["what"]), Key(Kind(head["kind"]), head["key"]), context.of(head)
    after = context.after.get(key)
    if what in {What.REMOVED, What.RETIMED}:
        gone = next(one for one in entries if one.op == "delete")
        state = whole(gone.key, gone.old, gone.lineage)
        if what is What.REMOVED or after is None:
            return removed(state, gone.why, context.origins.of(state.lineage))
        return changed(What.RETIMED, state, after, why=gone.why, origin=context.origins.of(after.lineage))
    kept = [one for one in entries if one.op in {"update", "rekey"}]
    if what is What.ADDED:
        back = next((one for one in entries if one.op == "insert"), None)
        origin = context.origins.of(None if after is None else after.lineage)
        if back is None:
            return None if after is None else added(after, "snapshot", origin)
        came = whole(key, back.new, None) if kept or after is None else after
        return added(came, back.why, origin)
    if after is None and (gone_too := [one for one in entries if one.op == "delete"]):
        after = whole(key, gone_too[0].old, gone_too[0].lineage)
    return _kept_document(key, kept, after, context.origins, part=head["part"])


def _kept_document(key: Key, entries: Sequence[Entry], after: State | None, origins: Origins, *, part: int) -> Movement:
    """What one run did to a document; ``part`` 1 is what it corrected of somebody else's writing first."""
    first, *others = entries
    if not (is_correction(first) and others):
        return _changed_document(key, entries, after, origins)
    if part != 1:
        return _changed_document(key, others, after, origins)
    published = after
    for one in reversed(others):
        published = undone(published, one) if published is not None else None
    return _changed_document(key, [first], published, origins)


def _changed_document(key: Key, entries: Sequence[Entry], after: State | None, origins: Origins) -> Movement:
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


def _of_undo(head: asyncpg.Record, context: _Context) -> Movement | None:
    what, key, entries = What(head["what"]), Key(Kind(head["kind"]), head["key"]), context.of(head)
    came = context.after.get(key)
    if came is None and entries[-1].op == "insert":  # somebody else removed it since
        came = whole(key, entries[-1].new, None)
    if what is What.RETIMED:
        deletions = [place for place, one in enumerate(entries) if one.op == "delete"]
        went = walked_back(None, entries[: deletions[-1] + 1])
        if went is None or came is None:
            return None
        return changed(What.RETIMED, went, came, why="undone", origin=context.origins.of(came.lineage))
    after = None if what is What.REMOVED else came
    return moved(walked_back(after, entries), after, entries, context.origins)


# An undo takes back one run after the other in one transaction, so its journal may tell of a document several times:
# what counts is how each was before the undo and how it is after.


def walked_back(state: State | None, entries: Sequence[Entry]) -> State | None:
    """A document as it was before entries of a run; None where it was not there."""
    for one in reversed(entries):
        if one.op == "delete":
            state = whole(one.key, one.old, one.lineage)
        elif one.op == "insert":
            state = None
        elif state is not None:
            state = undone(state, one)
    return state


def moved(before: State | None, after: State | None, entries: Sequence[Entry], origins: Origins) -> Movement | None:
    """What became of a document in an undo; None where it is as it was."""
    if before is None or after is None:
        if after is not None:
            return added(after, "undone", origins.of(after.lineage))
        return None if before is None else removed(before, "undone", origins.of(before.lineage))
    what = What.CHANGED if before.key == after.key else What.REKEYED
    origin = origins.of(after.lineage)
    movement = changed(what, before, after, why="undone", origin=origin, more=_lines_extra(entries))
    differs = movement.differences or movement.lines_gone or movement.lines_new or what is What.REKEYED
    return movement if differs else None


def _lines_extra(entries: Sequence[Entry]) -> Iterable[Difference]:
    """The lines' other columns, as the first line that says so had them and the last one that does has them."""
    first = next((one.old for one in entries if "details_extra" in one.old), None)
    last = next((one.new for one in reversed(entries) if "details_extra" in one.new), None)
    return () if first is None or last is None else compare_lines_extra(first, last)
