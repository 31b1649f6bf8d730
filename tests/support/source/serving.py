"""Servers, certificates and settings for the tests of the source."""

import os
import shutil
import stat
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import SecretStr

from cpimportd.config import settings
from cpimportd.core.problems import Problem, ProblemError
from tests.support.secrets import FTP
from tests.support.source import certificates, real_servers
from tests.support.source.real_servers import Running

Start = Callable[..., Running]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of 127.0.0.1 in one file."""
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    issued = authority.issue_cert("127.0.0.1", "localhost", key_type=certificates.RSA)
    issued.private_key_and_cert_chain_pem.write_to_path(str(path))
    path.chmod(0o600)
    return path


@pytest.fixture
def served() -> Iterator[Path]:
    """A folder that a server's unprivileged user can reach; pytest's own folders are closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="cpimportd-served-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start(served: Path, tmp_path: Path, certificate: Path) -> Iterator[Start]:
    """Start servers by kind: ``start("vsftpd", tls=True, options={...})``."""
    with ExitStack() as running:

        def begin(
            kind: str,
            *,
            tls: bool = False,
            options: dict[str, str] | None = None,
            tls_version: str | None = None,
            shows: Path = certificate,
        ) -> Running:
            scratch = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=tmp_path))
            return running.enter_context(
                real_servers.start(kind, served, scratch, shows if tls else None, options, tls_version)
            )

        yield begin


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def put(folder: Path, name: str | bytes, content: bytes, *, seconds_ago: float = 3600) -> Path:
    """Write a file as of some time ago."""
    path = folder / os.fsdecode(name)
    path.write_bytes(content)
    path.chmod(0o644)
    then = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).timestamp()
    os.utime(path, (then, then))
    return path


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modified(path: Path) -> float:
    return path.stat().st_mtime


def settings_for(server: Running, ca: Path | None = None, folder: str = "", **changes: Any) -> settings.Source:
    """Settings for a running server, with time limits fit for the loopback interface."""
    values: dict[str, Any] = {
        "url": server.url(folder),
        "user": server.user,
        "password": SecretStr(server.password),
        "tls_ca": ca if server.tls else None,
        "connect_timeout": 5,
        "command_timeout": 5,
        "transfer_timeout": 30,
    }
    return settings.Source(**(values | changes))


def retry_for(seconds: float = 0) -> settings.Retry:
    return settings.Retry(within=seconds, wait_first=0.05, wait_longest=0.2)


def source_at(url: str, **changes: Any) -> settings.Source:
    """A server that is given up after seconds."""
    values: dict[str, Any] = {
        "url": url,
        "user": "finance",
        "password": SecretStr(FTP),
        "connect_timeout": 2,
        "command_timeout": 2,
        "transfer_timeout": 5,
    }
    return settings.Source(**(values | changes))


async def failure_of(work: Awaitable[object]) -> Problem:
    """The problem with which something failed."""
    with pytest.raises(ProblemError) as failure:
        await work
    return failure.value.problems[0]
