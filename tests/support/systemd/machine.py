"""A box in which the package is installed: its configuration, its unit and its journal at hand."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.secrets import look_at
from tests.support.systemd.box import Box

SAMPLES = Path(__file__).parents[2] / "samples"
UPLOAD = "srv/upload"
UNIT = "cpimportd.service"
SOCKET_FOLDER = "/run/postgresql"
"""Where a local PostgreSQL of Debian listens, and where the tests' server is to be found in a box."""

_HOURS_AGO = 2 * 3600


@dataclass(frozen=True)
class Machine:
    """A running box, and what an administrator does on it."""

    box: Box

    def configure(self, database: str, **keys: str) -> None:
        """Write the configuration: the upload folder as source, and further keys with their values in TOML.

        Args:
            database: the URL of a test database, as the host knows it.
            keys: dotted, with two underscores for the dot: ``schedules__import__at='"*:0/5"'``.
        """
        values = {
            "database__url": f'"{inside(database)}"',
            "source__url": f'"file:///{UPLOAD}"',
            "source__stable_for": "0",
            "retry__within": "0",
            **keys,
        }
        lines = [f"{name.replace('__', '.')} = {value}" for name, value in values.items()]
        self.write("etc/cpimportd/cpimportd.toml", "\n".join(lines) + "\n")

    def write(self, path: str, text: str) -> None:
        """Write a file; an existing one keeps its owner and mode."""
        file = self.box.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def credential(self, key: str, secret: str) -> None:
        """Put a secret where the unit loads it from."""
        path = f"etc/credstore/cpimportd.{key}"
        self.write(path, f"{secret}\n")
        (self.box.root / path).chmod(0o600)

    def drop_in(self, text: str, unit: str = UNIT) -> None:
        """Add to a unit, as ``systemctl edit`` does."""
        self.write(f"etc/systemd/system/{unit}.d/test.conf", text)
        self.box.run("systemctl", "daemon-reload")

    def upload(self, day: str) -> None:
        """1C uploads a sample day."""
        folder = self.box.root / UPLOAD
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(SAMPLES / day, folder)
        folder.chmod(0o755)
        for path in folder.iterdir():
            path.chmod(0o644)
            # A fresh upload's other half would be waited for.
            os.utime(path, (time.time() - _HOURS_AGO,) * 2)

    def systemctl(self, *arguments: str, check: bool = True) -> str:
        """Run systemctl; gives all that it said."""
        done = self.box.run("systemctl", *arguments, check=check)
        return done.stdout + done.stderr

    def show(self, *properties: str, unit: str = UNIT) -> dict[str, str]:
        """Properties of a unit."""
        said = self.systemctl("show", f"--property={','.join(properties)}", unit)
        return dict(line.split("=", 1) for line in said.splitlines())

    def wait_until(self, condition: Callable[[], Any], seconds: float = 100) -> Any:
        """Look again until something holds; gives it.

        Raises:
            AssertionError: it never did; with the journal's end.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(0.05)
        raise AssertionError(f"it did not come to that within {seconds} s; the journal's end:\n{self.journal_text()}")

    def wait_for_state(self, state: str, seconds: float = 100) -> None:
        """Wait until the unit is in a state such as ``active`` or ``failed``."""
        self.wait_until(lambda: self.show("ActiveState")["ActiveState"] == state, seconds)

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """Entries of the journal, oldest first, with all their fields."""
        self.box.run("journalctl", "--sync")
        said = self.box.run("journalctl", "--all", "--output=json", *matches, check=False).stdout
        look_at("the journal", said)
        return [json.loads(line) for line in said.splitlines()]

    def messages(self, *matches: str) -> list[str]:
        """The texts alone of :meth:`journal`."""
        return [entry["MESSAGE"] for entry in self.journal(*matches)]

    def journal_text(self) -> str:
        """The unit's journal as a person sees it."""
        self.box.run("journalctl", "--sync")
        return self.box.run("journalctl", "--unit", UNIT, "--lines=60", check=False).stdout

    def processes(self) -> Iterator[Mapping[str, str]]:
        """Command line and environment of every process in the box, as root sees them."""
        for folder in (self.box.root / "proc").glob("[0-9]*"):
            try:
                yield {name: (folder / name).read_bytes().decode(errors="replace") for name in ("cmdline", "environ")}
            except (FileNotFoundError, ProcessLookupError):
                continue


def inside(database: str) -> str:
    """A test database's URL as it is from within a box."""
    return f"{database.partition('?')[0]}?host={SOCKET_FOLDER}"
