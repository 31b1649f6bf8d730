"""What can happen to a daemon: it is started, stopped, killed; clocks are set, configurations edited, disks fail."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cpimportd.daemon import service
from tests.support.simulation.audit import Quiet
from tests.support.simulation.life import Life
from tests.support.simulation.naive_calendar import following
from tests.support.simulation.scene import Configured, Outcome, Way
from tests.support.simulation.stage import Stage

EARLIEST, LATEST = datetime(2001, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)


class World(Stage):
    """A stage on which things happen; the arguments are the stage's."""

    def __init__(
        self, wall: datetime, configured: Configured, outcomes: Iterable[Outcome] = (), **slices: float
    ) -> None:
        super().__init__(wall, configured, outcomes, **slices)
        self._high = wall
        self._intact = False
        self._acted = True

    def start(self) -> None:
        """Start a daemon with what was kept and with the configuration as it is."""
        assert self.life is None
        self._act("the daemon is started")
        _, books = self.disk.kept[-1]
        self.model.begin(self.configured, books)
        self.loaded = self.configured
        self.life = Life(self)
        self.drain()

    def pass_time(self, length: timedelta) -> None:
        """Let time go by."""
        self._actions += 1
        # No two events fall on the same instant: which comes first there is nobody's business.
        seconds = length.total_seconds() + 0.0137 * (self._actions % 64 + 1)
        if self.life is None:
            self.clocks.monotonic += seconds
        else:
            if self._acted:
                clocks = self.clocks
                self.quiet.append(
                    Quiet(clocks.wall, clocks.monotonic, clocks.wall, self.loaded, self._high, self._intact)
                )
                self._acted, self._intact = False, not self.disk.fails
            self.run(asyncio.sleep(seconds))
            self.drain()
            self.quiet[-1].ends = self.clocks.wall
        self.database.heed(self.clocks.monotonic)

    def pass_until_slot(self, offset: timedelta) -> None:
        """Let time go by until so long after the next slot of the first schedule, or before it."""
        if not self.configured.schedules:
            return
        first = self.configured.schedules[0]
        until = following(first.rule, self.configured.zone, self.clocks.wall) + offset
        self.pass_time(min(max(until - self.clocks.wall, timedelta(0)), timedelta(days=8)))

    def step(self, by: timedelta, why: str = "the clock is set") -> None:
        """The wall clock is set, or the machine was suspended for so long."""
        if not EARLIEST < self.clocks.wall + by < LATEST:
            return
        self._act(f"{why}: {by}")
        self.clocks.step(by)
        self.punctuality.disturbed = True
        self.log("       (that is what the clock shows now)")

    def kill(self, *, orphan: bool = False, power_cut: bool = False) -> None:
        """``kill -9``; with ``orphan`` its run goes on, with ``power_cut`` the last save is lost."""
        if self.life is None:
            return
        run, order = self.life.run, self.model.running
        self._act(
            "the daemon is killed"
            + (", its run lives on" if orphan else "")
            + (", a save is lost" if power_cut else "")
        )
        self.bury()
        if orphan and order is not None and run is not None:
            self.database.adopt(order, run, self.clocks.monotonic)
        if power_cut:
            self.disk.lose_last()
            self._intact = False

    def stop(self) -> None:
        """SIGTERM, and wait until the daemon has ended."""
        if self.life is None:
            return
        self._act("the daemon is stopped")
        life = self.life
        committing = self.model.running is not None and life.run is not None and life.run.outcome.way is Way.COMMITTING
        within = (service.STOP_LIMIT if committing else service.STOP_GRACE) + self.busy_slice + 1
        self.model.stopping = True
        self.signal(life.daemon.stop)
        self.run(asyncio.wait([life.serving], timeout=within))
        assert life.serving.done(), f"the daemon did not end within {within} s"
        life.serving.result()
        self.drain()
        self.bury()

    def lose_state(self) -> None:
        """Somebody removes the state file while no daemon lives."""
        if self.life is None:
            self._act("the state file is lost")
            self.disk.lose()
            self._intact = False

    def disk_fails(self, fails: bool) -> None:
        """The state disk begins to fail, or works again."""
        self._act("the state disk fails" if fails else "the state disk works")
        self.disk.fails = fails
        self._intact = False

    def configure(self, configured: Configured, *, reload: bool = True) -> None:
        """Edit the configuration, and have it read if a daemon lives."""
        self._act(f"the configuration is edited: {configured}")
        self.configured = configured
        if self.life is not None and reload:
            self.signal(self.life.daemon.reload)
            self.drain()

    def reload_refused(self) -> None:
        """Have a configuration read that is wrong; it is put right at once."""
        if self.life is not None:
            self._act("a wrong configuration is read")
            self.refused = True
            self.signal(self.life.daemon.reload)
            self.drain()
            self.refused = False

    def trigger(self) -> None:
        """SIGUSR1."""
        if self.life is not None:
            self._act("a run is asked for")
            self.model.asked += 1
            self.signal(self.life.daemon.trigger)
            self.drain()

    def _act(self, what: str) -> None:
        self.drain()
        self._high = max(self._high, self.clocks.wall)
        self._acted = True
        self._actions += 1
        self.log(f"*** {what}")
