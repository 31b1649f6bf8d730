-- name: add_snapshot
-- One workbook of today.
INSERT INTO cpimportd.snapshot (run_id, file, sha256, digest, size, modified, kind, rows, control_total, control_totals,
                                engine, status, problems, organizations, sheet, columns)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, nullif($15, ''), $16)
RETURNING id;

-- name: forget_served
-- The published units are served from today's files alone; what served them before is kept for the run's row.
WITH forgotten AS (
    DELETE FROM cpimportd.served v USING stage_scope scope, stage_unit u
    WHERE v.department_id = scope.department_id AND v.organization = u.organization
      AND (v.kind = u.kind OR (u.kind = 'expenses' AND v.kind = 'details'))
    RETURNING v.*
)
INSERT INTO stage_served SELECT * FROM forgotten;

-- name: forget_undone
-- What was published anew is no longer what a human has undone.
DELETE FROM cpimportd.undone_unit n USING stage_scope scope, stage_unit u
WHERE n.department_id = scope.department_id AND n.organization = u.organization AND n.kind = u.kind;

-- name: staged_rows
-- How many rows of each organization each file holds; details through their expenses.
SELECT file_no, organization, count(*)::int AS rows FROM stage_receipts GROUP BY 1, 2
UNION ALL
SELECT file_no, organization, count(*)::int FROM stage_expenses GROUP BY 1, 2
UNION ALL
SELECT s.file_no, e.organization, count(*)::int FROM stage_details s JOIN stage_expenses e USING (operation_id)
GROUP BY 1, 2;

-- name: add_served
-- From which files the published units are served now, and how many of the unit's rows each holds.
INSERT INTO cpimportd.served (department_id, kind, organization, file, snapshot_id, run_id, digest, sha256, rows,
                              control_total)
SELECT scope.department_id, $1, $2, t.file, t.snapshot_id, scope.run_id, n.digest, n.sha256, $4, t.control_total
FROM stage_file t
CROSS JOIN stage_scope scope
JOIN cpimportd.snapshot n ON n.id = t.snapshot_id
WHERE t.file_no = $3;

-- name: add_run_unit
-- The bridge of one unit and kind, and its counts.
INSERT INTO cpimportd.run_unit (run_id, organization, kind, status, rows_before, rows_after, opening, added, removed,
                                changed, closing, control_total, inserted, updated, deleted, retimed, unchanged,
                                normalised, put_right, accepted, snapshots, problems, moved_in, moved_out, foreign_rows,
                                foreign_sum, served_before)
SELECT $1, $2::text, $3::text, $4::text, $5::int, $6::int, $7::numeric, $8::numeric, $9::numeric, $10::numeric,
       $11::numeric, $12::numeric, $13::int, $14::int, $15::int, $16::int, $17::int, $18::int, $19::int, $20::text[],
       $21::bigint[], $22::jsonb, $23::int, $24::int, $25::int, $26::numeric,
       CASE WHEN $4 = 'published' THEN
           (SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.file), '[]') FROM stage_served v
            WHERE v.kind = $3 AND v.organization = $2)
       END;

-- name: add_run_payment
-- The bridge of one organization's lines that pay principal, interest or the rest.
INSERT INTO cpimportd.run_payment (run_id, organization, figure, rows_before, rows_after, opening, added, removed, changed,
                                   closing)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: add_import_log
-- One line in the backend's own import log.
INSERT INTO fin_import_logs (import_date, source_file, table_name, rows_inserted, rows_updated, rows_failed, status,
                             error_message, processed_by, processing_time_seconds, department_id)
VALUES (localtimestamp, left($1, 255), $2, $3, $4, $5, $6, $7, 'cpimportd', $8, $9)
RETURNING id;

-- name: forget_fingerprints
-- The published units are fingerprinted anew.
DELETE FROM cpimportd.fingerprint p USING stage_scope scope, stage_unit u
WHERE p.department_id = scope.department_id AND p.organization = u.organization
  AND (p.kind = u.kind OR (u.kind = 'expenses' AND p.kind = 'details'));

-- name: add_fingerprint
-- What identifies the rows that this publication leaves, taken under its lock.
INSERT INTO cpimportd.fingerprint (department_id, kind, organization, run_id, rows, total, marks)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (department_id, kind, organization)
DO UPDATE SET run_id = excluded.run_id, rows = excluded.rows, total = excluded.total, marks = excluded.marks;
