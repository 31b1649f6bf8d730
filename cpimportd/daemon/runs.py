"""The runs: one is started when it is its turn, and what follows from the way it ended is noted."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec.structs import replace

from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, journal_fields, problem
from cpimportd.core.time import moment
from cpimportd.daemon import attempts
from cpimportd.daemon.aftermath import Aftermath
from cpimportd.daemon.attempts import NOTIFY, Again, Attempt, Ended, RunCommand
from cpimportd.daemon.journal import tell, tell_line, tell_problem
from cpimportd.daemon.messages import Begun, Message, Result, Said, Stage, Waits
from cpimportd.daemon.plan import Plan
from cpimportd.daemon.process import Launch
from cpimportd.daemon.readers import Readers
from cpimportd.daemon.run_notice import RunNotice
from cpimportd.daemon.state import Running, State
from cpimportd.daemon.store import Finished, Record


class Runs:
    """Starts runs, one at a time, and concludes them.

    Args:
        state: what the daemon knows; ``running``, ``record``, ``finished`` and ``slots`` are kept up here.
        launch: starts a run.
        wake: called when a run is over.
        report_crashed_run: called for a run that crashed and is not tried again, with its plan,
            what became of it, and its job.
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
        self._readers = Readers(at_once=state.record != Record())

    def start_next(self, now: datetime, monotonic: float) -> None:
        """Start what has waited longest: a slot that is ready, else a run that somebody asked for.

        Readers who have not been told of an earlier run come first: that takes seconds, and they see what was before.
        """
        state = self._state
        if self._readers.due(monotonic):
            self._start(RunCommand(job=NOTIFY), None, now)
            return
        schedule = state.slots.ready(monotonic)
        if schedule is not None:
            attempt = state.slots.started(schedule.name, monotonic)
            self._start(attempts.order(attempt, schedule, state.plan, now, monotonic), attempt, now)
        elif state.answers.triggers_served < state.answers.triggers_asked:
            self._start(RunCommand(), None, now)
            asked = state.answers.triggers_asked
            state.answers = replace(state.answers, triggers_served=asked, trigger_job=self._jobs)

    def _start(self, order: RunCommand, attempt: Attempt | None, now: datetime) -> None:
        state = self._state
        self._jobs += 1
        state.copies.take(state.plan)
        run = self._launch(order, state.plan.copy, state.plan.run_time_limit, self._hear)
        task = asyncio.get_running_loop().create_task(run.wait())
        task.add_done_callback(lambda _: self._wake())
        state.running = Running(self._jobs, order, state.plan, attempt, now, run, task)
        if order.job == NOTIFY:
            state.running.progress.take(Stage("tell"))
            return
        whose = (
            "a run that was asked for"
            if order.slot is None
            else f"a run for slot {moment(order.slot, state.plan.zone)} of {order.schedule}"
        )
        tell(logging.INFO, "run-begins", f"{whose} begins", **state.running.facts)

    def _hear(self, message: Message) -> None:
        running = self._state.running
        match message:
            case Begun() | Stage() | Waits() if running is not None:
                running.progress.take(message)
            case Said():
                facts = running.facts if running is not None else {}
                tell_line(message.level, message.text, {**journal_fields(facts), **message.fields})
            case _:
                pass  # what it saw and how it ended come with its end

    def conclude(self, now: datetime, monotonic: float, *, stopping: bool) -> bool:
        """Note how the run ended, if it has.

        Args:
            now: the wall clock, in UTC.
            monotonic: the monotonic clock, in seconds.
            stopping: whether the daemon asked it to stop.

        Returns:
            Whether anything is to be saved.
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
        self._readers.ended(running.order, ended, monotonic)
        if running.order.job == NOTIFY:
            return False
        if stopping and ended.result is None:
            tell(logging.WARNING, "run-stopped", _stopped(running), **running.facts)
            return False
        state.record = state.record.saw(ended.seen, now, running.order.only)
        status = ended.result.status if ended.result else "crashed"
        schedule = state.plan.schedule(running.order.schedule) if running.order.schedule else None
        if running.attempt is not None and schedule is not None:
            verdict = attempts.judge(ended, running.attempt, schedule, state.plan, now=now, monotonic=monotonic)
            if isinstance(verdict, Again):
                self._again(running, running.attempt, verdict, now, monotonic)
                return True
            status = verdict.status
        self._finish(running, ended, status, now)
        return True

    def _again(self, running: Running, attempt: Attempt, verdict: Again, now: datetime, monotonic: float) -> None:
        assert running.order.schedule is not None  # noqa: S101  an attempt is a schedule's
        self._state.slots.again(running.order.schedule, attempt, verdict, monotonic)
        zone = self._state.plan.zone
        when = moment(now + timedelta(seconds=round(verdict.seconds)), zone)
        text = f"slot {moment(attempt.slot, zone)} of {running.order.schedule} waits for {verdict.why}; next try {when}"
        tell(logging.WARNING, "retry", text, **running.facts)

    def _finish(self, running: Running, ended: Ended, status: str, now: datetime) -> None:
        state, order = self._state, running.order
        result = ended.result or self._without_result(running, ended)
        if order.schedule is not None and order.slot is not None:
            state.slots.done(order.schedule, order.slot, ended.newest_upload)
        if status == "no-upload":
            result = self._no_upload(running, result)
        work = (order.schedule, order.slot)
        finished = Finished.of(result, status, job=running.job, work=work, began=running.began, ended=now)
        state.ended(finished, order.job)
        if order.slot is not None:
            text = f"slot {moment(order.slot, state.plan.zone)} of {order.schedule} is done: {status}"
            tell(logging.INFO, "slot-done", text, run=result.run, status=status, **running.facts)

    def _no_upload(self, running: Running, result: Result) -> Result:
        """1C has uploaded nothing since an earlier slot: nothing failed, and yet somebody has to look."""
        assert running.attempt is not None  # noqa: S101  only a slot can tell
        assert running.attempt.newest_upload is not None  # noqa: S101
        missing = problem("upload-missing", value=running.attempt.newest_upload.astimezone(self._state.plan.zone))
        tell_problem(missing, logging.WARNING, **running.facts)
        return replace(result, summary=missing.message, problem=str(missing), way_out=missing.way_out)

    def take_note(self, word: RunNotice) -> None:
        """Note a run that was not the daemon's; one that ended before the last of its own says nothing new."""
        state, result = self._state, word.result
        self._readers.heard(result, asyncio.get_running_loop().time())
        if state.last is not None and state.last.ended > word.ended:
            return
        state.record = state.record.saw(word.seen, word.ended, word.only)
        finished = Finished.of(
            result, result.status, job=0, work=(None, None), began=word.began, ended=word.ended
        )  # fmt: skip
        state.record = state.record.ended(finished, state.schedules_of(word.only))
        text = f"a run beside the daemon is over: {result.summary}"
        tell(logging.INFO, "elsewhere", text, run=result.run, status=result.status)

    def _without_result(self, running: Running, ended: Ended) -> Result:
        """What is told of a run that could not speak for itself any more."""
        job, limit = running.order.job, running.plan.run_time_limit
        how = attempts.how_it_ended(ended.code)
        if job != "import":
            late = phrase("took-too-long", limit=limit)
            found = problem("job-died", value=job, reason=late if ended.timed_out else how)
            return self._dead(running, ended, found)
        aftermath = ended.aftermath or Aftermath()
        if ended.timed_out:
            found = problem("run-timeout", value=limit, known="")
            how = phrase("took-too-long", limit=limit)
        else:
            found = problem("run-crashed", reason=how, known="")
        return self._dead(running, ended, aftermath.told(how, found), aftermath)

    def _dead(self, running: Running, ended: Ended, found: Problem, aftermath: Aftermath | None = None) -> Result:
        tell_problem(found, **running.facts)
        self._report_crashed_run(running.plan, found, running.order.job)
        code = ended.code if ended.code > 0 else 1  # a signal's number is no exit code
        run, summary = None, f"failed: {found}"
        if aftermath is not None:
            run = aftermath.run
            code = code if aftermath.code is None else aftermath.code
            if run is not None and (aftermath.status is None or found.code == "run-broken-off"):
                summary = str(found)
        return Result(run, "failed", code, summary, problem=str(found), way_out=found.way_out)


def _stopped(running: Running) -> str:
    """What is said of a run that the daemon stopped, and that did not come to its end."""
    slot = running.attempt is not None
    if not running.progress.reached_commit:
        return "the run was stopped before COMMIT" + ("; its slot stays due" if slot else "")
    told = "its slot stays due, and the next start asks" if slot else "`cpimportd history` tells"
    return f"the run was killed after it had begun to commit: {told} whether it published"
