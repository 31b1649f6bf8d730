"""When two documents are one: 1C gives a number once a year in an organization, whatever else their names say.

Source: numbers of 10,147 documents of real exports; by (kind, organization, number, year) none was there twice.
"""

import re
from collections.abc import Hashable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from cpimportd.core.folding import fold, visible
from cpimportd.core.identity import compatible, parse_identity

_SAME_DAY: Final = timedelta(days=1)
_folded = lru_cache(maxsize=4096)(fold)
"""Organizations, and the words before a number, are few."""

# What a hand adds to a name that 1C wrote: a comma before the moment, a full stop at the end.
_ADDED = re.compile(r"[,;](?=\s)|[.,;\s]+$")
_SIGN = re.compile(r"\s*№\s*$")
_APART = re.compile(r"(\S*[0-9]\S*)\s+$")
_STARTS_INSIDE = re.compile(r"[0-9]+$|[-‐‑‒–—―−]")


class Numbered(NamedTuple):
    """What the name of a document with number and moment says, in the form in which it is compared.

    Attributes:
        words: what stands before the number, folded.
        number: folded.
        written: the number's letters, as they are written in all but case, and its digits.
        moment: of the document.
    """

    words: str
    number: str
    written: str
    moment: datetime

    def of_year(self, organization: str) -> tuple[str, str, int]:
        """Organization, number and year: what 1C gives once to each kind of documents."""
        return _folded(organization), self.number, self.moment.year


def numbered(operation_id: str) -> Numbered | None:
    """What a document's name says; None where it lacks number or moment.

    A ``№`` before the number, a space within it and punctuation that only a hand adds do not matter.
    """
    number, moment = parse_identity(operation_id)
    text = operation_id
    if number is None or moment is None:
        text = _ADDED.sub("", visible(compatible(operation_id)))
        number, moment = parse_identity(text)
    if number is None or moment is None:
        return None
    if number not in text:
        text = next((form for form in (visible(text), compatible(text)) if number in form), number)
    before, whole = _whole(text.rpartition(number)[0], number)
    written = "".join(filter(str.isalnum, compatible(whole).casefold()))
    return Numbered(_folded(before), fold(whole), written, moment)


def _whole(before: str, number: str) -> tuple[str, str]:
    """The words before a number and the number, where a space may have cut it in two, or a ``№`` stands before it."""
    if _STARTS_INSIDE.match(number) and (beginning := _APART.search(before)):
        before, number = before[: beginning.start()], beginning[1] + number
    return _SIGN.sub("", before), number.removeprefix("№").rstrip(",;")


def are_one(here: Numbered, amount: Hashable, there: Numbered, other_amount: Hashable) -> bool:
    """Whether two documents with one organization, number and year are one.

    They are where the words before the number and the number itself are the same, be it in another case. Where a
    letter of the number only looks the same, or the words differ, 1C may have numbered two documents separately: a
    prefix that was changed from Latin to Cyrillic letters begins anew. Then they are one only with equal amounts
    and within a day of each other: what nobody can override must not hold two documents for one.
    """
    if (here.words, here.written) == (there.words, there.written):
        return True
    return amount == other_amount and abs(here.moment - there.moment) <= _SAME_DAY
