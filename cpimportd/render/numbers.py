"""Numbers and texts as people read them: sums as a Russian accountant writes them, foreign texts made harmless."""

from cpimportd.core.figures import NBSP, amount, count, signed
from cpimportd.core.problems import printable
from cpimportd.core.time import moment

__all__ = ["NBSP", "amount", "clean", "count", "moment", "signed"]

_LONGEST = 10_000


def clean(text: object) -> str:
    """A text from a file or a server, whole, on one line, its control characters escaped."""
    return printable(text, limit=_LONGEST)
