"""Our tables behind reports and messages to people: bridges, held and undone units, notices, alerts."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from cpimportd.books.schema.columns import MOMENT, bridge, count, department, identity, key, metadata, needed, run

run_contract = Table(
    "run_contract",
    metadata,
    run("The run.", key=True),
    key("organization", Text(), "Whose documents."),
    key(
        "kind",
        Text(),
        "receipts or expenses; or details, the lines of its expenses, and what these pay: principal, interest "
        "or other.",
    ),
    key("contract", Text(), "The contract's number; empty for documents without one."),
    *bridge(
        "Sum of the documents that came, also from another contract.",
        "Sum of the documents that went, also to another contract.",
    ),
    comment="The bridge per contract, of the sums that moved; the rest stayed as it was. Of details, principal, "
    "interest and other earlier versions wrote no rows.",
)

run_payment = Table(
    "run_payment",
    metadata,
    run("The run.", key=True),
    key("organization", Text(), "Whose documents."),
    key("figure", Text(), "principal, interest or other: what the lines pay, by their payment type."),
    needed("rows_before", Integer(), "Lines in the books before the run."),
    needed("rows_after", Integer(), "Lines in the books after it."),
    *bridge(
        "Of documents that came, also from another organization.",
        "Of documents that went, also to another organization.",
    ),
    CheckConstraint("figure IN ('principal', 'interest', 'other')", name="figure"),
    comment="The bridge of detail lines by what they pay; the three add up to the details' row of run_unit.",
)

undone_unit = Table(
    "undone_unit",
    metadata,
    department(key=True),
    key("kind", Text(), "receipts or expenses: the unit's group."),
    key("organization", Text(), "Whose unit."),
    run("The undo."),
    needed("undone_run", BigInteger(), "The run that was undone."),
    needed("digests", ARRAY(Text()), "Of the contents of the workbooks that the undone run published."),
    comment="Units that an undo put back: what it undid is not taken again unless a human accepts it.",
)

held = Table(
    "held",
    metadata,
    department(key=True),
    key("kind", Text(), "receipts or expenses: the unit's group."),
    key("organization", Text(), "Whose unit."),
    run("The run that held it last, or the undo that put it back."),
    needed("since_run", BigInteger(), "The run that held it first, without one in between that did not."),
    needed("since", MOMENT, "When that run began."),
    needed("problems", JSONB(), "Why, and what else was noticed.", "'[]'"),
    needed(
        "contents",
        JSONB(),
        "Of the workbooks that it was held with: digest and sha256 of each; a human accepts these.",
        "'[]'",
    ),
    Column("undone_run", BigInteger(), comment="The run whose publication a human has undone, where that is why."),
    Column(
        "difference",
        JSONB(none_as_null=True),
        comment="What it would change: counts and sums as of a diff; empty where that is not known.",
    ),
    comment="What is held now, one row per unit; written by the transaction of the run that judged it.",
)

held_document = Table(
    "held_document",
    metadata,
    key("department_id", Integer(), "Whose books: departments.id in the backend."),
    key("kind", Text(), "receipts or expenses: the unit's group."),
    key("organization", Text(), "Whose unit."),
    key("place", Integer(), "In the order of a diff."),
    needed("what", Text(), "What would become of it: added, removed, changed, retimed or rekeyed."),
    needed("movement", JSONB(), "The document, before and after, as a diff has it."),
    ForeignKeyConstraint(
        ["department_id", "kind", "organization"],
        [held.c.department_id, held.c.kind, held.c.organization],
        ondelete="CASCADE",
    ),
    comment="The first documents that a held unit would change.",
)

notice = Table(
    "notice",
    metadata,
    run("The run that changed the books.", key=True),
    key("target", Text(), "cache: answers that lie in Redis; views: materialized views."),
    department(),
    needed("since", MOMENT, "When it was noted, in the run's own transaction.", "clock_timestamp()"),
    Column(
        "outcome",
        Text(),
        comment="done, or dropped: nobody wants it any more, by the configuration. Empty: outstanding.",
    ),
    Column("ended_at", MOMENT, comment="When it was done or dropped."),
    count("tries", "How often it was tried."),
    Column("views", ARRAY(Text()), comment="Of views: those still to be refreshed; empty: all of them."),
    needed("problems", JSONB(), "Why the last try failed.", "'[]'"),
    CheckConstraint("target IN ('cache', 'views')", name="target"),
    CheckConstraint("outcome IN ('done', 'dropped')", name="outcome"),
    Index("notice_outstanding_idx", "department_id", postgresql_where=text("outcome IS NULL")),
    comment="Which readers of the books are to be told of a run after its COMMIT, and whether they have been.",
)

condition = Table(
    "condition",
    metadata,
    department(key=True),
    key("subject", Text(), "run, upload, or a unit's name."),
    needed("state", Text(), "failed, held or missing, and the codes of the problems."),
    needed("since", MOMENT, "When it became so.", "now()"),
    Column("told_at", MOMENT, comment="When the last alert of it was made."),
    Column("run_id", BigInteger(), comment="The run that found it."),
    comment="What is wrong now, one row per subject: an alert is sent when a row comes, changes or goes.",
)

alert = Table(
    "alert",
    metadata,
    identity("The order in which they are sent."),
    department(),
    needed("created_at", MOMENT, "When it was made.", "now()"),
    needed("occasion", Text(), "failure, held, upload, recovery, reminder, report or reconciliation."),
    needed("subject", Text(), "The condition that it tells of."),
    needed("title", Text(), "Its first line."),
    needed("body", Text(), "Its text."),
    Column("run_id", BigInteger(), comment="The run that it tells of."),
    Column("sent_at", MOMENT, comment="When it was sent; empty while it is still to be."),
    count("tries", "How often sending was tried."),
    Column("error", Text(), comment="Why the last try failed, without any secret."),
    Index("alert_unsent_idx", "department_id", postgresql_where=text("sent_at IS NULL")),
    comment="The queue of alerts: what was to be told, and whether it has been.",
)
