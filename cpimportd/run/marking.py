"""Marks the cells to be corrected in the workbooks of a run: problems from the books, workbooks from the spool.

A limited child process (``marker``) marks each workbook, like the one that reads it: its content is not trusted.
"""

import base64
import itertools
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.config.settings import Reader, Settings
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.typed import json_keys, to_json
from cpimportd.render.workbooks.notes import MarkJob, Note
from cpimportd.render.workbooks.tables import write_output
from cpimportd.run.remarks import compares, concerns, notes_of, one_line_each
from cpimportd.run.spool import archived_runs, find_in_spool
from cpimportd.workbook.reading import child_command
from cpimportd.workbook.sandbox import run_limited, spawned

SUFFIX: Final = " - исправить.xlsx"
_LONGEST_STEM: Final = 80
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


@dataclass(frozen=True, slots=True)
class Faulty:
    """A workbook of a run in which something is to be corrected.

    Attributes:
        sha256: of its bytes; None where neither the books nor the spool know.
        sheet: the sheet that was read.
        columns: field → letters of its column.
        problems: what is to be corrected, those of the whole workbook too.
    """

    file: str
    sha256: str | None
    sheet: str | None
    columns: Mapping[str, str]
    problems: tuple[Mapping[str, Any], ...]


@json_keys("path", "count", marked="path", problems="count")
@dataclass(frozen=True, slots=True)
class Marked:
    """What became of one workbook.

    Attributes:
        path: the marked copy; None where there is none.
        count: how many things are marked or listed in it.
        problem: why there is none.
    """

    file: str
    path: Path | None
    count: int
    problem: Problem | None = None


async def faulty_workbooks(connection: asyncpg.Connection, run: int, spool: Path) -> list[Faulty]:
    """The workbooks of a run in which a row has a problem, or an amount is not what it should be.

    Raises:
        ProblemError: ``nothing-found``: there is no such run.
    """
    row = await connection.fetchrow(sql("past", "report"), run)
    if row is None:
        hint = phrase("hint-history")
        raise ProblemError(problem("nothing-found", what="run", value=str(run), hint=hint))
    report = json.loads(row["report"]) if row["report"] else {}
    reported = [*report.get("problems", ()), *(p for unit in report.get("units", ()) for p in unit["problems"])]
    snapshots = {one["file"]: one for one in await connection.fetch(sql("past", "run_snapshots"), run)}
    listed = {one["name"]: one for one in report.get("files", ())}
    found = []
    for name in dict.fromkeys((*snapshots, *listed)):
        snapshot = snapshots.get(name)
        own = json.loads(snapshot["problems"]) if snapshot else []
        line = listed.get(name, {})
        every = [*own, *line.get("problems", ()), *(one for one in reported if concerns(one, name, line))]
        problems = tuple(one_line_each(every))
        if any(one["row"] is not None or compares(one["code"]) for one in problems):
            sha256 = snapshot["sha256"] if snapshot else _archived(spool, run, name)
            sheet, columns = (snapshot["sheet"], json.loads(snapshot["columns"])) if snapshot else (None, {})
            found.append(Faulty(name, sha256, sheet, columns, problems))
    return found


def _archived(spool: Path, run: int, name: str) -> str | None:
    """What a run fetched under a name, where the books do not know: it published nothing."""
    if not spool.is_dir():
        return None
    files = (file for one in archived_runs(spool) if one.run == run for file in one.files)
    return next((file.sha256 for file in files if file.name == name), None)


async def mark_workbook(one: Faulty, settings: Settings, run: int, target: Path, *, force: bool) -> Marked:
    """Mark a workbook and write it into a file; a failure is an outcome too.

    Raises:
        ProblemError: ``output-exists``, ``disk``.
    """
    notes = notes_of(one.problems, one.file)
    count = len(notes)
    path = find_in_spool(settings.spool_directory, one.sha256) if one.sha256 else None
    if path is None:
        return Marked(one.file, None, count, problem("workbook-gone", file=one.file, run=run))
    try:
        content = await _marked(one, path, notes, settings.reader)
    except ProblemError as error:
        reason = error.problems[0]
        return Marked(one.file, None, count, problem("workbook-unmarked", file=one.file, run=run, reason=reason))
    write_output(target, lambda file: _write(file, content), force=force)
    return Marked(one.file, target, count)


def _write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def marked_names(files: Iterable[str]) -> dict[str, str]:
    """What the marked copies of some workbooks are called; a name that a server sent is no path here.

    Two workbooks that differ only in what is left out (``a.xls`` and ``a.xlsx``, or far behind in a long name) have two
    copies nevertheless, also on a server that does not tell capital letters apart, and whatever their order.

    Returns:
        Name → that of its copy.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for file in sorted(files):
        stem = _UNSAFE.sub("_", Path(file.replace("\\", "/")).name.rpartition(".")[0]).strip(". ")
        stem = stem[:_LONGEST_STEM] or "workbook"
        numbered = (stem if number == 1 else f"{stem} ({number})" for number in itertools.count(1))
        names[file] = next(f"{one}{SUFFIX}" for one in numbered if one.casefold() not in taken)
        taken.add(names[file].removesuffix(SUFFIX).casefold())
    return names


async def _marked(one: Faulty, path: Path, notes: tuple[Note, ...], limits: Reader) -> bytes:
    """The marked workbook, from the child.

    Raises:
        ProblemError: ``reader-limit``, ``reader-failed``.
    """
    job = MarkJob(str(path), one.sheet, one.columns, notes)
    content = bytearray()
    start = spawned(child_command("cpimportd.run.marker"))
    async with aclosing(run_limited(start, json.dumps(to_json(job)).encode(), limits, file=one.file)) as lines:
        async for block in lines:
            for line in block.splitlines():
                content += base64.b64decode(line, validate=True)
    return bytes(content)
