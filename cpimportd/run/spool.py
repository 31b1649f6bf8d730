"""Stores the workbooks of each run in a separate folder, private to the daemon's user, kept for ``spool.keep``.

    spool/20261124T030004.118203Z-4711/files.json            what the run fetched: names, upload times, digests
    spool/20261124T030004.118203Z-4711/files/00/000.xlsx     byte for byte; a hard link to …
    spool/contents/<sha256>                                  … the one copy of equal files of all runs
    spool/20261124T030004.118203Z-4711/rows, run.lock        while the run lives: its rows, and the lock that says so

A file system that knows no hard links keeps a copy with each run. A folder whose ``files.json`` could not be written is
kept and removed like the others.
"""

import filecmp
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from cpimportd.core.files import make_folder, own_folder, write_whole
from cpimportd.core.model import Kind
from cpimportd.core.problems import ProblemError
from cpimportd.core.spool_locks import LOCK, MANIFEST, ROWS, STAMP, may_be_in_use, remove_abandoned, take_lock
from cpimportd.core.system import unusable
from cpimportd.core.typed import from_tree, to_json
from cpimportd.core.workbooks import FetchedFile

logger = logging.getLogger(__name__)

_CONTENTS: Final = "contents"
_VERSION: Final = 1
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SpoolFolder:
    """The folders of one run: ``files`` as they were fetched, ``rows`` as they were understood.

    Attributes:
        lock: the descriptor by which the run holds it; None where nobody does.
    """

    path: Path
    lock: int | None = None

    @property
    def files(self) -> Path:
        """The workbooks, byte for byte."""
        return self.path / "files"

    @property
    def rows(self) -> Path:
        """Their rows on the way to the database; gone when the run ends."""
        return self.path / ROWS

    def archive(
        self, run: int | None, files: Sequence[FetchedFile], only: Iterable[Kind], *, alone: bool = False
    ) -> None:
        """Write down what was fetched, and share with other runs what is byte for byte the same.

        The list is written first, and each link takes its file's place in one step: whenever this is stopped, the
        run's files are whole.

        Args:
            run: its number.
            files: what it worked on; what an earlier look at the server brought goes.
            only: the kinds that it was asked for.
            alone: the files are not those of a day: somebody gave them.

        Raises:
            OSError: the disk is full; the files are there all the same.
        """
        listed = tuple(
            _Stored(file.name, str(file.path.relative_to(self.files)), file.size, file.sha256, file.modified)
            for file in files
        )
        manifest = _Manifest(_VERSION, run, tuple(sorted(kind.value for kind in only)), listed, alone)
        # In ASCII, as names on a disk need not be text.
        write_whole(self.path / MANIFEST, json.dumps(to_json(manifest), indent=1) + "\n")
        for earlier in {path.name for path in self.files.iterdir()} - {file.path.parent.name for file in files}:
            shutil.rmtree(self.files / earlier, ignore_errors=True)
        contents = self.path.parent / _CONTENTS
        own_folder(contents, tighten=True)
        for file in files:
            _share(file.path, contents / file.sha256)

    def close(self, *, keep_files: bool) -> None:
        """End of the run: the rows go, and the workbooks too where nobody will ask for them again."""
        shutil.rmtree(self.rows if keep_files else self.path, ignore_errors=True)
        if self.lock is not None:
            with suppress(OSError):
                (self.path / LOCK).unlink(missing_ok=True)
            os.close(self.lock)


def _share(file: Path, content: Path) -> None:
    """Make a file and the common copy of its bytes one; where there are no hard links, both stay apart."""
    with suppress(OSError):
        try:
            content.hardlink_to(file)
        except FileExistsError:
            if not filecmp.cmp(content, file, shallow=False):  # it was damaged since
                content.unlink()
                content.hardlink_to(file)
                return
            link = file.with_name(f"{file.name}.link")
            link.hardlink_to(content)
            link.replace(file)


class _Stored(msgspec.Struct, frozen=True):
    """A workbook in a run's list of files: as it was fetched, and where it lies below ``files``."""

    name: str
    stored: str
    size: int
    sha256: str
    modified: datetime | None


class _Manifest(msgspec.Struct, frozen=True):
    """What a run wrote down of its files."""

    version: int
    run: int | None
    only: tuple[str, ...]
    files: tuple[_Stored, ...]
    alone: bool = False


def _manifest(folder: Path) -> _Manifest | None:
    """What a run wrote down of its files; None where it could not, or the run is not over."""
    try:
        found = from_tree(json.loads((folder / MANIFEST).read_bytes()), _Manifest)
    except (FileNotFoundError, ValueError):
        return None
    return found if found.version == _VERSION else None


