"""Readers beside an import: how long the backend's summary takes at rest and during a publication, and who waits."""

import asyncio
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Self

import asyncpg

from bench.contenders import Ours
from bench.race import Bench, say
from bench.workload import FIRST, NEXT

PAUSE = 0.005
"""Seconds between a reader's questions, and between two looks at who waits."""
REST = 6.0
"""Seconds of rest before each run, for comparison."""
READER = "bench-reader"

# The figures of the backend's page: totals, active contracts, principal and interest by the expense's contract.
SUMMARY = """
    SELECT (SELECT sum(amount) FROM fin_receipts WHERE department_id = $1) AS receipts,
           (SELECT sum(amount) FROM fin_expenses WHERE department_id = $1) AS expenses,
           (SELECT count(*) FROM fin_contracts WHERE department_id = $1 AND is_active) AS contracts,
           p.principal, p.interest
    FROM (SELECT sum(d.payment_amount) FILTER (WHERE d.payment_type = 'Погашение долга') AS principal,
                 sum(d.payment_amount) FILTER (WHERE d.payment_type = 'Уплата процентов') AS interest
          FROM fin_expense_details d JOIN fin_expenses e ON e.operation_id = d.expense_operation_id
          WHERE e.department_id = $1) p
"""
# Somebody has written and not yet committed: from the first temporary table to COMMIT.
PUBLISHING = """
    SELECT EXISTS (SELECT FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name LIKE 'cpimportd%' AND backend_xid IS NOT NULL)
"""
WAITING = f"""
    SELECT coalesce(max(extract(epoch FROM clock_timestamp() - w.waitstart)), 0)::float8
    FROM pg_locks w JOIN pg_stat_activity a USING (pid)
    WHERE a.application_name = '{READER}' AND NOT w.granted
"""
DEPARTMENT = 8


@dataclass(eq=False)  # a thread is known by itself
class Watch(threading.Thread):
    """A reader that asks for the summary again and again, and a watcher beside it, until the end of its block."""

    url: str
    asked: list[tuple[float, float]] = field(default_factory=list)
    publishing: list[tuple[float, bool]] = field(default_factory=list)
    longest_wait: float = 0.0
    refused: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        self._ended = threading.Event()

    # Two threads are two loops: a slow answer to one question must not delay the other.
    def run(self) -> None:
        looking = threading.Thread(target=lambda: asyncio.run(self._look()))
        looking.start()
        asyncio.run(self._ask())
        looking.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    async def _ask(self) -> None:
        # A reader that had to wait for a lock for a millisecond would be refused, and counted.
        settings = {"application_name": READER, "lock_timeout": "1ms"}
        connection = await asyncpg.connect(self.url, server_settings=settings)
        await connection.fetchrow(SUMMARY, DEPARTMENT)
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                await connection.fetchrow(SUMMARY, DEPARTMENT)
            except asyncpg.LockNotAvailableError:
                self.refused += 1
            self.asked.append((began, time.monotonic()))
            await asyncio.sleep(PAUSE)
        await connection.close()

    async def _look(self) -> None:
        connection = await asyncpg.connect(self.url)
        while not self._ended.is_set():
            self.publishing.append((time.monotonic(), await connection.fetchval(PUBLISHING)))
            self.longest_wait = max(self.longest_wait, await connection.fetchval(WAITING))
            await asyncio.sleep(PAUSE)
        await connection.close()

    def during_publication(self) -> list[float]:
        """Seconds of every question that was under way while somebody published.

        A run writes its own row long before, while it reads, and others after: what lasts longest is the publication.
        """
        spans = [[at for at, _ in looks] for publishing, looks in groupby(self.publishing, itemgetter(1)) if publishing]
        if not spans:
            return []
        first, *_, last = max(spans, key=len)
        return [ended - began for began, ended in self.asked if ended >= first and began <= last]


@contextmanager
def computing() -> Iterator[None]:
    """A process that keeps one processor busy and touches no database."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        yield
        busy.kill()


def measure(bench: Bench) -> dict[str, object]:
    """Rest, a busy processor and a publication in turn: the next day, the first day again, the next day …

    Returns:
        Every question's milliseconds at rest, beside a process that only computes, and during publications; the longest
        wait for a lock.
    """
    workload, ours = bench.workload(), Ours("readers")
    at_rest: list[float] = []
    beside_computing: list[float] = []
    meanwhile: list[float] = []
    waited, refused = 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        ours.begin(bench.laboratory, Path(folder))
        ours.run(workload, FIRST)
        bench.laboratory.sql("VACUUM ANALYZE", database=ours.database)
        for number in range(bench.rounds(8)):
            day = FIRST if number % 2 else NEXT
            bench.laboratory.ready(workload.folder(day))
            with Watch(ours.url) as resting:
                time.sleep(REST)
            with computing(), Watch(ours.url) as busy:
                time.sleep(REST)
            with Watch(ours.url) as beside:
                ours.run(workload, day)
            assert ours.report["status"] == "published", ours.report
            at_rest += [ended - began for began, ended in resting.asked]
            beside_computing += [ended - began for began, ended in busy.asked]
            meanwhile += beside.during_publication()
            waited, refused = max(waited, beside.longest_wait), refused + beside.refused
            say(f"  round {number + 1}: {len(at_rest)} questions at rest, {len(meanwhile)} during publications")
        bench.laboratory.drop(ours.database)
    return {
        "rows": workload.rows,
        "rest_ms": [round(s * 1000, 2) for s in at_rest],
        "busy_ms": [round(s * 1000, 2) for s in beside_computing],
        "publication_ms": [round(s * 1000, 2) for s in meanwhile],
        "longest_wait_ms": round(waited * 1000, 2),
        "refused": refused,
    }
