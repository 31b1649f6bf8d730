"""Where expenses and details were exported at different hours: whether the rest of an upload is waited for."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from cpimportd.core.problems import Effect
from cpimportd.core.verdicts import UnitVerdict
from cpimportd.core.waiting import Wait, waiting
from cpimportd.run.checking import Intake
from cpimportd.run.request import Run

logger = logging.getLogger(__name__)

LOOK_AGAIN: Final = 30.0
"""Seconds between two looks at a server where expenses and details do not match yet."""

_NO_MATCH: Final = "expenses and details do not match yet, and were uploaded a moment ago"


async def other_half_expected(run: Run, intake: Intake, remaining: float) -> bool:
    """Whether the server is looked at again, after a while: the rest of an upload may be on its way.

    Expenses and details that were exported at different hours do not match; only where that is all that is wrong, the
    upload is fresh, and the caller wants to wait.

    Args:
        run: which run.
        intake: what it found so far.
        remaining: seconds of ``retry.within`` that are left.
    """
    if remaining <= 0 or not _upload_under_way(intake, run.settings.retry.within):
        return False
    if not run.request.waits:
        logger.warning("%s; `cpimportd run --wait` waits for the other half", _NO_MATCH)
        return False
    seconds = min(LOOK_AGAIN, remaining)
    logger.warning("%s: looking again in %.0f s, for at most %.0f s more", _NO_MATCH, seconds, remaining)
    now = datetime.now(UTC)
    again, until = now + timedelta(seconds=seconds), now + timedelta(seconds=remaining)
    with waiting(Wait("other-half", "expenses and details do not match yet", again, until)):
        await asyncio.sleep(seconds)
    return True


def _upload_under_way(intake: Intake, within: timedelta) -> bool:
    """Whether the only fault is that two exports do not match yet, and 1C uploaded a moment ago, at different times."""
    held = [unit for unit in intake.verdict.units.values() if unit.held and not _only_strict(unit)]
    if not held or not all(unit.exports_disagree for unit in held):
        return False
    files = [snapshot.file for one in held for snapshot in intake.snapshots(one.unit)]
    times = {file.modified for file in files if file.modified is not None}
    return len(times) > 1 and datetime.now(UTC) - max(times) < within


def _only_strict(unit: UnitVerdict) -> bool:
    """Whether the unit is right in itself, and held only because another one is."""
    return all(found.code == "strict" or found.effect is Effect.WARNS for found in unit.problems)
