"""The child process that marks one workbook: its job comes on stdin, the marked workbook goes to stdout in base64.

Like the worker that reads, it imports no settings, no network and no database, and holds no secret.
"""

import base64
import json
import sys
from pathlib import Path

import openpyxl
from openpyxl.reader import drawings

from cpimportd.core.typed import from_tree
from cpimportd.render.workbooks.notes import MarkJob
from cpimportd.render.workbooks.rejects import mark
from cpimportd.workbook.confine import confine, die_with_parent, import_codecs, import_submodules
from cpimportd.workbook.openfile import OpenFile
from cpimportd.workbook.package import with_declared_names

LINE = 60_000
"""Bytes of the workbook that go onto one line."""


def main() -> None:
    """Read a job from stdin, do it, and end; what openpyxl cannot read ends this process with its words on stderr."""
    die_with_parent()
    import_codecs()
    import_submodules(openpyxl, but={"openpyxl.utils.dataframe"})  # which is for pandas
    drawings.PILImage = None  # type: ignore[attr-defined] # pictures are left out, and decoded by nobody
    asked = sys.stdin.buffer.read()
    if not asked:  # the parent is gone already
        return
    job = from_tree(json.loads(asked), MarkJob)
    with OpenFile(Path(job.path)) as workbook:
        confine()
        source = with_declared_names(workbook)
    marked = mark(source, job.notes, sheet=job.sheet, columns=job.columns)
    for start in range(0, len(marked), LINE):
        sys.stdout.buffer.write(base64.b64encode(marked[start : start + LINE]) + b"\n")


if __name__ == "__main__":
    main()
