"""The daemon: a loop that looks at the clock, starts runs, listens to signals, and says what it is doing.

Each turn is short and waits for nothing: what takes time is a process (a run, the configuration's reader) or a task.
Between two turns it sleeps in short slices and reads the wall clock anew after each, so that a clock that was stepped,
or a machine that was suspended, is noticed within one.
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
from cpimportd.daemon import wording
from cpimportd.daemon.housekeeping import housekeeping, stale
from cpimportd.daemon.journal import tell, tell_problem
from cpimportd.daemon.plan import Plan
from cpimportd.daemon.process import Launch
from cpimportd.daemon.reloading import Reloading
from cpimportd.daemon.run_notice import RunNotice
from cpimportd.daemon.runs import Runs
from cpimportd.daemon.showing import Showing
from cpimportd.daemon.slots import Slots
from cpimportd.daemon.state import Keeper, Keeping, State
from cpimportd.daemon.supervisor import Supervisor

SLICE: Final = 30.0
"""Seconds: the longest sleep between two looks at the clock."""

BUSY_SLICE: Final = 0.5
"""Seconds between two turns while a run is under way: how often its progress is shown."""

REFUSED_SLICE: Final = 5.0
"""Seconds between two turns while a refused configuration lies on the disk: how soon its correction is seen."""

STOP_GRACE: Final = 30.0
"""Seconds for which a run before its COMMIT is waited for when the daemon stops, and then for an alert of one that
died; both are well within ``TimeoutStopSec=``."""

STOP_LIMIT: Final = 600.0
"""Seconds for which a run that is past COMMIT is waited for when the daemon stops."""


class Daemon:
    """One daemon over one state folder.

    Args:
        plan: what to go by at first.
        keeper: of its record.
        supervisor: what is told of its life.
        launch: starts a run.
        read_plan: reads the configuration again.
        prune: removes what is older than its retention; started now and then.
        report_crashed_run: reports a run that crashed, with its job.
        elsewhere: the notice of a run that the daemon did not start, if any was left since.
        now: the wall clock, in UTC; the monotonic clock is the event loop's.
        slice_: seconds; the longest sleep between two looks at the clock.
    """

    def __init__(
        self,
        plan: Plan,
        keeper: Keeper,
        supervisor: Supervisor,
        launch: Launch,
        *,
        read_plan: Callable[[], Awaitable[Plan]],
        prune: Callable[[Plan], Coroutine[Any, Any, None]],
        report_crashed_run: Callable[[Plan, Problem, str], Coroutine[Any, Any, None]] | None = None,
        elsewhere: Callable[[], RunNotice | Problem | None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        slice_: float = SLICE,
    ) -> None:
        record, self._damage = keeper.load()
        self.state = State(plan, Slots(record.memory), record, now())
        self._keeping = Keeping(self.state, keeper)
        self._supervisor = supervisor
        self._wake = asyncio.Event()
        self._report_crashed_run = report_crashed_run
        self._runs = Runs(self.state, launch, self._wake.set, self._run_crashed)
        self._reloading = Reloading(self.state, read_plan)
        self._prune = prune
        self._elsewhere = elsewhere
        self._now = now
        # sd_watchdog_enabled(3): every half of the time
        self._slice = min(slice_, supervisor.watchdog / 2) if supervisor.watchdog else slice_
        self._stop_asked: float | None = None
        self._showing = Showing(self.state)
        self._tasks: set[asyncio.Task[None]] = set()
        self._crash_reports: set[asyncio.Task[None]] = set()
        self._looked = now()
        self._housekeeping = self._new_housekeeping()

    # What signals ask for.

    def trigger(self) -> None:
        """Import now (SIGUSR1); while a run is under way, once more when it is over, however often it is asked."""
        answers = self.state.answers
        self.state.answers = replace(answers, triggers_asked=answers.triggers_asked + 1)
        if self.state.running is not None:
            tell(logging.INFO, "triggered", "a run was asked for; it begins when the one under way is over")
        self._wake.set()

    def reload(self) -> None:
        """Read the configuration again (SIGHUP), also while a run is under way."""
        if self._reloading.ask():
            self._spawn(self._reloading.reload(self._supervisor.reloading, self._reloaded, self._now))

    def _reloaded(self) -> None:
        if self._reloading.put_in_force(self._now()):
            self._keeping.save()
        self._supervisor.ready(self._line())
        self._show()
        self._wake.set()

    def stop(self) -> None:
        """End (SIGTERM): a run before COMMIT is rolled back and its slot stays due; from COMMIT on it is finished."""
        if self._stop_asked is None:
            self._stop_asked = self._monotonic()
            running = self.state.running
            what = "stopping" if running is None else f"stopping; the run under way is {running.progress}"
            tell(logging.INFO, "stopping", what)
            self._supervisor.stopping(what.capitalize())
            if running is not None:
                running.run.stop()
        self._wake.set()

    def look(self) -> None:
        """Look around now (SIGCONT): somebody left word of a run, or the process was stopped for a while."""
        self._wake.set()

    def tell_status(self) -> None:
        """Write the status in full to the journal (SIGUSR2)."""
        for line in wording.status_lines(self.state, self._line(), self._now()):
            tell(logging.INFO, "status", line)

    # The loop.

    async def serve(self) -> None:
        """Live until :meth:`stop`."""
        if self._damage is not None:
            tell_problem(self._damage)
        self.state.slots.enforce(self.state.plan, self._now())
        self._keeping.save()
        self._look_at_uploads()
        for found in self.state.plan.warnings:
            tell_problem(found)
        begun = f"cpimportd {__version__} started with {self.state.plan.source}"
        tell(logging.INFO, "started", f"{begun}; {self._line()}", version=__version__)
        self._show()
        self._supervisor.ready(self._line())
        while not self._over:
            self._turn()
            await self._rest()
        await self._end()

    @property
    def _over(self) -> bool:
        """Whether the daemon was asked to stop, and no run is under way any more."""
        return self._stop_asked is not None and self.state.running is None

    def _turn(self) -> None:
        now, monotonic = self._now(), self._monotonic()
        memory = self.state.slots.memory
        changed = self._runs.conclude(now, monotonic, stopping=self._stop_asked is not None)
        changed |= self._listen()
        if changed:
            self._look_at_uploads()
        changed |= self._reloading.put_in_force(now)
        self._reloading.look_again()
        running = self.state.running
        self.state.slots.look(now, monotonic, running.order.schedule if running else None)
        if changed or self.state.slots.memory is not memory:
            self._keeping.save()
        if running is None and self._stop_asked is None:
            self._runs.start_next(now, monotonic)
        self._keep_house(now)
        self._supervise(monotonic)
        self._show()

    def _listen(self) -> bool:
        """Hear of a run that was not the daemon's; tells whether anything is to be saved."""
        match self._elsewhere():
            case RunNotice() as word:
                self._runs.take_note(word)
                return True
            case Problem() as found:
                tell_problem(found)
        return False

    async def _rest(self) -> None:
        """Sleep until something is to be done, or somebody asks for something; never longer than a slice."""
        if self._over:  # the run that a stop waited for ended in this very turn
            return
        pause = BUSY_SLICE
        if self.state.running is None:
            due = self.state.slots.pause(self._now(), self._monotonic())
            longest = self._slice if self.state.refusal is None else min(self._slice, REFUSED_SLICE)
            pause = longest if due is None else min(longest, due)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._wake.wait()
        self._wake.clear()

    def _supervise(self, monotonic: float) -> None:
        running = self.state.running
        if self._stop_asked is None:
            self._supervisor.beat(self._line())
        elif running is not None:
            self._supervisor.beat(wording.stopping(running, self.state.plan.zone, self._now()))
            if running.progress.committing:
                self._supervisor.extend()
            # A database that says nothing answers no ROLLBACK either; it rolls back by itself when the run is gone.
            if monotonic - self._stop_asked > (STOP_LIMIT if running.progress.committing else STOP_GRACE):
                running.run.kill()

    async def _end(self) -> None:
        for task in self._tasks - self._crash_reports:
            task.cancel()
        if self._crash_reports:  # nobody else would ever tell of that run
            await asyncio.wait(self._crash_reports, timeout=STOP_GRACE)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._keeping.save()
        self._reloading.forget_copies()
        tell(logging.INFO, "stopped", "stopped")

    # Now and then.

    def _keep_house(self, now: datetime) -> None:
        """Do what is to be done now and then."""
        if now < self._looked:  # what was to come by a clock that was set back since would not come for as long
            self._housekeeping = self._new_housekeeping()
        self._looked = now
        self._housekeeping.run_pending()

    def _new_housekeeping(self) -> Scheduler:
        return housekeeping(self._start_pruning, self._look_at_uploads, self._keeping.save_again)

    def _run_crashed(self, plan: Plan, found: Problem, job: str) -> None:
        if self._report_crashed_run is not None:
            self._crash_reports.add(self._spawn(self._report_crashed_run(plan, found, job), plan))

    def _start_pruning(self) -> None:
        self._spawn(self._prune(self.state.plan), self.state.plan)

    def _look_at_uploads(self) -> None:
        """Tell of each workbook once when it becomes stale."""
        state = self.state
        found = stale(state.record.uploads, state.plan.stale_after, self._now())
        for name in sorted(found - state.stale):
            modified = state.record.uploads[name].modified
            assert modified is not None  # noqa: S101  stale() leaves out what has no time
            tell_problem(problem("file-stale", file=name, value=modified.astimezone(state.plan.zone)))
        state.stale = found

    def _show(self) -> None:
        """Write the status for ``cpimportd status`` where it has changed."""
        self._showing.show(self._line(), self._now(), self._monotonic())

    def _line(self) -> str:
        return wording.line(self.state, self._now(), self._monotonic())

    @staticmethod
    def _monotonic() -> float:
        return asyncio.get_running_loop().time()

    def _spawn(self, work: Coroutine[Any, Any, None], plan: Plan | None = None) -> "asyncio.Task[None]":
        """Start a task; the plan that it goes by stays until it ends, whatever is accepted meanwhile."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        if plan is not None:
            self.state.copies.take(plan)
            task.add_done_callback(lambda _: self.state.copies.release(plan))
        return task

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._crash_reports.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            defect = problem("internal", reason=exception(error))
            for found in error.problems if isinstance(error, ProblemError) else (defect,):
                tell_problem(found)
