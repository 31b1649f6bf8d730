"""The page's words: what is measured and how, what a figure does and does not say."""

from collections.abc import Callable, Mapping
from typing import Any

HEAD = """
# Benchmarks

This page is written by the program that measures. To repeat it:

    pip install -e '.[test]'
    python -m bench --write docs/benchmarks.md

It takes about {minutes} minutes on the machine below (`--list` tells the parts and their minutes), starts a PostgreSQL of its
own, and makes an environment with pinned versions for each of the other programs (kept, with the generated exports, in
`~/.cache/cpimportd-bench`). `--only imports,wal` measures parts and leaves the others' figures, `--repeat N` changes the number
of rounds, `--size small` tries it all in a few minutes; `--results FILE` says where the figures lie between two calls, and
`--only none --write FILE` makes the page from them.

**The work.** At full size, exports of 5 organizations with 1,000 receipts, 10,000 expenses and about 14,000 details each: 125,000 rows as 1C writes
them; *growth* has 40 such organizations. *Next day*: 0.5 % of the expenses changed, gone, come or re-timed; it follows at once, before
autovacuum has seen the first import. *Same day again*: the same files. *One changed cell*: the next day's files with another
text in one cell.

**How.** Everybody is a process, measured from its start to its end, start-up included. Contestants run in turn, round after
round (A B C A B C …), each in a fresh database of the same server with the backend's tables, after a CHECKPOINT, with the files in
the page cache and every module compiled, as pip leaves them. The server keeps segments of its WAL to use them again, as one does
that has been in use for a while; a new one fills each with zeros first. A ratio is the median of the rounds' own ratios; times
are medians. After every run of ours the books are compared with the generator's truth, to the kopeck; a wrong figure fails the
part. CPU is the contestant's with all its children; PostgreSQL's sessions are told apart. Memory is the sum of the proportional
set sizes (PSS) of all processes of a run, looked at 20 times a second.

`.ci/run` measures a small version, `python -m bench.ratios`, in seconds on a processor, and fails where a ratio is half as
much again as in `bench/ratios.toml`. To look at one stage: `python bench/bench_reading.py` (a workbook through its
child) and `python bench/bench_documents.py profile` (cells to documents). What single rows cost is in [scale.md](scale.md).
"""

NOTES = {
    "imports": """
*The floor* is one process that reads every cell with calamine and COPYs it as text into temporary tables: no types, no checks,
no keys, no merge, and nothing is left. *polars + ADBC* leaves raw text tables. Ours leaves books whose sums were compared with
the control totals, with journal and lineage.
""",
    "predecessor": """
A stand-in for the predecessor's importer, not its code: openpyxl reads each workbook whole, every document is looked up by
its key and inserted or changed through SQLAlchemy's ORM, details are inserted without a key, and there is a COMMIT after
every hundred rows. A document names an organization, an account and a contract: three more lookups. It writes the columns
that the backend's readers use. Its second run takes as long as its first, and doubles the details (see below). openpyxl cannot read the three workbooks of one
organization, whose 1C names a part `SharedStrings.xml`; it gets copies with the usual name.
""",
    "peers": """
pandas reads with either engine and writes with the COPY recipe of its manual; dlt merges by key (receipts, expenses) or by
`merge_key` (details) with naming `direct`; polars reads with fastexcel (calamine) and writes with ADBC. pandas and polars replace their
tables. openpyxl gets three of the workbooks with a part renamed, as above.
""",
    "holdings": """
At full size 200 organizations, 600 workbooks, of which each is read by a process of its own.
""",
    "large-files": """
At full size 5 organizations with 80,000 expenses and 112,000 details: as many rows as in *growth*, in an eighth of the
workbooks. A reader holds its sheet, so here the peak is theirs; at how many rows it ends says [scale.md](scale.md).
""",
    "growth": """
PSS counts a page that several processes share once. PostgreSQL's peak has its shared buffers and whatever serves the run;
the aim is held against our own processes.
""",
    "wal": """
The run writes the changed columns, the lines of changed documents as a set, the journal with old and new, lineage, the
bridge and its own report; by hand there are two UPDATE statements by key in one transaction, on a copy of the same books. Both
begin after a CHECKPOINT: with full_page_writes on, the first change of each page writes the page. That a run on another day
leaves unchanged rows alone, `xmin` and all, is a test (`tests/books`).
""",
    "readers": """
The reader asks what the backend's page shows, with 5 ms between two questions, and so it does at rest. *During
publications* are the questions that were under way between the publishing session's first write and its COMMIT. Its
`lock_timeout` is 1 ms; a watcher looks at `pg_locks` every 5 ms. PostgreSQL answers by a plan for several processes, which at rest
have both processors; *beside a process that only computes* is what any busy processor costs it, without a database in it.
""",
    "claims": """
Found by looking into the tables that each leaves after a day, the same day again and the next day, and by a day whose expenses
do not add up to their `Итого`; of each, one organization. *Transactions* are the distinct `xmin` of the documents' and lines' rows after the first day.
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
"""Questions of the claims' table, and how an answer is told."""
