"""Notices of runs that the daemon did not start: the verb writes one into the state folder, the daemon reads it.

Without it, ``status`` would show an outdated state after a manual accept or undo, until the daemon's next run.
"""

import contextlib
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from cpimportd.core.files import write_whole
from cpimportd.core.phrases import exception, phrase
from cpimportd.core.problems import Problem, problem
from cpimportd.core.typed import Instant, from_json, in_utc, json_text
from cpimportd.core.workbooks import SeenWorkbook
from cpimportd.daemon.messages import RunResult, decode, encode

FILE: Final = "elsewhere.json"
"""In the state folder, so that a daemon that is started later reads it, too."""


class RunNotice(msgspec.Struct, frozen=True):
    """A run that the daemon did not start, and its result; instants are in UTC.

    Attributes:
        began: its start.
        ended: its end.
        result: of the run.
        seen: the workbooks on the server; empty if it read from elsewhere.
        only: the kinds to import; empty means all.
    """

    began: datetime
    ended: datetime
    result: RunResult
    seen: tuple[SeenWorkbook, ...] = ()
    only: tuple[str, ...] = ()


class _Head(msgspec.Struct):
    """The first line of a notice; an earlier version imported all kinds and wrote no ``only``."""

    began: Instant
    ended: Instant
    only: tuple[str, ...] = ()


def leave(folder: Path, notice: RunNotice) -> Path:
    """Write a notice, in place of an earlier one that was not read yet.

    Raises:
        OSError: it could not be written.
    """
    head = json_text(_Head(notice.began, notice.ended, notice.only))
    path = folder / FILE
    write_whole(path, "\n".join([head, *map(encode, notice.seen), encode(notice.result)]))
    return path


class RunNotices:
    """Reads the notices for one daemon.

    Args:
        folder: the state folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._known: int | None = None

    def take(self) -> RunNotice | Problem | None:
        """Read and remove a new notice; returns a problem if it is damaged.

        A notice that can neither be read nor removed is reported once. Nothing is lost: the database has the run.
        """
        try:
            modified = self._path.stat().st_mtime_ns
            if modified == self._known:
                return None
            self._known = modified
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            return problem("daemon-untold", reason=phrase("file-said", file=self._path, said=error.strerror))
        with contextlib.suppress(OSError):  # it is read once, and the next notice replaces it
            self._path.unlink()
        try:
            return _read(content)
        except (ValueError, OverflowError) as error:
            return problem("daemon-untold", reason=phrase("file-said", file=self._path, said=exception(error)))


def _read(content: bytes) -> RunNotice:
    first, *lines = content.split(b"\n")
    head = in_utc(from_json(first, _Head))
    messages = [decode(line) for line in lines]
    results = [one for one in messages if isinstance(one, RunResult)]
    if not results:
        raise ValueError("it does not say how the run ended")
    seen = tuple(one for one in messages if isinstance(one, SeenWorkbook))
    return RunNotice(head.began, head.ended, results[-1], seen, head.only)
