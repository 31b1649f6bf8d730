"""The first thing a daemon does: have its configuration read while it imports what it needs. This imports little."""

import subprocess
import sys
from pathlib import Path


def ours(module: str, *arguments: str) -> list[str]:
    """The command line that runs one of our modules, by this Python; nothing is imported from the current folder."""
    return [sys.executable, "-P", "-m", module, *arguments]


def command(configuration: Path | None) -> list[str]:
    """The command line of the configuration's reader."""
    return ours("cpimportd.planner", *([str(configuration)] if configuration else []))


def begin(configuration: Path | None) -> "subprocess.Popen[str]":
    """Start the child at once; at the daemon's start there is much to import meanwhile."""
    return subprocess.Popen(command(configuration), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)  # noqa: S603
