"""Runs without processes, and behind them the second memory: the unique slots of the table ``runs``."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cpimportd.core.workbooks import SeenWorkbook
from cpimportd.daemon.attempts import RunCommand, RunExit
from cpimportd.daemon.messages import Message, RunResult, Stage
from tests.support.simulation.scene import Outcome, Way
from tests.support.simulation.virtual_time import Clocks

HANGING = 10**9
PATIENCE = 30.0
STOPPED, KILLED, TIMED_OUT, DONE_BEFORE, UNDER_WAY = "stopped", "killed", "timed out", "done before", "under way"

_STATUSES = {Way.PUBLISHED: 0, Way.UNCHANGED: 0, Way.PARTIAL: 3, Way.HELD: 3}
_COMMITS = frozenset({*_STATUSES, Way.COMMITTING, Way.CRASHED_AFTER_COMMIT})


@dataclass
class Database:
    """What the database knows: every (schedule, slot) that ended well, once; and how many imports took place for it."""

    done: set[tuple[str, datetime]] = field(default_factory=set)
    imports: Counter[tuple[str, datetime]] = field(default_factory=Counter)
    orphan: tuple[RunCommand, float] | None = None
    uploaded: datetime | None = None

    def commit(self, order: RunCommand) -> None:
        """A run is past COMMIT; the table's unique index lets a slot pass once."""
        if order.schedule is None or order.slot is None:
            return
        slot = (order.schedule, order.slot)
        assert slot not in self.done, f"{slot} was imported twice: the advisory lock did not hold"
        self.done.add(slot)
        self.imports[slot] += 1

    def adopt(self, order: RunCommand, run: "FakeRun", monotonic: float) -> None:
        """A run outlives its daemon, if it comes to a COMMIT and no other run is under way."""
        done = (order.schedule, order.slot) in self.done
        if run.commits and run.ends > monotonic and self.orphan is None and not done:
            self.orphan = (order, run.ends)

    def heed(self, monotonic: float) -> None:
        """A run that outlived its daemon goes on by itself."""
        if self.orphan is not None and monotonic >= self.orphan[1]:
            self.commit(self.orphan[0])
            self.orphan = None


@dataclass(frozen=True)
class Over:
    """A run is over: what truly happened, and the newest upload that it saw."""

    order: RunCommand
    happened: str
    upload: datetime | None = None


class FakeRun:
    """Takes the time and comes to the end that the story has for it.

    Args:
        order: what it is asked to do.
        outcome: what it comes to.
        limit: after which a run is stopped.
        clocks: of the story.
        database: the second memory.
        over: told what happened when it is over.
        tell: told how far it is.
    """

    def __init__(
        self,
        order: RunCommand,
        outcome: Outcome,
        limit: timedelta,
        clocks: Clocks,
        database: Database,
        over: Callable[[Over], None],
        tell: Callable[[Message], None],
    ) -> None:
        self._order = order
        self.outcome = outcome
        self._limit = limit.total_seconds()
        self._clocks = clocks
        self._database = database
        self._over = over
        self._tell = tell
        self.ends = clocks.monotonic + self._duration
        self._stop = asyncio.Event()
        self._killed = asyncio.Event()

    @property
    def _duration(self) -> float:
        return HANGING if self.outcome.way in {Way.HANGS, Way.DEAF} else self.outcome.seconds + 0.11

    @property
    def commits(self) -> bool:
        """Whether it comes to a COMMIT if nobody stops it."""
        return self.outcome.way in _COMMITS

    async def wait(self) -> RunExit:
        happened, ended = await self._live()
        self._over(Over(self._order, happened, ended.newest_upload))
        return ended

    def stop(self) -> None:
        if self.outcome.way not in {Way.DEAF, Way.COMMITTING}:
            self._stop.set()

    def kill(self) -> None:
        self._killed.set()

    async def _live(self) -> tuple[str, RunExit]:
        self._database.heed(self._clocks.monotonic)
        if self._database.orphan is not None:
            await asyncio.sleep(0.5)
            return UNDER_WAY, RunExit(4, RunResult(None, "failed", 4, "failed", passing=True, codes=("run-under-way",)))
        if (self._order.schedule, self._order.slot) in self._database.done:
            await asyncio.sleep(0.5)
            return DONE_BEFORE, RunExit(5, RunResult(None, "failed", 5, "failed", codes=("slot-done",)))
        self._tell(Stage("commit" if self.outcome.way is Way.COMMITTING else "read"))
        return await self._interruptible()

    async def _interruptible(self) -> tuple[str, RunExit]:
        if await self._rings(self._stop, min(self._duration, self._limit)):
            await asyncio.sleep(0.2)
            return STOPPED, RunExit(130)
        if self._killed.is_set():
            return KILLED, RunExit(-9)
        if self._duration > self._limit:
            if self.outcome.way is Way.DEAF:
                await self._rings(self._killed, PATIENCE)
            return TIMED_OUT, RunExit(-9, timed_out=True)
        return self._finish()

    async def _rings(self, bell: asyncio.Event, within: float) -> bool:
        """Whether a bell rings within so many seconds; being killed cuts the wait short."""
        waits = [asyncio.ensure_future(one.wait()) for one in (bell, self._killed)]
        try:
            await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return bell.is_set()

    def _finish(self) -> tuple[str, RunExit]:
        way = Way.PUBLISHED if self.outcome.way is Way.COMMITTING else self.outcome.way
        match way:
            case Way.NOT_UPLOADED if self._missing:
                return way.value, _failed("upload-missing", passing=True, seen=_seen(self._database.uploaded))
            case Way.NOT_UPLOADED:
                self._database.commit(self._order)
                return Way.UNCHANGED.value, _done(Way.UNCHANGED, self._database.uploaded)
            case Way.SOURCE_EMPTY:
                return way.value, _failed("source-empty", passing=True)
            case Way.PASSING:
                return way.value, _failed("source-unreachable", passing=True)
            case Way.FAILING:
                return way.value, _failed("database-login", passing=False)
            case Way.CRASHED:
                return way.value, RunExit(-11)
        self._database.commit(self._order)
        if way is Way.CRASHED_AFTER_COMMIT:
            return way.value, RunExit(-11)
        self._database.uploaded = self._clocks.wall.replace(microsecond=0)
        return way.value, _done(way, self._database.uploaded)

    @property
    def _missing(self) -> bool:
        """Whether something was asked for that is newer than all there is."""
        asked, newest = self._order.uploaded_after, self._database.uploaded
        return asked is not None and (newest is None or newest <= asked)


class TellingRun:
    """Tells readers what they have not been told, of which there is nothing."""

    async def wait(self) -> RunExit:
        return RunExit(0, RunResult(None, "done", 0, ""))

    def stop(self) -> None: ...

    def kill(self) -> None: ...


def _done(way: Way, uploaded: datetime | None) -> RunExit:
    code = _STATUSES[way]
    return RunExit(code, RunResult(1, way.value, code, way.value), _seen(uploaded))


def _failed(code: str, *, passing: bool, seen: tuple[SeenWorkbook, ...] = ()) -> RunExit:
    return RunExit(1, RunResult(None, "failed", 1, "failed", passing=passing, codes=(code,)), seen)


def _seen(uploaded: datetime | None) -> tuple[SeenWorkbook, ...]:
    return () if uploaded is None else (SeenWorkbook("Receipts.xlsx", "receipts", ("Lotos",), uploaded, "published"),)
