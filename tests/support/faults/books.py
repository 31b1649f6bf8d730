"""Books with one day in them, run after run broken and put right again: what is compared, and by what it is broken."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg

from cpimportd.config.settings import Database, Retry, Settings, Source
from cpimportd.core.model import BACKEND_TABLES, Progress
from cpimportd.core.report import RunReport, RunStatus
from cpimportd.run.pipeline import run_once
from cpimportd.run.request import RunRequest
from tests.support.run.workplace import make_workplace

_EXACT = " UNION ALL ".join(
    f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} t"
    for table in (*BACKEND_TABLES, "cpimportd.lineage")
)

_STAMP = "'created', x.created_at > s.at, 'updated', x.updated_at > s.at"
_NAMES = """'organization', (SELECT name FROM fin_organizations WHERE id = x.organization_id),
            'account', (SELECT account_number FROM fin_bank_accounts WHERE id = x.bank_account_id),
            'contract', (SELECT contract_number FROM fin_contracts WHERE id = x.contract_id)"""
_KEYS = "ARRAY['id', 'created_at', 'updated_at', 'organization_id', 'bank_account_id', 'contract_id']"
_LOGGED = "ARRAY['id', 'import_date', 'processing_time_seconds']"
_TRACED = "ARRAY['first_run', 'last_run', 'snapshot_id', 'detail_snapshot_id']"

# What two databases have in common that took in the same days: everything but numbers that a rolled-back transaction
# burnt, and moments, of which only counts whether they are older than the second day.
_CONTENT = f"""
    WITH s AS (SELECT finished_at::timestamp AS at FROM cpimportd.runs WHERE id = 1),
    traced AS (
        SELECT (to_jsonb(x) - {_TRACED}) || jsonb_build_object(
                   'inserted', x.first_run > 1, 'changed', x.last_run > 1,
                   'file', (SELECT file FROM cpimportd.snapshot WHERE id = x.snapshot_id),
                   'details', (SELECT file FROM cpimportd.snapshot WHERE id = x.detail_snapshot_id)) AS row
        FROM cpimportd.lineage x)
    SELECT 'organizations' AS kind, ((to_jsonb(x) - {_KEYS}) || jsonb_build_object({_STAMP}))::text AS row
    FROM fin_organizations x, s
    UNION ALL SELECT 'accounts', ((to_jsonb(x) - {_KEYS}) || jsonb_build_object({_STAMP}))::text
    FROM fin_bank_accounts x, s
    UNION ALL SELECT 'contracts', ((to_jsonb(x) - {_KEYS}) || jsonb_build_object({_STAMP},
        'organization', (SELECT name FROM fin_organizations WHERE id = x.organization_id)))::text
    FROM fin_contracts x, s
    UNION ALL SELECT 'receipts', ((to_jsonb(x) - {_KEYS}) || jsonb_build_object({_STAMP}, {_NAMES}))::text
    FROM fin_receipts x, s
    UNION ALL SELECT 'expenses', ((to_jsonb(x) - {_KEYS}) || jsonb_build_object({_STAMP}, {_NAMES}))::text
    FROM fin_expenses x, s
    UNION ALL SELECT 'details', ((to_jsonb(x) - {_KEYS}) || jsonb_build_object('created', x.created_at > s.at))::text
    FROM fin_expense_details x, s
    UNION ALL SELECT 'log', (to_jsonb(x) - {_LOGGED})::text FROM fin_import_logs x
    UNION ALL SELECT 'lineage', row::text FROM traced
    UNION ALL SELECT 'served', (to_jsonb(x) - ARRAY['run_id', 'snapshot_id'])::text FROM cpimportd.served x
    ORDER BY 1, 2
