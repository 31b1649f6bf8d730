"""oncalendar's iterator, which reads its expression anew for each instant that it is asked about: here once."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from oncalendar import BaseIterator


@cache
def _read(expression: str) -> dict[str, Any]:
    return vars(BaseIterator(expression, datetime(2000, 1, 1)))  # noqa: DTZ001  what has no zone is to have none here


class ReadOnce(BaseIterator):
    """The same; what it has read is never changed by asking for the next instant."""

    def __init__(self, expression: str, start: datetime) -> None:
        vars(self).update(_read(expression))
        self.dt = start.replace(microsecond=0)
        if self.dt.tzinfo not in {None, UTC}:
            self.fixup_tz = self.dt.tzinfo
            self.dt = self.dt.replace(tzinfo=None)
