"""A real Dask cluster: a scheduler, and two workers that are processes of their own, each with a nanny that restarts it."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cpimportd.config.settings import Engine, Reader, Settings
from tests.support.cluster import on_worker
from tests.support.run.workplace import Workplace, make_workplace

distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")

PATIENCE = 60


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a LocalCluster's scheduler."""
    root = Path(__file__).parents[2]
    words = [sys.executable, "-m", "tests.support.cluster.local_cluster"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=root
    ) as running:
        yield running.stdout.readline().strip()
        running.stdin.close()
        try:
            running.wait(PATIENCE)
        finally:
            running.kill()


@pytest.fixture
def on_workers(cluster) -> Iterator[Callable[..., dict[str, Any]]]:
    """Run a function in every worker's process; afterwards they are as they were."""
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=PATIENCE)
        yield client.run
        client.wait_for_workers(1, timeout=PATIENCE)
        client.run(on_worker.put_right)


class Scheduler:
    """A scheduler without workers, in a process of its own."""

    def __init__(self, folder: Path, *more: str) -> None:
        self._file = folder / "scheduler.json"
        words = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
        words += ["--no-dashboard", "--scheduler-file", str(self._file), *more]
        self._process = subprocess.Popen(words, stderr=subprocess.DEVNULL)

    @property
    def address(self) -> str:
        deadline = time.monotonic() + PATIENCE
        while not self._file.exists() or not self._file.read_text():
            assert time.monotonic() < deadline, "the scheduler does not begin"
            time.sleep(0.05)
        return json.loads(self._file.read_text())["address"]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def scheduler(tmp_path) -> Iterator[Scheduler]:
    begun = Scheduler(tmp_path)
    yield begun
    begun.kill()


@pytest.fixture
def engine(cluster: str) -> Engine:
    return Engine(executor="dask", dask_scheduler=cluster)


@pytest.fixture
def workplace(database: str, tmp_path: Path, sql: Callable[..., list[Any]]) -> Workplace:
    return make_workplace(database, tmp_path, sql)


@pytest.fixture
def clustered(workplace, engine) -> Settings:
    """The workplace's settings, with reading on the cluster; a cluster that hangs is given up after a minute."""
    return workplace.settings.model_copy(update={"engine": engine, "reader": Reader(wall_time=timedelta(seconds=25))})


class Holding:
    """Workers that take a workbook and read it only when they may.

    Args:
        folder: where each leaves a file named after its process.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def install(self, on_workers: Callable[..., Any]) -> None:
        on_workers(on_worker.hold, str(self._folder))

    async def held(self) -> int:
        """The process of a worker that holds a workbook."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for path in self._folder.glob("held-*"):
                return int(path.name.removeprefix("held-"))
            await asyncio.sleep(0.05)
        raise AssertionError("no worker took a workbook")

    def let_go(self) -> None:
        (self._folder / "go").touch()


@pytest.fixture
def holding(tmp_path, on_workers) -> Iterator[Holding]:
    folder = tmp_path / "holding"
    folder.mkdir()
    made = Holding(folder)
    made.install(on_workers)
    yield made
    made.let_go()
