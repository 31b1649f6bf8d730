"""Under which names documents went on in the journal of one run: re-timed and re-keyed ones."""

from collections.abc import Iterable
from dataclasses import dataclass

from cpimportd.books.journal.states import Key


@dataclass(frozen=True, slots=True)
class Link:
    """One document with two names.

    Attributes:
        old: its name before the run.
        new: its name after it.
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
