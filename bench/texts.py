"""Prose of docs/benchmarks.md: what is measured, how, and what a figure means."""

from collections.abc import Callable, Mapping
from typing import Any

HEAD = """
# Benchmarks

A program measures and writes this page. To repeat it:

    pip install -e '.[test]'
    python -m bench --write docs/benchmarks.md

It takes about {minutes} minutes on the machine below. `--list` lists the parts and their minutes. The program starts its own PostgreSQL
and creates an environment with pinned versions for each of the other programs (kept, with the generated exports, in
`~/.cache/cpimportd-bench`).

- `--only imports,wal` measures these parts and keeps the others' figures.
- `--repeat N` sets the number of rounds.
- `--size small` tries everything in a few minutes.
- `--results FILE` names the file that keeps the figures between two calls. `--only none --write FILE` makes the page from them.

**The work.** At full size, exports of 5 organizations with 1,000 receipts, 10,000 expenses and about 14,000 details each: 125,000 rows as 1C writes
them. *Growth* has 40 such organizations. *Next day*: 0.5 % of the expenses are changed, removed, new or re-timed; it follows at once,
before autovacuum has seen the first import. *Same day again*: the same files. *One changed cell*: the next day's files with another
text in one cell.

**How.** Each contestant is a process, measured from its start to its end, start-up included. Contestants run in turn, round after
round (A B C A B C …), each in a fresh database of the same server with the backend's tables, after a CHECKPOINT, with the files in
the page cache and every module compiled, as pip leaves them. The server keeps segments of its WAL for reuse, like a server
that has been in use for a while; a new server first fills each segment with zeros. A ratio is the median of the rounds' own ratios.
Times are medians. After every run of cpimportd the books are compared with the generator's truth, to the kopeck; a wrong figure fails the
part. CPU is that of the contestant with all its children; PostgreSQL's sessions are counted separately. Memory is the sum of the
proportional set sizes (PSS) of all processes of a run, sampled 20 times a second.

`.ci/run` measures a small version, `python -m bench.ratios`, in seconds on a processor. It fails if a ratio is 50 % above that in
`bench/ratios.toml`. To measure one stage, run `python bench/bench_reading.py` (a workbook through its
child process) or `python bench/bench_documents.py profile` (cells to documents). [scale.md](scale.md) has the cost of single rows.
"""

NOTES = {
    "imports": """
*The floor* is one process that reads every cell with calamine and COPYs it as text into temporary tables: no types, no checks,
no keys, no merge, and no rows are kept. *polars + ADBC* leaves raw text tables. cpimportd leaves books whose sums were compared with
the control totals, with journal and lineage.
""",
    "predecessor": """
A stand-in for the predecessor's importer, not its code. openpyxl reads each workbook whole. SQLAlchemy's ORM looks up every document by
its key and inserts or changes it, inserts details without a key, and there is a COMMIT after every hundred rows. A document names an
organization, an account and a contract: three more lookups. It writes the columns that the backend's readers use. Its second run takes
as long as its first, and doubles the details (see below). openpyxl cannot read the three workbooks of one organization, whose 1C names a
part `SharedStrings.xml`; it gets copies with the usual name.
""",
    "peers": """
pandas reads with either engine and writes with the COPY recipe of its manual. dlt merges by key (receipts, expenses) or by
`merge_key` (details) with naming `direct`. polars reads with fastexcel (calamine) and writes with ADBC. pandas and polars replace their
tables. openpyxl gets three of the workbooks with a part renamed, as above.
""",
    "holdings": """
At full size 200 organizations with 600 workbooks. A separate process reads each workbook.
""",
    "large-files": """
At full size 5 organizations with 80,000 expenses and 112,000 details: as many rows as in *growth*, in an eighth of the
workbooks. A reader holds its sheet in memory, so the peak here is the readers'. [scale.md](scale.md) gives the number of rows at which
a reader reaches its limit.
""",
    "growth": """
PSS counts a page that several processes share once. PostgreSQL's peak includes its shared buffers and all processes that serve the run.
The aim applies to our own processes.
""",
    "wal": """
The run writes the changed columns, the lines of changed documents as a set, the journal with old and new values, lineage, the
bridge and its own report. *By hand* is two UPDATE statements by key in one transaction, on a copy of the same books. Both
begin after a CHECKPOINT: with full_page_writes on, the first change of each page writes the page. A test (`tests/books`) proves that a
run on another day does not touch unchanged rows, not even their `xmin`.
""",
    "readers": """
The reader sends the query of the backend's page, with 5 ms between two queries, also at rest. *During
publications* counts the queries in progress between the publishing session's first write and its COMMIT. Its
`lock_timeout` is 1 ms. A watcher samples `pg_locks` every 5 ms. PostgreSQL uses a parallel plan, which at rest
has both processors. *Beside a process that only computes* shows the cost of any busy processor, without a database in it.
""",
    "claims": """
Found in the tables that each contestant leaves after a day, the same day again and the next day, and by a day whose expenses
do not add up to their `Итого`; one organization each. *Transactions* are the distinct `xmin` of the documents' and lines' rows after the first day.
""",
}

Answer = Callable[[Mapping[str, Any]], str]

CLAIMS: tuple[tuple[str, Answer], ...] = (
    ("a workbook that does not add up to its `Итого`", lambda a: f"{a['wrong_total']}"),
    ("`Итого` among the expenses, as if it were one", lambda a: "yes" if a["totals_as_rows"] else "no"),
    ("expenses gone in 1C that are still there the next day", lambda a: f"{a['gone_still_there']} of {a['gone']}"),
    ("re-priced expenses whose old amount a journal keeps",
     lambda a: f"{a['repriced_old_amount_kept']} of {a['repriced']}"),
    ("transactions that made the first day visible", lambda a: f"{a['transactions']}"),
    ("rows written by the same day again", lambda a: f"{a['rows_rewritten_by_same_day']:,} of {a['rows']:,}"),
    ("detail lines doubled by it", lambda a: f"{a['lines_more_after_same_day']:,}"),
    ("type of an amount", lambda a: f"{a['amount_type']}"),
)  # fmt: skip
"""Rows of the table of claims: the question, and a function that writes the answer."""
