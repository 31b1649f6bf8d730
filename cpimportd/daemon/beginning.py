"""The first thing a daemon does: have its configuration read while it imports what it needs. This imports little."""

import subprocess
import sys
from pathlib import Path


def command(configuration: Path | None) -> list[str]:
    """The child's command line."""
    return [sys.executable, "-P", "-m", "cpimportd.planner", *([str(configuration)] if configuration else [])]


def begin(configuration: Path | None) -> "subprocess.Popen[str]":
    """Start the child at once; at the daemon's start there is much to import meanwhile."""
    return subprocess.Popen(command(configuration), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)  # noqa: S603
