"""A sample workbook, read as a run reads those of 1C: a failure on it is not 1C's fault.

Otherwise an incompatible version of a reading library would be reported every day as an error in the files.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib import metadata, resources
from pathlib import Path
from typing import Final

from cpimportd.config.libraries import READING
from cpimportd.config.settings import Reader
from cpimportd.core.model import Kind
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.spool_locks import temporary_folder
from cpimportd.core.system import unusable
from cpimportd.core.workbooks import FetchedFile, Snapshot
from cpimportd.workbook.reading import ReadJob, read

SUSPICIOUS: Final = frozenset({"file-not-workbook", "file-damaged", "file-unclear", "reader-failed", "no-header"})
"""Problems of a file that a wrong library makes of a right one."""

_SAMPLE: Final = "sample.xlsx"
_SAMPLE_SUM: Final = "1234568.00"
_SAMPLE_WORD: Final = "_x0041_"
"""In the sample it stands escaped, as ``_x005F_x0041_``, which python-calamine before 0.9.1 shows as it is written."""


async def sample_problem(limits: Reader, within: Path | None = None) -> Problem | None:
    """Read the sample workbook as a run reads 1C's: by the same limited child process.

    Args:
        limits: of the child.
        within: the folder for the sample meanwhile; None means the default folder for temporary files.

    Returns:
        None if it is read right; ``reader-limit`` where the limits are too narrow for any workbook; else
        ``library-wrong``.

    Raises:
        ProblemError: ``disk``: there is no room for the sample; ``machine-exhausted``.
    """
    content = resources.files("cpimportd.workbook").joinpath(_SAMPLE).read_bytes()
    with _folder(within) as folder:
        path = folder / _SAMPLE
        await asyncio.to_thread(path.write_bytes, content)
        file = FetchedFile(_SAMPLE, path, len(content), None, hashlib.sha256(content).hexdigest())
        seen = await read(file, 0, ReadJob("Europe/Moscow"), _no_longer(limits), path.parent)
        reason = _difference(seen)
    narrow = next((found for found in seen.problems if found.code == "reader-limit"), None)
    if narrow is not None or reason is None:
        return narrow
    installed = ", ".join(f"{name} {metadata.version(name)}" for name in READING)
    return problem("library-wrong", reason=reason, libraries=installed)


@contextmanager
def _folder(within: Path | None) -> Iterator[Path]:
    try:
        with temporary_folder("cpimportd-sample-", within) as folder:
            yield folder
    except OSError as error:
        raise ProblemError(unusable(within or tempfile.gettempdir(), error)) from error


def _no_longer(limits: Reader) -> Reader:
    """The same limits with a shorter time, because a user waits for the result."""
    return limits.model_copy(update={"wall_time": min(limits.wall_time, timedelta(seconds=25))})


def _difference(seen: Snapshot) -> Phrase | None:
    """What of the sample was read wrong."""
    if seen.problems:
        return phrase("is-refused", problem=seen.problems[0])
    if (seen.kind, len(seen.documents), seen.engine) != (Kind.RECEIPTS, 2, "calamine"):
        engine = seen.engine or phrase("no-engine")
        return phrase("gives-documents", count=len(seen.documents), engine=engine)
    if _SAMPLE_SUM not in map(str, seen.sums.values()) or _SAMPLE_SUM not in map(str, seen.control_totals.values()):
        return phrase("gives-other-sums")
    rows = seen.rows_path.read_text(encoding="utf-8") if seen.rows_path else ""
    return None if _SAMPLE_WORD in rows and "_x005F_" not in rows else phrase("gives-other-texts")
