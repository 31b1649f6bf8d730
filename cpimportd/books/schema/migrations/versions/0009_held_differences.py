"""The changes that held units would make, kept while they are held, for review before acceptance."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COMMENTS = (
    ("department_id", "Whose books: departments.id in the backend."),
    ("kind", "receipts or expenses: the unit''s group."),
    ("organization", "Whose unit."),
    ("place", "In the order of a diff."),
    ("what", "What would become of it: added, removed, changed, retimed or rekeyed."),
    ("movement", "The document, before and after, as a diff has it."),
)

STATEMENTS = (
    "ALTER TABLE cpimportd.held ADD COLUMN difference JSONB",
    "COMMENT ON COLUMN cpimportd.held.difference IS 'What it would change: counts and sums as of a diff; empty "
    "where that is not known.'",
    """
    CREATE TABLE cpimportd.held_document (
        department_id INTEGER NOT NULL,
        kind TEXT NOT NULL,
        organization TEXT NOT NULL,
        place INTEGER NOT NULL,
        what TEXT NOT NULL,
        movement JSONB NOT NULL,
        CONSTRAINT held_document_pkey PRIMARY KEY (department_id, kind, organization, place),
        CONSTRAINT held_document_department_id_fkey FOREIGN KEY (department_id, kind, organization)
            REFERENCES cpimportd.held (department_id, kind, organization) ON DELETE CASCADE
    )
    """,
    "COMMENT ON TABLE cpimportd.held_document IS 'The first documents that a held unit would change.'",
    *(f"COMMENT ON COLUMN cpimportd.held_document.{column} IS '{comment}'" for column, comment in _COMMENTS),
)


def upgrade() -> None:
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
