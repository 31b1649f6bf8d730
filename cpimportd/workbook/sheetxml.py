"""A worksheet's XML by openpyxl's parser, with the meaning that its cells have to calamine too.

openpyxl by itself drops the zone of a date in ISO form, makes an error value of a number that is no date, and takes
``-1`` for the place of the last shared text.
"""

import re
from datetime import date, datetime, time
from typing import Any
from xml.etree.ElementTree import Element

from openpyxl.worksheet._reader import VALUE_TAG, WorkSheetParser

from cpimportd.model import Cell

_ISO_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ISO_CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?")
_PLACE = re.compile("[0-9]{1,9}")
# As XML Schema writes what is no number (part 2, 3.2.5.1); calamine gives it as a double.
_NOT_FINITE = ("NaN", "INF", "-INF")
_BOOLEANS = {"true": "1", "false": "0"}


class SheetParser(WorkSheetParser):
    """Reads rows and their cells; a number stays one, whatever its format."""

    def parse_cell(self, element: Element) -> dict[str, Any]:
        """Read one cell.

        Raises:
            ValueError: the place of its shared text is none.
            IndexError: there is no text at that place.
        """
        kind = element.get("t", "n")
        written = element.find(VALUE_TAG)
        text = (written.text or "") if written is not None else ""
        plain = text.strip()
        special: Cell = None
        if kind == "d" or (kind == "n" and plain in _NOT_FINITE):
            special = _of_iso(text) if kind == "d" else float(plain)
            element.set("t", "str")
        elif written is not None and kind in ("s", "b"):
            if kind == "s" and plain and not _PLACE.fullmatch(plain):
                raise ValueError(f"a cell's shared text is {plain[:40]!r}")
            written.text = _BOOLEANS.get(plain.casefold(), plain)
        cell = super().parse_cell(element)
        return cell if special is None else {**cell, "value": special, "data_type": "d"}


def _of_iso(text: str) -> Cell:
    """A date, moment or time without a zone as such; anything else is left to whoever knows the column and the zone."""
    day, separator, clock = text.strip().partition("T")
    try:
        if separator and _ISO_DAY.fullmatch(day) and _ISO_CLOCK.fullmatch(clock):
            return datetime.fromisoformat(f"{day}T{clock}")
        if not separator and _ISO_DAY.fullmatch(day):
            return date.fromisoformat(day)
        if not separator and _ISO_CLOCK.fullmatch(day):
            return time.fromisoformat(day)
    except ValueError:
        pass
    return text or None
