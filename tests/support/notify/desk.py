"""Runs' reports, a real database, and real receivers."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cpimportd.config.settings import Settings
from cpimportd.core.model import Group, Kind, Unit
from cpimportd.core.problems import Problem, problem
from cpimportd.core.report import FileReport, FileStatus, RunReport, RunStatus, UnitReport, UnitStatus
from cpimportd.notify.after_run import Occasion, notify_after_run
from tests.support.database import Templates
from tests.support.notify.receivers import WebServer
from tests.support.secrets import ALERT_TOKEN, look_at

LOTOS, VEGA = Unit("ЛОТОС ООО", Group.EXPENSES), Unit("ВЕГА ООО", Group.RECEIPTS)
SHRUNK = problem("shrunk", organization="ЛОТОС ООО", count=20, before=100, sum="5.00", limit="3", unit=LOTOS.name)
LOGIN = problem("source-login", server="ftp.example.org", user="u", reason="530 no")


def run_report(status: RunStatus = RunStatus.PUBLISHED, *problems: Problem, held: tuple[Unit, ...] = (), because: Problem = SHRUNK, modified: datetime | None = None, run: int | None = None) -> RunReport:  # fmt: skip
    """What a run says of itself in which these units were held, and all else was well."""
    units = tuple(
        UnitReport(unit, UnitStatus.HELD, problems=(because,))
        if unit in held
        else UnitReport(unit, UnitStatus.PUBLISHED)
        for unit in (LOTOS, VEGA)
    )
    file = FileReport("Vega.xlsx", Kind.RECEIPTS, ("ВЕГА ООО",), modified, FileStatus.PUBLISHED, 3)
    seen = status is not RunStatus.FAILED
    return RunReport(
        run, status, datetime.now(UTC), 1.0, (file,) if seen else (), units if seen else (), problems=problems
    )


WELL = run_report()
FAILED = run_report(RunStatus.FAILED, LOGIN)
HELD = run_report(RunStatus.PARTIAL, held=(LOTOS,))


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@dataclass
class Desk:
    """One department's books, and settings that send alerts to a web server, by an address with a secret in it."""

    url: str
    state: Path
    sql: Callable[..., list[Any]]
    web: WebServer
    more: dict[str, object] = field(default_factory=dict)

    def settings(self, **alerts: object) -> Settings:
        given = {"urls": [f"json://{self.web.address}/{ALERT_TOKEN}"], "timeout": 8, **self.more, **alerts}
        return Settings.model_validate(
            {"database": {"url": self.url}, "state_directory": str(self.state), "alerts": given}
        )

    def notify_after_run(self, report: RunReport, occasion: Occasion | None = None, /, **alerts: object) -> list[str]:
        """A run ended so; gives the codes of what could not be told."""
        told = asyncio_apart(notify_after_run(self.settings(**alerts), occasion or Occasion(), report))
        return [found.code for found in told.problems[len(report.problems) :]]

    @property
    def conditions(self) -> dict[str, str]:
        return {row["subject"]: row["state"] for row in self.rows("condition")}

    def rows(self, table: str) -> list[dict[str, Any]]:
        return [dict(row) for row in self.sql(self.url, f"SELECT * FROM cpimportd.{table} ORDER BY 1, 2")]

    def later(self, **span: float) -> None:
        """Time passes."""
        moved = timedelta(**span).total_seconds()
        self.sql(self.url, f"UPDATE cpimportd.condition SET told_at = told_at - interval '{moved} seconds'")


def asyncio_apart(work: Any) -> Any:
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.fixture(scope="module")
def queue_database(templates: Templates) -> Iterator[str]:
    name = templates.fresh(templates.migrated(), "cpimportd")
    yield templates.server.url(name, "cpimportd")
    templates.drop([name])


@pytest.fixture
def desk(queue_database: str, tmp_path: Path, sql: Callable[..., list[Any]], web: WebServer) -> Iterator[Desk]:
    sql(queue_database, "TRUNCATE cpimportd.condition, cpimportd.alert RESTART IDENTITY")
    yield Desk(queue_database, tmp_path, sql, web)
    look_at("the queue of alerts", str(sql(queue_database, "SELECT a::text FROM cpimportd.alert a")))
