"""Room in the pages of lineage for a row's next version, and what the journal keeps of a row of lineage.

An UPDATE whose new version finds room beside the old one writes no index entry and logs only what differs (PostgreSQL's
manual, "Heap-Only Tuples"). A day changes few documents, so one row's room a page is enough. Pages that are there
already get theirs as their rows change.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE cpimportd.lineage SET (fillfactor = 85)",
    "COMMENT ON COLUMN cpimportd.change.lineage IS 'The document''s row of lineage before the change: where what was "
    "before had come from. Of an update, extra and detail_extra only where they differ.'",
)


def upgrade() -> None:
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
