"""What a document's own text says of it: ``Списание с расчетного счета 0А00-000523 от 22.04.2022 8:01:53``.

The whole text is the document's identity; number and moment are read out of it. 1C writes the hour without a leading
zero, and moments in the zone of its server (Moscow time).
"""

import re
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

_IDENTITY = re.compile(
    r"(?P<number>\S+)\s+от\s+(?P<day>\d{1,2})\.(?P<month>\d{2})\.(?P<year>\d{4})"
    r"(?:\s+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?)?\s*$"
)
_DATE = re.compile(r"(?<![\d.])(\d{1,2})\.(\d{2})\.(\d{4})(?!\d)")


class Identity(NamedTuple):
    """Number and moment of a document; None where its text does not say."""

    number: str | None
    moment: datetime | None


NOBODY = Identity(None, None)


def identify(text: str, zone: ZoneInfo) -> Identity:
    """Number and moment inside a document's text.

    Args:
        text: the document's text.
        zone: of its moment. Of a local time that exists twice the first is meant; one that does not exist is taken
            with the offset before the change (PEP 495, fold=0): 1C writes neither deliberately.
    """
    match = _IDENTITY.search(text)
    if match is None:
        return NOBODY
    parts = {name: int(value or 0) for name, value in match.groupdict().items() if name != "number"}
    try:
        return Identity(match["number"], datetime(**parts, tzinfo=zone))
    except ValueError:
        return Identity(match["number"], None)


def date_in_contract(text: str) -> date | None:
    """The date inside a contract's text, if there is exactly one: ``Договор займа № 7/2020 от 28.07.2020г.``."""
    found = set()
    for day, month, year in _DATE.findall(text):
        try:
            found.add(date(int(year), int(month), int(day)))
        except ValueError:
            continue
    return found.pop() if len(found) == 1 else None
