"""The daemon's runs: started one at a time; their results are recorded."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from cpimportd.core.formatting import moment
from cpimportd.core.model import JUDGED
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, journal_fields, problem
from cpimportd.daemon import attempts
from cpimportd.daemon.attempts import NOTIFY, Attempt, Retry, RunCommand, RunExit
from cpimportd.daemon.crash_outcome import CrashOutcome
from cpimportd.daemon.log import log_event, log_line, log_problem
from cpimportd.daemon.messages import CurrentWaits, LogLine, Message, RunResult, RunStarted, Stage
from cpimportd.daemon.plan import Plan
from cpimportd.daemon.process import Launch
from cpimportd.daemon.run_notice import RunNotice
from cpimportd.daemon.state import Running, State
from cpimportd.daemon.store import FinishedRun, Record

RETRY_AFTER: Final = 600.0
"""Seconds until a failed notification is retried; doubled each time, up to :data:`LONGEST_DELAY`."""

LONGEST_DELAY: Final = 7200.0
"""The longest delay in seconds: what only a human can fix needs no more frequent retries."""


class NotifyRetry:
    """Decides when the ``notify`` job is due.

    Args:
        at_once: whether an earlier daemon may have left notifications outstanding.
    """

    def __init__(self, *, at_once: bool) -> None:
        self._next = 0.0 if at_once else None
        self._delay = RETRY_AFTER

    def due(self, monotonic: float) -> bool:
        """Whether to start the job now."""
        return self._next is not None and monotonic >= self._next

    def note_exit(self, command: RunCommand, ended: RunExit, monotonic: float) -> None:
        """Note the exit of a run that the daemon started.

        Args:
            command: of the run.
            ended: how it ended.
            monotonic: the monotonic clock, in seconds.
        """
        if ended.result is not None:
            self.note_result(ended.result, monotonic, notify_only=command.job == NOTIFY)
        elif command.job == NOTIFY:
            self._postpone(monotonic)
        elif command.job == "import":
            self._next = monotonic

    def note_result(self, result: RunResult, monotonic: float, *, notify_only: bool = False) -> None:
        """Note the result of a run, whoever started it.

        Args:
            result: of the run.
            monotonic: the monotonic clock, in seconds.
            notify_only: whether it was a ``notify`` job.
        """
        if result.untold and notify_only:
            self._postpone(monotonic)
        elif result.untold:
            self._next, self._delay = monotonic + RETRY_AFTER, RETRY_AFTER
        elif notify_only or result.status in JUDGED:
            self._next, self._delay = None, RETRY_AFTER

    def _postpone(self, monotonic: float) -> None:
        self._next, self._delay = monotonic + self._delay, min(self._delay * 2, LONGEST_DELAY)


class Runs:
    """Starts runs, one at a time, and records their results.

    Args:
        state: the daemon's state; this class maintains ``running``, ``record``, ``finished`` and ``slots``.
        launch: starts a run.
        wake: called when a run is over.
        report_crashed_run: called for a crashed run that is not retried, with its plan, its problem, and its job.
    """

    def __init__(
        self,
        state: State,
        launch: Launch,
        wake: Callable[[], None],
        report_crashed_run: Callable[[Plan, Problem, str], None] = lambda _plan, _found, _job: None,
    ) -> None:
        self._state = state
        self._launch = launch
        self._wake = wake
        self._report_crashed_run = report_crashed_run
        self._jobs = 0
        self._notify_retry = NotifyRetry(at_once=state.record != Record())

    def start_next(self, now: datetime, monotonic: float) -> None:
        """Start the run that is due: outstanding notifications first, then the oldest slot, then a triggered run.

        Notifications come first because they take seconds, and readers see outdated figures until then.
        """
        state = self._state
        if self._notify_retry.due(monotonic):
            self._start(RunCommand(job=NOTIFY), None, now)
            return
        schedule = state.slots.ready(monotonic)
        if schedule is not None:
            attempt = state.slots.started(schedule.name, monotonic)
            self._start(attempts.next_command(attempt, schedule, state.plan, now, monotonic), attempt, now)
        elif state.answers.triggers_served < state.answers.triggers_asked:
            self._start(RunCommand(), None, now)
            asked = state.answers.triggers_asked
            state.answers = replace(state.answers, triggers_served=asked, trigger_job=self._jobs)

    def _start(self, command: RunCommand, attempt: Attempt | None, now: datetime) -> None:
        state = self._state
        self._jobs += 1
        state.copies.acquire(state.plan)
        run = self._launch(command, state.plan.copy, state.plan.run_time_limit, self._on_message)
        task = asyncio.get_running_loop().create_task(run.wait())
        task.add_done_callback(lambda _: self._wake())
        state.running = Running(self._jobs, command, state.plan, attempt, now, run, task)
        if command.job == NOTIFY:
            state.running.progress.update(Stage("tell"))
            return
        owner = (
            "a run that was asked for"
            if command.slot is None
            else f"a run for slot {moment(command.slot, state.plan.zone)} of {command.schedule}"
        )
        log_event(logging.INFO, "run-begins", f"{owner} begins", **state.running.facts)

    def _on_message(self, message: Message) -> None:
        running = self._state.running
        match message:
            case RunStarted() | Stage() | CurrentWaits() if running is not None:
                running.progress.update(message)
            case LogLine():
                facts = running.facts if running is not None else {}
                log_line(message.level, message.text, {**journal_fields(facts), **message.fields})
            case _:
                pass  # workbooks and result come with its exit

    def conclude(self, now: datetime, monotonic: float, *, stopping: bool) -> bool:
        """Record the run's result if it has ended.

        Args:
            now: the wall clock, in UTC.
            monotonic: the monotonic clock, in seconds.
            stopping: whether the daemon is stopping it.

        Returns:
            Whether the state has to be saved.
        """
        running = self._state.running
        if running is None or not running.task.done():
            return False
        self._state.running = None
        try:
            return self._conclude(running, now, monotonic, stopping=stopping)
        finally:
            self._state.copies.release(running.plan)

    def _conclude(self, running: Running, now: datetime, monotonic: float, *, stopping: bool) -> bool:
        state = self._state
        ended = running.task.result()
        self._notify_retry.note_exit(running.command, ended, monotonic)
        if running.command.job == NOTIFY:
            return False
        if stopping and ended.result is None:
            log_event(logging.WARNING, "run-stopped", _stop_text(running), **running.facts)
            return False
        state.record = state.record.after_listing(ended.seen, now, running.command.only)
        status = ended.result.status if ended.result else "crashed"
        schedule = state.plan.schedule(running.command.schedule) if running.command.schedule else None
        if running.attempt is not None and schedule is not None:
            next_step = attempts.decide_next_step(
                ended, running.attempt, schedule, state.plan, now=now, monotonic=monotonic
            )
            if isinstance(next_step, Retry):
                self._schedule_retry(running, running.attempt, next_step, now, monotonic)
                return True
            status = next_step.status
        self._finish(running, ended, status, now)
        return True

    def _schedule_retry(
        self, running: Running, attempt: Attempt, next_step: Retry, now: datetime, monotonic: float
    ) -> None:
        assert running.command.schedule is not None  # noqa: S101  an attempt is a schedule's
        self._state.slots.schedule_retry(running.command.schedule, attempt, next_step, monotonic)
        zone = self._state.plan.zone
        when = moment(now + timedelta(seconds=round(next_step.seconds)), zone)
        slot = f"slot {moment(attempt.slot, zone)} of {running.command.schedule}"
        text = f"{slot} waits for {next_step.why}; next try {when}"
        log_event(logging.WARNING, "retry", text, **running.facts)

    def _finish(self, running: Running, ended: RunExit, status: str, now: datetime) -> None:
        state, command = self._state, running.command
        result = ended.result or self._crash_result(running, ended)
        if command.schedule is not None and command.slot is not None:
            state.slots.done(command.schedule, command.slot, ended.newest_upload)
        if status == "no-upload":
            result = self._missing_upload(running, result)
        work = (command.schedule, command.slot)
        finished = FinishedRun.from_result(result, status, job=running.job, work=work, began=running.began, ended=now)
        state.ended(finished, command.job)
        if command.slot is not None:
            text = f"slot {moment(command.slot, state.plan.zone)} of {command.schedule} is done: {status}"
            log_event(logging.INFO, "slot-done", text, run=result.run, status=status, **running.facts)

    def _missing_upload(self, running: Running, result: RunResult) -> RunResult:
        """1C has uploaded nothing since an earlier slot: nothing failed, but it needs attention."""
        assert running.attempt is not None  # noqa: S101  only a slot can tell
        assert running.attempt.newest_upload is not None  # noqa: S101
        missing = problem("upload-missing", value=running.attempt.newest_upload.astimezone(self._state.plan.zone))
        log_problem(missing, logging.WARNING, **running.facts)
        return replace(result, summary=missing.message, problem=str(missing), way_out=missing.way_out)

    def record_notice(self, notice: RunNotice) -> None:
        """Record a run that the daemon did not start; one that ended before the last known run is ignored."""
        state, result = self._state, notice.result
        self._notify_retry.note_result(result, asyncio.get_running_loop().time())
        if state.last is not None and state.last.ended > notice.ended:
            return
        state.record = state.record.after_listing(notice.seen, notice.ended, notice.only)
        finished = FinishedRun.from_result(
            result, result.status, job=0, work=(None, None), began=notice.began, ended=notice.ended
        )  # fmt: skip
        state.record = state.record.ended(finished, state.schedules_of(notice.only))
        text = f"a run beside the daemon is over: {result.summary}"
        log_event(logging.INFO, "elsewhere", text, run=result.run, status=result.status)

    def _crash_result(self, running: Running, ended: RunExit) -> RunResult:
        """The result of a run whose process ended without one."""
        job, limit = running.command.job, running.plan.run_time_limit
        exit_reason = attempts.exit_phrase(ended.code)
        if job != "import":
            timeout_reason = phrase("took-too-long", limit=limit)
            found = problem("job-died", value=job, reason=timeout_reason if ended.timed_out else exit_reason)
            return self._report_crash(running, ended, found)
        crash_outcome = ended.crash_outcome or CrashOutcome()
        if ended.timed_out:
            found = problem("run-timeout", value=limit, known="")
            exit_reason = phrase("took-too-long", limit=limit)
        else:
            found = problem("run-crashed", reason=exit_reason, known="")
        return self._report_crash(running, ended, crash_outcome.to_problem(exit_reason, found), crash_outcome)

    def _report_crash(
        self, running: Running, ended: RunExit, found: Problem, crash_outcome: CrashOutcome | None = None
    ) -> RunResult:
        log_problem(found, **running.facts)
        self._report_crashed_run(running.plan, found, running.command.job)
        code = ended.code if ended.code > 0 else 1  # a signal's number is no exit code
        run, summary = None, f"failed: {found}"
        if crash_outcome is not None:
            run = crash_outcome.run
            code = code if crash_outcome.code is None else crash_outcome.code
            if run is not None and (crash_outcome.status is None or found.code == "run-broken-off"):
                summary = str(found)
        return RunResult(run, "failed", code, summary, problem=str(found), way_out=found.way_out)


def _stop_text(running: Running) -> str:
    """The log text for a run that the daemon stopped before its end."""
    slot = running.attempt is not None
    if not running.progress.reached_commit:
        return "the run was stopped before COMMIT" + ("; its slot stays due" if slot else "")
    hint = "its slot stays due, and the next start asks" if slot else "`cpimportd history` tells"
    return f"the run was killed after it had begun to commit: {hint} whether it published"
