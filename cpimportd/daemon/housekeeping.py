"""What is done now and then: old files and journal entries go, and workbooks that stay away are told of.

The ``schedule`` package keeps the hours. They are hours of running, not of the day: nothing here has to be on time,
and unlike a slot nothing is made up for.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from schedule import Scheduler

from cpimportd.daemon.store import Upload

_PRUNE_EVERY: Final = 24
_LOOK_EVERY: Final = 10


def housekeeping(prune: Callable[[], None], freshness: Callable[[], None], save: Callable[[], None]) -> Scheduler:
    """The schedule of what is done now and then; ``run_pending`` does what is due.

    Args:
        prune: remove what is older than its retention.
        freshness: look whether a workbook has become stale.
        save: write the state again where it could not be written before.
    """
    scheduler = Scheduler()
    scheduler.every(_PRUNE_EVERY).hours.do(prune)
    scheduler.every(_LOOK_EVERY).minutes.do(freshness)
    scheduler.every(1).minutes.do(save)
    return scheduler


def stale(uploads: Mapping[str, Upload], after: timedelta, now: datetime) -> frozenset[str]:
    """The workbooks that 1C has not uploaded anew for longer than ``after``, by name.

    A server that tells no times leaves nothing to compare.
    """
    return frozenset(
        name for name, upload in uploads.items() if upload.modified is not None and now - upload.modified > after
    )
