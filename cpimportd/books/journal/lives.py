"""Fetches the present and the former states of documents from the books and the journal."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import asyncpg

from cpimportd.books.database.queries import SHAPES, sql
from cpimportd.books.journal.states import (
    Entry,
    Key,
    State,
    before,
    field_names,
    is_correction,
    lines_of,
    parse,
    shared,
    undone,
    whole,
)

_AT_ONCE: Final = 2_000
"""Documents that are fetched at once."""


class Life:
    """What became of documents after a run.

    Args:
        entries: every line of the journal about them since, in its order.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._by_key: dict[Key, list[Entry]] = defaultdict(list)
        for one in entries:
            if one.op == "rekey" and one.paired_with is not None:
                self._by_key[Key(one.key.kind, one.paired_with)].append(one)
            else:
                self._by_key[one.key].append(one)

    def of(self, key: Key) -> Iterator[Entry]:
        """What happened to a document from then on, until it went."""
        position = (0, 0)
        while True:
            one = next((e for e in self._by_key.get(key, ()) if (e.run, e.seq) > position), None)
            if one is None:
                return
            yield one
            if one.op == "delete":
                return
            position, key = (one.run, one.seq), one.key


async def present(connection: asyncpg.Connection, department_id: int, keys: Iterable[Key]) -> dict[Key, State]:
    """Those of some documents that the books hold now, as they are."""
    wanted, found = set(keys), {}
    for shape in SHAPES:
        names = [key.operation_id for key in wanted if key.kind is shape.kind]
        if not names:
            continue
        query, columns, texts = sql("past", "present", **shape.identifiers), field_names(shape.kind), dict[str, str]()
        for place in range(0, len(names), _AT_ONCE):
            for row in await connection.fetch(query, department_id, names[place : place + _AT_ONCE]):
                key, stored = Key(shape.kind, row["operation_id"]), parse(row["fields"])
                fields = {name: shared(stored[name], texts) for name in columns}
                lines = lines_of(parse(row["details"]), texts)
                found[key] = State(key, fields, lines, parse(row["extra"]) or {}, parse(row["lineage"]))
    return found


async def states_after(
    connection: asyncpg.Connection, department_id: int, run: int, life: Life, keys: Iterable[Key]
) -> dict[Key, State]:
    """How documents stood when a run had ended.

    Args:
        connection: any.
        department_id: whose books.
        run: which run.
        life: what became of the documents after it.
        keys: the documents, as they were called then.

    Returns:
        Those about which anything is known.
    """
    lives = {key: list(life.of(key)) for key in keys}
    last = {key: entries[-1].key if entries else key for key, entries in lives.items()}
    alive = await present(
        connection, department_id, (last[key] for key, entries in lives.items() if not _went(entries))
    )
    found = {}
    for key, entries in lives.items():
        state = _whole(entries[-1]) if _went(entries) else alive.get(last[key])
        if state is not None:
            found[key] = before(state, key, entries[:-1] if _went(entries) else entries)
    return found


def _went(entries: Sequence[Entry]) -> bool:
    return bool(entries) and entries[-1].op == "delete"


def _whole(deletion: Entry) -> State:
    """A document as its deletion kept it."""
    return whole(deletion.key, deletion.old, deletion.lineage)


def pair_undone(entries: Sequence[Entry]) -> list[Entry]:
    """The same journal, with a re-timing that an undo took back told as one that goes the other way.

    An undo writes it as a document that goes and another that comes back. Earlier versions did not say that the two are
    one.
    """
    pairs: set[tuple[Key, Key]] = set()
    back = {(one.run, one.key) for one in entries if one.op == "insert"}
    paired: list[Entry] = []
    for one in entries:
        if one.op == "delete" and one.paired_with is not None:
            other = Key(one.key.kind, one.paired_with)
            pairs.add((one.key, other))
            back.discard((one.run, other))
        elif one.op == "delete":
            first = next((old for old, new in pairs if new == one.key and (one.run, old) in back), None)
            if first is not None:
                back.discard((one.run, first))
                pairs.add((one.key, first))
                paired.append(replace(one, paired_with=first.operation_id))
                continue
        paired.append(one)
    return [one for one in paired if one.op != "insert" or (one.run, one.key) in back]


def last_name(key: Key, entries: Sequence[Entry]) -> Key:
    """What a document is called in the end: each re-timing and re-keying is followed, in the order of time."""
    for one in entries:
        if one.paired_with is None:
            continue
        other = Key(one.key.kind, one.paired_with)
        if one.op == "delete" and one.key == key:
            key = other
        elif one.op == "rekey" and other == key:
            key = one.key
    return key


@dataclass(slots=True)
class Step:
    """One version on the way back, before its origin is looked up."""

    state: State | None
    since: int | None
    until: int | None
    how: str
    why: str | None


def walk_back(key: Key, now: State | None, entries: Sequence[Entry]) -> list[Step]:
    """The versions of a document, the newest first.

    Args:
        key: what it is called in the end.
        now: as the books hold it; None where it is gone.
        entries: what the journal says of it, in the order of time.
    """
    steps = [Step(now, None, None, "added", None)]
    for one in reversed(entries):
        last, other = steps[-1], None if one.paired_with is None else Key(one.key.kind, one.paired_with)
        if one.key != key and not (one.op == "delete" and other == key):
            continue
        last.since, last.why = one.run, one.why
        until = one.run
        if one.key != key:  # it was re-timed: what went under another name
            last.how, key = "retimed", one.key
            steps.append(Step(whole(key, one.old, one.lineage), None, until, "added", None))
        elif one.op == "delete":
            if last.state is not None:  # it came back later, as a new document
                came = (last.state.lineage or {}).get("first_run")
                last.since, last.why = came, None
                steps.append(Step(None, one.run, came, "removed", one.why))
            else:
                last.how = "removed"
            steps.append(Step(whole(key, one.old, one.lineage), None, until, "added", None))
        elif one.op == "insert":
            last.how = "brought back"
            steps.append(Step(None, None, until, "removed", None))
        elif last.state is not None:
            if one.op == "rekey" and last.until == one.run and len(steps) > 1:
                steps.pop()  # what else changed in the same run: one version
            steps[-1].since, steps[-1].why = one.run, one.why
            steps[-1].how = "rekeyed" if one.op == "rekey" else "changed"
            before = undone(last.state, one)
            key = before.key
            if is_correction(one):
                steps.append(Step(before, None, until, "foreign", None))
                before = replace(last.state, lineage=one.lineage)
            steps.append(Step(before, None, until, "added", None))
    oldest = steps[-1]
    if oldest.state is not None and oldest.since is None:
        oldest.since = (oldest.state.lineage or {}).get("first_run")
    return steps


@dataclass(frozen=True, slots=True)
class Link:
    """One document with two names.

    Attributes:
        retimed: it went under one and came under the other; else its key changed in place.
    """

    old: Key
    new: Key
    retimed: bool


def links(entries: Iterable[tuple[str, Key, str | None]]) -> list[Link]:
    """The documents that have another name after a run than before it, over all that its journal says of them.

    Args:
        entries: ``op``, document and ``paired_with`` of each line, in the journal's order.
    """
    first: dict[Key, tuple[Key, bool]] = {}
    for op, key, paired_with in entries:
        if paired_with is None or op not in {"delete", "rekey"}:
            continue
        other = Key(key.kind, paired_with)
        before, after = (key, other) if op == "delete" else (other, key)
        old, retimed = first.pop(before, (before, False))
        first[after] = (old, retimed or op == "delete")
    return [Link(old, new, retimed) for new, (old, retimed) in first.items() if old != new]
