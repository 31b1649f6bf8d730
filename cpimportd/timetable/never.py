"""Expressions that can be read and that no day ever matches, such as a Thursday that is a Friday, or a 30 February."""

from datetime import UTC

from oncalendar import BaseIterator

from cpimportd.timetable.calendar import EPOCH, SECOND, parse


def never_matches(expression: str) -> str | None:
    """The first line of an expression for which there is no day from 1970 to 2199; None where each has one.

    Clock changes are left aside: a local time that does not exist on a day is one of some zones, and of some years.

    Args:
        expression: one or more OnCalendar expressions, separated by line feeds.

    Raises:
        ExpressionError: one of them cannot be understood.
    """
    # Asked from a second before, since an iterator begins after its start.
    return next(
        (
            line.expression
            for line in parse(expression, UTC)
            if next(BaseIterator(line.expression, EPOCH - SECOND), None) is None
        ),
        None,
    )
