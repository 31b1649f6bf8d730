"""The demo's dashboard: the real daemon and the real web process over the demo's books, until the demo ends."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from cpimportd.config.settings import Settings
from cpimportd.core.problems import ProblemError
from cpimportd.daemon.client import Client

_NOT_INHERITED: Final = ("CPIMPORTD_", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "NOTIFY_SOCKET")
"""What would configure our processes otherwise than the demo's file does."""
_TIMEOUT: Final = 60.0
"""Seconds for a process to start or to end."""


class DashboardError(Exception):
    """The dashboard does not start; the text is what its process said."""


@contextmanager
def dashboard(folder: Path, settings: Settings) -> Iterator[str]:
    """Run both processes.

    Args:
        folder: for their configuration and logs; private, since it holds the FTP server's password.
        settings: of the demo's runs.

    Yields:
        The dashboard's address, with a token of its own after the ``#``, which no browser sends anywhere.

    Raises:
        DashboardError: the web process ended at once, as it does where its libraries are not installed.
    """
    settings.state_directory.chmod(0o700)
    config = _configuration(folder / "cpimportd.toml", settings)
    token = secrets.token_urlsafe(24)
    with (
        _process(folder, "daemon", config) as _,
        _process(folder, "web", config, "--json", CPIMPORTD_WEB__TOKEN=token) as web,
    ):
        address = _address(web, folder / "web.log")
        _wait_for_daemon(settings.state_directory)
        yield f"{address}#token={token}"


def _configuration(file: Path, settings: Settings) -> Path:
    source, database = settings.source, settings.database
    keys = {
        "state_directory": str(settings.state_directory),
        "database.url": database.url and database.url.get_secret_value(),
        "source.url": source.url,
        "source.user": source.user,
        "source.password": source.password and source.password.get_secret_value(),
        "source.stable_for": 0,
        "retry.within": 0,
        "web.listen": "127.0.0.1:0",
    }
    file.touch(mode=0o600)
    # JSON's texts and numbers are TOML's, too.
    file.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()), encoding="utf-8")
    return file


@contextmanager
def _process(folder: Path, verb: str, config: Path, *options: str, **environ: str) -> Iterator["subprocess.Popen[str]"]:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    environment: Mapping[str, str] = {**inherited, **environ}
    argv = [sys.executable, "-m", "cpimportd", verb, "--config", str(config), *options]
    with (folder / f"{verb}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603  our own program and arguments
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
            start_new_session=True,  # a Ctrl-C is for the demo, which ends them in its order
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _address(process: "subprocess.Popen[str]", log: Path) -> str:
    printed = "".join(_document(process.stdout))
    try:
        return str(json.loads(printed)["address"])
    except (ValueError, KeyError):
        raise DashboardError(log.read_text(encoding="utf-8").strip()) from None


def _document(lines: IO[str] | None) -> Iterator[str]:
    """The lines of the one document that the process prints when it is ready; none where it ends instead."""
    for line in lines or ():
        yield line
        if line.startswith("}"):
            return


def _wait_for_daemon(state: Path) -> None:
    """Let the daemon come up, so that the page does not begin with the news that none runs."""
    deadline = time.monotonic() + _TIMEOUT / 4
    while time.monotonic() < deadline:
        with suppress(ProblemError):
            Client(state).status()
            return
        time.sleep(0.1)
