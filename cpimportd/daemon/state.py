"""The daemon's state, shared by the loop and its helpers, and the part of it that is saved."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from msgspec.structs import replace

from cpimportd.core.problems import Problem, problem
from cpimportd.daemon.attempts import Attempt, RunCommand
from cpimportd.daemon.log import log_event, log_problem
from cpimportd.daemon.messages import Progress
from cpimportd.daemon.plan import ConfigCopies, Plan, Refusal
from cpimportd.daemon.slots import Slots
from cpimportd.daemon.store import FinishedRun, Record, groups_of

if TYPE_CHECKING:
    import asyncio

    from cpimportd.daemon.attempts import RunExit
    from cpimportd.daemon.process import Run

FINISHED_KEPT: Final = 20
"""How many finished runs are listed for clients that wait for one."""


class Answers(msgspec.Struct, frozen=True):
    """Counts of requests by signal, and of their answers; a client waits for the count to rise.

    Attributes:
        reloads_asked: reloads requested since the start.
        reloads_answered: those answered by a reload that began after the request.
        refused: the problems of the last reload; empty if it was accepted.
        triggers_asked: runs requested since the start.
        triggers_served: those served by a run that began after the request.
        trigger_job: the job number of the last of these runs.
    """

    reloads_asked: int = 0
    reloads_answered: int = 0
    refused: tuple[Problem, ...] = ()
    triggers_asked: int = 0
    triggers_served: int = 0
    trigger_job: int | None = None


class Running(msgspec.Struct):
    """The run in progress.

    Attributes:
        job: its number since the daemon started.
        command: of the run.
        plan: it was started with.
        attempt: at its slot; None for a triggered run.
        began: its start.
        run: its process.
        task: ends with it.
        progress: of the run.
    """

    job: int
    command: RunCommand
    plan: Plan
    attempt: Attempt | None
    began: datetime
    run: "Run"
    task: "asyncio.Task[RunExit]"
    progress: Progress = msgspec.field(default_factory=Progress)

    @property
    def facts(self) -> Mapping[str, str]:
        """Its schedule and slot, as facts for the journal."""
        if self.command.schedule is None or self.command.slot is None:
            return {}
        return {"schedule": self.command.schedule, "slot": self.command.slot.isoformat()}


class State(msgspec.Struct):
    """The daemon's state.

    Attributes:
        plan: in force.
        slots: due and waiting ones.
        record: the saved part.
        since: start of the daemon, in UTC.
        finished: the last finished runs, the newest last.
        running: the run in progress.
        answers: to signals.
        stale: names of the stale workbooks.
        refusal: the refused configuration, if not corrected since.
        copies: of the configurations, with their users.
    """

    plan: Plan
    slots: Slots
    record: Record
    since: datetime
    finished: list[FinishedRun] = msgspec.field(default_factory=list)
    running: Running | None = None
    answers: Answers = msgspec.field(default_factory=Answers)
    stale: frozenset[str] = frozenset()
    refusal: Refusal | None = None
    copies: ConfigCopies = msgspec.field(default_factory=ConfigCopies)

    @property
    def last(self) -> FinishedRun | None:
        """The last finished run, also of an earlier daemon."""
        return self.record.last

    def schedules_of(self, only: tuple[str, ...]) -> tuple[str, ...]:
        """The schedules that import only these kinds (whole groups); empty means all kinds."""
        groups = groups_of(only)
        return tuple(s.name for s in self.plan.schedules if s.job == "import" and groups_of(s.only) <= groups)

    def ended(self, finished: FinishedRun, job: str) -> None:
        """Record a finished run; a job other than an import changes only ``undone``.

        Args:
            finished: the run.
            job: import, report or reconcile.
        """
        import_schedules = self.schedules_of(())
        self.record = (
            self.record.ended(finished, import_schedules) if job == "import" else self.record.after_job(finished)
        )
        self.finished = [*self.finished, finished][-FINISHED_KEPT:]


class RecordStore(Protocol):
    """Saves the record between two starts; see :class:`cpimportd.daemon.store.Store`."""

    def load(self) -> tuple[Record, Problem | None]:
        """The saved record, and the problem with it if there is one."""

    def save(self, record: Record) -> None:
        """Save it.

        Raises:
            OSError: that failed.
        """


class RecordSaver:
    """Saves the state's record; a failing disk is reported once, and retried.

    Args:
        state: the daemon's state.
        store: keeps the record.
    """

    def __init__(self, state: State, store: RecordStore) -> None:
        self._state = state
        self._store = store
        self._unsaved = False

    def save(self) -> None:
        """Save the record with the slots' memory as it is now."""
        state = self._state
        state.record = replace(state.record, memory=state.slots.memory)
        try:
            self._store.save(state.record)
        except OSError as error:
            if not self._unsaved:
                path = str(state.plan.state_directory)
                log_problem(problem("state-unsaved", path=path, reason=error.strerror or str(error)), logging.ERROR)
            self._unsaved = True
            return
        if self._unsaved:
            log_event(logging.INFO, "state-saved", "the daemon's memory is written again")
        self._unsaved = False

    def retry_save(self) -> None:
        """Save again if the last save failed."""
        if self._unsaved:
            self.save()
