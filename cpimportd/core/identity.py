"""A document's own number and moment, out of the text by which 1C names it."""

import re
import unicodedata
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cpimportd.core.folding import visible
from cpimportd.core.years import in_years

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
