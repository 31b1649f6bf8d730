"""The daemon: a loop that checks the clock, starts runs, handles signals, and publishes its status.

Each turn is short and blocks on nothing: whatever takes time is a process (a run, the planner) or a task. Between two
turns it sleeps for a short time at most and reads the wall clock again, so that a stepped clock or a suspended machine
is noticed soon.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from msgspec.structs import replace
from schedule import Scheduler

from cpimportd import __version__
from cpimportd.core.phrases import exception
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.daemon import supervisor
from cpimportd.daemon.housekeeping import housekeeping, stale_uploads
from cpimportd.daemon.log import log_event, log_problem
from cpimportd.daemon.plan import Plan
from cpimportd.daemon.process import Launch
from cpimportd.daemon.reload import Reloader
from cpimportd.daemon.run_notice import RunNotice
from cpimportd.daemon.runs import Runs
from cpimportd.daemon.slots import Slots
from cpimportd.daemon.state import RecordSaver, RecordStore, State
from cpimportd.daemon.status_writer import StatusWriter
from cpimportd.daemon.supervisor import Supervisor

LONGEST_SLEEP: Final = 30.0
"""Seconds: the longest sleep between two turns."""

BUSY_SLEEP: Final = 0.5
"""Seconds between two turns during a run: how often its progress is shown."""

REFUSED_SLEEP: Final = 5.0
"""Seconds between two turns while a refused configuration is on the disk: how soon its correction is noticed."""

STOP_GRACE: Final = 30.0
"""Seconds that a stop waits for a run before COMMIT, and then for the alert of a crashed one; both together are well
within ``TimeoutStopSec=``."""

STOP_LIMIT: Final = 600.0
"""Seconds that a stop waits for a run past COMMIT."""


class Daemon:
    """One daemon over one state folder.

    Args:
        plan: the first plan.
        store: keeps its record.
        supervisor: receives its state (systemd).
        launch: starts a run.
        read_plan: reads the configuration again.
        prune: removes what is older than its retention; run once a day.
        report_crashed_run: sends the alert of a crashed run.
        take_notice: reads the notice of a run that the daemon did not start, if there is a new one.
        now: the wall clock, in UTC; the monotonic clock is the event loop's.
        longest_sleep: seconds between two turns.
    """

    def __init__(
        self,
        plan: Plan,
        store: RecordStore,
        supervisor: Supervisor,
        launch: Launch,
        *,
        read_plan: Callable[[], Awaitable[Plan]],
        prune: Callable[[Plan], Coroutine[Any, Any, None]],
        report_crashed_run: Callable[[Plan, Problem, str], Coroutine[Any, Any, None]] | None = None,
        take_notice: Callable[[], RunNotice | Problem | None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        longest_sleep: float = LONGEST_SLEEP,
    ) -> None:
        record, self._damage = store.load()
        self.state = State(plan, Slots(record.memory), record, now())
        self._saver = RecordSaver(self.state, store)
        self._supervisor = supervisor
        self._wake = asyncio.Event()
        self._report_crashed_run = report_crashed_run
        self._runs = Runs(self.state, launch, self._wake.set, self._run_crashed)
        self._reloader = Reloader(self.state, read_plan)
        self._prune = prune
        self._take_notice_from_folder = take_notice
        self._now = now
        # sd_watchdog_enabled(3): every half of the time
        self._longest_sleep = min(longest_sleep, supervisor.watchdog / 2) if supervisor.watchdog else longest_sleep
        self._stop_requested: float | None = None
        self._status_writer = StatusWriter(self.state)
        self._tasks: set[asyncio.Task[None]] = set()
        self._crash_reports: set[asyncio.Task[None]] = set()
        self._last_housekeeping = now()
        self._housekeeping = self._new_housekeeping()

    # Signals.

    def trigger(self) -> None:
        """Import now (SIGUSR1); during a run, once more when it is over, however often it was requested."""
        answers = self.state.answers
        self.state.answers = replace(answers, triggers_asked=answers.triggers_asked + 1)
        if self.state.running is not None:
            log_event(logging.INFO, "triggered", "a run was asked for; it begins when the one under way is over")
        self._wake.set()

    def reload(self) -> None:
        """Read the configuration again (SIGHUP), also during a run."""
        if self._reloader.request():
            self._spawn(self._reloader.reload(self._supervisor.reloading, self._reloaded, self._now))

    def _reloaded(self) -> None:
        if self._reloader.put_in_force(self._now()):
            self._saver.save()
        self._supervisor.ready(self._status_line())
        self._write_status()
        self._wake.set()

    def stop(self) -> None:
        """Stop (SIGTERM): a run before COMMIT is rolled back and its slot stays due; from COMMIT on it finishes."""
        if self._stop_requested is None:
            self._stop_requested = self._monotonic()
            running = self.state.running
            what = "stopping" if running is None else f"stopping; the run under way is {running.progress}"
            log_event(logging.INFO, "stopping", what)
            self._supervisor.stopping(what.capitalize())
            if running is not None:
                running.run.stop()
        self._wake.set()

    def wake(self) -> None:
        """Take a turn now (SIGCONT): there is a notice of a run, or the process was suspended."""
        self._wake.set()

    def log_status(self) -> None:
        """Write the status in full to the journal (SIGUSR2)."""
        for line in supervisor.status_lines(self.state, self._status_line(), self._now()):
            log_event(logging.INFO, "status", line)

    # The loop.

    async def serve(self) -> None:
        """Run until :meth:`stop`."""
        if self._damage is not None:
            log_problem(self._damage)
        self.state.slots.apply_plan(self.state.plan, self._now())
        self._saver.save()
        self._report_stale_uploads()
        for found in self.state.plan.warnings:
            log_problem(found)
        greeting = f"cpimportd {__version__} started with {self.state.plan.source}"
        log_event(logging.INFO, "started", f"{greeting}; {self._status_line()}", version=__version__)
        self._write_status()
        self._supervisor.ready(self._status_line())
        while not self._is_over:
            self._turn()
            await self._sleep()
        await self._end()

    @property
    def _is_over(self) -> bool:
        """Whether a stop was requested and no run is in progress."""
        return self._stop_requested is not None and self.state.running is None

    def _turn(self) -> None:
        now, monotonic = self._now(), self._monotonic()
        memory = self.state.slots.memory
        changed = self._runs.conclude(now, monotonic, stopping=self._stop_requested is not None)
        changed |= self._take_notice()
        if changed:
            self._report_stale_uploads()
        changed |= self._reloader.put_in_force(now)
        self._reloader.recheck_refusal()
        running = self.state.running
        self.state.slots.check_clock(now, monotonic, running.command.schedule if running else None)
        if changed or self.state.slots.memory is not memory:
            self._saver.save()
        if running is None and self._stop_requested is None:
            self._runs.start_next(now, monotonic)
        self._run_housekeeping(now)
        self._notify_supervisor(monotonic)
        self._write_status()

    def _take_notice(self) -> bool:
        """Record a run that the daemon did not start; returns whether the state has to be saved."""
        match self._take_notice_from_folder():
            case RunNotice() as notice:
                self._runs.record_notice(notice)
                return True
            case Problem() as found:
                log_problem(found)
        return False

    async def _sleep(self) -> None:
        """Sleep until the next slot, retry or signal; never longer than the longest sleep."""
        if self._is_over:  # the run that a stop waited for ended in this very turn
            return
        pause = BUSY_SLEEP
        if self.state.running is None:
            due = self.state.slots.seconds_until_next(self._now(), self._monotonic())
            longest = self._longest_sleep if self.state.refusal is None else min(self._longest_sleep, REFUSED_SLEEP)
            pause = longest if due is None else min(longest, due)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._wake.wait()
        self._wake.clear()

    def _notify_supervisor(self, monotonic: float) -> None:
        running = self.state.running
        if self._stop_requested is None:
            self._supervisor.keep_alive(self._status_line())
        elif running is not None:
            self._supervisor.keep_alive(supervisor.stopping_line(running, self.state.plan.zone, self._now()))
            if running.progress.committing:
                self._supervisor.extend_stop_timeout()
            # A silent database answers no ROLLBACK either; it rolls back by itself when the connection ends.
            if monotonic - self._stop_requested > (STOP_LIMIT if running.progress.committing else STOP_GRACE):
                running.run.kill()

    async def _end(self) -> None:
        for task in self._tasks - self._crash_reports:
            task.cancel()
        if self._crash_reports:  # nothing else would ever report that run
            await asyncio.wait(self._crash_reports, timeout=STOP_GRACE)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._saver.save()
        self._reloader.remove_copies()
        log_event(logging.INFO, "stopped", "stopped")

    # Periodic work.

    def _run_housekeeping(self, now: datetime) -> None:
        """Run the periodic jobs that are due."""
        if now < self._last_housekeeping:  # the clock was set back: the due times lie too far ahead
            self._housekeeping = self._new_housekeeping()
        self._last_housekeeping = now
        self._housekeeping.run_pending()

    def _new_housekeeping(self) -> Scheduler:
        return housekeeping(self._start_pruning, self._report_stale_uploads, self._saver.retry_save)

    def _run_crashed(self, plan: Plan, found: Problem, job: str) -> None:
        if self._report_crashed_run is not None:
            self._crash_reports.add(self._spawn(self._report_crashed_run(plan, found, job), plan))

    def _start_pruning(self) -> None:
        self._spawn(self._prune(self.state.plan), self.state.plan)

    def _report_stale_uploads(self) -> None:
        """Report each workbook once when it becomes stale."""
        state = self.state
        found = stale_uploads(state.record.uploads, state.plan.stale_after, self._now())
        for name in sorted(found - state.stale):
            modified = state.record.uploads[name].modified
            assert modified is not None  # noqa: S101  stale_uploads() leaves out what has no time
            log_problem(problem("file-stale", file=name, value=modified.astimezone(state.plan.zone)))
        state.stale = found

    def _write_status(self) -> None:
        """Write the status for ``cpimportd status`` if it has changed."""
        self._status_writer.write(self._status_line(), self._now(), self._monotonic())

    def _status_line(self) -> str:
        return supervisor.status_line(self.state, self._now(), self._monotonic())

    @staticmethod
    def _monotonic() -> float:
        return asyncio.get_running_loop().time()

    def _spawn(self, work: Coroutine[Any, Any, None], plan: Plan | None = None) -> "asyncio.Task[None]":
        """Start a task; its plan's copy is kept until it ends, even if another plan is accepted meanwhile."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        if plan is not None:
            self.state.copies.acquire(plan)
            task.add_done_callback(lambda _: self.state.copies.release(plan))
        return task

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._crash_reports.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            defect = problem("internal", reason=exception(error))
            for found in error.problems if isinstance(error, ProblemError) else (defect,):
                log_problem(found)
