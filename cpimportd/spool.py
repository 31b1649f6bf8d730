"""Where the workbooks of a run lie: a folder of its own, private to the daemon's user, kept for ``spool.keep``."""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cpimportd.problems import ProblemError
from cpimportd.resources import unusable

_STAMP = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True, slots=True)
class SpoolFolder:
    """The folders of one run: ``files`` as they were fetched, ``rows`` as they were understood."""

    path: Path

    @property
    def files(self) -> Path:
        """The workbooks, byte for byte."""
        return self.path / "files"

    @property
    def rows(self) -> Path:
        """Their rows on the way to the database; gone when the run ends."""
        return self.path / "rows"

    def close(self, *, keep_files: bool) -> None:
        """End of the run: the rows go, and the workbooks too where nobody will ask for them again."""
        shutil.rmtree(self.rows if keep_files else self.path, ignore_errors=True)


def open_spool(root: Path, keep: timedelta) -> SpoolFolder:
    """Make a run's folder, and remove those of runs longer ago than ``keep``.

    Raises:
        ProblemError: ``disk`` where the folder cannot be made.
    """
    now = datetime.now(UTC)
    folder = SpoolFolder(root / f"{now.strftime(_STAMP)}-{os.getpid()}")
    try:
        for path in (folder.path, folder.files, folder.rows):
            path.mkdir(mode=0o700, parents=True)
        prune_spool(root, now - keep)
    except OSError as error:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise ProblemError(unusable(folder.path, error)) from error
    return folder


def prune_spool(root: Path, before: datetime) -> int:
    """Remove the folders of runs that began before an instant; what is none of ours is left alone.

    Returns:
        How many were removed.

    Raises:
        OSError: the spool cannot be listed.
    """
    removed = 0
    for old in root.iterdir():
        with suppress(ValueError):
            made = datetime.strptime(old.name.rpartition("-")[0], _STAMP).replace(tzinfo=UTC)
            if made < before:
                shutil.rmtree(old, ignore_errors=True)
                removed += 1
    return removed
