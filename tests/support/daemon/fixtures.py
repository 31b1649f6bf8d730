"""The daemon as a process: a real database, a real upload folder, a socket that plays systemd, real signals."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.support.daemon.notify_socket import NotifySocket
from tests.support.daemon.other_user import OPTIONS, python_for_everybody
from tests.support.daemon.place import Place


@pytest.fixture
def notify() -> Iterator[NotifySocket]:
    with NotifySocket() as socket:
        yield socket


@pytest.fixture
def place(database: str, sql: Callable[..., list[Any]], notify: NotifySocket) -> Iterator[Place]:
    """Where a daemon works; whatever was started there is gone after the test."""
    # Not pytest's own folder: other users cannot enter it, and sockets must have short names.
    folder = Path(tempfile.mkdtemp(prefix="daemon-", dir="/tmp"))
    folder.chmod(0o755)
    made = Place(folder, database, sql, notify)
    try:
        yield made
    finally:
        made.end()
        shutil.rmtree(folder)


@pytest.fixture
def locked(place: Place) -> Callable[[], AbstractContextManager[None]]:
    """Somebody holds a lock on the expenses meanwhile: a run waits before it merges."""

    @contextmanager
    def holding() -> Iterator[None]:
        with asyncio.Runner() as loop:
            connection = loop.run(asyncpg.connect(place.url))
            loop.run(connection.execute("BEGIN; LOCK TABLE fin_expenses IN EXCLUSIVE MODE"))
            try:
                yield
            finally:
                loop.run(connection.close())

    return holding


@pytest.fixture(scope="session")
def everybodys_python() -> Iterator[str]:
    """A Python that another user can run."""
    folder = Path(tempfile.mkdtemp(prefix="python-", dir="/tmp"))
    try:
        yield python_for_everybody(folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def as_nobody(place: Place, everybodys_python: str) -> dict[str, Any]:
    """Options for a process of another ordinary user."""
    place.python = everybodys_python
    return OPTIONS
