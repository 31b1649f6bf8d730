"""As what a number format shows a number: as such, as a moment, or as a span of time (ECMA-376 part 1, 18.8.30)."""

import re
from enum import Enum, auto

from cpimportd.workbook.markup import start_tags

# A character that is shown as it stands (\x), a width (_x), a filling (*x), a text, a condition or colour, or a letter.
_TOKEN = re.compile(r'[\\_*].|"[^"]*"?|\[[^\]]*\]?|.', re.DOTALL)
_SPAN = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)


class Shown(Enum):
    """As what a number format shows a number."""

    NUMBER = auto()
    MOMENT = auto()
    """A date, a time, or both."""
    SPAN = auto()
    """Hours, minutes or seconds beyond a day: ``[h]:mm``."""


# The formats without a code in the file (18.8.30); those of East Asian locales are left out, as calamine does.
BUILT_IN = {**dict.fromkeys((*range(14, 23), 45, 47), Shown.MOMENT), 46: Shown.SPAN}


def shown_by(code: str) -> Shown:
    """As what a format's first section, the one of positive numbers, shows a number."""
    half_day = False
    for token in _TOKEN.findall(code):
        letter = token.casefold()
        if letter == ";":
            break
        if _SPAN.fullmatch(token):
            return Shown.SPAN
        if (half_day and letter in {"p", "m", "/"}) or (not half_day and letter in set("dmhys")):
            return Shown.MOMENT
        half_day = half_day or letter == "a"
    return Shown.NUMBER


def cell_formats(styles: bytes) -> list[Shown]:
    """Per cell format of a styles part, in its order, as what numbers are shown.

    Raises:
        ParseError: the part is no XML.
    """
    codes: dict[str, str] = {}
    formats: list[Shown] = []
    inside = ""
    for tag in start_tags(styles, {"numFmt", "cellXfs", "cellStyleXfs", "cellStyles", "dxfs", "numFmts", "xf"}):
        if tag.name == "numFmt":
            if inside == "numFmts" and (code := tag.attributes.get("formatCode")):
                codes[tag.attributes.get("numFmtId", "")] = code
        elif tag.name != "xf":
            inside = tag.name
        elif inside == "cellXfs":
            number = tag.attributes.get("numFmtId", "")
            built_in = BUILT_IN.get(int(number), Shown.NUMBER) if number.isdecimal() else Shown.NUMBER
            formats.append(shown_by(codes[number]) if number in codes else built_in)
    return formats