def find_in_spool(root: Path, sha256: str) -> Path | None:
    """A file of an earlier run by the digest of its bytes, 64 hexadecimal digits.

    Returns:
        Where it lies; None where it is not kept any more.

    Raises:
        OSError: the spool cannot be read.
    """
    if not _SHA256.fullmatch(sha256) or not root.is_dir():
        return None
    candidates = chain([root / _CONTENTS / sha256], _stored(root, sha256))
    return next((path for path in candidates if _digest(path) == sha256), None)


def _stored(root: Path, sha256: str) -> Iterator[Path]:
    """What else may be that file: where there are no hard links, or no list of the files, newest first."""
    for folder, _ in reversed(run_folders(root)):
        if (found := _manifest(folder)) is None:
            yield from sorted(path for path in (folder / "files").glob("*/*") if path.is_file())
        else:
            yield from (folder / "files" / one.stored for one in found.files if one.sha256 == sha256)


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def open_spool(root: Path, keep: timedelta) -> SpoolFolder:
    """Make a run's folder, and remove those of runs that were killed, or longer ago than ``keep``.

    It has another name until its lock is held: who tidies up at this moment must not take it for an abandoned one.

    Raises:
        ProblemError: ``disk`` where the folder cannot be made; ``state-foreign``.
    """
    now = datetime.now(UTC)
    name = f"{now.strftime(STAMP)}-{os.getpid()}"
    path, begun = root / name, SpoolFolder(root / f".{name}")
    try:
        own_folder(root.parent)
        own_folder(root, tighten=True)
        for folder in (begun.files, begun.rows):
            make_folder(folder)
        lock = take_lock(begun.path / LOCK)
        begun.path.rename(path)
        if left := remove_abandoned(root):
            logger.info("removed what %d runs left in the spool that were killed", left)
        prune_spool(root, now - keep)
    except OSError as error:
        for folder in (begun.path, path):
            shutil.rmtree(folder, ignore_errors=True)
        raise ProblemError(unusable(path, error)) from error
    return SpoolFolder(path, lock)


def prune_spool(root: Path, before: datetime) -> int:
    """Remove the folders of runs that began before an instant, and of runs that were killed.

    What is none of ours is left alone, and so is what a living run works on.

    Returns:
        How many were removed.

    Raises:
        OSError: the spool cannot be listed.
    """
    remove_abandoned(root)
    old = [folder for folder, began in run_folders(root) if began < before and not may_be_in_use(folder)]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    _forget_unused(root / _CONTENTS)
    return len(old)


def run_folders(root: Path) -> list[tuple[Path, datetime]]:
    """The folders of runs and when these began, in the order of time."""
    found = []
    for path in root.iterdir():
        with suppress(ValueError):
            found.append((path, datetime.strptime(path.name.rpartition("-")[0], STAMP).replace(tzinfo=UTC)))
    return sorted(found, key=lambda one: (one[1], one[0].name))


def _forget_unused(contents: Path) -> None:
    """Remove the copies that no run's folder shares any more.

    A run that is sharing one at this moment loses nothing: its own file has the bytes.
    """
    with suppress(OSError):
        for content in contents.iterdir():
            if _SHA256.fullmatch(content.name) and content.stat().st_nlink == 1:
                content.unlink(missing_ok=True)
        contents.rmdir()  # if it is empty


@dataclass(frozen=True, slots=True)
class ArchivedRun:
    """What one earlier run fetched.

    Attributes:
        began: when it did, in UTC.
        run: its number in the database.
        only: the kinds that it was asked for.
        alone: the files are not those of a day: somebody gave them.
    """

    path: Path
    began: datetime
    run: int
    only: tuple[str, ...]
    files: tuple[FetchedFile, ...]
    alone: bool = False


def archived_runs(root: Path) -> tuple[ArchivedRun, ...]:
    """The runs whose files are still there, in the order of time.

    Raises:
        OSError: the spool cannot be read.
    """
    found = (_archived(folder, began) for folder, began in run_folders(root))
    return tuple(run for run in found if run is not None)


def _archived(folder: Path, began: datetime) -> ArchivedRun | None:
    found = _manifest(folder)
    if found is None or found.run is None:
        return None
    files = tuple(
        FetchedFile(one.name, folder / "files" / one.stored, one.size, one.modified, one.sha256) for one in found.files
    )
    if not all(file.path.is_file() for file in files):
        return None
    return ArchivedRun(folder, began, found.run, found.only, files, found.alone)
