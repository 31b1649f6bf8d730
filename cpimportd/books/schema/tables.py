r"""Our own tables, all in the schema ``cpimportd``: runs, what they read, what they changed, and what is served now.

Nothing here points into the backend's tables by a foreign key, and nothing is added to them (:mod:`.rights` lists what
of them we use). The comments go into the database: ``\d+ cpimportd.change`` in psql explains itself. The migrations
under ``migrations/`` make these tables; a test compares the two. :mod:`.people` has those for reports and messages.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from cpimportd.books.database.connection import SCHEMA
from cpimportd.books.schema.columns import (
    AMOUNT,
    MOMENT,
    NAMING,
    SUM,
    bridge,
    count,
    department,
    identity,
    key,
    metadata,
    needed,
    run,
)
from cpimportd.books.schema.people import (
    alert,
    condition,
    held,
    held_document,
    notice,
    run_contract,
    run_payment,
    undone_unit,
)

__all__ = [
    "NAMING", "alert", "change", "condition", "created_reference", "fingerprint", "held", "held_document", "lineage",
    "metadata", "notice", "published", "run_contract", "run_payment", "run_unit", "runs", "served", "snapshot",
    "undone_unit",
]  # fmt: skip

runs = Table(
    "runs",
    metadata,
    identity("The number that every report names."),
    department(),
    Column("schedule", Text(), comment="The schedule that was due; empty for a run by hand."),
    Column("slot", MOMENT, comment="The instant at which the schedule was due."),
    needed("trigger", Text(), "What started the run: schedule, manual, undo ...", "'manual'"),
    needed("status", Text(), "How it ended; abandoned: its process is gone without a word.", "'running'"),
    needed("started_at", MOMENT, "When the run began.", "now()"),
    Column("finished_at", MOMENT, comment="When it ended; empty while it runs."),
    Column("host", Text(), comment="The machine that ran it."),
    Column("pid", Integer(), comment="The process there."),
    Column("version", Text(), comment="Of cpimportd."),
    needed("accepted", ARRAY(Text()), "The units that a human accepted by name (--accept).", "'{}'"),
    Column(
        "requested_by", Text(), comment="Who asked for the run by hand: the user of the operating system, and the host."
    ),
    needed("undoes", ARRAY(BigInteger()), "The runs that this one undid.", "'{}'"),
    needed(
        "kinds",
        ARRAY(Text()),
        "What it looked for: receipts, expenses, details; less than all of them with --only.",
        "'{receipts,expenses,details}'",
    ),
    Column("report", JSONB(none_as_null=True), comment="The whole report, as `cpimportd show --json` prints it."),
    Column(
        "seconds",
        Double(),
        comment="How long it took by its own clock, as its report says; empty where it left none, or an earlier "
        "version wrote the row.",
    ),
    CheckConstraint(
        "status IN ('running', 'published', 'unchanged', 'partial', 'held', 'failed', 'abandoned')", name="status"
    ),
    Index(
        "runs_slot",
        "department_id",
        "schedule",
        "slot",
        unique=True,
        postgresql_where=text(
            "slot IS NOT NULL AND status IN ('running', 'published', 'unchanged', 'partial', 'held')"
        ),
    ),
    Index(None, "started_at"),
    comment="One row per run. A slot of a schedule is done once, whatever the number of hosts: runs_slot is unique.",
)

snapshot = Table(
    "snapshot",
    metadata,
    identity("The number by which other tables name this workbook."),
    run("The run that read it."),
    needed("file", Text(), "The name that the server gave it."),
    needed("sha256", Text(), "Of its bytes."),
    needed("digest", Text(), "Of its content less the zip's and 1C's time stamps; includes the reader's version."),
    needed("size", BigInteger(), "In bytes."),
    Column("modified", MOMENT, comment="When the server says that it was last written."),
    Column("kind", Text(), comment="receipts, expenses or details; empty where nothing tells."),
    needed("rows", Integer(), "Documents or lines in it."),
    Column("control_total", SUM, comment="What its Итого row says of the main amount column."),
    needed("control_totals", JSONB(), "What its Итого row says, per column title.", "'{}'"),
    Column("engine", Text(), comment="What read it: calamine, expat, xlrd or xlsb."),
    needed("status", Text(), "How the workbook fared: published, unchanged, held or ignored; read: never decided."),
    needed("problems", JSONB(), "Everything noticed in it.", "'[]'"),
    needed("organizations", ARRAY(Text()), "Whose documents it holds.", "'{}'"),
    Column("sheet", Text(), comment="The sheet that was read."),
    needed(
        "columns",
        JSONB(),
        'Which column of the sheet a field came from: field to letters, as in {"amount": "C"}.',
        "'{}'",
    ),
    Index(None, "run_id"),
    Index(None, "digest"),
    Index(None, "sha256"),
    comment="One row per workbook that a run read, good or bad.",
)

served = Table(
    "served",
    metadata,
    department(key=True),
    key("kind", Text(), "receipts, expenses or details."),
    key("organization", Text(), "Whose documents."),
    key("file", Text(), "The workbook's name."),
    Column(
        "snapshot_id",
        BigInteger(),
        ForeignKey(f"{SCHEMA}.snapshot.id"),
        nullable=False,
        comment="The workbook as it was read.",
    ),
    needed("run_id", BigInteger(), "The run that published it."),
    needed("digest", Text(), "Of its content; a file with the same digest is not read again."),
    needed("sha256", Text(), "Of its bytes."),
    needed("rows", Integer(), "How many of the organization's rows it holds; 0: it came without any."),
    Column("control_total", SUM, comment="What its Итого row says of the main amount column."),
    comment="From which workbooks the books are served now, per organization and kind.",
)

run_unit = Table(
    "run_unit",
    metadata,
    run("The run.", key=True),
    key("organization", Text(), "Whose documents."),
    key("kind", Text(), "receipts, expenses or details."),
    needed("status", Text(), "How the unit fared: published, unchanged or held."),
    Column("rows_before", Integer(), comment="Rows in the books before the run."),
    Column("rows_after", Integer(), comment="Rows in the books after it."),
    *bridge("Sum of the documents that came.", "Sum of the documents that went.", nullable=True),
    Column("control_total", SUM, comment="What the workbooks' Итого rows say; equal to closing."),
    count("inserted", "Documents that came; a re-timed one is not among them."),
    count("updated", "Documents that changed, also those that came from another organization."),
    count("deleted", "Documents that went; a re-timed one is not among them."),
    count("retimed", "Documents that 1C gave another time: one went and one came, shown as one."),
    count("unchanged", "Documents that nothing was written for."),
    count("normalised", "Rows of the predecessor that changed without effect on any sum."),
    count("put_right", "Rows that somebody else had changed."),
    count(
        "foreign_rows", "How many of rows_before somebody else had added; below 0: removed. They were put right first."
    ),
    needed("foreign_sum", SUM, "What of opening somebody else had written, with its sign.", "0"),
    needed("accepted", ARRAY(Text()), "Codes of the holds that a human accepted.", "'{}'"),
    needed("snapshots", ARRAY(BigInteger()), "The workbooks that the unit was published from.", "'{}'"),
    needed("problems", JSONB(), "Why the unit was held, and what else was noticed.", "'[]'"),
    Column(
        "served_before",
        JSONB(none_as_null=True),
        comment="The rows of served that this run replaced; empty where the unit was not published.",
    ),
    Column(
        "moved_in",
        Integer(),
        comment="Documents that came from another organization, changed or re-timed; empty where an earlier version "
        "wrote the row.",
    ),
    Column(
        "moved_out",
        Integer(),
        comment="Documents that went to another organization; they count as changed or re-timed there. Empty where an "
        "earlier version wrote the row.",
    ),
    comment="The bridge from yesterday's sum to today's, per run, organization and kind.",
)

lineage = Table(
    "lineage",
    metadata,
    department(key=True),
    key("kind", Text(), "receipts or expenses; an expense's detail lines are part of its row."),
    key("operation_id", Text(), "The document: fin_receipts.operation_id or fin_expenses.operation_id."),
    needed("organization", Text(), "Whose document."),
    needed("first_run", BigInteger(), "The run that inserted it: this table is the journal of inserts, too."),
    needed("last_run", BigInteger(), "The run that last changed it."),
    needed("snapshot_id", BigInteger(), "The workbook in which its present content first came."),
    needed("source_row", Integer(), "Its row there."),
    Column("detail_snapshot_id", BigInteger(), comment="The workbook in which its present detail lines first came."),
    needed("detail_rows", ARRAY(Integer()), "Their rows there, in file order.", "'{}'"),
    Column("number", Text(), comment="The document's own number, from its operation_id."),
    Column("moment", MOMENT, comment="The document's own moment, from its operation_id."),
    needed("extra", JSONB(), "What 1C sent and the backend has no column for.", "'{}'"),
    needed("detail_extra", JSONB(), "The same for each detail line, in the order of detail_rows.", "'[]'"),
    CheckConstraint("kind IN ('receipts', 'expenses')", name="kind"),
    Index(None, "first_run"),
    # Its fillfactor stands in the migrations alone: SQLAlchemy knows a table's storage parameters only from 2.1 on.
    comment="Where each document in the books came from: run, workbook and row of its present content.",
)

published = Table(
    "published",
    metadata,
    department(key=True),
    key("kind", Text(), "receipts or expenses; an expense's detail lines are part of its content."),
    key("operation_id", Text(), "The document: fin_receipts.operation_id or fin_expenses.operation_id."),
    needed("organization", Text(), "Whose document."),
    needed("content", Text(), "Its columns that we write, references by their names, as a row's text."),
    Column("lines", ARRAY(Text()), comment="The same of each of its detail lines, in file order."),
    CheckConstraint("kind IN ('receipts', 'expenses')", name="kind"),
    comment="Each document as we published it last: what somebody else wrote since differs, and is put right by it.",
)

change = Table(
    "change",
    metadata,
    run("The run that made the change.", key=True),
    key("seq", Integer(), "Order within the run."),
    department(),
    Column("kind", Text(), comment="receipts or expenses; of references: organization, bank_account or contract."),
    Column(
        "op",
        Text(),
        comment="update, delete, rekey (operation_id changed in place), reference, or insert (of what an undo "
        "brought back, or what somebody else had deleted).",
    ),
    Column("operation_id", Text(), comment="The document; of references the key's text."),
    Column("organization", Text(), comment="Whose document."),
    Column("amount_before", AMOUNT, comment="Its amount before; an expense's detail lines lie in old."),
    Column("amount_after", AMOUNT, comment="Its amount after; empty where it was deleted."),
    Column("old", JSONB(none_as_null=True), comment="The differing columns before; of a deleted document the whole."),
    Column("new", JSONB(none_as_null=True), comment="The differing columns after."),
    Column("why", Text(), comment="snapshot, normalised, put-right (somebody else had written), accepted or undone."),
    Column("paired_with", Text(), comment="The other operation_id of a re-timed or re-keyed document."),
    Column(
        "lineage",
        JSONB(none_as_null=True),
        comment="The document's row of lineage before the change: where what was before had come from. Of an update, "
        "extra and detail_extra only where they differ.",
    ),
    Column(
        "step",
        Integer(),
        comment="Of an undo: its entries of one step, which took back one run or one step of an earlier undo; from "
        "1. Empty in other runs.",
    ),
    needed(
        "foreign_write",
        Boolean(),
        "It took back what somebody else had written, before the run's own changes; no undo brings that again.",
        "false",
    ),
    CheckConstraint("op IN ('update', 'delete', 'rekey', 'reference', 'insert')", name="op"),
    CheckConstraint("why IN ('snapshot', 'normalised', 'put-right', 'accepted', 'undone')", name="why"),
    Index(None, "kind", "operation_id"),
    comment="The journal of changes: what each run changed or removed, with what was before. Inserts: see lineage.",
)

fingerprint = Table(
    "fingerprint",
    metadata,
    department(key=True),
    key("kind", Text(), "receipts, expenses or details."),
    key("organization", Text(), "Whose documents."),
    Column("run_id", BigInteger(), comment="The run that left the rows so."),
    needed("rows", BigInteger(), "How many rows."),
    needed("total", Numeric(24, 2), "Their sum."),
    needed("marks", Numeric(), "Over the rows' xmin: it differs as soon as somebody else writes to one of them."),
    comment="What our last publication left in the backend's tables, to notice writes by others.",
)

created_reference = Table(
    "created_reference",
    metadata,
    department(key=True),
    key("kind", Text(), "organization, bank_account or contract."),
    key("key", Text(), "Its text: name, account_number or contract_number."),
    needed("reference_id", Integer(), "Its id in the backend's table."),
    Column("run_id", BigInteger(), comment="The run that created it."),
    needed("deactivated_by_us", Boolean(), "No document names it any more, so a run set it inactive.", "false"),
    CheckConstraint("kind IN ('organization', 'bank_account', 'contract')", name="kind"),
    comment="Organizations, bank accounts and contracts that we created; those of others are never set inactive.",
)
