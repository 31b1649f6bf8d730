"""What a row, a document and a workbook cost, and what follows for large holdings: the tables of docs/scale.md.

    python -m bench.bench_costs [--expenses 10000] [--repeat 5] [--write docs/scale.md]
    python -m bench.bench_costs --recompute docs/scale.md     # only what follows, from the page's own measurements

Starts an embedded PostgreSQL with its defaults (fsync and full-page writes on), imports generated exports with the real
command, and takes the median of each figure. Not collected by pytest.
"""

import argparse
import asyncio
import hashlib
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from pydantic import SecretStr

from bench.scale import Costs, recompute, write_page
from cpimportd.books.database.embedded import EmbeddedPostgres
from cpimportd.books.database.queries import sql
from cpimportd.books.schema.upgrade import upgrade
from cpimportd.config.settings import Database, Reader
from cpimportd.core.workbooks import FetchedFile, Snapshot
from cpimportd.demo.exports import ExportDay, Holding
from cpimportd.demo.ledger import Changes
from cpimportd.workbook.cluster.reply import Packer, unpack
from cpimportd.workbook.reading import ReadJob, child_job, read
from tests.support.workbook.reading_all import read_all

FIN = ("fin_receipts", "fin_expenses", "fin_expense_details")
SMALL = 20
"""Organizations with three workbooks of a handful of rows each: what a workbook costs beside its rows."""


def one(statement: str, url: str, *arguments: object) -> Any:
    """The first value of a query."""

    async def ask() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement, *arguments)
        finally:
            await connection.close()

    return asyncio.run(ask())


def rows_of(day: ExportDay) -> int:
    return sum(day.truth.rows.values())


@dataclass(frozen=True)
class Run:
    """One run of the real command: its report, and how much WAL it wrote."""

    report: dict[str, Any]
    wal: float

    @property
    def publish(self) -> float:
        return float(self.report["stages"]["publish"])

    @property
    def staged(self) -> int:
        return sum(file["rows"] for file in self.report["files"] if file["status"] == "published")

    @property
    def documents(self) -> int:
        counts = ("inserted", "updated", "removed", "retimed")
        return sum(unit[name] for unit in self.report["units"] for name in counts)


class Books:
    """Fresh books, and runs into them."""

    def __init__(self, server: EmbeddedPostgres, folder: Path, name: str) -> None:
        one(f"CREATE DATABASE {name}", server.url())
        self.url, self.folder = server.url(name), folder / name
        self.folder.mkdir()
        asyncio.run(upgrade(Database(url=SecretStr(self.url))))
        self.config = self.folder / "cpimportd.toml"
        self.config.write_text(
            f'state_directory = "{self.folder}/state"\n[database]\nurl = "{self.url}"\n[source]\nstable_for = 0\n'
        )
        self.config.chmod(0o600)

    def run(self, day: ExportDay) -> Run:
        """Import a day, after what a night brings: autovacuum, and the checkpoint for which WAL has whole pages again."""
        (self.folder / "upload").mkdir(exist_ok=True)
        day.write(self.folder / "upload")
        one("VACUUM (ANALYZE)", self.url)
        one("CHECKPOINT", self.url)
        before = one("SELECT pg_current_wal_insert_lsn() - '0/0'", self.url)
        verb = [sys.executable, "-m", "cpimportd", "run", "--json", "--config", str(self.config)]
        done = subprocess.run(
            [*verb, "--from", str(self.folder / "upload")], capture_output=True, text=True, check=True
        )
        return Run(json.loads(done.stdout), float(one("SELECT pg_current_wal_insert_lsn() - '0/0'", self.url) - before))

    def size(self, *tables: str) -> int:
        return int(
            one("SELECT sum(pg_total_relation_size(t::regclass)) FROM unnest($1::text[]) AS t", self.url, tables)
        )

    def fingerprints(self) -> float:
        """Seconds that the fingerprints over all rows take; the best of three, with everything in memory."""
        return min(timed(lambda: one(sql("memory", "fingerprints"), self.url, 8)) for _ in range(3))

    def backup(self) -> tuple[float, int]:
        """Seconds and bytes of the backup."""
        verb = [sys.executable, "-m", "cpimportd", "backup", "--json", "--config", str(self.config)]
        seconds = timed(lambda: subprocess.run(verb, capture_output=True, check=True))
        return seconds, sum(path.stat().st_size for path in (self.folder / "state" / "backups").rglob("*.*"))


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def used(who: int) -> float:
    found = resource.getrusage(who)
    return found.ru_utime + found.ru_stime


