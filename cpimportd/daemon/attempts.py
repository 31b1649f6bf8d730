"""Attempts at a slot: decides what the next run should do, and whether to retry after a run has ended. Pure."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.workbooks import SeenWorkbook
from cpimportd.daemon.messages import RunResult
from cpimportd.daemon.plan import Plan
from cpimportd.timetable.memory import PlannedSchedule

if TYPE_CHECKING:
    from cpimportd.daemon.crash_outcome import CrashOutcome

RUN_IN_PROGRESS: Final = 4
DONE_ELSEWHERE: Final = 5

NOTIFY: Final = "notify"
"""The job that sends outstanding notifications. It belongs to no schedule: the daemon starts it itself."""

RETRY_PREFIX: Final = "another try: "
"""Begins the wait reason of a slot after a transient failure."""

_UPLOAD_MISSING: Final = "upload-missing"
_NOT_UPLOADED: Final = frozenset({_UPLOAD_MISSING, "source-empty", "nothing-to-import"})
_DONE_HELD: Final = "slot-done-held"


class RunCommand(msgspec.Struct, frozen=True):
    """What one run is asked to do.

    Attributes:
        schedule: the slot's schedule; None for a triggered run.
        slot: the instant that was due.
        only: the kinds to import; empty means all.
        uploaded_after: fail if nothing was uploaded since; None: import whatever is there.
        retry_within: how long the run itself may retry transient failures.
        again_within: the daemon retries a transient failure that comes this soon after the start; None: never.
        known_upload: upload time of the newest workbook of earlier slots, if the run waited for a newer one.
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
    """A slot that was started and is not done; it waits between its runs.

    Attributes:
        slot: the instant that was due, in UTC.
        first: start of its first run, or of the slot if there was none yet; monotonic clock, in seconds.
        next: when to start the next run, on the same clock.
        runs: the number of runs started.
        newest_upload: upload time of the newest workbook of earlier slots.
        why: what it waits for, in words; None before the first try.
        until: when it is given up, by the wall clock, in UTC; None before the first try.
    """

    slot: datetime
    first: float
    next: float
    runs: int = 0
    newest_upload: datetime | None = None
    why: str | None = None
    until: datetime | None = None


class RunExit(msgspec.Struct, frozen=True):
    """How a run's process ended.

    Attributes:
        code: its exit code; negative: the signal that killed it.
        result: as the run reported it; None if it did not get that far.
        seen: the workbooks on the server.
        timed_out: whether it exceeded its time limit.
        aftermath: what the database says if it crashed after COMMIT had begun.
    """

    code: int
    result: RunResult | None = None
    seen: tuple[SeenWorkbook, ...] = ()
    timed_out: bool = False
    crash_outcome: "CrashOutcome | None" = None

    @property
    def newest_upload(self) -> datetime | None:
        """Upload time of the newest workbook; None if the server tells no times."""
        return max((one.modified for one in self.seen if one.modified is not None), default=None)


class Retry(msgspec.Struct, frozen=True):
    """Retry the slot in ``seconds``; give it up at ``until`` (UTC) if the retries fail."""

    seconds: float
    why: str
    until: datetime | None = None


class SlotDone(msgspec.Struct, frozen=True):
    """The slot is done, with the ``status`` of :class:`cpimportd.daemon.store.FinishedRun`."""

    status: str


def next_command(
    attempt: Attempt, schedule: PlannedSchedule, plan: Plan, now: datetime, monotonic: float
) -> RunCommand:
    """The command of an attempt's next run.

    While the schedule waits for an upload, a run that finds nothing new leaves the slot due. The last run imports
    whatever is there.
    """
    may_wait = now < attempt.slot + schedule.wait_for_upload
    left = plan.retry_within - timedelta(seconds=monotonic - attempt.first)
    again = left - timedelta(seconds=backoff(attempt.runs, plan))
    return RunCommand(
        schedule.name,
        attempt.slot,
        schedule.only,
        attempt.newest_upload if may_wait else None,
        max(left, timedelta(0)),
        max(again, timedelta(0)),
        attempt.newest_upload if schedule.wait_for_upload else None,
        schedule.job,
    )


def decide_next_step(
    ended: RunExit, attempt: Attempt, schedule: PlannedSchedule, plan: Plan, *, now: datetime, monotonic: float
) -> Retry | SlotDone:
    """Decide whether a slot is done, or when to retry it.

    A slot is done if a retry would change nothing, or if the time for retries is over.

    Args:
        ended: how the run ended. Do not pass a run that the daemon stopped: its slot stays due.
        attempt: the slot's attempt.
        schedule: as the run was started with.
        plan: as the run was started with.
        now: the wall clock, in UTC: the wait for uploads ends at an hour of the day.
        monotonic: the monotonic clock, in seconds: transient failures are retried for a span.
    """
    codes = frozenset(ended.result.codes) if ended.result else frozenset[str]()
    waiting = (attempt.slot + schedule.wait_for_upload - now).total_seconds()
    if codes and codes <= _NOT_UPLOADED and waiting > 0:
        deadline = attempt.slot + schedule.wait_for_upload
        return Retry(min(plan.look_again.total_seconds(), waiting), "1C's upload", deadline)
    if codes == {_UPLOAD_MISSING}:  # the wait ended during this run: one last run imports whatever is there
        return Retry(0.0, "1C's upload")
    if _is_transient(ended):
        wait = backoff(attempt.runs, plan)
        left = plan.retry_within.total_seconds() - (monotonic - attempt.first)
        if wait <= left:
            return Retry(wait, _retry_reason(ended), now + timedelta(seconds=left))
    return SlotDone(_status(ended, attempt, expected=bool(schedule.wait_for_upload)))


def backoff(runs: int, plan: Plan) -> float:
    """Seconds to wait after so many runs: doubled each time, up to ``retry.wait_longest``."""
    doubled = plan.wait_first.total_seconds() * 2.0 ** min(runs - 1, 60)
    return min(doubled, plan.wait_longest.total_seconds())


def _is_transient(ended: RunExit) -> bool:
    if ended.timed_out:
        return False
    if ended.code == RUN_IN_PROGRESS:
        return True
    return ended.result.passing if ended.result else ended.code not in {0, 2, 3, DONE_ELSEWHERE}


def _retry_reason(ended: RunExit) -> str:
    if ended.result and ended.result.problem:
        return f"{RETRY_PREFIX}{ended.result.problem}"
    return f"{RETRY_PREFIX}the run {exit_phrase(ended.code)}"


def exit_phrase(code: int) -> Phrase:
    """How a process ended: ``was killed by signal 9``."""
    return phrase("killed", signal=-code) if code < 0 else phrase("ended", status=code)


def _status(ended: RunExit, attempt: Attempt, *, expected: bool) -> str:
    """The slot's final status; a missing upload counts only if the schedule expects one."""
    if ended.result is None:  # a run that timed out past COMMIT has finished and has a result
        return "crashed"
    if ended.code == DONE_ELSEWHERE:
        return "held" if _DONE_HELD in ended.result.codes else "done-elsewhere"
    newest, known = ended.newest_upload, attempt.newest_upload
    if expected and ended.result.status == "unchanged" and newest is not None and known is not None and newest <= known:
        return "no-upload"
    return ended.result.status
