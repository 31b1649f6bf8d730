"""Who may publish, and what became of it: fencing, and a connection that is lost during COMMIT."""

import asyncio
import importlib.util
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from cpimportd.config.settings import Database
from cpimportd.core.report import RunStatus
from cpimportd.run.pipeline import run_once
from cpimportd.run.request import RunRequest

_SPEC = importlib.util.spec_from_file_location(
    "commit_proxy", Path(__file__).parents[1] / "support" / "run" / "commit_proxy.py"
)
commit_proxy = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(commit_proxy)


def through(url: str, folder: str) -> tuple[Path, str]:
    """The server's socket, and the same URL through the proxy's folder."""
    host = parse_qs(urlsplit(url).query)["host"][0]
    return Path(host) / ".s.PGSQL.5432", url.replace(host, folder)


@pytest.mark.asyncio
@pytest.mark.parametrize("after", [False, True], ids=["before COMMIT arrives", "after COMMIT was carried out"])
async def test_a_connection_lost_during_commit_is_asked_about_and_never_guessed(workplace, after):
    workplace.sample("day1")
    with tempfile.TemporaryDirectory() as folder:
        socket, url = through(workplace.url, folder)
        settings = workplace.settings.model_copy(update={"database": Database(url=url)})
        async with commit_proxy.cutting_commit(socket, Path(folder), after=after) as cuts:
            report = await run_once(settings, RunRequest())
    assert cuts
    if after:
        assert (report.status, report.code) == (RunStatus.PUBLISHED, 0)
        assert workplace.books["expenses"] == 400
        assert (await workplace.run()).status is RunStatus.UNCHANGED
    else:
        assert (report.status, [p.code for p in report.problems]) == (RunStatus.FAILED, ["database-failed"])
        assert workplace.books["expenses"] == 0
        # The server gives the lost session's lock back as soon as it notices; on a busy machine that is not at once.
        for _ in range(100):
            again = await workplace.run()
            if [p.code for p in again.problems] != ["run-under-way"]:
                break
            await asyncio.sleep(0.1)
        assert again.status is RunStatus.PUBLISHED


@pytest.mark.asyncio
async def test_a_run_that_was_declared_abandoned_meanwhile_publishes_nothing(workplace, sql):
    workplace.sample("day1")

    def abandon(progress) -> None:
        if progress.stage == "publish" and not progress.finished:
            sql(workplace.url, "UPDATE cpimportd.runs SET status = 'abandoned'")

    report = await run_once(workplace.settings, RunRequest(), abandon)
    assert (report.status, [p.code for p in report.problems], report.code) == (RunStatus.FAILED, ["run-superseded"], 4)
    assert workplace.books["expenses"] == 0


@pytest.mark.asyncio
async def test_a_cancellation_that_comes_too_late_lets_the_run_finish(workplace, sql):
    workplace.sample("day1")
    tasks: list[asyncio.Task] = []

    def cancel(progress) -> None:
        if progress.stage == "tell":
            tasks[0].cancel()

    tasks.append(asyncio.create_task(run_once(workplace.settings, RunRequest(), cancel)))
    report = await tasks[0]
    assert report.status is RunStatus.PUBLISHED
    (stored,) = sql(workplace.url, "SELECT status, report FROM cpimportd.runs")
    assert stored["status"] == "published"
    assert stored["report"]


@pytest.mark.asyncio
async def test_a_run_cancelled_while_reading_is_recorded_and_its_slot_stays_free(workplace, sql):
    workplace.sample("day1")
    tasks: list[asyncio.Task] = []

    def cancel(progress) -> None:
        if progress.stage == "read":
            tasks[0].cancel()

    tasks.append(asyncio.create_task(run_once(workplace.settings, RunRequest(), cancel)))
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert [r["status"] for r in sql(workplace.url, "SELECT status FROM cpimportd.runs")] == ["failed"]
    assert workplace.books["expenses"] == 0
