"""A slot that is being done: how its runs are ordered, and what follows from the way one of them ended. Pure."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.seen import SeenWorkbook
from cpimportd.daemon.messages import Result
from cpimportd.daemon.plan import Plan
from cpimportd.timetable.memory import PlannedSchedule

if TYPE_CHECKING:
    from cpimportd.daemon.aftermath import Aftermath

UNDER_WAY: Final = 4
DONE_ELSEWHERE: Final = 5

NOTIFY: Final = "notify"
"""The job that tells readers of the books what they have not been told of; no schedule's, but the daemon's own."""

ANOTHER_TRY: Final = "another try: "
"""What the reason begins with for which a slot waits after a fault that may pass."""

_UPLOAD_MISSING: Final = "upload-missing"
_NOT_UPLOADED: Final = frozenset({_UPLOAD_MISSING, "source-empty", "nothing-to-import"})
_DONE_HELD: Final = "slot-done-held"


class RunCommand(msgspec.Struct, frozen=True):
    """What one run is asked to do.

    Attributes:
        schedule: whose slot; None for a run that somebody asked for.
        slot: the instant that was due.
        only: the kinds to import; empty means all.
        uploaded_after: fail where nothing is new since; None: take what is there.
        retry_within: how long the run itself may try again what fails in passing.
        again_within: a failure that may pass is tried again if it comes so soon after the start; None where never.
        known_upload: when the newest workbook was uploaded that an earlier slot saw, where a newer one was waited for.
        job: import, report, reconcile or notify.
    """

    schedule: str | None = None
    slot: datetime | None = None
    only: tuple[str, ...] = ()
    uploaded_after: datetime | None = None
    retry_within: timedelta | None = None
    again_within: timedelta | None = None
    known_upload: datetime | None = None
    job: str = "import"


class Attempt(msgspec.Struct, frozen=True):
    """A slot that was started and is not done yet; between its runs it waits.

    Attributes:
        slot: the instant that was due, in UTC.
        first: when its first run was started, or its slot came where none was yet, on the monotonic clock, in seconds.
        next: when its next run is to be started, on the same clock.
        runs: how many were started.
        newest_upload: when the newest workbook was uploaded that an earlier slot saw.
        why: what it waits for, in words; None where nothing was tried yet.
        until: when it is given up, by the wall clock, in UTC; None as long as nothing was tried.
    """

    slot: datetime
    first: float
    next: float
    runs: int = 0
    newest_upload: datetime | None = None
    why: str | None = None
    until: datetime | None = None


class Ended(msgspec.Struct, frozen=True):
    """How a run's process ended.

    Attributes:
        code: its exit code; negative: the signal that killed it.
        result: what it said of itself; None where it did not come to that.
        seen: the workbooks that it saw.
        timed_out: whether it was stopped because it took longer than allowed.
        aftermath: what the database says of one that died after it had begun to commit.
    """

    code: int
    result: Result | None = None
    seen: tuple[SeenWorkbook, ...] = ()
    timed_out: bool = False
    aftermath: "Aftermath | None" = None

    @property
    def newest_upload(self) -> datetime | None:
        """When the newest workbook was uploaded that it saw; None where the server does not tell."""
        return max((one.modified for one in self.seen if one.modified is not None), default=None)


class Again(msgspec.Struct, frozen=True):
    """The slot is tried once more in so many seconds; it is given up at an instant, in UTC, if that is of no use."""

    seconds: float
    why: str
    until: datetime | None = None


class Done(msgspec.Struct, frozen=True):
    """The slot is done; ``status`` is that of :class:`cpimportd.daemon.store.Finished`."""

    status: str


def order(attempt: Attempt, schedule: PlannedSchedule, plan: Plan, now: datetime, monotonic: float) -> RunCommand:
    """What the next run of an attempt is asked to do.

    While there is time to wait for an upload, a run that finds nothing new shall leave the slot due; the last one
    takes what is there.
    """
    waits = now < attempt.slot + schedule.wait_for_upload
    left = plan.retry_within - timedelta(seconds=monotonic - attempt.first)
    again = left - timedelta(seconds=backoff(attempt.runs, plan))
    return RunCommand(
        schedule.name,
        attempt.slot,
        schedule.only,
        attempt.newest_upload if waits else None,
        max(left, timedelta(0)),
        max(again, timedelta(0)),
        attempt.newest_upload if schedule.wait_for_upload else None,
        schedule.job,
    )


def judge(
    ended: Ended, attempt: Attempt, schedule: PlannedSchedule, plan: Plan, *, now: datetime, monotonic: float
) -> Again | Done:
    """Whether a slot is done, and how; or when to try again.

    A slot is done when its run ended in a way that another try would not change, or when the time for trying is over.

    Args:
        ended: how the run ended; one that the daemon itself stopped is not judged, its slot stays due.
        attempt: which run it was.
        schedule: whose slot, as the run was started.
        plan: in force then.
        now: the wall clock, in UTC: uploads are waited for until an hour of the day.
        monotonic: the monotonic clock, in seconds: passing faults are tried again for a span.
    """
    codes = frozenset(ended.result.codes) if ended.result else frozenset[str]()
    waiting = (attempt.slot + schedule.wait_for_upload - now).total_seconds()
    if codes and codes <= _NOT_UPLOADED and waiting > 0:
        deadline = attempt.slot + schedule.wait_for_upload
        return Again(min(plan.look_again.total_seconds(), waiting), "1C's upload", deadline)
    if codes == {_UPLOAD_MISSING}:  # the time for waiting ended during this run: the last one takes what is there
        return Again(0.0, "1C's upload")
    if _passing(ended):
        wait = backoff(attempt.runs, plan)
        left = plan.retry_within.total_seconds() - (monotonic - attempt.first)
        if wait <= left:
            return Again(wait, _reason(ended), now + timedelta(seconds=left))
    return Done(_status(ended, attempt, expected=bool(schedule.wait_for_upload)))


def backoff(runs: int, plan: Plan) -> float:
    """Seconds to wait after so many runs: doubled each time, up to ``retry.wait_longest``."""
    doubled = plan.wait_first.total_seconds() * 2.0 ** min(runs - 1, 60)
    return min(doubled, plan.wait_longest.total_seconds())


def _passing(ended: Ended) -> bool:
    if ended.timed_out:
        return False
    if ended.code == UNDER_WAY:
        return True
    return ended.result.passing if ended.result else ended.code not in {0, 2, 3, DONE_ELSEWHERE}


def _reason(ended: Ended) -> str:
    if ended.result and ended.result.problem:
        return f"{ANOTHER_TRY}{ended.result.problem}"
    return f"{ANOTHER_TRY}the run {how_it_ended(ended.code)}"


def how_it_ended(code: int) -> Phrase:
    """How a process ended: ``was killed by signal 9``."""
    return phrase("killed", signal=-code) if code < 0 else phrase("ended", status=code)


def _status(ended: Ended, attempt: Attempt, *, expected: bool) -> str:
    """How the slot was done; that nothing was uploaded is remarkable only where the schedule expects an upload."""
    if ended.result is None:  # one that was past COMMIT when its time was over has finished, and says so
        return "crashed"
    if ended.code == DONE_ELSEWHERE:
        return "held" if _DONE_HELD in ended.result.codes else "done-elsewhere"
    newest, known = ended.newest_upload, attempt.newest_upload
    if expected and ended.result.status == "unchanged" and newest is not None and known is not None and newest <= known:
        return "no-upload"
    return ended.result.status
