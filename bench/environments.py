"""Environments of the other programs: each one's own, with pinned versions, made when first needed and kept."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "contestants" / "requirements"


class UnavailableError(Exception):
    """An environment cannot be made here; the text is the reason."""


def python_of(name: str, cache: Path) -> Path:
    """The interpreter of an environment.

    Args:
        name: as the file in ``contestants/requirements``.
        cache: where environments are kept.

    Raises:
        UnavailableError: it could not be installed.
    """
    wanted = REQUIREMENTS / f"{name}.txt"
    mark = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache / "environments" / f"{name}-{mark}"
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(wanted)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr.strip()]
            raise UnavailableError(f"{name} cannot be installed here: {errors[-1].removeprefix('ERROR: ')[:200]}")
    (folder / "complete").touch()
    return python


def version_of(name: str, package: str) -> str:
    """The pinned version of a package in an environment."""
    for line in (REQUIREMENTS / f"{name}.txt").read_text().splitlines():
        found, _, version = line.partition("==")
        if found.lower() == package.lower():
            return version
    raise LookupError(f"{package} is not in the requirements of {name}")
