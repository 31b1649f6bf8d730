"""Parts of sentences that are words of ours: each has a code, so that a language can say it in its own way.

A fact of a problem that is not a number, a name or a place is one of them: what makes a cell a reject, which limit was
exceeded. What a server or the system says stays as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

PHRASES: Final[Mapping[str, str]] = {
    # What makes a cell a reject; goes on a sentence that begins with the cell.
    "cell": "«{text}» ",
    "empty": "is empty",
    "empty-and-undated": "is empty, and the document's name holds no date instead",
    "empty-and-no-roubles": "is empty, and the account is «{account}», not 51, which holds roubles",
    "no-number": "is no number",
    "no-finite-number": "is no finite number",
    "too-large": "is too large",
    "too-many-decimals": "has more than {decimals} decimals",
    "too-many-digits": "has more digits than a number in a workbook keeps",
    "no-date": "is no date",
    "no-date-of-years": "is no date between {first} and {last}",
    "error-value": "is an error value",
    "no-yes-or-no": "is neither «Да» nor «Нет»",
    "no-currency": "is no currency that is known",
    "too-long": "has {length} characters, {limit} fit",
    "nul-character": "holds a NUL character, which PostgreSQL cannot store",
    "half-character": "holds half of a UTF-16 pair, which PostgreSQL cannot store",
    "row-too-long": "its texts have {size} bytes, {limit} fit",
    # Where something stands.
    "row": "row {row}",
    "row-of-file": "row {row} of «{file}»",
    "in-books": "in the books",
    "in-todays-files": "in today's files",
    "in-todays-expenses": "in today's expenses",
    "owner": "«{owner}»",
    "nobody": "nobody",
    "differ": ": {characters}",
    "numbers-differ": " (the numbers differ in {characters})",
    "and-so-is": ", and so is {names}",
    "and-so-are": ", and so are {names}",
    "and-so-are-more": ", and so are {names}, {more} more",
    # Limits of the guards.
    "never-all": "never all of them",
    "limit-percent": "{documents} documents, or {percent} % of them",
    "limit-sum": "{documents} documents, or {percent} % of the sum: {sum:money}",
    "limit-usual": "{documents} documents, or {times} × the usual {usual}",
    "limit-usual-days": "{documents} documents, or {times} × the usual {usual} in {days} days",
    # What somebody else wrote, and what became of it.
    "some": "some",
    "unknown-sum": "an unknown sum",
    "put-right": "it was put right",
    "not-put-right": "of {count:count} documents it cannot be put right",
    "stays-held": "it stays as long as the unit is held",
    "differing-put-right": "what differed from the files was put right",
    # The daemon's slots and runs.
    "in-part": "in part ",
    "killed": "was killed by signal {signal}",
    "ended": "ended with status {status}",
    "took-too-long": "took longer than daemon.run_time_limit ({limit}) and was stopped",
    "nothing-published": "; nothing was published",
    "nothing-published-held": "; nothing was published: all that was new is held by run {run}",
    "published-unknown": "; whether run {run} published is not known: {why}; `cpimportd history` tells it later",
    "older-than-grace": "it is older than grace ({grace})",
    "no-catch-up": "catch_up is false",
    "tried-long-enough": "it was started, and {grace} for trying are over",
}
"""By code: in English, with ``{placeholders}`` for facts of its own."""

WORDS: Final = (
    "receipts", "expenses", "details", "expense details",
    "published", "unchanged", "partial", "held", "failed",
    "connecting", "the greeting", "the TLS handshake", "the login", "listing", "looking at a file", "the download",
    "report", "reconcile",
    "run", "organization", "contract", "document", "department", "held unit",
    "principal", "interest", "other",
    "added", "removed", "changed", "retimed", "rekeyed",
)  # fmt: skip
"""Values of ours that a sentence names as ``{fact:word}``, so that a language can have its own word for each."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase and its facts, such as ``too-many-decimals`` of 2."""

    code: str
    facts: Mapping[str, str | int] = field(default_factory=dict)

    def __str__(self) -> str:
        return PHRASES[self.code].format(**self.facts)


def phrase(code: str, /, **facts: str | int) -> Phrase:
    """A phrase of the list.

    Raises:
        KeyError: there is none of this code: a defect of ours.
    """
    PHRASES[code]
    return Phrase(code, facts)


class UnfitError(ValueError):
    """A value that cannot be taken, with the phrase that says why; its text is that in English."""

    def __init__(self, code: str, /, **facts: str | int) -> None:
        self.phrase = phrase(code, **facts)
        super().__init__(str(self.phrase))


def reason_of(error: ValueError) -> Phrase | str:
    """Why a value cannot be taken, as a fact of a problem."""
    return error.phrase if isinstance(error, UnfitError) else str(error)
