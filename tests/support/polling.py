"""Waiting for what is bound to happen, and looking at processes."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")


def until(look: Callable[[], Found], what: str, within: float = 20) -> Found:
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
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # proc(5): the name in parentheses may itself hold any of them
            state, parent, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            if state != "Z":
                command = (folder / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                found[int(folder.name)] = (int(parent), command)
    return found


def children(pid: int, word: str) -> list[int]:
    """The children of a process with a word in their command line."""
    return [child for child, (parent, command) in processes().items() if parent == pid and word in command]


def alive(pid: int) -> bool:
    return pid in processes()


def signal_all(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
