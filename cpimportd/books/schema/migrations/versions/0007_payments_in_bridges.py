"""Principal, interest and other in a run's bridge, documents that moved to another unit, and the run's duration.

Earlier runs do not have these figures: their rows of run_unit leave moved_in and moved_out empty. That also marks an
undo by an earlier version, whose bridge counts a document twice that was removed and came back.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_SUMS = (
    ("opening", "Their sum before: opening + added - removed + changed = closing."),
    ("added", "Of documents that came, also from another organization."),
    ("removed", "Of documents that went, also to another organization."),
    ("changed", "By how much documents in both differ, with its sign."),
    ("closing", "Their sum after."),
)
_COMMENTS = (
    ("run_id", "The run."),
    ("organization", "Whose documents."),
    ("figure", "principal, interest or other: what the lines pay, by their payment type."),
    ("rows_before", "Lines in the books before the run."),
    ("rows_after", "Lines in the books after it."),
    *_SUMS,
)

STATEMENTS = (
    """
    CREATE TABLE cpimportd.run_payment (
        run_id BIGINT NOT NULL,
        organization TEXT NOT NULL,
        figure TEXT NOT NULL,
        rows_before INTEGER NOT NULL,
        rows_after INTEGER NOT NULL,
        opening NUMERIC(20, 2) NOT NULL,
        added NUMERIC(20, 2) NOT NULL,
        removed NUMERIC(20, 2) NOT NULL,
        changed NUMERIC(20, 2) NOT NULL,
        closing NUMERIC(20, 2) NOT NULL,
        CONSTRAINT run_payment_pkey PRIMARY KEY (run_id, organization, figure),
        CONSTRAINT run_payment_run_id_fkey FOREIGN KEY (run_id) REFERENCES cpimportd.runs (id),
        CONSTRAINT run_payment_figure_check CHECK (figure IN ('principal', 'interest', 'other'))
    )
    """,
    "COMMENT ON TABLE cpimportd.run_payment IS 'The bridge of detail lines by what they pay; the three add up to the "
    "details'' row of run_unit.'",
    *(f"COMMENT ON COLUMN cpimportd.run_payment.{column} IS '{comment}'" for column, comment in _COMMENTS),
    "ALTER TABLE cpimportd.runs ADD COLUMN seconds DOUBLE PRECISION",
    "COMMENT ON COLUMN cpimportd.runs.seconds IS 'How long it took by its own clock, as its report says; empty where "
    "it left none, or an earlier version wrote the row.'",
    "ALTER TABLE cpimportd.run_unit ADD COLUMN moved_in INTEGER",
    "ALTER TABLE cpimportd.run_unit ADD COLUMN moved_out INTEGER",
    "COMMENT ON COLUMN cpimportd.run_unit.moved_in IS 'Documents that came from another organization, changed or "
    "re-timed; empty where an earlier version wrote the row.'",
    "COMMENT ON COLUMN cpimportd.run_unit.moved_out IS 'Documents that went to another organization; they count as "
    "changed or re-timed there. Empty where an earlier version wrote the row.'",
    "COMMENT ON COLUMN cpimportd.run_unit.updated IS 'Documents that changed, also those that came from another "
    "organization.'",
    "COMMENT ON COLUMN cpimportd.snapshot.engine IS 'What read it: calamine, expat, xlrd or xlsb.'",
)


def upgrade() -> None:
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
