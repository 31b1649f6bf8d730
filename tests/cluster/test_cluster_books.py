"""Books that were read on a cluster are those that were read here, whatever happens to a worker."""

import asyncio
import os
import re
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import distributed
import psutil
import pytest

from cpimportd.config.settings import Engine, Settings
from cpimportd.core.report import RunReport
from cpimportd.run.pipeline import run_once
from cpimportd.run.request import RunRequest
from tests.support import launcher
from tests.support.cluster import on_worker
from tests.support.run.workplace import make_workplace

PATIENCE = 60

pytestmark = pytest.mark.asyncio

ASIDE = {
    "created_at", "updated_at", "import_date", "last_import_date", "started_at", "finished_at", "heartbeat_at", "modified",
    "since", "ended_at", "processing_time_seconds", "pid", "report", "marks", "seconds",
}  # fmt: skip
"""When it was, by which process, how long it took, and PostgreSQL's own numbers of transactions."""

MOMENTS = re.compile(r'((?:created|updated)_at\W+)\d{4}-[^"]+')
"""The same within the journal's JSON."""

TABLES = """
    SELECT table_schema || '.' || table_name AS name, array_agg(column_name::text ORDER BY ordinal_position) AS columns
    FROM information_schema.columns WHERE table_schema IN ('cpimportd', 'public') GROUP BY 1
"""


def dump(sql: Callable[..., list[Any]], url: str) -> dict[str, list[str]]:
    """Every row of every table as text, ids and all, but for what is ASIDE."""
    found = {}
    for table in sql(url, TABLES):
        columns = ", ".join(f'"{column}"' for column in table["columns"] if column not in ASIDE)
        rows = sql(url, f"SELECT t::text AS row FROM (SELECT {columns} FROM {table['name']}) t")
        found[table["name"]] = sorted(MOMENTS.sub(r"\1", row["row"]) for row in rows)
    return found


def publish(settings: Settings) -> RunReport:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, run_once(settings, RunRequest())).result()


@pytest.fixture(scope="module")
def read_here(templates, tmp_path_factory):
    """The books after both sample days, read on this machine."""
    from tests.support.database import run_sql

    name = templates.fresh(templates.migrated(), "cpimportd")
    place = make_workplace(templates.server.url(name, "cpimportd"), tmp_path_factory.mktemp("here"), run_sql)
    for day in ("day1", "day2"):
        place.sample(day)
        assert publish(place.settings).status.value == "published"
    yield dump(run_sql, place.url)
    templates.drop([name])


async def test_a_cluster_gives_the_same_books_to_the_byte(workplace, clustered, sql, read_here):
    for day in ("day1", "day2"):
        workplace.sample(day)
        report = await workplace.run(clustered)
        assert (report.status.value, report.problems) == ("published", ())
    there = dump(sql, workplace.url)
    assert sum(map(len, there.values())) > 1500
    assert there == read_here
    assert not list(clustered.spool_directory.rglob("*.reply"))


async def test_a_worker_killed_while_it_holds_a_workbook_costs_nothing(workplace, clustered, sql, read_here, holding):
    workplace.sample("day1")
    running = asyncio.create_task(workplace.run(clustered))
    worker = await holding.held()
    os.kill(worker, signal.SIGKILL)
    await until(lambda: not psutil.pid_exists(worker))
    holding.let_go()
    assert (await running).status.value == "published"
    workplace.sample("day2")
    assert (await workplace.run(clustered)).status.value == "published"
    assert dump(sql, workplace.url) == read_here


async def test_a_workbook_that_no_worker_survives_fails_the_run_and_the_next_one_publishes(
    workplace, clustered, cluster, holding
):
    workplace.sample("day1")
    with distributed.Client(cluster, set_as_default=False) as client:
        allowed = client.run_on_scheduler(on_worker.allow_failures, 0)
        running = asyncio.create_task(workplace.run(clustered))
        os.kill(await holding.held(), signal.SIGKILL)
        report = await running
        client.run_on_scheduler(on_worker.allow_failures, allowed)
    assert failure(report) == "cluster-failed"
    assert "KilledWorker" in report.problems[0].message
    assert workplace.books["receipts"] == 0
    holding.let_go()
    assert (await workplace.run(clustered)).status.value == "published"


async def test_a_cluster_that_falls_silent_fails_the_run(workplace, clustered, holding):
    workplace.sample("day1")
    impatient = clustered.model_copy(
        update={
            "reader": clustered.reader.model_copy(update={"wall_time": timedelta(milliseconds=500)}),
            "engine": clustered.engine.model_copy(update={"scheduler_timeout": timedelta(seconds=3)}),
        }
    )
    report = await workplace.run(impatient)
    assert failure(report) == "cluster-failed"
    assert "nothing came back for 4 s" in report.problems[0].message


async def test_a_scheduler_that_is_away_fails_the_run_in_a_way_that_passes(workplace, clustered):
    workplace.sample("day1")
    engine = Engine(executor="dask", dask_scheduler="tcp://127.0.0.1:1", scheduler_timeout=timedelta(seconds=1))
    report = await workplace.run(clustered.model_copy(update={"engine": engine}))
    assert failure(report) == "cluster-unreachable"
    assert "tcp://127.0.0.1:1" in report.problems[0].message


async def test_a_scheduler_lost_halfway_fails_the_run_in_a_way_that_passes(workplace, clustered, scheduler):
    workplace.sample("day1")
    engine = Engine(executor="dask", dask_scheduler=scheduler.address, scheduler_timeout=timedelta(seconds=3))
    running = asyncio.create_task(workplace.run(clustered.model_copy(update={"engine": engine})))
    await until(lambda: our_clients() and connected(our_clients()[0], scheduler.address))
    scheduler.kill()
    assert failure(await running) == "cluster-unreachable"
    assert not our_clients()


async def test_a_run_that_is_stopped_leaves_no_client_behind(workplace, clustered, holding):
    workplace.sample("day1")
    running = asyncio.create_task(workplace.run(clustered))
    await holding.held()
    assert len(our_clients()) == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not our_clients()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into a process without core dumps")
async def test_the_client_knows_no_secret_and_no_secret_travels(workplace, clustered, holding, monkeypatch):
    monkeypatch.setenv("CPIMPORTD_SOURCE__PASSWORD", "not-for-the-cluster")
    monkeypatch.setenv("DASK_TEMPORARY_DIRECTORY", "/tmp")
    workplace.sample("day1")
    running = asyncio.create_task(workplace.run(clustered))
    await holding.held()
    (client,) = our_clients()
    assert client.environ().keys() <= {"LANG", "HOME", "DASK_TEMPORARY_DIRECTORY"}
    holding.let_go()
    assert (await running).status.value == "published"


def failure(report: RunReport) -> str:
    """The one problem that ended a run, of a kind that is tried again."""
    assert report.status.value == "failed"
    (found,) = {problem.code for problem in report.problems}
    assert all(problem.kind.passing for problem in report.problems)
    return found


def our_clients() -> list[psutil.Process]:
    children = launcher.children(recursive=True)
    return [child for child in children if any("cpimportd.workbook.cluster.client" in part for part in child.cmdline())]


def connected(client: psutil.Process, address: str) -> bool:
    port = int(address.rpartition(":")[2])
    # Whose connections a process without core dumps has, only root is told; those of all others are known.
    ours = {client.pid, None}
    return any(line.raddr and line.raddr.port == port and line.pid in ours for line in psutil.net_connections("tcp"))


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(0.05)
