"""What the bridge per contract says of detail lines and of what they pay.

Of runs before this it has the documents alone.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

STATEMENTS = (
    "COMMENT ON COLUMN cpimportd.run_contract.kind IS 'receipts or expenses; or details, the lines of its expenses, "
    "and what these pay: principal, interest or other.'",
    "COMMENT ON TABLE cpimportd.run_contract IS 'The bridge per contract, of the sums that moved; the rest stayed as "
    "it was. Of details, principal, interest and other earlier versions wrote no rows.'",
)


def upgrade() -> None:
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
