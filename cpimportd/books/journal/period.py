"""A period of the books: by the documents' own dates, as the backend and its front end count it."""

from datetime import date
from typing import Final, NamedTuple


class Period(NamedTuple):
    """From a day to a day, both included; None is without a bound: parameters 2 and 3 of queries over the books.

    A document without a date belongs to no period but the one without any bound. A detail line has the date of its
    expense.
    """

    first: date | None = None
    last: date | None = None


EVER: Final = Period()
"""All documents, also those without a date."""