def reading(day: ExportDay, folder: Path) -> tuple[float, float, tuple[Snapshot, ...], int]:
    """Read a day's workbooks one after the other: CPU seconds of the children and of the parent, and what it keeps."""
    folder.mkdir()
    files = [
        FetchedFile(path.name, path, path.stat().st_size, None, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in day.write(folder)
    ]
    limits, job = Reader(parallel=1), ReadJob(timezone="Europe/Moscow")
    (folder / "rows").mkdir()
    children, parent = used(resource.RUSAGE_CHILDREN), used(resource.RUSAGE_SELF)
    asyncio.run(read_all(files, job, limits, folder / "rows"))
    children, parent = used(resource.RUSAGE_CHILDREN) - children, used(resource.RUSAGE_SELF) - parent
    tracemalloc.start()  # slow: so in a second reading, that nobody times
    snapshots = asyncio.run(read_all(files, job, limits, folder / "rows"))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return children, parent, snapshots, kept


async def read_anew(snapshots: Sequence[Snapshot], job: ReadJob, folder: Path) -> None:
    """Read workbooks one after the other, each by a child that is started for it."""
    for snapshot in snapshots:
        await read(snapshot.file, snapshot.file_no, job, Reader(), folder)


def address_space(snapshot: Snapshot) -> int:
    """Bytes of address space that the child took at most (VmPeak, proc(5)), which ``reader.memory`` limits."""
    program = "import sys; from cpimportd.workbook.worker import main; main(); print(open('/proc/self/status').read(), file=sys.stderr)"
    job = child_job(snapshot.file.path, snapshot.file.name, 0, ReadJob(timezone="Europe/Moscow"), Reader())
    argv = [sys.executable, "-c", program]
    done = subprocess.run(argv, input=json.dumps(job).encode(), capture_output=True, check=True)
    peak = re.search(rb"^VmPeak:\s+([0-9]+) kB$", done.stderr, re.MULTILINE)
    assert peak, done.stderr
    return int(peak[1]) * 1024


def packing(folder: Path) -> tuple[float, float]:
    """Seconds of a processor that a cluster's worker takes to pack a day's rows, and the run to unpack them."""
    lines = b"".join(path.read_bytes() for path in sorted(folder.iterdir())).splitlines(keepends=True)
    packer, began = Packer(), time.process_time()
    for place in range(0, len(lines), 100):
        packer.feed(b"".join(lines[place : place + 100]))
    packed, there = packer.end(), time.process_time()
    taken = sum(len(block) for block in unpack([packed], 2**31))
    back = time.process_time()
    assert taken == sum(map(len, lines))
    return there - began, back - there


def measure_reading(large: ExportDay, small: ExportDay, folder: Path, found: dict[str, list[float]]) -> None:
    few_children, few_parent, few, _ = reading(small, folder / "small")
    children, parent, many, kept = reading(large, folder / "large")
    rows, per_file = rows_of(large), few_children / len(few)
    found["read_file_ms"].append(per_file * 1e3)
    anew = used(resource.RUSAGE_CHILDREN)
    asyncio.run(read_anew(few, ReadJob(timezone="Europe/Moscow"), folder / "small" / "rows"))
    found["spawn_file_ms"].append((used(resource.RUSAGE_CHILDREN) - anew) / len(few) * 1e3)
    # The longest of the large workbooks, beside the same kind of the small ones.
    longest = max(many, key=lambda snapshot: len(snapshot.documents))
    shortest = next(snapshot for snapshot in few if snapshot.kind is longest.kind)
    found["child_bytes"].append(least := address_space(shortest))
    found["child_row_bytes"].append((address_space(longest) - least) / len(longest.documents))
    there, back = packing(folder / "large" / "rows")
    found["pack_row_us"].append(there / rows * 1e6)
    found["unpack_row_us"].append(back / rows * 1e6)
    found["read_row_us"].append((children - len(many) * per_file) / rows * 1e6)
    found["hear_row_us"].append((parent - len(many) * few_parent / len(few)) / rows * 1e6)
    found["key_bytes"].append(kept / rows)
    found["travel_bytes"].append(sum(path.stat().st_size for path in (folder / "large" / "rows").iterdir()) / rows)
    found["xlsx_bytes"].append(sum(snapshot.file.size for snapshot in many) / rows)


def measure_publishing(
    books: Books, days: tuple[ExportDay, ExportDay, ExportDay], fixed: float, found: dict[str, list[float]]
) -> None:
    """A first import; a day on which one document of each unit changed; a day on which many did."""
    filled = books.run(days[0])
    rows = filled.staged
    found["disk_row"].append(books.size(*FIN) / rows)
    found["lineage_row"].append(books.size("cpimportd.lineage") / rows)
    found["wal_row"].append(filled.wal / rows)
    found["fingerprint_row_us"].append(books.fingerprints() / rows * 1e6)
    few = books.run(days[1])
    journal = books.size("cpimportd.change")
    stage = max(few.publish - fixed, 0) / few.staged
    found["stage_row_us"].append(stage * 1e6)
    found["insert_row_us"].append((filled.publish - fixed) / rows * 1e6 - stage * 1e6)
    many = books.run(days[2])
    found["change_document_us"].append((many.publish - fixed - stage * many.staged) / many.documents * 1e6)
    found["wal_document"].append((many.wal - few.wal) / (many.documents - few.documents))
    found["journal_document"].append((books.size("cpimportd.change") - journal) / many.documents)
    seconds, size = books.backup()
    found["backup_row_us"].append(seconds / rows * 1e6)
    found["backup_bytes"].append(size / rows)


def measure(expenses: int, repeat: int, folder: Path, server: EmbeddedPostgres) -> Costs:
    """Everything, the median of each figure."""
    found: dict[str, list[float]] = defaultdict(list)
    sizes = {"organizations": 1, "receipts": expenses // 10, "expenses": expenses}
    touched = Changes(deleted=0, retimed=0, repriced=1, added=0, receipts_added=1)
    busy = Changes(deleted=0, retimed=0, repriced=expenses // 10, added=0, receipts_added=1)
    large = Holding(**sizes)
    days = (large.day(1), Holding(**sizes, changes=touched).day(2), Holding(**sizes, changes=busy).day(2))
    small, tiny = (Holding(organizations=n, receipts=2, expenses=3).day(1) for n in (SMALL, 1))
    for number in range(repeat):
        place = folder / str(number)
        place.mkdir()
        print(f"{number + 1} of {repeat}", file=sys.stderr, flush=True)
        measure_reading(days[0], small, place, found)
        least = Books(server, place, f"least_{number}").run(tiny)
        fixed = least.publish
        crowd = Books(server, place, f"crowd_{number}")
        run = crowd.run(small)
        found["publish_file_ms"].append((run.publish - fixed) / (len(small.files) - len(tiny.files)) * 1e3)
        length = "SELECT length(report::text) FROM cpimportd.runs"
        found["report_file_bytes"].append(one(length, crowd.url) / len(small.files))
        measure_publishing(Books(server, place, f"books_{number}"), days, fixed, found)
    costs = {name: statistics.median(values) for name, values in found.items()}
    if lost := [name for name, value in costs.items() if value <= 0]:
        raise SystemExit(f"lost in the noise: {', '.join(lost)}; measure on a quieter machine, or with more --expenses")
    return Costs(**costs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--expenses", type=int, default=10_000, help="of the organization; details are 1.4 times as many"
    )
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables between the page's markers")
    parser.add_argument("--recompute", type=Path, metavar="PAGE", help="measure nothing")
    asked = parser.parse_args()
    if asked.recompute:
        recompute(asked.recompute)
        return
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres() as server:
        machine = f"{os.cpu_count()} processors, Python {sys.version.split()[0]}, {server.version}"
        load = os.getloadavg()[0]
        costs = measure(asked.expenses, asked.repeat, Path(folder), server)
    how = f"Medians of {asked.repeat}, one organization with {asked.expenses:,} expenses; {machine}; load {load:.1f} beforehand."
    print(write_page(asked.write, costs, how))


if __name__ == "__main__":
    main()
