"""Small files that are there whole or not at all, whatever happens while they are written."""

import contextlib
import os
import tempfile
from pathlib import Path

from cpimportd.core.private import adopt


def write_whole(path: Path, text: str, *, lasting: bool = True) -> None:
    """Replace a file's content in one step; only its owner may read it (mode 0600).

    The new content is written beside it and renamed; with ``lasting`` both the file and the folder are on the disk
    before this returns, so that a power cut leaves the old content or the new (rename(2), fsync(2)).

    Args:
        path: of the file; its folder exists.
        text: the new content.
        lasting: whether it has to outlive a power cut.

    Raises:
        OSError: it could not be written; the old content is still there.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        adopt(Path(name))
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            if lasting:
                stream.flush()
                os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    if lasting:
        _sync_folder(path.parent)


def unfinished(path: Path) -> list[Path]:
    """What writers of a file left beside it that were killed before its content had its name."""
    return list(path.parent.glob(f".{path.name}-*"))


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
