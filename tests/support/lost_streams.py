"""The command in a shell that takes its standard streams away, in each way in which that happens."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

# What takes the output: a reader that goes at once, a full disk, nobody, and nobody at all.
LOSSES = {
    "reader gone": "| head -c 1 >/dev/null",
    "reader never there": "| true",
    "full": ">/dev/full",
    "closed": ">&-",
    "stderr closed": "2>&- >/dev/null",
    "stderr full": "2>/dev/full >/dev/null",
    "all closed": "<&- >&- 2>&-",
    "all gone": "<&- 2>&1 | true",
    "all full": ">/dev/full 2>&1",
}
DEFECT = ("Traceback", "Exception ignored", "defect", "internal", "Error:")


def shell(command: str, **environ: str) -> tuple[int, str, str]:
    """What a command in a shell ends with (its own code, not its reader's), and what it says."""
    script = f"set -o pipefail; {command}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environ}
    )
    return done.returncode, done.stdout, done.stderr


def command(*arguments: str | Path) -> str:
    return shlex.join([sys.executable, "-m", "cpimportd", *map(str, arguments)])
