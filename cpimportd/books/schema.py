r"""Our own tables, all in the schema ``cpimportd``: runs, what they read, what they changed, and what is served now.

Nothing here points into the backend's tables by a foreign key, and nothing is added to them (:mod:`.backend` has their
shape). The comments go into the database: ``\d+ cpimportd.change`` in psql explains itself. The migrations under
``migrations/`` make these tables; a test compares the two.
"""

from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from cpimportd.books.connection import SCHEMA

# PostgreSQL's own habit, so that a constraint is called the same whoever made it.
NAMING: Final = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
}

metadata = MetaData(schema=SCHEMA, naming_convention=NAMING)

_SUM = Numeric(20, 2)
_AMOUNT = Numeric(15, 2)
_MOMENT = DateTime(timezone=True)


def _needed(name: str, kind: TypeEngine[Any], comment: str, default: str | None = None) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=text(default) if default else None, comment=comment)


def _count(name: str, comment: str) -> Column[Any]:
    return _needed(name, Integer(), comment, "0")


def _key(name: str, kind: TypeEngine[Any], comment: str) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False, comment=comment)


def _run(*, key: bool = False, needed: bool = True, comment: str = "The run that wrote this row.") -> Column[Any]:
    return Column(
        "run_id",
        BigInteger(),
        ForeignKey(f"{SCHEMA}.runs.id"),
        primary_key=key,
        autoincrement=False,
        nullable=not (key or needed),
        comment=comment,
    )


def _id(comment: str) -> Column[Any]:
    return Column("id", BigInteger(), Identity(), primary_key=True, comment=comment)


runs = Table(
    "runs",
    metadata,
    _id("The number that every report names."),
    _needed("department_id", Integer(), "Whose books: departments.id in the backend."),
    Column("schedule", Text(), comment="The schedule that was due; empty for a run by hand."),
    Column("slot", _MOMENT, comment="The instant at which the schedule was due."),
    _needed("trigger", Text(), "What started the run: schedule, manual, undo ...", "'manual'"),
    _needed("status", Text(), "How it ended; abandoned: its process is gone without a word.", "'running'"),
    _needed("started_at", _MOMENT, "When the run began.", "now()"),
    Column("finished_at", _MOMENT, comment="When it ended; empty while it runs."),
    Column("host", Text(), comment="The machine that ran it."),
    Column("pid", Integer(), comment="The process there."),
    Column("version", Text(), comment="Of cpimportd."),
    _needed("accepted", ARRAY(Text()), "The units that a human accepted by name (--accept).", "'{}'"),
    Column("report", JSONB(none_as_null=True), comment="The whole report, as `cpimportd show --json` prints it."),
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
    _id("The number by which other tables name this workbook."),
    _run(comment="The run that read it."),
    _needed("file", Text(), "The name that the server gave it."),
    _needed("sha256", Text(), "Of its bytes."),
    _needed("digest", Text(), "Of its content less the zip's and 1C's time stamps; includes the reader's version."),
    _needed("size", BigInteger(), "In bytes."),
    Column("modified", _MOMENT, comment="When the server says that it was last written."),
    Column("kind", Text(), comment="receipts, expenses or details; empty where nothing tells."),
    _needed("rows", Integer(), "Documents or lines in it."),
    Column("control_total", _SUM, comment="What its Итого row says of the main amount column."),
    _needed("control_totals", JSONB(), "What its Итого row says, per column title.", "'{}'"),
    Column("engine", Text(), comment="What read it: calamine or openpyxl."),
    _needed("status", Text(), "How the workbook fared: published, unchanged, held or ignored; read: never decided."),
    _needed("problems", JSONB(), "Everything noticed in it.", "'[]'"),
    _needed("organizations", ARRAY(Text()), "Whose documents it holds.", "'{}'"),
    Index(None, "run_id"),
    comment="One row per workbook that a run read, good or bad.",
)

served = Table(
    "served",
    metadata,
    _key("department_id", Integer(), "Whose books: departments.id in the backend."),
    _key("kind", Text(), "receipts, expenses or details."),
    _key("organization", Text(), "Whose documents."),
    _key("file", Text(), "The workbook's name."),
    Column(
        "snapshot_id",
        BigInteger(),
        ForeignKey(f"{SCHEMA}.snapshot.id"),
        nullable=False,
        comment="The workbook as it was read.",
    ),
    _needed("run_id", BigInteger(), "The run that published it."),
    _needed("digest", Text(), "Of its content; a file with the same digest is not read again."),
    _needed("sha256", Text(), "Of its bytes."),
    _needed("rows", Integer(), "How many of the organization's rows it holds; 0: it came without any."),
    Column("control_total", _SUM, comment="What its Итого row says of the main amount column."),
    comment="From which workbooks the books are served now, per organization and kind.",
)

