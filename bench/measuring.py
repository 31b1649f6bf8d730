"""A process with all its children, measured from outside: time by the clock and on a processor, peak memory of all."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
BETWEEN_LOOKS = 0.05
"""Seconds between two looks at the memory of all processes."""


class RunFailedError(Exception):
    """What was to be measured failed; the text holds its last words."""


@dataclass(frozen=True)
class Measured:
    """What one run took.

    Attributes:
        seconds: by the clock, from its start to its end.
        cpu: seconds on a processor, its children's with its own.
        peak: MB of it and its children together, the moment when it was most; 0 where nobody looked.
        server_peak: of all of PostgreSQL's processes, likewise.
        output: what it wrote to stdout.
    """

    seconds: float
    cpu: float
    output: str
    peak: float = 0.0
    server_peak: float = 0.0


def run(
    argv: Sequence[str],
    *,
    postmaster: int | None = None,
    codes: Sequence[int] = (0,),
    environment: Mapping[str, str] | None = None,
) -> Measured:
    """Run a program to its end.

    Args:
        argv: the program.
        postmaster: PostgreSQL's first process; where it is given, memory is looked at too.
        codes: exit codes that are no failure.
        environment: instead of this process's.

    Raises:
        RunFailedError: it ended with another code.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=output, stderr=errors, cwd=REPOSITORY, env=environment
        )
        memory = None if postmaster is None else Memory(process.pid, postmaster)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        peaks = (0.0, 0.0) if memory is None else memory.stop()
        output.seek(0), errors.seek(0)
        said = output.read().decode(errors="replace")
        if process.returncode not in codes:
            last = (errors.read().decode(errors="replace") or said).strip()[-2000:]
            raise RunFailedError(f"{' '.join(argv[:4])} … ended with {process.returncode}: {last}")
    return Measured(seconds, used.ru_utime + used.ru_stime, said, *peaks)


class Memory(threading.Thread):
    """Adds up the proportional set sizes (PSS) of two trees of processes again and again, and keeps the highest sums.

    PSS shares a page out among those who have it (proc(5)), so that a sum counts every page once.
    """

    def __init__(self, pid: int, postmaster: int) -> None:
        super().__init__(daemon=True)
        self._roots, self._peaks = (pid, postmaster), [0.0, 0.0]
        self._ended = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._ended.wait(BETWEEN_LOOKS):
            for place, root in enumerate(self._roots):
                self._peaks[place] = max(self._peaks[place], sum(map(proportional, tree(root))))

    def stop(self) -> tuple[float, float]:
        """MB at most, of each tree."""
        self._ended.set()
        self.join()
        return self._peaks[0], self._peaks[1]


def tree(pid: int) -> list[int]:
    """A process and all below it; threads start children of their own."""
    found = [pid]
    for parent in found:
        with suppress(OSError):  # it may be gone by now
            for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
                with suppress(OSError):
                    found += map(int, tasks.read_text().split())
    return found


def proportional(pid: int) -> float:
    """MB; 0 of a process that is gone."""
    with suppress(OSError, ValueError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(text.partition("\nPss:")[2].split()[0]) * 1024 / 1e6
    return 0.0


def reaped(pid: int) -> float:
    """Seconds on a processor of all the children that a process has waited for: PostgreSQL's ended sessions."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / TICKS
