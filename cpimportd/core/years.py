"""The years that are believed in documents."""

from datetime import date
from typing import Final

FIRST_YEAR: Final = 1990
LAST_YEAR: Final = 2100
"""What lies outside is a slip of the hand."""


def in_years(day: date) -> bool:
    """Whether a date lies in the years that are believed."""
    return FIRST_YEAR <= day.year <= LAST_YEAR
