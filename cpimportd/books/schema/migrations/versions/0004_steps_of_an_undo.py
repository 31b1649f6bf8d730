"""The order of the steps in the journal of an undo that takes back several runs.

A document may have an entry in each step. An undo of an undo takes the steps in reverse. The journal of an earlier
version does not have them, so such an undo cannot be undone.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE cpimportd.change ADD COLUMN step INTEGER",
    "COMMENT ON COLUMN cpimportd.change.step IS 'Of an undo: its entries of one step, which took back one run or one "
    "step of an earlier undo; from 1. Empty in other runs.'",
)


def upgrade() -> None:
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
