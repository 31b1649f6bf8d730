"""Waiting for what is bound to happen, and looking at processes."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")


LONG = 100.0
"""Seconds that no step takes, on a busy machine either: five times what the longest does."""


def until(look: Callable[[], Found], what: str, within: float = LONG) -> Found:
    """Look again and again until something true comes back; ``what`` is for the failure's text."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"within {within:g} s there was no {what}")
        time.sleep(0.01)


def processes() -> dict[int, tuple[int, str]]:
    """Every process that lives: its parent and its command line."""
    numbers = (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    return {number: found for number in numbers if (found := _process(number))}


def _process(number: int) -> tuple[int, str] | None:
    folder = Path(f"/proc/{number}")
    with contextlib.suppress(OSError):
        # proc(5): the name in parentheses may itself hold any of them
        state, parent, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
        if state != "Z":
            return int(parent), (folder / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    return None


def children(pid: int, word: str) -> list[int]:
    """The children of a process with a word in their command line."""
    try:
        lists = [file.read_text().split() for file in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it has just ended
        lists = []
    numbers = {int(number) for numbers in lists for number in numbers}
    return [number for number in numbers if (found := _process(number)) and word in found[1]]


def alive(pid: int) -> bool:
    return _process(pid) is not None


def signal_all(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
