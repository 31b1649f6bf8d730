"""How a slot's run is judged: is it tried again, and when; else how the slot was done. The model's half of it."""

from dataclasses import dataclass
from datetime import datetime

from tests.support.simulation.runs import DONE_BEFORE, KILLED, STOPPED, TIMED_OUT, UNDER_WAY, Over
from tests.support.simulation.scene import Configured, Way

RETRIED = frozenset({Way.PASSING, Way.SOURCE_EMPTY, Way.NOT_UPLOADED, Way.CRASHED, Way.CRASHED_AFTER_COMMIT, UNDER_WAY})
"""What may have passed by the next try."""

WITHOUT_A_WORD = frozenset({Way.CRASHED, Way.CRASHED_AFTER_COMMIT, STOPPED, KILLED, TIMED_OUT})
"""Ways to end without having come to a result."""


@dataclass
class Trying:
    """A slot that has come and is not done with.

    Attributes:
        slot: the instant, in UTC.
        first: when its first run was started, by the monotonic clock.
        next: when it is to be tried next, by the same clock.
        upload: the newest that an earlier slot saw.
        runs: how many were started.
    """

    slot: datetime
    first: float
    next: float
    upload: datetime | None
    runs: int = 0


def wait(
    over: Over, name: str, trying: Trying, configured: Configured, wall: datetime, monotonic: float
) -> float | None:
    """Seconds until the next try; None where there is none."""
    one = configured.of(name)
    assert one is not None
    left = (trying.slot + one.wait_for_upload - wall).total_seconds()
    if over.happened in {Way.NOT_UPLOADED, Way.SOURCE_EMPTY} and left > 0:
        return min(configured.look_again.total_seconds(), left)
    if over.happened == Way.NOT_UPLOADED:
        return 0.0  # the last try takes what is there
    if over.happened not in RETRIED:
        return None
    pause = min(configured.wait_first * 2 ** min(trying.runs - 1, 30), configured.wait_longest).total_seconds()
    return pause if monotonic - trying.first + pause <= configured.retry_within.total_seconds() else None


def status(over: Over, name: str, trying: Trying, configured: Configured) -> str:
    """How the slot was done."""
    one = configured.of(name)
    assert one is not None
    if over.happened in WITHOUT_A_WORD:
        return "crashed"
    if over.happened == DONE_BEFORE:
        return "done-elsewhere"
    if over.happened == Way.UNCHANGED and one.wait_for_upload and over.upload and trying.upload:
        return "no-upload" if over.upload <= trying.upload else "unchanged"
    return "failed" if over.happened in {*RETRIED, Way.FAILING} else over.happened