"""


@dataclass
class Books:
    """A database that holds the first sample day, the second one uploaded beside it, and ways to look.

    Attributes:
        url: logged in as ``cpimportd``.
        root: the same as superuser.
        upload: where 1C uploads.
        state: the product's state folder.
        sql: runs statements on a connection of its own.
        second_day: what books hold that took in both days undisturbed.
    """

    url: str
    root: str
    upload: Path
    state: Path
    sql: Callable[..., list[Any]]
    second_day: str = ""

    def settings(self, url: str | None = None, **database: Any) -> Settings:
        """Settings for a run; keywords go into ``[database]``."""
        return Settings(
            database=Database(url=url or self.url, **database),  # type: ignore[arg-type]
            source=Source(url=self.upload.as_uri(), stable_for=timedelta(0)),
            retry=Retry(within=timedelta(seconds=20), wait_first=timedelta(milliseconds=50)),
            state_directory=self.state,
        )

    async def run(
        self, settings: Settings | None = None, progress: Callable[[Progress], None] = lambda _: None, **request: Any
    ) -> RunReport:
        return await run_once(settings or self.settings(), RunRequest(**request), progress)

    @property
    def exact(self) -> list[str]:
        """Every row and column of the ``fin_*`` tables and of lineage."""
        return [row[0] for row in self.sql(self.root, _EXACT)]

    @property
    def content(self) -> str:
        """What is comparable from one database to another."""
        rows = self.sql(self.root, _CONTENT)
        return hashlib.sha256("\n".join(f"{row[0]} {row[1]}" for row in rows).encode()).hexdigest()

    def has_report(self, report: RunReport) -> bool:
        """Whether a run's report is stored with its row; a run that got no row has none to store."""
        query = f"SELECT report ->> 'status' AS status FROM cpimportd.runs WHERE id = {report.run or 0}"
        return report.run is None or self.sql(self.root, query)[0]["status"] == report.status.value

    async def quiet(self) -> None:
        """Wait until the server has noticed that nobody of ours is connected any more."""
        await until(
            lambda: (
                not self.sql(
                    self.root,
                    """SELECT FROM pg_stat_activity
                   WHERE datname = current_database() AND usename = 'cpimportd' AND pid <> pg_backend_pid()""",
                )
            )
        )

    async def put_right(self) -> None:
        """The next run, which nothing disturbs, makes the books those of a run that nothing ever disturbed."""
        await self.quiet()
        report = await self.run()
        assert report.status in {RunStatus.PUBLISHED, RunStatus.UNCHANGED}, report.problems
        self.assert_right()

    def assert_right(self) -> None:
        assert self.content == self.second_day
        left = self.sql(self.root, "SELECT id FROM cpimportd.runs WHERE status = 'running'")
        assert not left, "a run's row says for ever that it is under way"


async def until(condition: Callable[[], object], within: float = 100) -> None:
    """Wait for a condition; each look may take its time."""
    deadline = time.monotonic() + within
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, "what was waited for did not come"
        await asyncio.sleep(0.05)


def server_socket(url: str) -> Path:
    """Where the server of a URL listens."""
    return Path(parse_qs(urlsplit(url).query)["host"][0]) / ".s.PGSQL.5432"


def through(url: str, folder: Path) -> str:
    """The same URL through a proxy that listens in a folder."""
    return url.replace(parse_qs(urlsplit(url).query)["host"][0], str(folder))


def killer(connection: asyncpg.Connection) -> Callable[[int], Awaitable[object]]:
    """Ends a server process and returns when it is gone."""

    async def kill(pid: int) -> object:
        return await connection.fetchval("SELECT pg_terminate_backend($1, 30000)", pid)

    return kill


def codes(report: RunReport) -> str:
    """What a run came to, as the table tells it: its status where it published, else its codes."""
    found = " ".join(f"`{code}`" for code in sorted({problem.code for problem in report.problems}))
    told = report.status.value if report.status is not RunStatus.FAILED else ""
    return ", ".join(part for part in (told, found) if part)


def assert_told(report: RunReport) -> None:
    """A failure is told with a way out, and is not a defect's."""
    assert report.status is RunStatus.FAILED
    assert report.code == report.problems[0].kind.exit_code == 1
    for problem in report.problems:
        assert problem.code != "internal", problem
        assert problem.way_out
        assert "Traceback" not in problem.message


def stand(books: Books, report: RunReport, before: list[str]) -> str:
    """How the books stand after a run: as before where it failed, right where it published; nothing between."""
    if report.status is RunStatus.FAILED:
        assert_told(report)
        assert books.exact == before
        return "books as before"
    books.assert_right()
    return "books as after an undisturbed run"


def new_books(url: str, folder: Path, sql: Callable[..., list[Any]], day: str = "day2") -> Books:
    """Books over a database, with a day uploaded."""
    place = make_workplace(url, folder, sql)
    place.sample(day)
    return Books(url, url.replace("//cpimportd@", "//postgres@", 1), place.upload, place.state, sql)
