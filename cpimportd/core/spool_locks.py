"""Distinguishes the folders of killed processes from those in use, by a lock.

The kernel releases a lock of flock(2) when its process ends, however it ends. So a folder whose lock is free belongs to
no process any more. A folder whose lock cannot be requested (another user's, a file system without locks) is left
alone. The daemon imports this module: it needs nothing that is heavy.
"""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cpimportd.core.files import open_private

LOCK: Final = "run.lock"
"""In a folder that a living process may work on."""

MANIFEST: Final = "files.json"
"""In a run's folder: what it fetched, written once all of that is there to stay."""

ROWS: Final = "rows"
"""In a run's folder: rows on the way to the database."""

STAMP: Final = "%Y%m%dT%H%M%S.%fZ"
"""How the name of a run's folder begins; its process follows."""

_NAME: Final = re.compile(r"(\.?)(\d{8}T\d{6}\.\d{6}Z)-(\d+)")
_BEING_MADE: Final = timedelta(minutes=1)
"""A run's folder has its own name, and its lock, within milliseconds."""


def take_lock(path: Path) -> int | None:
    """Hold the lock of a file, making it where it is missing, until the descriptor is closed or the process ends.

    Returns:
        The descriptor; None if another process holds the lock, or the file system has no locks.

    Raises:
        OSError: it cannot be opened.
    """
    handle = open_private(path, "ab")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


@contextmanager
def abandoned(path: Path) -> Iterator[bool]:
    """Whether a lock file is free; then we hold it for a while, so that only one process cleans up."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # BlockingIOError: its process runs; others: unknown
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def may_be_in_use(folder: Path) -> bool:
    """Whether a process may still work on a folder: its lock is there and cannot be had."""
    lock = folder / LOCK
    with abandoned(lock) as free:
        return not free and lock.exists()


def remove_abandoned(spool: Path) -> int:
    """Remove from the spool what belongs to no living run: the folders of runs that were killed.

    A run that was killed after it had archived its workbooks keeps them, and loses the rest.

    Args:
        spool: the folder of all runs; one that is not there is empty.

    Returns:
        How many runs left something.
    """
    removed = 0
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        for path in sorted(spool.iterdir()):
            if (named := _NAME.fullmatch(path.name)) and not path.is_symlink():
                removed += _cleaned_up(path, named)
    return removed


def _cleaned_up(path: Path, named: re.Match[str]) -> bool:
    unfinished, began, process = named.groups()
    if unfinished:
        try:
            age = datetime.now(UTC) - datetime.strptime(began, STAMP).replace(tzinfo=UTC)
        except ValueError:  # no day of the calendar: it is none of ours
            return False
        if age > _BEING_MADE and not may_be_in_use(path):
            shutil.rmtree(path, ignore_errors=True)
            return True
        return False
    with abandoned(path / LOCK) as free:
        if free:
            _clean_up(path)
            return True
    if (path / LOCK).exists() or not (path / ROWS).is_dir() or _is_running(int(process)):
        return False
    _clean_up(path)  # of a version that had no lock
    return True


def _clean_up(path: Path) -> None:
    if not (path / MANIFEST).exists():
        shutil.rmtree(path, ignore_errors=True)
        return
    shutil.rmtree(path / ROWS, ignore_errors=True)
    for pattern in (f".{MANIFEST}-*", "files/*/*.part", "files/*/*.link", LOCK):
        for file in path.glob(pattern):
            file.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):  # no process has a number so large
        return False
    except OSError:
        pass  # it is another user's
    return True


@contextmanager
def temporary_folder(prefix: str, within: Path | None = None) -> Iterator[Path]:
    """A folder for a while, private; those of the same prefix and user whose process was killed go first.

    Args:
        prefix: of its name.
        within: where it is made; None: where temporary files are.

    Raises:
        OSError: it cannot be made.
    """
    for path in (within or Path(tempfile.gettempdir())).glob(f"{prefix}*"):
        with suppress(OSError):
            if path.lstat().st_uid != os.geteuid() or path.is_symlink():
                continue
            with abandoned(path / LOCK) as free:
                if free:
                    shutil.rmtree(path, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=within) as name:
        lock = take_lock(Path(name) / LOCK)
        try:
            yield Path(name)
        finally:
            if lock is not None:
                os.close(lock)
