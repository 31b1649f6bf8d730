"""Whole runs: a folder of exports, a real database, the real pipeline with its child processes."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cpimportd.config.settings import Database, Settings, Source
from cpimportd.core.report import RunReport
from cpimportd.run.pipeline import run_once
from cpimportd.run.request import RunRequest
from tests.support import launcher

SAMPLES = Path(__file__).parents[2] / "samples"

SUMS = """
    SELECT (SELECT count(*) FROM fin_receipts WHERE department_id = 8) AS receipts,
           (SELECT count(*) FROM fin_expenses WHERE department_id = 8) AS expenses,
           (SELECT count(*) FROM fin_expense_details WHERE department_id = 8) AS details,
           (SELECT coalesce(sum(amount), 0) FROM fin_receipts WHERE department_id = 8) AS receipts_sum,
           (SELECT coalesce(sum(amount), 0) FROM fin_expenses WHERE department_id = 8) AS expenses_sum,
           (SELECT coalesce(sum(payment_amount), 0) FROM fin_expense_details WHERE department_id = 8) AS details_sum,
           (SELECT md5(string_agg(e::text, '' ORDER BY id)) FROM fin_expenses e) AS expenses_md5,
           (SELECT md5(string_agg(d::text, '' ORDER BY id)) FROM fin_expense_details d) AS details_md5,
           (SELECT md5(string_agg(r::text, '' ORDER BY id)) FROM fin_receipts r) AS receipts_md5
"""


@dataclass
class Workplace:
    """A database, a folder that 1C uploads into, and ways to run the product over both."""

    url: str
    upload: Path
    state: Path
    sql: Callable[..., list[Any]]

    @property
    def settings(self) -> Settings:
        return Settings(
            database=Database(url=self.url),  # type: ignore[arg-type]
            source=Source(url=self.upload.as_uri(), stable_for=timedelta(0)),
            state_directory=self.state,
        )

    def sample(self, day: str) -> None:
        """1C uploads a whole sample day."""
        shutil.rmtree(self.upload, ignore_errors=True)
        shutil.copytree(SAMPLES / day, self.upload)
        # A fresh checkout's files are a moment old, and a fresh upload's other half would be waited for.
        for path in self.upload.iterdir():
            os.utime(path, (time.time() - 7200,) * 2)

    def file(self, part: str) -> Path:
        """The uploaded workbook with this in its name."""
        (found,) = [path for path in self.upload.iterdir() if part in path.name]
        return found

    async def run(self, settings: Settings | None = None, **request: Any) -> RunReport:
        return await run_once(settings or self.settings, RunRequest(**request))

    @property
    def books(self) -> dict[str, Any]:
        return dict(self.sql(self.url, SUMS)[0])

    def config(self) -> Path:
        path = self.state / "cpimportd.toml"
        path.write_text(
            f'state_directory = "{self.state}"\n'
            f'[database]\nurl = "{self.url}"\n'
            f'[source]\nurl = "{self.upload.as_uri()}"\nstable_for = 0\n'
        )
        path.chmod(0o600)
        return path

    def command(self, *arguments: str, config: Path | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the real command as a user would."""
        return launcher.run(*arguments, "--config", str(config or self.config()), **options)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        verb = [sys.executable, "-m", "cpimportd", *arguments, "--config", str(self.config())]
        return subprocess.Popen(verb, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def workplace(database: str, tmp_path: Path, sql: Callable[..., list[Any]]) -> Workplace:
    """A migrated database and an empty upload folder."""
    return make_workplace(database, tmp_path, sql)


@pytest.fixture
def workplace_for(tmp_path: Path, sql: Callable[..., list[Any]]) -> Callable[[str], Workplace]:
    """The same for any database."""
    return lambda url: make_workplace(url, tmp_path, sql)


def make_workplace(url: str, folder: Path, sql: Callable[..., list[Any]]) -> Workplace:
    (folder / "upload").mkdir()
    (folder / "state").mkdir()
    return Workplace(url, folder / "upload", folder / "state", sql)


@pytest.fixture
def truth() -> Callable[[str], dict[str, Any]]:
    """What is true about a sample day."""
    return lambda day: json.loads((SAMPLES / f"{day}.json").read_text(encoding="utf-8"))
