"""A configuration lives as long as what was started with it: a run, an alert of one that died, pruning."""

import asyncio
import signal
from contextlib import suppress
from datetime import timedelta

import pytest
from msgspec.structs import replace

from cpimportd.daemon.attempts import RunExit
from cpimportd.daemon.messages import RunResult
from cpimportd.daemon.plan import COPY_PREFIX, ConfigCopies
from cpimportd.daemon.service import Daemon
from cpimportd.daemon.store import Record, Store
from tests.support.daemon.plans import PLAN
from tests.support.notify.receivers import WebServer
from tests.support.polling import until
from tests.support.secrets import ALERT_TOKEN


class NoSystemd:
    """Whoever is told of the daemon's life, and does not listen."""

    watchdog = 0.0

    def __getattr__(self, _name):
        return lambda *_: None


class StubRun:
    """A run that stands until it is let go, and then has died, or has an account of itself."""

    def __init__(self, result=None):
        self.over, self._result = asyncio.Event(), result

    async def wait(self):
        await self.over.wait()
        return RunExit(0 if self._result else -9, self._result)

    def stop(self):
        self.over.set()

    kill = stop


@pytest.fixture
def plans(tmp_path):
    """Plans whose copies lie on the disk, by number."""

    def make(number):
        copy = tmp_path / f"configuration-{number}.toml"
        copy.write_text("")
        folders = {"state_directory": tmp_path, "runtime_directory": tmp_path}
        return replace(PLAN, copy=copy, schedules=(), retry_within=timedelta(0), **folders)

    return make


class House:
    """A daemon in this process; what it starts looks for its configuration a moment after it began, as processes do."""

    def __init__(self, plans, tmp_path, result=None):
        self.plans, self.found, self.slow = plans, [], asyncio.Event()
        self.number, self.run = 1, StubRun(result)
        Store(tmp_path).save(Record())
        self.daemon = Daemon(
            plans(1), Store(tmp_path), NoSystemd(), lambda *_: self.run,
            read_plan=self._read, prune=lambda plan: self._looks("prune", plan),
            report_crashed_run=lambda plan, _found, _job: self._looks("crashed run", plan), longest_sleep=0.05,
        )  # fmt: skip

    async def _read(self):
        self.number += 1
        return self.plans(self.number)

    async def _looks(self, what, plan):
        await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        self.found.append((what, plan.copy.name, plan.copy.exists()))
        await self.slow.wait()

    async def until(self, look):
        async with asyncio.timeout(20):
            while not look():
                self.daemon.wake()
                await asyncio.sleep(0.01)

    @property
    def copies(self):
        return sorted(path.name for path in self.daemon.state.plan.state_directory.glob(f"{COPY_PREFIX}*"))


@pytest.fixture
def house(plans, tmp_path):
    return lambda result=None: House(plans, tmp_path, result)


async def lived(house, deeds):
    """Let the daemon live while something is done to it."""
    serving = asyncio.create_task(house.daemon.serve())
    try:
        await asyncio.wait_for(deeds(), 30)
    finally:
        house.slow.set()
        house.run.over.set()
        house.daemon.stop()
        with suppress(TimeoutError):
            await asyncio.wait_for(serving, 30)
    assert house.copies == []


@pytest.mark.asyncio
async def test_the_report_of_a_crashed_run_finds_its_configuration_though_another_was_accepted(house):
    here = house()

    async def deeds():
        here.daemon.trigger()
        await here.until(lambda: here.daemon.state.running is not None)
        for number in (1, 2):  # the second takes the place of one that was never in force
            here.daemon.reload()
            await here.until(lambda number=number: here.daemon.state.answers.reloads_answered == number)
        assert here.copies == ["configuration-1.toml", "configuration-3.toml"]
        here.run.over.set()
        await here.until(lambda: here.found)
        assert here.found == [("crashed run", "configuration-1.toml", True)]
        assert here.daemon.state.plan.copy.name == "configuration-3.toml"
        assert here.copies == ["configuration-1.toml", "configuration-3.toml"]
        here.slow.set()
        await here.until(lambda: here.copies == ["configuration-3.toml"])

    await lived(here, deeds)


@pytest.mark.asyncio
async def test_pruning_finds_its_configuration_though_another_was_accepted_before_it_began(house):
    here = house()

    async def deeds():
        await here.until(lambda: here.daemon.state.slots is not None)
        here.daemon._start_pruning()
        here.daemon.reload()
        await here.until(lambda: here.found)
        assert here.found == [("prune", "configuration-1.toml", True)]
        here.slow.set()
        await here.until(lambda: here.copies == ["configuration-2.toml"])

    await lived(here, deeds)


@pytest.mark.asyncio
async def test_a_run_with_a_result_leaves_nothing_behind(house):
    here = house(RunResult(1, "published", 0, "published 1 document"))

    async def deeds():
        here.daemon.trigger()
        await here.until(lambda: here.daemon.state.running is not None)
        here.daemon.reload()
        await here.until(lambda: here.daemon.state.answers.reloads_answered == 1)
        here.run.over.set()
        await here.until(lambda: here.copies == ["configuration-2.toml"])
        assert here.found == []

    await lived(here, deeds)


@pytest.mark.asyncio
async def test_a_daemon_that_stops_waits_until_a_run_that_crashed_is_reported(house):
    here = house()
    serving = asyncio.create_task(here.daemon.serve())
    here.daemon.trigger()
    await here.until(lambda: here.daemon.state.running is not None)
    here.run.over.set()
    await here.until(lambda: here.daemon.state.running is None)
    here.daemon.stop()
    await here.until(lambda: here.found)
    assert here.found == [("crashed run", "configuration-1.toml", True)]
    assert not serving.done()
    here.slow.set()
    await asyncio.wait_for(serving, 20)


def test_a_copy_stays_until_the_last_who_uses_it_has_ended(plans):
    copies, plan = ConfigCopies(), plans(1)
    copies.acquire(plan)
    copies.acquire(plan)
    copies.supersede(plan)
    copies.release(plan)
    assert plan.copy.exists()
    copies.release(plan)
    assert not plan.copy.exists()
    other = plans(2)
    copies.acquire(other)
    copies.release(other)
    assert other.copy.exists()  # it is in force
    copies.supersede(other)
    assert not other.copy.exists()


def test_a_run_that_takes_too_long_while_a_reload_is_accepted_is_reported_by_the_configuration_that_it_had(place):
    place.sample("day1")
    with WebServer() as web, WebServer() as other:
        place.configure({"alerts.urls": [f"json://{web.address}/{ALERT_TOKEN}"], "daemon.run_time_limit": 8})
        daemon = place.start()
        daemon.send(signal.SIGUSR1)
        daemon.frozen_readers()
        place.configure({"alerts.urls": [f"json://{other.address}/{ALERT_TOKEN}"]})
        assert place.command("reload").returncode == 0
        daemon.wait_problem("run-timeout")
        until(lambda: web.requests, "alert of a run that took too long", 60)
        assert "[run-timeout]" in web.requests[0].json["message"]
        left = until(lambda: len(copies := list(place.runtime.glob(f"{COPY_PREFIX}*"))) == 1 and copies, "one copy")
        assert other.address in left[0].read_text()
        assert left[0].stat().st_mode & 0o777 == 0o600
        assert other.requests == []
