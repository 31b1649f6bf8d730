"""Extracts a document's number and time from its name in 1C, and decides whether two documents are one.

1C uses a number once a year within an organization. Source: numbers of 10,147 documents of real exports; no combination
of kind, organization, number and year occurred twice.
"""

import re
import unicodedata
from collections.abc import Hashable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from cpimportd.core.folding import fold, visible
from cpimportd.core.formatting import in_years

_MOMENT = re.compile(r"([0-9]{1,2})\.([0-9]{2})\.([0-9]{4})(?:\s?г\.?)?(?:\s+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?")
_DIGIT = re.compile("[0-9]")
# « от » in any case, and with the Latin and Greek letters that look the same.
_NAME_AND_MOMENT = re.compile(r"(.*) [oоο][tтτ] (.*)", re.IGNORECASE | re.DOTALL)


class Identity(NamedTuple):
    """What a document's name says: its number, and when it was, on a clock of the place where 1C runs."""

    number: str | None
    moment: datetime | None

    def moment_in(self, zone: ZoneInfo) -> datetime | None:
        """The moment as an instant.

        An hour that the clock showed twice is taken the first time; one that it skipped is counted on from before the
        gap (both are what PEP 495 calls fold=0).
        """
        return None if self.moment is None else self.moment.replace(tzinfo=zone)


NOTHING = Identity(None, None)


@lru_cache(maxsize=16_384)
def parse_identity(operation_id: str) -> Identity:
    """Number and moment, e.g. of ``Списание с расчетного счета 0А00-000523 от 22.04.2022 8:01:53``.

    The hour has no leading zero, and the time may be absent: then the day begins. Invisible characters and kinds of
    spaces do not matter; a text that holds any is read as it looks, and so is its number.

    Returns:
        What was found; what was not is None.
    """
    text = operation_id if operation_id.isprintable() and "  " not in operation_id else visible(operation_id)
    found = _parse(text)
    return _parse(compatible(text)) if found is NOTHING else found


def compatible(text: str) -> str:
    """A text in its compatible form (NFKC), without the marks that no letter takes."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) not in {"Mn", "Me"})


def _parse(text: str) -> Identity:
    parts = _NAME_AND_MOMENT.fullmatch(text)
    match = _MOMENT.fullmatch(parts[2].strip()) if parts else None
    if parts is None or match is None:
        return NOTHING
    name = parts[1]
    last_word = name.split()[-1] if name.strip() else ""
    number = last_word if _DIGIT.search(last_word) else None
    day, month, year, hour, minute, second = (int(part) for part in match.groups("0"))
    try:
        moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - moment_in gives it its zone
    except ValueError:
        return Identity(number, None)
    return Identity(number, moment if in_years(moment) else None)


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
        words: the text before the number, folded.
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
    """What a document's name says; None if it lacks number or moment.

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
    """The words before a number and the number, which may contain a space or follow a ``№``."""
    if _STARTS_INSIDE.match(number) and (beginning := _APART.search(before)):
        before, number = before[: beginning.start()], beginning[1] + number
    return _SIGN.sub("", before), number.removeprefix("№").rstrip(",;")


def are_same_document(here: Numbered, amount: Hashable, there: Numbered, other_amount: Hashable) -> bool:
    """Whether two documents with one organization, number and year are one.

    They are where the words before the number and the number itself are the same, be it in another case. Where a
    letter of the number only looks the same, or the words differ, 1C may have numbered two documents separately: a
    prefix that was changed from Latin to Cyrillic letters begins anew. Then they are one only with equal amounts
    and within a day of each other: what nobody can override must not hold two documents for one.
    """
    if (here.words, here.written) == (there.words, there.written):
        return True
    return amount == other_amount and abs(here.moment - there.moment) <= _SAME_DAY
