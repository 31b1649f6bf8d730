"""What became of documents since: their states of now and of then, fetched from the books and the journal."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.books.database.shapes import SHAPES
from cpimportd.books.journal.states import Entry, Key, State, before, field_names, lines_of, parse, shared, whole

_AT_ONCE: Final = 2_000
"""Documents that are fetched at once."""


class Life:
    """What became of documents after a run.

    Args:
        entries: every line of the journal about them since, in its order.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._by_key: dict[Key, list[Entry]] = defaultdict(list)
        self._renamed: dict[Key, Key] = {}
        for one in entries:
            if one.op == "rekey" and one.paired_with is not None:
                before = Key(one.key.kind, one.paired_with)
                self._by_key[before].append(one)
                self._renamed.setdefault(one.key, before)
            else:
                self._by_key[one.key].append(one)

    def name_then(self, key: Key) -> Key:
        """What a document that the books hold now was called then."""
        seen = set()
        while key in self._renamed and key not in seen:
            seen.add(key)
            key = self._renamed[key]
        return key

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
