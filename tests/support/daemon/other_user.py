"""Processes of another, ordinary user; a virtual environment below /root is closed to one, so another may be needed."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.daemon.living_daemon import environment

NOBODY = 65534
OPTIONS = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "env": environment(HOME="/"), "cwd": "/"}
"""For subprocess: a process of that user."""


def python_for_everybody(folder: Path) -> str:
    """A Python that another user can run, with what is installed for the tests; skips the test where there is none."""
    if os.geteuid() != 0:
        pytest.skip("only root can run a process as another user")
    if _runs(sys.executable):
        return sys.executable
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    if not Path(system).exists() or not Path(sysconfig.get_path("purelib")).stat().st_mode & 0o005:
        pytest.skip("another user cannot reach this Python")
    subprocess.run([system, "-m", "venv", "--without-pip", folder], check=True, capture_output=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    root = Path(__file__).parents[3]
    (packages / "tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n{root}\n")
    folder.chmod(0o755)
    python = str(folder / "bin" / "python3")
    if not _runs(python):
        pytest.skip("another user cannot reach this Python")
    return python


def _runs(python: str) -> bool:
    try:
        command = [python, "-c", "import cpimportd.run.planner, python_calamine"]
        return subprocess.run(command, check=False, capture_output=True, **OPTIONS).returncode == 0
    except PermissionError:
        return False
