"""Outstanding notifications of a committed run, recorded in its transaction: caches, materialized views.

Earlier runs have no outstanding notifications: nothing recorded whether they were sent.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_COMMENTS = (
    ("run_id", "The run that changed the books."),
    ("target", "cache: answers that lie in Redis; views: materialized views."),
    ("department_id", "Whose books: departments.id in the backend."),
    ("since", "When it was noted, in the run''s own transaction."),
    ("outcome", "done, or dropped: nobody wants it any more, by the configuration. Empty: outstanding."),
    ("ended_at", "When it was done or dropped."),
    ("tries", "How often it was tried."),
    ("views", "Of views: those still to be refreshed; empty: all of them."),
    ("problems", "Why the last try failed."),
)

STATEMENTS = (
    """
    CREATE TABLE cpimportd.notice (
        run_id BIGINT NOT NULL,
        target TEXT NOT NULL,
        department_id INTEGER NOT NULL,
        since TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        outcome TEXT,
        ended_at TIMESTAMP WITH TIME ZONE,
        tries INTEGER DEFAULT 0 NOT NULL,
        views TEXT[],
        problems JSONB DEFAULT '[]' NOT NULL,
        CONSTRAINT notice_pkey PRIMARY KEY (run_id, target),
        CONSTRAINT notice_run_id_fkey FOREIGN KEY (run_id) REFERENCES cpimportd.runs (id),
        CONSTRAINT notice_target_check CHECK (target IN ('cache', 'views')),
        CONSTRAINT notice_outcome_check CHECK (outcome IN ('done', 'dropped'))
    )
    """,
    "CREATE INDEX notice_outstanding_idx ON cpimportd.notice (department_id) WHERE outcome IS NULL",
    "COMMENT ON TABLE cpimportd.notice IS 'Which readers of the books are to be told of a run after its COMMIT, and "
    "whether they have been.'",
    *(f"COMMENT ON COLUMN cpimportd.notice.{column} IS '{comment}'" for column, comment in _COMMENTS),
)


def upgrade() -> None:
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
