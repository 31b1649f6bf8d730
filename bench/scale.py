"""What measured costs mean for large holdings: computed here, and put between the markers of docs/scale.md.

Every figure of the page's second and third table follows from its first by the formulas below and nothing else, so that
page and program agree: tests/growth compares them.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

MIB, GIB = 2**20, 2**30
HOUR = 3600


@dataclass(frozen=True)
class Costs:
    """What one of each costs; rows are those of all three kinds, mixed 1 : 10 : 14 (receipts, expenses, details)."""

    read_file_ms: float
    spawn_file_ms: float
    read_row_us: float
    child_bytes: float
    child_row_bytes: float
    hear_row_us: float
    pack_row_us: float
    unpack_row_us: float
    key_bytes: float
    travel_bytes: float
    xlsx_bytes: float
    publish_file_ms: float
    stage_row_us: float
    insert_row_us: float
    change_document_us: float
    wal_row: float
    wal_document: float
    disk_row: float
    lineage_row: float
    journal_document: float
    fingerprint_row_us: float
    report_file_bytes: float
    backup_row_us: float
    backup_bytes: float


MEASURED: Final = {
    "read_file_ms": ("a workbook's child process: fork, job, end", "ms of a processor"),
    "spawn_file_ms": ("the same with a new process, as on a cluster's worker", "ms of a processor"),
    "read_row_us": ("reading and understanding a row, in the child", "µs of a processor"),
    "child_bytes": ("address space of a child whose workbook has next to no rows", "bytes"),
    "child_row_bytes": ("a row, beyond that", "bytes"),
    "hear_row_us": ("receiving a row, in the parent", "µs of a processor"),
    "pack_row_us": ("packing a row for its return, on a cluster's worker", "µs of a processor"),
    "unpack_row_us": ("unpacking it, in the parent", "µs of a processor"),
    "key_bytes": ("what the parent keeps of a row for the checks (tracemalloc)", "bytes"),
    "travel_bytes": ("a row on its way to the temporary table", "bytes"),
    "xlsx_bytes": ("a row in its workbook", "bytes"),
    "publish_file_ms": ("a workbook in the publication, beside its rows", "ms"),
    "stage_row_us": ("COPY and comparison of a row that did not change", "µs"),
    "insert_row_us": ("a new row, beyond that: insertion, lineage, sums", "µs"),
    "change_document_us": ("a changed document with its lines, beyond that", "µs"),
    "wal_row": ("WAL of a new row, lineage included", "bytes"),
    "wal_document": ("WAL of a changed document with its lines, after a checkpoint", "bytes"),
    "disk_row": ("a row in `fin_*` with its indexes", "bytes"),
    "lineage_row": ("its part of `cpimportd.lineage`", "bytes"),
    "journal_document": ("a changed document in `cpimportd.change`", "bytes"),
    "fingerprint_row_us": ("the fingerprints over the books, in memory", "µs"),
    "report_file_bytes": ("a workbook and its unit in the report's JSON", "bytes"),
    "backup_row_us": ("pg_dump of a row", "µs"),
    "backup_bytes": ("a row in the backup", "bytes"),
}
"""Of each cost: of what, and its unit."""

ROWS, ORGANIZATIONS = 10**9, 10_000
FILES = 3 * ORGANIZATIONS
SHEET = 1_048_576
"""Rows of a sheet (ECMA-376)."""
DOCUMENTS = ROWS * 11 // 25
LINES_PER_DOCUMENT = 14 / 11
CHANGED = DOCUMENTS // 200
"""Documents that change in a day: the 0.5 % of the benchmark."""


def needs(c: Costs) -> Iterator[tuple[str, str, str]]:
    """What 10,000 organizations and a billion rows need: what, how much, and how it was computed."""
    child, parent = FILES * c.read_file_ms / 1e3 + ROWS * c.read_row_us / 1e6, ROWS * c.hear_row_us / 1e6
    worker = FILES * c.spawn_file_ms / 1e3 + ROWS * (c.read_row_us + c.pack_row_us) / 1e6
    unpacking = ROWS * c.unpack_row_us / 1e6
    first = ROWS * (c.stage_row_us + c.insert_row_us) / 1e6 + FILES * c.publish_file_ms / 1e3
    day = ROWS * c.stage_row_us / 1e6 + FILES * c.publish_file_ms / 1e3 + CHANGED * c.change_document_us / 1e6
    yield "an upload of all workbooks", size(ROWS * c.xlsx_bytes), "rows × bytes in a workbook"
    yield "reading all of them on one machine", f"{hours(child)} of a processor", "workbooks × child + rows × reading"
    yield (
        "reading all of them on a cluster",
        f"{hours(worker)} of a processor",
        "workbooks × new child process + rows × (reading + packing)",
    )
    yield "workers that read them in an hour", f"{count(math.ceil(worker / HOUR))} processors", "that, per hour"
    yield "the parent's share, which one process does", hours(parent), "rows × receiving"
    yield "the same with a cluster", hours(parent + unpacking), "rows × (receiving + unpacking)"
    yield "what the parent keeps meanwhile", size(ROWS * c.key_bytes), "rows × what is kept of a row"
    yield "rows in transit", size(ROWS * c.travel_bytes), "rows × bytes; once in the spool, once as temporary tables"
    yield "the first publication, in one transaction", hours(first), "rows × (comparison + insertion) + workbooks"
    yield "a day's publication, in one transaction", hours(day), "rows × comparison + changed documents + workbooks"
    yield (
        "transactions side by side for a day in half an hour",
        count(math.ceil(day / HOUR * 2)),
        "that, by half an hour",
    )
    yield "WAL of the first import", size(ROWS * c.wal_row), "rows × WAL"
    yield "WAL of a day", size(CHANGED * c.wal_document), f"{count(CHANGED)} changed documents × WAL"
    yield "`fin_*` on disk", size(ROWS * c.disk_row), "rows × bytes"
    yield "`cpimportd.lineage` on disk", size(ROWS * c.lineage_row), "rows × bytes"
    yield "the journal, per year", size(365 * CHANGED * c.journal_document), "365 × changed documents × bytes"
    outgrown = c.disk_row * ROWS / (CHANGED * c.journal_document)
    yield "days until the journal is larger than `fin_*`", count(outgrown), "bytes of `fin_*` ÷ journal of a day"
    yield "the fingerprints, each time", hours(ROWS * c.fingerprint_row_us / 1e6), "rows × time, if all were in memory"
    yield "a run's report", size(FILES * c.report_file_bytes), "workbooks × bytes"
    backup = f"{hours(ROWS * c.backup_row_us / 1e6)}, {size(ROWS * c.backup_bytes)}"
    yield "a backup by pg_dump", backup, "rows × time, rows × bytes"
    spent = CHANGED * LINES_PER_DOCUMENT
    left = (2**31 - ROWS * 14 / 25) / spent / 365
    yield (
        "ids left in `fin_expense_details.id`",
        f"for {left:.1f} years",
        "(2³¹ − details) ÷ lines of changed documents",
    )


def breaks(c: Costs) -> list[tuple[float, str, str, str, str]]:
    """Where the design ends: at how many, of what, the limit, what it is, and what to change then; the lowest first."""
    one_run = c.read_row_us / 2 + c.hear_row_us + c.stage_row_us
    journal = 365 * CHANGED / ROWS * c.journal_document
    found = (
        (64 * MIB / c.travel_bytes, "rows a day", "`temp_buffers` (64 MB, set by us)",
         "temporary tables go to the disk of the database: slower, and they need space there",
         "nothing; later the comparison organization by organization"),
        (100e9 / journal, "rows in the books", "100 GB of journal a year, at 0.5 % a day",
         "the database grows by its history", "`journal.keep`; `change` partitioned by month"),
        (15e6 / (c.stage_row_us + c.insert_row_us), "new rows", "3 × `database.lock_timeout` (15 s)",
         "another department's run stops waiting for the tables, and retries",
         "raise `lock_timeout`; keep first imports apart"),
        (SHEET, "rows of one kind of one organization in one file", "a sheet of an .xlsx",
         "1C cannot export it", "several files of one organization and kind are one snapshot already"),
        ((GIB - c.child_bytes) / c.child_row_bytes, "rows in one file", "`reader.memory` (1 GiB)",
         "its reader is stopped (`reader-limit`), and its unit held", "raise it, or export in several files"),
        (200 * MIB / c.xlsx_bytes, "rows in one file", "`source.max_file_size` (200M)",
         "the file is refused", "raise it, or export in several files"),
        (300e6 / c.read_row_us, "rows in one file", "`reader.cpu_time` (5 min)", "its reader is stopped", "raise it"),
        (GIB / c.key_bytes, "rows a day", "1 GiB in the parent, for the keys of all documents",
         "the run outgrows a small machine",
         "a run per department; then integrity checks by SQL over the staged rows instead of keys in memory"),
        (600e6 / c.insert_row_us, "new rows", "`database.statement_timeout` (10 min) for one INSERT",
         "a first import is rolled back", "raise it for the first import, or import organization by organization"),
        (600e6 / c.fingerprint_row_us, "rows in the books", "`database.statement_timeout` (10 min) for the fingerprints",
         "every run fails before it begins", "fingerprints per partition, and only of those with writes since (pg_stat counters)"),
        (7200e6 / one_run, "rows a day", "`daemon.run_time_limit` (2 h): reading by two, comparison by one",
         "the daily run is stopped", "`engine.executor = \"dask\"` for reading; several departments for publishing"),
        (8 * 3600e6 / c.backup_row_us, "rows in the books", "a backup in a night (8 h)",
         "pg_dump no longer serves as a backup", "physical backups with WAL archiving (pgBackRest, barman)"),
    )  # fmt: skip
    # What only a sheet longer than a sheet can be would reach is no limit.
    return sorted(row for row in found if row[1] != "rows in one file" or row[0] < SHEET)


def crowds(c: Costs) -> list[tuple[float, str, str, str, str]]:
    """The same for the number of workbooks."""
    found = (
        (2 * HOUR * 1e3 / c.read_file_ms, "an hour on two processors for the starts of children alone",
         "reading takes longer than its rows",
         f'`engine.executor = "dask"` with more than {count(2 * c.spawn_file_ms / c.read_file_ms)} processors: a worker'
         " starts a new process for each reader"),
        (600e3 / c.publish_file_ms, "ten minutes for statements per workbook, within the transaction",
         "publications take longer than their rows", "several rows per INSERT (`snapshot`, `run_unit`, the import log)"),
        (MIB / 68, "1 MiB of known digests sent to each child (68 bytes each), so in all workbooks² × 68 bytes",
         "reading grows with the square", "send a child only the digest of its own workbook"),
        (2**28 / c.report_file_bytes, "256 MiB, the most that a jsonb holds",
         "the report cannot be stored in `runs`", "keep files and units in their own tables alone"),
    )  # fmt: skip
    return [(at, "workbooks", *rest) for at, *rest in sorted(found)]


def tables(c: Costs, how: str) -> dict[str, str]:
    """The page's tables by the names of their markers, computed from the costs as its first one shows them."""
    shown = {name: f"{getattr(c, name):.4g}" for name in MEASURED}
    c = Costs(**{name: float(cost) for name, cost in shown.items()})
    measured = [(f"`{name}`", what, shown[name], unit) for name, (what, unit) in MEASURED.items()]
    limits = [(f"{rough(at)} {of}", limit, then, change) for at, of, limit, then, change in (*breaks(c), *crowds(c))]
    return {
        "measured": f"{how}\n\n" + table(("name", "what", "measured", "unit"), measured),
        "needs": table(("what", "computed", "how"), needs(c)),
        "breaks": table(("at about", "limit", "what happens", "what to change then"), limits),
    }


