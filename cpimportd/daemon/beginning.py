"""The first thing a daemon does: have its configuration read while it imports what it needs. This imports little."""

import subprocess
import sys
from pathlib import Path
from typing import Final

STARTING: Final = "--starting"
"""Tells the configuration's reader that the daemon starts: what was rescheduled held until now."""


def ours(module: str, *arguments: str) -> list[str]:
    """The command line that runs one of our modules, by this Python; nothing is imported from the current folder."""
    return [sys.executable, "-P", "-m", module, *arguments]


def command(configuration: Path | None, *, starting: bool = False) -> list[str]:
    """The command line of the configuration's reader.

    Args:
        configuration: the file that ``--config`` names; None means the usual one.
        starting: whether the daemon starts, and expressions that were rescheduled hold no more.
    """
    options = [STARTING] if starting else []
    return ours("cpimportd.run.planner", *options, *([str(configuration)] if configuration else []))


def begin(configuration: Path | None) -> "subprocess.Popen[str]":
    """Start the child at once; at the daemon's start there is much to import meanwhile."""
    argv = command(configuration, starting=True)
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)  # noqa: S603
