"""What an undo made different: of each document only how it was before and how it is after.

An undo takes back one run after the other in one transaction, so its journal may tell of a document several times.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import asyncpg

from cpimportd.books.links import Link, links
from cpimportd.books.lives import Life, later, states_after
from cpimportd.books.movements import Difference, Movement, What, added, changed, compare_lines_extra, removed
from cpimportd.books.origins import Origins
from cpimportd.books.queries import sql
from cpimportd.books.states import Entry, Key, State, entry, undone, whole
from cpimportd.model import Kind


async def undone_movements(connection: asyncpg.Connection, department_id: int, run: int) -> list[Movement]:
    """Every document that an undo made different.

    Args:
        connection: any.
        department_id: whose books.
        run: the undo's own number.
    """
    entries = [entry(row) for row in await connection.fetch(sql("past", "entries"), run)]
    threads = _threads(entries)
    life = Life(await later(connection, department_id, run, threads))
    there = [key for key, entries in threads.items() if entries[-1].op != "delete"]
    after: dict[Key, State | None] = {**dict.fromkeys(threads), **_journalled(threads)}
    after |= await states_after(connection, department_id, run, life, there)
    before = {key: _walked_back(after[key], entries) for key, entries in threads.items()}
    origins = Origins(connection)
    await origins.of_states((*after.values(), *before.values()))
    names = {state.key: key for key, state in before.items() if state is not None}
    found = []
    for link in (*_retimed(entries), *await _said_by_the_undone(connection, run)):
        old, new = names.get(link.old), link.new
        if old is None or after.get(old) is not None or before.get(new) is not None:
            continue
        went, came = before.get(old), after.get(new)
        if went is not None and came is not None:
            found.append(changed(What.RETIMED, went, came, why="undone", origin=origins.of(came.lineage)))
            before[old] = after[new] = None
    for key in threads:
        found += _moved(before[key], after[key], threads[key], origins)
    return found


def _retimed(entries: Iterable[Entry]) -> Iterable[Link]:
    found = links((one.op, one.key, one.paired_with) for one in entries)
    return [link for link in found if link.retimed]


async def _said_by_the_undone(connection: asyncpg.Connection, run: int) -> Iterable[Link]:
    rows = await connection.fetch(sql("past", "pairs_undone"), run)
    return [
        Link(Key(Kind(row["kind"]), row["paired_with"]), Key(Kind(row["kind"]), row["operation_id"]), retimed=True)
        for row in rows
    ]


def _threads(entries: Iterable[Entry]) -> Mapping[Key, Sequence[Entry]]:
    """The journal by document, each under its name after the run."""
    threads: dict[Key, list[Entry]] = defaultdict(list)
    for one in entries:
        if one.op == "rekey" and one.paired_with is not None:
            threads[one.key] = [*threads.pop(Key(one.key.kind, one.paired_with), []), *threads.pop(one.key, [])]
        threads[one.key].append(one)
    return threads


def _journalled(threads: Mapping[Key, Sequence[Entry]]) -> dict[Key, State | None]:
    """Documents as they came back, for those that somebody else removed since."""
    return {key: whole(key, last.new, None) for key, (*_, last) in threads.items() if last.op == "insert"}


def _walked_back(state: State | None, entries: Sequence[Entry]) -> State | None:
    for one in reversed(entries):
        if one.op == "delete":
            state = whole(one.key, one.old, one.lineage)
        elif one.op == "insert":
            state = None
        elif state is not None:
            state = undone(state, one)
    return state


def _moved(before: State | None, after: State | None, entries: Sequence[Entry], origins: Origins) -> Iterable[Movement]:
    if before is None and after is not None:
        yield added(after, "undone", origins.of(after.lineage))
    elif before is not None and after is None:
        yield removed(before, "undone", origins.of(before.lineage))
    elif before is not None and after is not None:
        what = What.CHANGED if before.key == after.key else What.REKEYED
        origin = origins.of(after.lineage)
        one = changed(what, before, after, why="undone", origin=origin, more=_lines_extra(entries))
        if one.differences or one.lines_gone or one.lines_new or what is What.REKEYED:
            yield one


def _lines_extra(entries: Sequence[Entry]) -> Iterable[Difference]:
    """The lines' other columns, as the first line that says so had them and the last one that does has them."""
    first = next((one.old for one in entries if "details_extra" in one.old), None)
    last = next((one.new for one in reversed(entries) if "details_extra" in one.new), None)
    return () if first is None or last is None else compare_lines_extra(first, last)
