"""A file that a user asked for: written whole or not at all, private, and never over another one unasked."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cpimportd.core import files
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.system import require_replaceable, unusable


def make_folder(path: Path) -> None:
    """Make a folder that a user named, private, with those above it; one that is there is left as it is.

    Raises:
        ProblemError: ``disk``, ``machine-exhausted``.
    """
    try:
        files.make_folder(path)
    except OSError as error:
        raise ProblemError(unusable(path, error)) from error


def write_output(path: Path, write: Callable[[Path], None], *, force: bool = False) -> None:
    """Write a file by a function that is given a temporary one, see :func:`opened_output`.

    Raises:
        ProblemError: ``output-exists``, ``disk``, ``machine-exhausted``.
    """
    with opened_output(path, force=force) as temporary:
        write(temporary)


@contextmanager
def opened_output(path: Path, *, force: bool = False) -> Iterator[Path]:
    """A file to be written, mode 0600, under a temporary name in its folder; it has its own name once it is whole.

    With ``force`` a file of that name is replaced.

    Raises:
        ProblemError: ``output-exists``, ``disk``, ``machine-exhausted``.
    """
    if not force and os.path.lexists(path):
        raise _exists(path)
    try:
        require_replaceable(path)
        with files.replacing(path, force=force) as temporary:
            yield temporary
            files.sync(temporary)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise ProblemError(unusable(path, error)) from error


def _exists(path: Path) -> ProblemError:
    return ProblemError(problem("output-exists", path=str(path)))
