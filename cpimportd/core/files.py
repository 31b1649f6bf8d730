"""Writes private files atomically: mode 0700 and 0600 whatever the umask.

Files that root creates in a folder of the service's user belong to that user, so that the daemon can use whatever an
administrator's verb has left. The daemon imports this module: it needs nothing that is heavy.
"""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal

from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import Problem, ProblemError, problem

FOLDER: Final = 0o700
FILE: Final = 0o600

_SERVICE: Final = "cpimportd"
"""The user of the packaged unit."""

_OURS: Final = ("daemon.lock", "daemon.json")
"""What a daemon that works on a state folder leaves in it, see ``daemon/lock.py`` and ``daemon/store.py``."""


def own_folder(path: Path, *, tighten: bool = False) -> None:
    """Make a folder that is ours alone, with every level above it that is missing; one that is there must be ours.

    Args:
        path: of the folder.
        tighten: whether one that is there, and that nobody else has any business in, is made private, too. Not for one
            that an administrator chose: it may be shared with other things.

    Raises:
        ProblemError: ``state-foreign``.
        OSError: it cannot be made.
    """
    make_folder(path)
    if (found := foreign(path)) is not None:
        raise ProblemError(found)
    if tighten and stat.S_IMODE(path.stat().st_mode) & 0o077 and path.stat().st_uid == os.geteuid():
        path.chmod(FOLDER)


def make_folder(path: Path) -> None:
    """Make a folder, and every level above it that is missing, each with mode 0700; what is there stays as it is.

    Raises:
        OSError: it cannot be made; also where the name is taken by something that is no folder.
    """
    missing = [path]
    while not os.path.lexists(missing[-1].parent):
        missing.append(missing[-1].parent)
    for folder in reversed(missing):
        try:
            folder.mkdir(mode=FOLDER)
        except FileExistsError:
            if not folder.is_dir():
                raise
        else:
            folder.chmod(FOLDER)  # an umask such as 0277 takes from the owner, too
            give_to_folder_owner(folder)


def open_private(path: Path, mode: Literal["wb", "ab"]) -> int:
    """Open a file for writing that only its owner may read.

    Args:
        path: of the file; its folder exists.
        mode: ``wb`` rewrites it, ``ab`` appends.

    Returns:
        A descriptor.

    Raises:
        OSError: it cannot be opened.
    """
    how = os.O_TRUNC if mode == "wb" else os.O_APPEND
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, FILE)
    try:
        found = os.fstat(handle)
        if stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) != FILE:
            os.fchmod(handle, FILE)
        give_to_folder_owner(path)
    except BaseException:
        os.close(handle)
        raise
    return handle


def give_to_folder_owner(path: Path) -> None:
    """Give a file that root has just created to the owner of its folder.

    Raises:
        OSError: it cannot be given away.
    """
    if os.geteuid() != 0:
        return
    owner = path.parent.stat()
    if owner.st_uid != 0:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def foreign(path: Path) -> Problem | None:
    """Why an existing folder must not be used: it, or the symbolic link to it, belongs to another user.

    Ours are our own, root's and, for root, those of the service's user.

    Raises:
        OSError: it cannot be looked at.
    """
    link, folder = path.lstat(), path.stat()
    if stat.S_ISLNK(link.st_mode) and not _trusted(link.st_uid, path):
        return _refused(path, phrase("foreign-link", user=_name(link.st_uid)))
    if not _trusted(folder.st_uid, path):
        return _refused(path, phrase("foreign-folder", user=_name(folder.st_uid)))
    return None


def _refused(path: Path, reason: Phrase) -> Problem:
    return problem("state-foreign", path=str(path), reason=reason, user=_name(os.geteuid()))


def _trusted(owner: int, folder: Path) -> bool:
    if owner in (os.geteuid(), 0):
        return True
    return os.geteuid() == 0 and (_name(owner) == _SERVICE or _works_on(owner, folder))


def _works_on(owner: int, folder: Path) -> bool:
    """Whether a daemon of this user has worked on the state folder, be it this one or one above."""
    for place in (folder, *folder.absolute().parents):
        for name in _OURS:
            try:
                found = (place / name).lstat()
            except OSError:
                continue
            if found.st_uid == owner and stat.S_ISREG(found.st_mode):
                return True
    return False


def _name(user: int) -> str:
    import pwd  # noqa: PLC0415 - only where something is wrong

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


@contextmanager
def replacing(path: Path, *, force: bool = True) -> Iterator[Path]:
    """A private file (mode 0600) beside another that takes its place once the block ends; one that failed is removed.

    Args:
        path: of the file to be replaced, or made; its folder exists.
        force: whether a file of that name gives way.

    Yields:
        The new file, empty.

    Raises:
        OSError: it could not be made or renamed; what was there before still is.
        FileExistsError: without ``force``, one is there.
    """
    with _replacement(path, force=force) as (handle, beside):
        os.close(handle)
        yield beside


@contextmanager
def _replacement(path: Path, *, force: bool = True) -> Iterator[tuple[int, Path]]:
    """As :func:`replacing`, with the new file open; the caller closes it."""
    handle, name = tempfile.mkstemp(prefix=_unfinished(path), dir=path.parent)
    beside = Path(name)
    try:
        yield handle, beside
        _give_name(beside, path, force=force)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _give_name(beside: Path, path: Path, *, force: bool) -> None:
    if not force:
        try:
            path.hardlink_to(beside)  # unlike a renaming, it never takes another file's place
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if os.path.lexists(path):
                raise FileExistsError(path) from None
        else:
            return
    beside.replace(path)


def write_whole(path: Path, text: str, *, lasting: bool = True) -> None:
    """Replace a file's content in one step; only its owner may read it (mode 0600).

    With ``lasting`` both the file and the folder are on the disk before this returns, so that a power cut leaves the
    old content or the new (rename(2), fsync(2)).

    Args:
        path: of the file; its folder exists.
        text: the new content.
        lasting: whether it has to outlive a power cut.

    Raises:
        OSError: it could not be written; the old content is still there.
    """
    with _replacement(path) as (handle, beside), os.fdopen(handle, "w", encoding="utf-8") as stream:
        give_to_folder_owner(beside)
        stream.write(text)
        stream.flush()
        if lasting:
            os.fsync(stream.fileno())
    if lasting:
        sync(path.parent)


def sync(path: Path) -> None:
    """Have a file's content, or a folder's names, on the disk before this returns (fsync(2)).

    Raises:
        OSError: it is not there.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unfinished(path: Path) -> list[Path]:
    """What writers of a file left beside it that were killed before its content had its name."""
    return list(path.parent.glob(f"{_unfinished(path)}*"))


def _unfinished(path: Path) -> str:
    """How the names begin of a file's unfinished contents; short enough to be followed by a few letters."""
    return f".{path.name[:100]}-"
