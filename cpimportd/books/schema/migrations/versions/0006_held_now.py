"""One table of the units held now; what a run looked for; an index over published contents.

Before, each reader found held units in the reports of the last runs, and each went back a different number of runs. The
table is filled from all reports, and from the undos that no run has judged since.
"""

import json
import shlex

from alembic import op
from sqlalchemy import text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    ALTER TABLE cpimportd.runs ADD COLUMN kinds TEXT[] DEFAULT '{receipts,expenses,details}' NOT NULL
    """,
    """
    UPDATE cpimportd.runs r SET kinds = looked.kinds
    FROM (SELECT w.id, array_agg(DISTINCT k.kind) AS kinds
          FROM cpimportd.runs w CROSS JOIN jsonb_array_elements(w.report -> 'units') u
          CROSS JOIN jsonb_array_elements_text(u -> 'kinds') AS k (kind)
          WHERE jsonb_typeof(w.report -> 'units') = 'array'
          GROUP BY w.id) looked
    WHERE looked.id = r.id
    """,
    "CREATE INDEX snapshot_digest_idx ON cpimportd.snapshot (digest)",
    "CREATE INDEX snapshot_sha256_idx ON cpimportd.snapshot (sha256)",
    """
    CREATE TABLE cpimportd.held (
        department_id INTEGER NOT NULL,
        kind TEXT NOT NULL,
        organization TEXT NOT NULL,
        run_id BIGINT NOT NULL,
        since_run BIGINT NOT NULL,
        since TIMESTAMP WITH TIME ZONE NOT NULL,
        problems JSONB DEFAULT '[]' NOT NULL,
        contents JSONB DEFAULT '[]' NOT NULL,
        undone_run BIGINT,
        CONSTRAINT held_pkey PRIMARY KEY (department_id, kind, organization),
        CONSTRAINT held_run_id_fkey FOREIGN KEY (run_id) REFERENCES cpimportd.runs (id)
    )
    """,
    # The units that the latest run which judged them held. It stands in the reports: a run that found nothing new
    # writes no bridge, and an undo judges nobody.
    """
    WITH judged AS (
        SELECT r.department_id, r.id, r.started_at, u AS unit, u ->> 'unit' AS name, u ->> 'status' = 'held' AS held
        FROM cpimportd.runs r CROSS JOIN jsonb_array_elements(r.report -> 'units') u
        WHERE r.status IN ('published', 'unchanged', 'partial', 'held') AND r.undoes = '{}'
          AND jsonb_typeof(r.report -> 'units') = 'array'
    ), latest AS (
        SELECT DISTINCT ON (department_id, name) * FROM judged ORDER BY department_id, name, id DESC
    )
    INSERT INTO cpimportd.held (department_id, kind, organization, run_id, since_run, since, problems, contents)
    SELECT l.department_id, l.unit -> 'kinds' ->> 0, l.unit ->> 'organization', l.id, since.id, since.started_at,
           l.unit -> 'problems',
           coalesce((SELECT jsonb_agg(DISTINCT jsonb_build_object('digest', n.digest, 'sha256', n.sha256))
                     FROM cpimportd.run_unit k JOIN cpimportd.snapshot n ON n.id = ANY (k.snapshots)
                     WHERE k.run_id = l.id AND k.organization = l.unit ->> 'organization'
                       AND k.kind = l.unit -> 'kinds' ->> 0), '[]')
    FROM latest l
    CROSS JOIN LATERAL (
        SELECT j.id, j.started_at FROM judged j
        WHERE j.department_id = l.department_id AND j.name = l.name
          AND j.id > coalesce((SELECT max(g.id) FROM judged g
                               WHERE g.department_id = l.department_id AND g.name = l.name AND NOT g.held), 0)
        ORDER BY j.id LIMIT 1
    ) since
    WHERE l.held
    """,
    """
    UPDATE cpimportd.held h SET undone_run = n.undone_run
    FROM cpimportd.undone_unit n
    WHERE (n.department_id, n.kind, n.organization) = (h.department_id, h.kind, h.organization)
    """,
)

PUT_BACK = """
    SELECT n.department_id, n.kind, n.organization, n.run_id, n.undone_run, r.started_at,
           coalesce((SELECT jsonb_agg(DISTINCT jsonb_build_object('digest', s.digest, 'sha256', s.sha256))
                     FROM cpimportd.run_unit u JOIN cpimportd.snapshot s ON s.id = ANY (u.snapshots)
                     WHERE u.organization = n.organization AND u.kind = n.kind
                       AND u.run_id = (SELECT max(k.run_id) FROM cpimportd.run_unit k
                                       WHERE k.run_id = ANY (r.undoes) AND k.organization = n.organization
                                         AND k.kind = n.kind AND k.status = 'published')), '[]')::text AS contents
    FROM cpimportd.undone_unit n JOIN cpimportd.runs r ON r.id = n.run_id
    WHERE NOT EXISTS (
        SELECT FROM cpimportd.runs later CROSS JOIN jsonb_array_elements(later.report -> 'units') unit
        WHERE later.department_id = n.department_id AND later.id > n.run_id AND later.undoes = '{}'
          AND later.status IN ('published', 'unchanged', 'partial', 'held')
          AND unit ->> 'unit' = n.organization || '/' || n.kind)
"""
"""Units that an undo put back and that no run has judged since."""

ADD = """
    INSERT INTO cpimportd.held (department_id, kind, organization, run_id, since_run, since, problems, contents,
                                undone_run)
    VALUES (:department_id, :kind, :organization, :run_id, :run_id, :started_at, CAST(:problems AS jsonb),
            CAST(:contents AS jsonb), :undone_run)
    ON CONFLICT DO NOTHING
"""

COMMENTS = {
    "runs.kinds": "What it looked for: receipts, expenses, details; less than all of them with --only.",
    "held": "What is held now, one row per unit; written by the transaction of the run that judged it.",
    "held.department_id": "Whose books: departments.id in the backend.",
    "held.kind": "receipts or expenses: the unit''s group.",
    "held.organization": "Whose unit.",
    "held.run_id": "The run that held it last, or the undo that put it back.",
    "held.since_run": "The run that held it first, without one in between that did not.",
    "held.since": "When that run began.",
    "held.problems": "Why, and what else was noticed.",
    "held.contents": "Of the workbooks that it was held with: digest and sha256 of each; a human accepts these.",
    "held.undone_run": "The run whose publication a human has undone, where that is why.",
}


def upgrade() -> None:
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
    for row in connection.exec_driver_sql(PUT_BACK).mappings().all():
        unit = f"{row['organization']}/{row['kind']}"
        why = {
            "code": "undone",
            "message": f"{row['organization']}: these files are those that run {row['undone_run']} published and that "
            "were undone",
            "way_out": f"Upload corrected files; to take these after all: cpimportd accept {shlex.quote(unit)}.",
            "file": None,
            "row": None,
            "column": None,
            "value": None,
            "organization": row["organization"],
        }
        connection.execute(text(ADD), {**row, "problems": json.dumps([why], ensure_ascii=False)})
    for name, comment in COMMENTS.items():
        sort = "COLUMN" if "." in name else "TABLE"
        connection.exec_driver_sql(f"COMMENT ON {sort} cpimportd.{name} IS '{comment}'")