run_unit = Table(
    "run_unit",
    metadata,
    _run(key=True, comment="The run."),
    _key("organization", Text(), "Whose documents."),
    _key("kind", Text(), "receipts, expenses or details."),
    _needed("status", Text(), "How the unit fared: published, unchanged or held."),
    Column("rows_before", Integer(), comment="Rows in the books before the run."),
    Column("rows_after", Integer(), comment="Rows in the books after it."),
    Column("opening", _SUM, comment="Their sum before: opening + added - removed + changed = closing."),
    Column("added", _SUM, comment="Sum of the documents that came."),
    Column("removed", _SUM, comment="Sum of the documents that went."),
    Column("changed", _SUM, comment="By how much documents in both differ, with its sign."),
    Column("closing", _SUM, comment="Their sum after."),
    Column("control_total", _SUM, comment="What the workbooks' Итого rows say; equal to closing."),
    _count("inserted", "Documents that came; a re-timed one is not among them."),
    _count("updated", "Documents that changed."),
    _count("deleted", "Documents that went; a re-timed one is not among them."),
    _count("retimed", "Documents that 1C gave another time: one went and one came, shown as one."),
    _count("unchanged", "Documents that nothing was written for."),
    _count("normalised", "Rows of the predecessor that changed without effect on any sum."),
    _count("put_right", "Rows that somebody else had changed."),
    _needed("accepted", ARRAY(Text()), "Codes of the holds that a human accepted.", "'{}'"),
    _needed("snapshots", ARRAY(BigInteger()), "The workbooks that the unit was published from.", "'{}'"),
    _needed("problems", JSONB(), "Why the unit was held, and what else was noticed.", "'[]'"),
    comment="The bridge from yesterday's sum to today's, per run, organization and kind.",
)

lineage = Table(
    "lineage",
    metadata,
    _key("department_id", Integer(), "Whose books: departments.id in the backend."),
    _key("kind", Text(), "receipts or expenses; an expense's detail lines are part of its row."),
    _key("operation_id", Text(), "The document: fin_receipts.operation_id or fin_expenses.operation_id."),
    _needed("organization", Text(), "Whose document."),
    _needed("first_run", BigInteger(), "The run that inserted it: this table is the journal of inserts, too."),
    _needed("last_run", BigInteger(), "The run that last changed it."),
    _needed("snapshot_id", BigInteger(), "The workbook in which its present content first came."),
    _needed("source_row", Integer(), "Its row there."),
    Column("detail_snapshot_id", BigInteger(), comment="The workbook in which its present detail lines first came."),
    _needed("detail_rows", ARRAY(Integer()), "Their rows there, in file order.", "'{}'"),
    Column("number", Text(), comment="The document's own number, from its operation_id."),
    Column("moment", _MOMENT, comment="The document's own moment, from its operation_id."),
    _needed("extra", JSONB(), "What 1C sent and the backend has no column for.", "'{}'"),
    _needed("detail_extra", JSONB(), "The same for each detail line, in the order of detail_rows.", "'[]'"),
    CheckConstraint("kind IN ('receipts', 'expenses')", name="kind"),
    Index(None, "first_run"),
    comment="Where each document in the books came from: run, workbook and row of its present content.",
)

change = Table(
    "change",
    metadata,
    _run(key=True, comment="The run that made the change."),
    _key("seq", Integer(), "Order within the run."),
    _needed("department_id", Integer(), "Whose books: departments.id in the backend."),
    Column("kind", Text(), comment="receipts or expenses; of references: organization, bank_account or contract."),
    Column("op", Text(), comment="update, delete, rekey (operation_id changed in place) or reference."),
    Column("operation_id", Text(), comment="The document; of references the key's text."),
    Column("organization", Text(), comment="Whose document."),
    Column("amount_before", _AMOUNT, comment="Its amount before; an expense's detail lines lie in old."),
    Column("amount_after", _AMOUNT, comment="Its amount after; empty where it was deleted."),
    Column("old", JSONB(none_as_null=True), comment="The differing columns before; of a deleted document the whole."),
    Column("new", JSONB(none_as_null=True), comment="The differing columns after."),
    Column("why", Text(), comment="snapshot, normalised, put-right (somebody else had written) or accepted."),
    Column("paired_with", Text(), comment="The other operation_id of a re-timed or re-keyed document."),
    CheckConstraint("op IN ('update', 'delete', 'rekey', 'reference')", name="op"),
    CheckConstraint("why IN ('snapshot', 'normalised', 'put-right', 'accepted')", name="why"),
    Index(None, "kind", "operation_id"),
    comment="The journal of changes: what each run changed or removed, with what was before. Inserts: see lineage.",
)

fingerprint = Table(
    "fingerprint",
    metadata,
    _key("department_id", Integer(), "Whose books: departments.id in the backend."),
    _key("kind", Text(), "receipts, expenses or details."),
    _key("organization", Text(), "Whose documents."),
    Column("run_id", BigInteger(), comment="The run that left the rows so."),
    _needed("rows", BigInteger(), "How many rows."),
    _needed("total", Numeric(24, 2), "Their sum."),
    _needed("marks", Numeric(), "Over the rows' xmin: it differs as soon as somebody else writes to one of them."),
    comment="What our last publication left in the backend's tables, to notice writes by others.",
)

created_reference = Table(
    "created_reference",
    metadata,
    _key("department_id", Integer(), "Whose books: departments.id in the backend."),
    _key("kind", Text(), "organization, bank_account or contract."),
    _key("key", Text(), "Its text: name, account_number or contract_number."),
    _needed("reference_id", Integer(), "Its id in the backend's table."),
    Column("run_id", BigInteger(), comment="The run that created it."),
    _needed("deactivated_by_us", Boolean(), "No document names it any more, so a run set it inactive.", "false"),
    CheckConstraint("kind IN ('organization', 'bank_account', 'contract')", name="kind"),
    comment="Organizations, bank accounts and contracts that we created; those of others are never set inactive.",
)
