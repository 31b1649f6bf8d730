"""Command lines of child processes; the first child reads the configuration while the daemon still imports.

Keep the imports of this module few: it is loaded before everything else.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

STARTING: Final = "--starting"
"""Tells the planner that the daemon starts, so that rescheduled expressions expire."""


def module_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of this package; ``-P`` keeps the current folder out of its imports."""
    return [sys.executable, "-P", "-m", module, *arguments]


def command_line(configuration: Path | None, *, starting: bool = False) -> list[str]:
    """The command line of the planner, which reads the configuration.

    Args:
        configuration: the file of ``--config``; None means the usual one.
        starting: whether the daemon starts, so that rescheduled expressions expire.
    """
    options = [STARTING] if starting else []
    return module_command("cpimportd.run.planner", *options, *([str(configuration)] if configuration else []))


def start_planner(configuration: Path | None) -> "subprocess.Popen[str]":
    """Start the planner; the daemon imports its modules meanwhile."""
    argv = command_line(configuration, starting=True)
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)  # noqa: S603
