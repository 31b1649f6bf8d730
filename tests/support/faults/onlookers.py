"""Somebody on the same machine who looks at every process of ours all the time, as ``ps`` and /proc let him."""

import contextlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.polling import processes, until

_ROLES = {
    "cpimportd.workbook.preload": "reader of a workbook",
    "-m cpimportd daemon": "daemon",
    "-m cpimportd.run.planner": "reader of the configuration",
    "-m cpimportd": "run",
    "pg_dump": "pg_dump",
}


@dataclass(frozen=True)
class Sight:
    """A process as it was seen: what it is, its command line, its environment, its limit of core dumps."""

    pid: int
    role: str
    command: str
    environment: str
    core_limit: str


class Onlooker(threading.Thread):
    """Looks at this process's descendants that are parts of the product, until the end of the ``with`` block."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._seen: dict[tuple[int, str], Sight] = {}
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    @property
    def seen(self) -> list[Sight]:
        """Every process with every command line that it had."""
        return list(self._seen.values())

    def of(self, role: str) -> list[Sight]:
        return [sight for sight in self.seen if sight.role == role]

    def wait_for(self, role: str) -> list[Sight]:
        """Wait until a process of this role was seen."""
        return until(lambda: self.of(role), f"{role} among {sorted({sight.role for sight in self.seen})}")

    def run(self) -> None:
        while not self._over.wait(0.005):
            everybody = processes()
            for pid, (_, command) in everybody.items():
                role = next((role for part, role in _ROLES.items() if part in command), None)
                if role and (pid, command) not in self._seen and _descends(pid, everybody):
                    self._look(pid, role, command)

    def _look(self, pid: int, role: str, command: str) -> None:
        folder = Path(f"/proc/{pid}")
        with contextlib.suppress(OSError):  # it is gone already
            environment = (folder / "environ").read_bytes().decode("utf-8", "replace")
            limits = (folder / "limits").read_text().splitlines()
            core = next(line for line in limits if line.startswith("Max core file size")).split()[4]
            # Only what is still the same has the environment that goes with the command line.
            if (folder / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ") == command:
                self._seen[pid, command] = Sight(pid, role, command, environment, core)


def _descends(pid: int, everybody: dict[int, tuple[int, str]]) -> bool:
    while pid in everybody and pid != os.getpid():
        pid = everybody[pid][0]
    return pid == os.getpid()
