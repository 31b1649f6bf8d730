"""Back through a document's journal: which names it had, and how it was at each time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cpimportd.books.journal.states import Entry, Key, State, put_right, undone, whole


def pair_undone(entries: Sequence[Entry]) -> list[Entry]:
    """The same journal, with a re-timing that an undo took back told as one that goes the other way.

    An undo writes it as a document that goes and another that comes back. Earlier versions did not say that the two are
    one.
    """
    pairs: set[tuple[Key, Key]] = set()
    back = {(one.run, one.key) for one in entries if one.op == "insert"}
    told: list[Entry] = []
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
                told.append(replace(one, paired_with=first.operation_id))
                continue
        told.append(one)
    return [one for one in told if one.op != "insert" or (one.run, one.key) in back]


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
            if put_right(one):
                steps.append(Step(before, None, until, "foreign", None))
                before = replace(last.state, lineage=one.lineage)
            steps.append(Step(before, None, until, "added", None))
    oldest = steps[-1]
    if oldest.state is not None and oldest.since is None:
        oldest.since = (oldest.state.lineage or {}).get("first_run")
    return steps
