"""Copies workbooks given by hand into a folder that a run can import, with the same checks and the same reader."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.spool_locks import temporary_folder
from cpimportd.core.system import unusable
from cpimportd.source.listing import SUFFIXES, is_workbook


@contextmanager
def laid_out(files: Sequence[Path]) -> Iterator[Path]:
    """A private folder with copies of these files, under their own names and times; removed at the end.

    Args:
        files: the workbooks.

    Raises:
        ProblemError: ``upload-refused``: a file is no workbook by its name; ``upload-twice``: two have one name;
            ``disk``: one cannot be copied.
    """
    names = [file.name for file in files]
    refused = [
        problem("upload-refused", value=str(file), suffixes=", ".join(SUFFIXES))
        for file in files
        if not is_workbook(file.name)
    ]
    refused += [problem("upload-twice", value=name) for name in dict.fromkeys(names) if names.count(name) > 1]
    if refused:
        raise ProblemError(*refused)
    with temporary_folder("cpimportd-upload-") as own:
        folder = own / "files"
        folder.mkdir(mode=0o700)
        for file in files:
            try:
                shutil.copy2(file, folder / file.name)
            except OSError as error:
                raise ProblemError(unusable(Path(error.filename or file), error)) from error
        yield folder
