"""The child process that reads one workbook: its job comes on stdin, its results go to stdout (workbook.protocol).

It imports no settings, no network and no database, and holds no secret.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from cpimportd.core.phrases import UnfitError, reason_of
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.documents.header import has_header
from cpimportd.documents.items import DocumentRow, Header, Totals
from cpimportd.documents.understand import understand
from cpimportd.workbook.cells import Cells, open_cells
from cpimportd.workbook.confine import confine, die_with_parent, import_codecs
from cpimportd.workbook.copytext import encode_row
from cpimportd.workbook.guards import ZipLimits, inspect
from cpimportd.workbook.openfile import OpenFile, Workbook
from cpimportd.workbook.protocol import LONGEST_LINE, Job, Output, Trailer
from cpimportd.workbook.sheets import Sheet

_HEAD = 50

Item = Header | DocumentRow | Problem | Totals


def work(job: Job, workbook: Workbook, output: Output) -> None:
    """Read the job's workbook and send what is in it; faults of the file are sent, not raised."""
    trailer = Trailer()
    try:
        contents = inspect(workbook, ZipLimits(**job["zip"]), job["name"])
        trailer = Trailer(contents.digest, unchanged=contents.digest in job["known_digests"])
        if not trailer.unchanged:
            cells = open_cells(workbook, contents, job["name"])
            trailer = _send(_parsed_items(cells, job), job["name"], cells.engine, trailer, output)
    except ProblemError as error:
        for found in error.problems:
            output.problem(found)
    output.end(trailer, job["name"])


def _parsed_items(cells: Cells, job: Job) -> Iterator[Item]:
    """What the one sheet with a header holds; where none has one, what is wrong with the first.

    Raises:
        ProblemError: ``several-sheets``.
    """
    several = cells.sheets if len(cells.sheets) > 1 else ()
    headed = [sheet for sheet in several if _has_header(sheet)]
    if len(headed) > 1:
        names = ", ".join(sheet.name for sheet in headed)
        raise ProblemError(problem("several-sheets", file=job["name"], count=len(headed), value=names))
    return _items((*headed, *cells.sheets)[0], job, cells)


def _has_header(sheet: Sheet) -> bool:
    return has_header([cells for _, cells in islice(sheet.rows(), _HEAD)]) is not None


def _items(sheet: Sheet, job: Job, cells: Cells) -> Iterator[Item]:
    return understand(
        sheet.rows(),
        file=job["name"],
        sheet=sheet.name,
        file_no=job["file_no"],
        zone=ZoneInfo(job["timezone"]),
        limits=job["limits"],
        since_1904=cells.since_1904,
    )


def _send(items: Iterator[Item], file: str, engine: str, trailer: Trailer, output: Output) -> Trailer:
    """Send what was found; the trailer comes back with the totals."""
    for item in items:
        if isinstance(item, DocumentRow):
            try:
                output.row(_line(item))
            except ValueError as error:
                output.problem(problem("reject", file=file, row=item.row, cell="", reason=reason_of(error)))
                trailer = replace(trailer, rejected=trailer.rejected + 1)
        elif isinstance(item, Problem):
            output.problem(item)
        elif isinstance(item, Header):
            header = {"kind": item.kind.value, "engine": engine, "sheet": item.sheet, "columns": dict(item.columns)}
            output.message("header", header)
        else:
            rejected = trailer.rejected + item.rejected
            trailer = replace(trailer, rejected=rejected, control_totals=item.control_totals, sums=item.sums)
            trailer = replace(trailer, total_row=item.row)
    return trailer


def _line(item: DocumentRow) -> bytes:
    """The row as it travels.

    Raises:
        ValueError: PostgreSQL could not store it, or the parent would not take a line so long.
    """
    line = encode_row(item.values)
    if len(line) > LONGEST_LINE:
        raise UnfitError("row-too-long", size=len(line), limit=LONGEST_LINE)
    return line


def main() -> None:
    """Read a job from stdin, do it, and end; without a workbook, try what else could be done (``workbook.trial``)."""
    die_with_parent()
    import_codecs()
    asked = sys.stdin.buffer.read()
    if not asked:  # the parent has ended already
        return
    job = json.loads(asked)
    if "path" in job:
        with OpenFile(Path(job["path"])) as workbook:
            ZoneInfo(job["timezone"])  # is read from a file, and kept
            confine()
            work(job, workbook, Output(sys.stdout.buffer, job["most_problems"]))
    else:
        from cpimportd.workbook.trial import attempt_all  # noqa: PLC0415 - who reads needs no sockets to try

        attempt_all(confine(), sys.stdout.buffer)


if __name__ == "__main__":
    main()
