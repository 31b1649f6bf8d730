"""A database that holds the first day, copied for every test; what it should hold after the second."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cpimportd.books.database.embedded import EmbeddedPostgres
from cpimportd.core.report import RunStatus
from tests.support.database import MakeDatabase, Templates, chosen_postgres, run_apart, run_sql
from tests.support.faults.books import Books, new_books


def make_first_day(templates: Templates, folder: Path) -> tuple[str, str]:
    """On a server, the name of a database with the first day published, and the content of one that has both."""
    name, after = "template_first_day", "template_second_day"
    for made, template, day in ((name, templates.migrated(), "day1"), (after, name, "day2")):
        templates.create(made, template, "cpimportd")
        (folder / day).mkdir()
        place = new_books(templates.server.url(made, "cpimportd"), folder / day, run_sql, day)
        assert run_apart(place.run()).status is RunStatus.PUBLISHED
    return name, place.content


@pytest.fixture(scope="session")
def first_day(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return make_first_day(templates, tmp_path_factory.mktemp("first_day"))


@pytest.fixture(scope="session")
def own_server() -> Iterator[EmbeddedPostgres]:
    """A server that may be restarted, filled up and copied: nothing else runs on it."""
    server = chosen_postgres()
    # What was committed has to be there after a crash, and be copied to a standby.
    server._configuration |= {"synchronous_commit": "on", "wal_level": "replica", "max_wal_senders": "4"}
    with server:
        yield server


@pytest.fixture(scope="session")
def own_first_day(own_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[Templates, str, str]:
    """The first day on the server of one's own."""
    templates = Templates(own_server)
    return templates, *make_first_day(templates, tmp_path_factory.mktemp("own_first_day"))


@pytest.fixture
def own_books(
    own_first_day: tuple[Templates, str, str], tmp_path: Path, sql: Callable[..., list[Any]]
) -> Iterator[Books]:
    """Books with the first day in them on the server of one's own."""
    templates, template, second_day = own_first_day
    name = templates.fresh(template, "cpimportd")
    made = new_books(templates.server.url(name, "cpimportd"), tmp_path, sql)
    made.second_day = second_day
    # A sequence in a copied database logs its next 32 numbers anew only after a checkpoint: a crash would give them twice.
    run_sql(templates.server.url(), "CHECKPOINT")
    yield made
    templates.drop([name])


@pytest.fixture
def make_books(
    first_day: tuple[str, str], make_database: MakeDatabase, tmp_path: Path, sql: Callable[..., list[Any]]
) -> Callable[[], Books]:
    """Gives, each time, fresh books with the first day in them and the second uploaded."""
    numbers = itertools.count()

    def make() -> Books:
        folder = tmp_path / f"books{next(numbers)}"
        folder.mkdir()
        made = new_books(make_database(first_day[0]), folder, sql)
        made.second_day = first_day[1]
        return made

    return make


@pytest.fixture
def books(make_books: Callable[[], Books]) -> Books:
    """Books with the first day in them, the second uploaded."""
    return make_books()
