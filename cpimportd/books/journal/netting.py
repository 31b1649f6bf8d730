"""What an undo made different: of each document only how it was before and how it is after.

An undo takes back one run after the other in one transaction, so its journal may tell of a document several times.
"""

from collections.abc import Iterable, Sequence

from cpimportd.books.journal.movements import Difference, Movement, What, added, changed, compare_lines_extra, removed
from cpimportd.books.journal.origins import Origins
from cpimportd.books.journal.states import Entry, State, undone, whole


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
    one = changed(what, before, after, why="undone", origin=origin, more=_lines_extra(entries))
    differs = one.differences or one.lines_gone or one.lines_new or what is What.REKEYED
    return one if differs else None


def _lines_extra(entries: Sequence[Entry]) -> Iterable[Difference]:
    """The lines' other columns, as the first line that says so had them and the last one that does has them."""
    first = next((one.old for one in entries if "details_extra" in one.old), None)
    last = next((one.new for one in reversed(entries) if "details_extra" in one.new), None)
    return () if first is None or last is None else compare_lines_extra(first, last)
