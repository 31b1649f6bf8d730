"""Books and a spool with three real days, the third broken, made once; each test works on a copy of the database."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.database import Templates, run_apart, run_sql
from tests.support.run.workplace import Workplace, make_workplace

TEMPLATE = "template_rehearse"
DAYS = [datetime.now(UTC).date() - timedelta(days=ago) for ago in (4, 3, 2)]


@pytest.fixture(scope="module")
def three_days(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Imported: sample day 1, day 2 with one wrong Итого, day 2 whole."""
    templates.create(TEMPLATE, templates.migrated(), "cpimportd")
    url = templates.server.url(TEMPLATE, "cpimportd")
    place = make_workplace(url, tmp_path_factory.mktemp("rehearse"), run_sql)
    for day, spoil in (("day1", False), ("day2", True), ("day2", False)):
        place.sample(day)
        if spoil:
            path = place.file("Lotos - Postuplenie")
            path.write_bytes(path.read_bytes()[:5000])
        run_apart(place.run())
    _make_days(place)
    return place


def _make_days(place: Workplace) -> None:
    """As if the runs had taken place on three days."""
    folders = sorted(path for path in place.settings.spool_directory.iterdir() if path.name != "contents")
    for day, path in zip(DAYS, folders, strict=True):
        path.rename(path.with_name(re.sub(r"^\d{8}T\d{6}", f"{day:%Y%m%d}T090000", path.name)))


@pytest.fixture
def books(three_days: Workplace, templates: Templates, tmp_path: Path) -> Iterator[Workplace]:
    """A copy of them."""
    name = templates.fresh(TEMPLATE, "cpimportd")
    shutil.copytree(three_days.state, tmp_path / "state", copy_function=shutil.copy2)
    (tmp_path / "upload").mkdir()
    yield Workplace(templates.server.url(name, "cpimportd"), tmp_path / "upload", tmp_path / "state", run_sql)
    templates.drop([name])


@pytest.fixture
def books_beside(books: Workplace) -> Workplace:
    """The same for a user who may create databases: the rehearsal plays beside the books."""
    books.url = books.url.replace("//cpimportd@", "//postgres@", 1)
    return books


@pytest.fixture
def scratch_databases(templates: Templates):
    """The databases of rehearsals that are on the server now."""

    def found() -> list[str]:
        rows = run_sql(
            templates.server.url(),
            "SELECT datname FROM pg_database WHERE datname LIKE 'cpimportd\\_rehearsal\\_%'",
        )
        return [row["datname"] for row in rows]

    return found


async def until(true, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.05)
