"""The date of a contract, out of the text that names it."""

import re
from datetime import date
from functools import lru_cache

from cpimportd.core.years import in_years

_MONTHS = (
    "января", "февраля", "марта", "апреля", "мая", "июня",
    "июля", "августа", "сентября", "октября", "ноября", "декабря",
)  # fmt: skip
# `7/2020` is a number, and so is `1.2.23.09.2021`; `28.07.2020г.` is a date.
_FIGURES = re.compile(r"(?<![0-9.])([0-9]{1,2})\.([0-9]{2})\.([0-9]{4})(?![0-9]|\.[0-9])")
_WORDS = re.compile(rf"(?<![0-9])([0-9]{{1,2}})\s+({'|'.join(_MONTHS)})\s+([0-9]{{4}})(?![0-9])", re.IGNORECASE)


@lru_cache(maxsize=16_384)
def date_in_contract(text: str) -> date | None:
    """The date inside a contract's text: 28 July 2020 in ``Договор займа № 7/2020 от 28.07.2020г.``, in words too.

    Returns:
        The date where the text holds exactly one; with several, nobody can say which is the contract's.
    """
    figures = [(match[1], int(match[2]), match[3]) for match in _FIGURES.finditer(text)]
    words = [(match[1], _MONTHS.index(match[2].lower()) + 1, match[3]) for match in _WORDS.finditer(text)]
    found = {found for parts in (*figures, *words) if (found := _day(*parts))}
    return found.pop() if len(found) == 1 else None


def _day(day: str, month: int, year: str) -> date | None:
    try:
        found = date(int(year), month, int(day))
    except ValueError:
        return None
    return found if in_years(found) else None
