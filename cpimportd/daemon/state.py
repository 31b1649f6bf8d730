"""What a living daemon knows: one value that the loop and its helpers share, and what of it outlives the daemon."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from msgspec.structs import replace

from cpimportd.core.problems import Problem, problem
from cpimportd.daemon.attempts import Attempt, RunCommand
from cpimportd.daemon.copies import Copies
from cpimportd.daemon.journal import tell, tell_problem
from cpimportd.daemon.plan import Plan
from cpimportd.daemon.progress import Progress
from cpimportd.daemon.refusal import Refusal
from cpimportd.daemon.slots import Slots
from cpimportd.daemon.store import Finished, Record, groups_of

if TYPE_CHECKING:
    import asyncio

    from cpimportd.daemon.attempts import Ended
    from cpimportd.daemon.process import Run

FINISHED_KEPT: Final = 20
"""How many runs that are over somebody who waits for one can still find."""


class Answers(msgspec.Struct, frozen=True):
    """What was asked of the daemon by signals, and what became of it; whoever asked waits for the number to rise.

    Attributes:
        reloads_asked: how many reloads were asked for since the start.
        reloads_answered: how many of these a reload has answered that began after them.
        refused: why the last reload was refused; empty where it was accepted.
        triggers_asked: how many runs were asked for since the start.
        triggers_served: how many of these a run has served that began after them.
        trigger_job: the number of the last of these runs.
    """

    reloads_asked: int = 0
    reloads_answered: int = 0
    refused: tuple[Problem, ...] = ()
    triggers_asked: int = 0
    triggers_served: int = 0
    trigger_job: int | None = None


class Running(msgspec.Struct):
    """The run under way.

    Attributes:
        job: its number since the daemon started.
        order: what it was asked to do.
        plan: that it was started with.
        attempt: the slot's attempt that it belongs to; None where somebody asked for it.
        began: when.
        run: to stop it.
        task: ends with it.
        progress: how far it is.
    """

    job: int
    order: RunCommand
    plan: Plan
    attempt: Attempt | None
    began: datetime
    run: "Run"
    task: "asyncio.Task[Ended]"
    progress: Progress = msgspec.field(default_factory=Progress)

    @property
    def facts(self) -> Mapping[str, str]:
        """Whose slot it does, as facts for the journal."""
        if self.order.schedule is None or self.order.slot is None:
            return {}
        return {"schedule": self.order.schedule, "slot": self.order.slot.isoformat()}


class State(msgspec.Struct):
    """What the daemon knows.

    Attributes:
        plan: in force.
        slots: what is due, and what waits.
        record: what outlives the daemon.
        since: when it started, in UTC.
        finished: the runs that are over, the newest last.
        running: the run under way.
        answers: to signals.
        stale: the workbooks that 1C has not uploaded for long, by name.
        refusal: the configuration that was refused, and not corrected since.
        copies: of the configurations, and who uses them.
    """

    plan: Plan
    slots: Slots
    record: Record
    since: datetime
    finished: list[Finished] = msgspec.field(default_factory=list)
    running: Running | None = None
    answers: Answers = msgspec.field(default_factory=Answers)
    stale: frozenset[str] = frozenset()
    refusal: Refusal | None = None
    copies: Copies = msgspec.field(default_factory=Copies)

    @property
    def last(self) -> Finished | None:
        """The last run that is over, since whenever."""
        return self.record.last

    def schedules_of(self, only: tuple[str, ...]) -> tuple[str, ...]:
        """The schedules that import nothing but these kinds, a group taken whole; empty means all."""
        groups = groups_of(only)
        return tuple(s.name for s in self.plan.schedules if s.job == "import" and groups_of(s.only) <= groups)

    def ended(self, finished: Finished, job: str) -> None:
        """Another run is over; one that did not import says nothing of the books, only whether it was done.

        Args:
            finished: the run.
            job: what it was to do.
        """
        everything = self.schedules_of(())
        self.record = self.record.ended(finished, everything) if job == "import" else self.record.did(finished)
        self.finished = [*self.finished, finished][-FINISHED_KEPT:]


class Keeper(Protocol):
    """Keeps the record between two starts; see :class:`cpimportd.daemon.store.Store`."""

    def load(self) -> tuple[Record, Problem | None]:
        """What was kept, and what is to be said about it."""

    def save(self, record: Record) -> None:
        """Keep it; OSError where that fails."""


class Keeping:
    """Saves the state's record; a disk that fails is told of once, and tried again.

    Args:
        state: what the daemon knows.
        keeper: of its record.
    """

    def __init__(self, state: State, keeper: Keeper) -> None:
        self._state = state
        self._keeper = keeper
        self._unsaved = False

    def save(self) -> None:
        """Save the record with the slots' memory as it is now."""
        state = self._state
        state.record = replace(state.record, memory=state.slots.memory)
        try:
            self._keeper.save(state.record)
        except OSError as error:
            if not self._unsaved:
                path = str(state.plan.state_directory)
                tell_problem(problem("state-unsaved", path=path, reason=error.strerror or str(error)), logging.ERROR)
            self._unsaved = True
            return
        if self._unsaved:
            tell(logging.INFO, "state-saved", "the daemon's memory is written again")
        self._unsaved = False

    def save_again(self) -> None:
        """Try once more where it failed."""
        if self._unsaved:
            self.save()
