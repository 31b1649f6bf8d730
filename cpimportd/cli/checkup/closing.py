"""The closed period: which day is the first that is open, in the zone of the books."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cpimportd.checks.guards import closed_before
from cpimportd.cli.checkup.line import CheckLine, good
from cpimportd.config.settings import Settings
from cpimportd.core.time import document_day

_NAME: Final = "closed period"
_DAY: Final = timedelta(days=1)


def first_open_day(settings: Settings, now: datetime) -> Sequence[CheckLine]:
    """Say which day is the first open one; warn where the last day of a month was surely meant to be closed, too.

    Args:
        settings: the effective settings.
        now: an aware instant.
    """
    first = closed_before(settings.guards.closed_before, now.astimezone(settings.zone).date())
    if first is None:
        return (good(_NAME, "none: guards.closed_before is not set"),)
    text = f"the first open day is {document_day(first)}; earlier documents change only if a human accepts it"
    following = first + _DAY
    if following.day != 1:
        return (good(_NAME, text),)
    way_out = f"To close {document_day(first)} as well: guards.closed_before = {following.isoformat()}"
    return (CheckLine(_NAME, ok=True, warning=True, text=text, way_out=way_out),)
