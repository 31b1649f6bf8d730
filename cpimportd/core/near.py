"""What somebody who mistyped a name probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches

from cpimportd.core.folding import fold, lookalike_hint


def nearest(name: str, known: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The known name that is most like one that is not known.

    Args:
        name: as somebody wrote it.
        known: what there is.
        likeness: how much of both has to be the same, from 0 to 1 (:meth:`difflib.SequenceMatcher.ratio`).

    Returns:
        The name as it is known; None where none is so much like it.
    """
    folded = {fold(one): one for one in known}
    close = get_close_matches(fold(name), folded, n=1, cutoff=likeness)
    return folded[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The same as a sentence, with a blank after it; "" where none is like it."""
    found = nearest(name, known)
    return "" if found is None else f"Did you mean «{found}»? "


def near_hint(name: str, known: Iterable[str]) -> str:
    """How the end of a sentence names what was probably meant, and how it differs if it looks the same; "" without."""
    names = list(known)
    found = nearest(name, names)
    return lookalike_hint(name, names) or ("" if found is None else f"; did you mean «{found}»?")
