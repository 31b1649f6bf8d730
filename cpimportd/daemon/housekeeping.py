"""Periodic work: old files and journal entries are removed, stale workbooks are reported.

The ``schedule`` package counts hours of running, not of the day: nothing here has to be on time, and unlike a slot
nothing that was missed is started later.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from schedule import Scheduler

from cpimportd.daemon.store import Upload

_PRUNE_EVERY: Final = 24
_LOOK_EVERY: Final = 10


def housekeeping(prune: Callable[[], None], report_stale: Callable[[], None], save: Callable[[], None]) -> Scheduler:
    """The periodic jobs; ``run_pending`` runs those that are due.

    Args:
        prune: remove what is older than its retention.
        report_stale: reports workbooks that have become stale.
        save: retries a failed write of the state.
    """
    scheduler = Scheduler()
    scheduler.every(_PRUNE_EVERY).hours.do(prune)
    scheduler.every(_LOOK_EVERY).minutes.do(report_stale)
    scheduler.every(1).minutes.do(save)
    return scheduler


def stale_uploads(uploads: Mapping[str, Upload], after: timedelta, now: datetime) -> frozenset[str]:
    """Names of the workbooks that 1C has not uploaded again for longer than ``after``.

    Workbooks without a known upload time are left out.
    """
    return frozenset(
        name for name, upload in uploads.items() if upload.modified is not None and now - upload.modified > after
    )
