"""A power cut between any two operations on files: what was not fsynced may be there or not, whole, half or empty.

The real code runs and its operations are recorded; every prefix of them is then replayed onto every disk that a power
cut may have left. fsync(2): a file's content is safe once the file is synced, its name once its folder is; a rename(2)
that was not synced may have happened or not, before or after the content that it names.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Operation:
    """One operation, with the content that the file had then."""

    verb: str
    inode: int
    name: str = ""
    content: bytes = b""


@dataclass
class Recorder:
    """Records what is done in one folder while it is in force."""

    folder: Path
    operations: list[Operation] = field(default_factory=list)

    def record(self, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> list[Operation]:
        with monkeypatch.context() as patch:
            for name in ("open", "fsync", "replace", "rename", "unlink"):
                patch.setattr(os, name, self._wrapped(name, getattr(os, name)))
            work()
        return self.operations

    def _wrapped(self, name: str, real: Callable) -> Callable:
        note = {"open": self._opened, "fsync": self._synced}.get(name)

        def call(*args, **options):
            if name in {"replace", "rename"}:
                self._note("rename", Path(args[0]), Path(args[1]).name)
            elif name == "unlink":
                self._note("unlink", Path(args[0]), Path(args[0]).name)
            result = real(*args, **options)
            if note is not None:
                note(args[0], result)
            return result

        return call

    def _opened(self, path: object, handle: int) -> None:
        if Path(str(path)).parent == self.folder:
            self._note("open", Path(f"/proc/self/fd/{handle}"), Path(str(path)).name)

    def _synced(self, handle: int, _: object) -> None:
        path = Path(f"/proc/self/fd/{handle}")
        self._note("sync folder" if path.is_dir() else "sync", path)

    def _note(self, verb: str, path: Path, name: str = "") -> None:
        content = b"" if path.is_dir() else path.read_bytes()
        self.operations.append(Operation(verb, path.stat().st_ino, name, content))


Disk = dict[str, bytes]
"""A folder's files by name."""


def disks(before: Disk, operations: list[Operation]) -> Iterator[Disk]:
    """Every disk that a power cut at any moment may leave."""
    seen = []
    for end in range(len(operations) + 1):
        for disk in _after(before, operations[:end]):
            if disk not in seen:
                seen.append(disk)
                yield disk


def _after(before: Disk, done: list[Operation]) -> Iterator[Disk]:
    synced = max((n for n, one in enumerate(done) if one.verb == "sync folder"), default=-1)
    names = [n for n, one in enumerate(done) if one.verb in {"open", "rename", "unlink"}]
    loose = [n for n in names if n > synced]
    inodes = sorted({one.inode for one in done if one.verb != "sync folder"})
    for count in range(len(loose) + 1):
        for kept in itertools.combinations(loose, count):
            named = _names(before, [done[n] for n in names if n <= synced or n in kept])
            for contents in itertools.product(*(_contents(done, inode) for inode in inodes)):
                content = dict(zip(inodes, contents, strict=True))
                yield {name: one if isinstance(one, bytes) else content[one] for name, one in named.items()}


def _names(before: Disk, done: list[Operation]) -> dict[str, bytes | int]:
    """What each name stands for: content that was there before, or an inode."""
    named: dict[str, bytes | int] = dict(before)
    for one in done:
        if one.verb == "unlink":
            named.pop(one.name, None)
        else:
            for name in [name for name, inode in named.items() if inode == one.inode]:
                del named[name]
            named[one.name] = one.inode
    return named


def _contents(done: list[Operation], inode: int) -> list[bytes]:
    """What may be in a file: what was synced; else nothing, half of it or all."""
    found = [one for one in done if one.inode == inode]
    if any(one.verb == "sync" for one in found):
        return [next(one.content for one in reversed(found) if one.verb == "sync")]
    last = found[-1].content
    return list(dict.fromkeys((b"", last[: len(last) // 2], last)))
