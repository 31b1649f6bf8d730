"""How much write-ahead log a changed document costs beside a hand-written UPDATE, and what an unchanged day writes."""

import asyncio
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from bench.contenders import Ours, configuration
from bench.laboratory import Laboratory
from bench.race import Bench, say
from bench.workload import FIRST, REPRICED, Workload

BOOKS = ("fin_receipts", "fin_expenses", "fin_expense_details")
ROUNDS = 5
LINES = """
    SELECT id, expense_operation_id, payment_amount, settlement_amount, vat_amount
    FROM fin_expense_details ORDER BY expense_operation_id, id
"""
UPDATE_EXPENSE = "UPDATE fin_expenses SET amount = $2, updated_at = localtimestamp WHERE operation_id = $1"
UPDATE_LINE = """
    UPDATE fin_expense_details SET payment_amount = $2, settlement_amount = $3, vat_amount = $4 WHERE id = $1
"""
TUPLES = f"""
    SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::int FROM pg_stat_user_tables
    WHERE relname = ANY (ARRAY{list(BOOKS)})
"""
FILES = f"""
    SELECT pg_relation_filepath(c.oid) FROM pg_class t
    LEFT JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class c ON c.oid IN (t.oid, i.indexrelid)
    WHERE t.relname = ANY (ARRAY{list(BOOKS)})
"""


def measure(bench: Bench, images: Sequence[str] = ("on", "off"), rounds: int = ROUNDS) -> dict[str, Any]:
    """The first day with other amounts in 0.5 % of the expenses, by a run and by hand, on copies of the same books.

    Args:
        bench: the ground.
        images: values of full_page_writes; with it on, the first change of each page after a CHECKPOINT writes the page.
        rounds: how often, where the bench is not asked for another number.
    """
    laboratory, workload, ours = bench.laboratory, bench.workload(), Ours("wal")
    rounds = bench.rounds(rounds)
    for day in (FIRST, REPRICED):
        workload.folder(day)
    laboratory.set(autovacuum="off")
    try:
        with tempfile.TemporaryDirectory() as folder:
            ours.begin(laboratory, Path(folder))
            ours.run(workload, FIRST)
            laboratory.sql("VACUUM ANALYZE", database=ours.database)
            laboratory.settle()
            found: dict[str, list[dict[str, int]]] = {setting: [] for setting in images}
            for number in range(1, rounds + 1):
                for setting in images:
                    laboratory.set(full_page_writes=setting)
                    one = _beside_by_hand(laboratory, workload, ours, f"{setting}-{number}")
                    found[setting].append(one)
                    say(f"  round {number} of {rounds}, full_page_writes {setting}: {one}")
            laboratory.set(full_page_writes="on")
            unchanged = _unchanged(laboratory, workload, ours)
            laboratory.drop(ours.database, "wal_run", "wal_hand")
    finally:
        laboratory.set(autovacuum="on", full_page_writes="on")
    return {"rows": workload.rows, "rounds": rounds, "changed": found, "unchanged": unchanged}


def _beside_by_hand(laboratory: Laboratory, workload: Workload, original: Ours, name: str) -> dict[str, int]:
    copies = [laboratory.fresh(copy, original.database) for copy in ("wal_run", "wal_hand")]
    ours = Ours("wal")
    copy = original.folder / f"copy-{name}"
    copy.mkdir()
    ours.config = configuration(copy, copies[0])
    laboratory.ready(workload.folder(REPRICED))
    before = laboratory.written()
    ours.run(workload, REPRICED)
    by_run = laboratory.written() - before
    laboratory.ready()
    before = laboratory.written()
    documents, lines = asyncio.run(_by_hand(*copies))
    by_hand = laboratory.written() - before
    (changed,) = {unit["updated"] for unit in ours.report["units"] if "expenses" in unit["kinds"]}
    assert changed * workload.size.organizations == documents, (changed, documents)
    return {"documents": documents, "lines": lines, "run": by_run, "hand": by_hand}


async def _by_hand(run: str, hand: str) -> tuple[int, int]:
    """Make the second database's books those of the first, with nothing but two statements."""
    new, old = await asyncpg.connect(run), await asyncpg.connect(hand)
    amounts = "SELECT operation_id, amount FROM fin_expenses"
    before = dict(map(tuple, await old.fetch(amounts)))
    expenses = [tuple(row) for row in await new.fetch(amounts) if row["amount"] != before[row["operation_id"]]]
    pairs = zip(await old.fetch(LINES), await new.fetch(LINES), strict=True)
    lines = [(a["id"], *tuple(b)[2:]) for a, b in pairs if tuple(a)[1:] != tuple(b)[1:]]
    async with old.transaction():
        await old.executemany(UPDATE_EXPENSE, expenses)
        await old.executemany(UPDATE_LINE, lines)
    await new.close()
    await old.close()
    return len(expenses), len(lines)


def _unchanged(laboratory: Laboratory, workload: Workload, ours: Ours) -> dict[str, object]:
    """The same day again: tuples that statistics count in the books' tables, and records in the log that touch them."""
    laboratory.ready(workload.folder(FIRST))
    tuples, before = laboratory.value(TUPLES, ours.database), laboratory.written()
    ours.run(workload, FIRST)
    assert ours.report["status"] == "unchanged", ours.report
    laboratory.settle()
    after = laboratory.written()
    return {
        "tuples": laboratory.value(TUPLES, ours.database) - tuples,
        "records": _records(laboratory, before, after, ours.database),
        "bytes": after - before,
    }


def _records(laboratory: Laboratory, start: int, end: int, database: str) -> int:
    """How many records of the log between two places touch the books' tables or their indexes."""
    files = {row[0].partition("/")[2] for row in laboratory.sql(FILES, database=database)}
    laboratory.sql("SELECT pg_switch_wal()")  # else the last records may still be in memory
    places = (f"{place >> 32:X}/{place & 0xFFFFFFFF:X}" for place in (start, end))
    program, folder = laboratory.server.programs / "pg_waldump", laboratory.server.folder / "data" / "pg_wal"
    argv = [str(program), "--path", str(folder), *(f"--{o}={p}" for o, p in zip(("start", "end"), places, strict=True))]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    # Block references read "rel 1663/16384/16397 blk 5", files "base/16384/16397".
    return sum(any(f"/{name} " in line for name in files) for line in said.splitlines())
