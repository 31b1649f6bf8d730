"""A holding of two hundred organizations, imported whole: a good day, then a day with three broken workbooks."""

import asyncio
import io
import json
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cpimportd.config.sections import Alerts
from cpimportd.config.settings import Database, Settings, Source
from cpimportd.core.report import RunReport
from cpimportd.demo.exports import ExportDay, Holding
from cpimportd.notify.after_run import Occasion, run_with_notifications
from cpimportd.run.pipeline import run_once
from cpimportd.run.request import RunRequest
from cpimportd.workbook import reading
from cpimportd.workbook.protocol import Output
from cpimportd.workbook.worker import work

ORGANIZATIONS = 200


@dataclass(frozen=True)
class Imported:
    """The books of the holding, and what its two runs reported. Whoever uses it must not write to it."""

    url: str
    config: Path
    days: tuple[ExportDay, ExportDay]
    reports: tuple[RunReport, RunReport]


def understand(job: bytes) -> bytes:
    """What the child that reads a workbook would say, said without one."""
    asked, said = json.loads(job), io.BytesIO()
    work(asked, Path(asked["path"]), Output(said, asked["most_problems"]))
    return said.getvalue()


@pytest.fixture(scope="session")
def quick_readers(pytestconfig: pytest.Config) -> Iterator[Callable[[pytest.MonkeyPatch], None]]:
    """Read without child processes: six hundred starts would take a minute, and are tested elsewhere.

    With ``--whole`` every workbook has its child, as in real life.
    """
    if pytestconfig.getoption("--whole"):
        yield lambda _: None
        return

    async def said(_: Any, job: bytes, limits: Any, *, file: str) -> AsyncGenerator[bytes, None]:
        yield await asyncio.to_thread(understand, job)

    yield lambda patch: patch.setattr(reading, "run_limited", said)


@pytest.fixture(scope="session")
def imported(templates: Any, tmp_path_factory: pytest.TempPathFactory, quick_readers: Any) -> Iterator[Imported]:
    holding = Holding(organizations=ORGANIZATIONS, receipts=2, expenses=3)
    days = (holding.day(1), holding.broken_day(2))
    folder = tmp_path_factory.mktemp("growth")
    (folder / "upload").mkdir()
    (folder / "state").mkdir(mode=0o700)
    name = templates.fresh(templates.migrated(), "cpimportd")
    settings = Settings(
        database=Database(url=templates.server.url(name, "cpimportd")),
        source=Source(url=(folder / "upload").as_uri(), stable_for=timedelta(0)),
        state_directory=folder / "state",
        alerts=Alerts(
            urls=(SecretStr("json://127.0.0.1:9/"),)
        ),  # nobody listens there: what is to be told stays queued
    )
    config = folder / "cpimportd.toml"
    config.write_text(
        f'state_directory = "{folder}/state"\n[database]\nurl = "{templates.server.url(name, "cpimportd")}"\n'
        f'[source]\nurl = "{settings.source.url}"\nstable_for = 0\n'
    )
    config.chmod(0o600)

    def run(day: ExportDay) -> RunReport:
        for path in day.write(folder / "upload"):
            os.utime(path, (time.time() - 7200,) * 2)  # its two halves were not uploaded a moment ago
        with ThreadPoolExecutor(1) as thread:
            watching = run_with_notifications(settings, Occasion(), run_once(settings, RunRequest()))
            return thread.submit(asyncio.run, watching).result()

    with pytest.MonkeyPatch.context() as patch:
        quick_readers(patch)
        reports = (run(days[0]), run(days[1]))
    yield Imported(templates.server.url(name, "cpimportd"), config, days, reports)
    templates.drop([name])
