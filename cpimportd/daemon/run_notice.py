"""Notice of a run that the daemon did not start: the verb leaves it in the state folder, the daemon takes it.

A human who accepts or undoes something by hand would otherwise be told by ``status`` how it stood before, until the
daemon's next run.
"""

import contextlib
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from cpimportd.core.files import write_whole
from cpimportd.core.phrases import exception, phrase
from cpimportd.core.problems import Problem, problem
from cpimportd.core.seen import SeenWorkbook
from cpimportd.core.typed import Instant, from_json, in_utc, json_text
from cpimportd.daemon.messages import Result, decode, encode

FILE: Final = "elsewhere.json"
"""In the state folder: a daemon that is started later wants to know, too."""


class RunNotice(msgspec.Struct, frozen=True):
    """A run that was not the daemon's, and how the books stand after it; instants are in UTC.

    Attributes:
        began: when it began.
        ended: when it was over.
        result: how it ended.
        seen: the workbooks that it saw on the server; none where it looked elsewhere.
        only: the kinds that it was to import; empty means all.
    """

    began: datetime
    ended: datetime
    result: Result
    seen: tuple[SeenWorkbook, ...] = ()
    only: tuple[str, ...] = ()


class _Head(msgspec.Struct):
    """The first line of the word; an earlier version imported all kinds, and does not say so."""

    began: Instant
    ended: Instant
    only: tuple[str, ...] = ()


def leave(folder: Path, word: RunNotice) -> Path:
    """Leave a notice. It takes the place of an earlier one that was not taken yet.

    Raises:
        OSError: it could not be written.
    """
    head = json_text(_Head(word.began, word.ended, word.only))
    path = folder / FILE
    write_whole(path, "\n".join([head, *map(encode, word.seen), encode(word.result)]))
    return path


class RunNotices:
    """Where word is left for one daemon.

    Args:
        folder: the state folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._known: int | None = None

    def take(self) -> RunNotice | Problem | None:
        """What was left since the last look, and remove it; a problem where it cannot be understood.

        Word that can neither be read nor removed is told of once. Nothing is lost with it: the database knows the run.
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
        with contextlib.suppress(OSError):  # it is known now, and the next word replaces it
            self._path.unlink()
        try:
            return _read(content)
        except (ValueError, OverflowError) as error:
            return problem("daemon-untold", reason=phrase("file-said", file=self._path, said=exception(error)))


def _read(content: bytes) -> RunNotice:
    first, *lines = content.split(b"\n")
    head = in_utc(from_json(first, _Head))
    messages = [decode(line) for line in lines]
    results = [one for one in messages if isinstance(one, Result)]
    if not results:
        raise ValueError("it does not say how the run ended")
    seen = tuple(one for one in messages if isinstance(one, SeenWorkbook))
    return RunNotice(head.began, head.ended, results[-1], seen, head.only)
