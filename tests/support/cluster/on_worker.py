"""What tests do inside the cluster's processes. It imports nothing of ours, so that a worker that has lost us still has this."""

import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any


def _task() -> Any:
    return importlib.import_module("cpimportd.workbook.cluster.task")


def hold(folder: str) -> None:
    """Take a workbook, say so in a file named after this process, and read it only when ``go`` lies there."""
    read = _task().read_workbook

    def held(asked: str, content: bytes) -> bytes:
        (Path(folder) / f"held-{os.getpid()}").touch()
        while not (Path(folder) / "go").exists() and Path(folder).exists():
            time.sleep(0.02)
        return read(asked, content)

    _task().read_workbook = held


def answer_with(reply: object) -> None:
    """From now on this is what every workbook says."""
    _task().read_workbook = lambda *_: reply


def tamper_with(name: str) -> None:
    """Change one bit in the middle of what a workbook says."""
    read = _task().read_workbook

    def tampered(asked: str, content: bytes) -> bytes:
        reply = bytearray(read(asked, content))
        if name in asked:
            reply[len(reply) // 2] ^= 1
        return bytes(reply)

    _task().read_workbook = tampered


def age() -> None:
    """Be the reader of an older version."""
    _task().reader_identity = lambda: "cpimportd 0.0.9"


def forget() -> None:
    """Be a worker on whose machine we are not installed."""
    for name in ["cpimportd", *(name for name in sys.modules if name.startswith("cpimportd."))]:
        sys.modules[name] = None  # type: ignore[assignment]


def put_right() -> None:
    """Be an honest worker again."""
    for name in [name for name, module in sys.modules.items() if module is None and name.startswith("cpimportd")]:
        del sys.modules[name]
    importlib.reload(_task())


def allow_failures(count: int, dask_scheduler: Any = None) -> int:
    """In the scheduler's process: how many workers one workbook may cost; gives what it was."""
    before, dask_scheduler.allowed_failures = dask_scheduler.allowed_failures, count
    return before
