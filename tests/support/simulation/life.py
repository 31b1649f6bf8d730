"""One life of a daemon: the real one, with a state disk, runs and a configuration that a story has for it."""

import errno
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.daemon import store
from cpimportd.daemon.attempts import NOTIFY, RunCommand
from cpimportd.daemon.messages import Message
from cpimportd.daemon.plan import Plan
from cpimportd.daemon.process import Run
from cpimportd.daemon.service import Daemon
from cpimportd.daemon.store import Record
from cpimportd.daemon.supervisor import Supervisor
from tests.support.simulation.audit import Launched
from tests.support.simulation.observed import Entry
from tests.support.simulation.runs import FakeRun, Over, TellingRun
from tests.support.simulation.scene import PUBLISHED

if TYPE_CHECKING:
    from tests.support.simulation.stage import Stage


class Disk:
    """Holds what was saved, and what the daemon is bound to know by it: the newest, and the one before."""

    def __init__(self) -> None:
        self.kept: list[tuple[Record | None, dict[str, Entry]]] = [(None, {})]
        self.newest: Record | None = None
        self.fails = False

    def lose(self) -> None:
        """The state file is gone."""
        self.kept, self.newest = [(None, {})], None

    def lose_last(self) -> None:
        """The last save never reached the disk."""
        if len(self.kept) > 1:
            self.kept.pop()
            self.newest = self.kept[-1][0]

    def settle(self, books: dict[str, Entry]) -> None:
        """What was saved just now holds these."""
        self.kept = [self.kept[-1], (self.newest, books)]


class Keeper:
    """One life's hand on the disk; a daemon that was killed writes nothing more.

    Args:
        disk: where the texts are.
        saved: told of each attempt, and whether it went well.
    """

    def __init__(self, disk: Disk, saved: Callable[[bool], None]) -> None:
        self._disk = disk
        self._saved = saved

    def load(self) -> tuple[Record, Problem | None]:
        """What was saved last."""
        newest = self._disk.newest
        # A record is frozen, so it is written as JSON when somebody reads it: thirty years save often.
        return (Record(), None) if newest is None else (store.decode(store.encode(newest)), None)

    def save(self, record: Record) -> None:
        """Save it, if the disk works."""
        self._saved(not self._disk.fails)
        if self._disk.fails:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._disk.newest = record


class Life:
    """One daemon, from its start until it is stopped or killed.

    Args:
        stage: where it plays.
    """

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self.run: FakeRun | None = None
        self.alive = True
        self._launched: Launched | None = None
        clocks = stage.clocks

        def now() -> datetime:
            assert self.alive, "a dead daemon looks at the clock"
            stage.instant.wall = clocks.wall
            return stage.instant.wall

        self.daemon = Daemon(
            stage.configured.plan(),
            Keeper(stage.disk, stage.saved),
            Supervisor({}),
            self._launch,
            read_plan=self._read_plan,
            prune=self._prune,
            now=now,
            longest_sleep=stage.slice,
        )
        self.serving = stage.loop.create_task(self.daemon.serve())

    def _launch(self, order: RunCommand, _: Path, limit: timedelta, tell: Callable[[Message], None]) -> Run:
        stage = self._stage
        if order.job == NOTIFY:  # in no time: what it does concerns no slot
            return TellingRun()
        stage.instant.launched.append(order)
        self._launched = Launched(order, stage.clocks.wall, stage.clocks.monotonic)
        stage.launches.append(self._launched)
        outcome = next(stage.outcomes, PUBLISHED)
        stage.log(f"       (this run {outcome.way}, after {outcome.seconds} s)")
        self.run = FakeRun(order, outcome, limit, stage.clocks, stage.database, self._over, tell)
        return self.run

    def _over(self, over: Over) -> None:
        assert self._launched is not None
        self._stage.instant.over = over
        self._launched.over, self._launched.ended = over, self._stage.clocks.monotonic

    async def _read_plan(self) -> Plan:
        stage = self._stage
        if stage.refused:
            stage.instant.refused = True
            raise ProblemError(problem("config-incomplete", key="database.url", place="a story", variable="X"))
        stage.instant.accepted = stage.loaded = stage.configured
        return stage.configured.plan()

    async def _prune(self, _: Plan) -> None:
        self._stage.pruned += 1
