"""Two sample days published and a third one held, once; a real web process over a copy of that."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cpimportd.config.settings import Database, Settings, Source
from cpimportd.core.report import RunStatus
from cpimportd.run.pipeline import run_once
from cpimportd.run.request import RunRequest
from tests.support.web.served import TOKEN, Served, configure

SAMPLES = Path(__file__).parent.parent / "samples"


def upload_sample(day: str, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SAMPLES / day, folder)
    for path in folder.iterdir():
        os.utime(path, (time.time() - 7200,) * 2)


@pytest.fixture(scope="session")
def published_template(templates: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with three runs: day 1, day 2, and day 2 again with a workbook of 0 bytes. Copied, never used itself."""
    name, folder = "template_web", tmp_path_factory.mktemp("published")
    templates.create(name, templates.migrated(), "cpimportd")
    upload, state = folder / "upload", folder / "state"
    state.mkdir()
    settings = Settings(
        database=Database(url=templates.server.url(name, "cpimportd")),
        source=Source(url=upload.as_uri(), stable_for=timedelta(0)),
        state_directory=state,
    )

    async def three_runs() -> None:
        for day, status in (("day1", RunStatus.PUBLISHED), ("day2", RunStatus.PUBLISHED), ("day2", RunStatus.HELD)):
            upload_sample(day, upload)
            if status is RunStatus.HELD:
                broken = next(path for path in sorted(upload.iterdir()) if "rasshifrovka" in path.name.lower())
                broken.write_bytes(b"")
                os.utime(broken, (time.time() - 7200,) * 2)
            assert (await run_once(settings, RunRequest())).status is status

    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(asyncio.run, three_runs()).result()
    return name


@pytest.fixture(scope="session")
def shared_books(templates: Any, published_template: str) -> str:
    """The URL of a copy that tests only read."""
    return templates.server.url(templates.fresh(published_template, "cpimportd"), "cpimportd")


@pytest.fixture
def web_folder() -> Iterator[Path]:
    """A short, private folder for a configuration and a state."""
    folder = Path(tempfile.mkdtemp(prefix="web-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def serve(web_folder: Path) -> Iterator[Callable[..., Served]]:
    """``serve(url, **keys)`` starts a web process over a database; all are gone after the test."""
    started: list[Served] = []

    def start(url: str, **keys: object) -> Served:
        named = {name.replace("__", "."): value for name, value in keys.items()}
        config = configure(
            web_folder / "cpimportd.toml",
            {
                "state_directory": str(web_folder / "state"),
                "database.url": url,
                "web.listen": "127.0.0.1:0",
                "web.token": TOKEN,
                **named,
            },
        )
        (web_folder / "state").mkdir(mode=0o700, exist_ok=True)
        started.append(Served(web_folder, config).__enter__())
        return started[-1]

    yield start
    for one in started:
        one.__exit__()


@pytest.fixture(scope="module")
def served(shared_books: str) -> Iterator[Served]:
    """One web process for tests that only ask."""
    folder = Path(tempfile.mkdtemp(prefix="web-", dir="/tmp"))
    (folder / "state").mkdir(mode=0o700)
    keys = {
        "state_directory": str(folder / "state"),
        "database.url": shared_books,
        "web.listen": "127.0.0.1:0",
        "web.token": TOKEN,
        "web.hosts": ["import.example.org"],
        "web.page_limit": 50,
    }
    with Served(folder, configure(folder / "cpimportd.toml", keys)) as process:
        yield process
    shutil.rmtree(folder)