def write_page(page: Path | None, c: Costs, how: str) -> str:
    """The tables as one text; also put into a page, where one is given."""
    made = tables(c, how)
    if page is not None:
        text = page.read_text(encoding="utf-8")
        for name, content in made.items():
            text = _between(name).sub(lambda found, content=content: f"{found[1]}\n{content}\n{found[3]}", text)
        page.write_text(text, encoding="utf-8")
    return "\n\n".join(made.values())


def read_page(page: Path) -> tuple[Costs, str]:
    """The measured costs that a page holds, and how they were measured."""
    found = _between("measured").search(page.read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit(f"{page} has no markers <!-- measured --> and <!-- /measured -->")
    cells = [[cell.strip() for cell in line.split("|")] for line in found[2].splitlines() if line.startswith("| `")]
    values = {row[1].strip("`"): float(row[3]) for row in cells}
    return Costs(**{field.name: values[field.name] for field in fields(Costs)}), found[2].strip().splitlines()[0]


def recompute(page: Path) -> None:
    """Compute a page's tables anew from what it says was measured."""
    write_page(page, *read_page(page))


def _between(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name} -->)\n(.*?)(<!-- /{name} -->)", re.DOTALL)


def table(titles: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def count(number: float) -> str:
    return f"{number:,.0f}"


def rough(number: float) -> str:
    """A number to two digits."""
    digits = round(number, 1 - math.floor(math.log10(number)))
    for unit, name in ((1e9, "billion"), (1e6, "million")):
        if digits >= unit:
            return f"{digits / unit:,.3g} {name}"
    return count(digits)


def size(number: float) -> str:
    steps: tuple[tuple[float, str], ...] = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"))
    unit, name = next((step for step in steps if number >= step[0]), (1e3, "kB"))
    return f"{number / unit:,.3g} {name}"


def hours(seconds: float) -> str:
    show: Callable[[float], str] = lambda number: f"{number:,.2g}" if number < 100 else count(number)  # noqa: E731
    return f"{show(seconds / HOUR)} h" if seconds >= HOUR else f"{show(seconds / 60)} min"
