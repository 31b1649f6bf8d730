-- name: import_logs
-- The backend's log of imports, the latest first; its naive moments are those of the server's zone.
SELECT id, import_date::timestamptz AS import_date, source_file, table_name, rows_inserted, rows_updated, rows_failed,
       status, error_message, processed_by, processing_time_seconds, department_id
FROM fin_import_logs
WHERE department_id = $1
ORDER BY import_date DESC, id DESC
OFFSET $2 LIMIT $3;

-- name: files
-- Each workbook as it was last read, and when it was last right. Left out is one that nobody has seen for a month, or
-- that the latest run which looked for its kind did not find; one whose kind nobody knows every run looks for. What a run
-- found unchanged under a new name stands in its report alone, and so does one that it listed and did not get.
WITH {looked}, found AS (
    SELECT DISTINCT ON (f->>'name') f->>'name' AS file, f->>'kind' AS kind,
           ARRAY(SELECT jsonb_array_elements_text(f->'organizations')) AS organizations, (f->>'rows')::int AS rows,
           (f->>'control_total')::numeric AS control_total, (f->>'modified')::timestamptz AS modified,
           f->>'status' AS status, l.id AS run_id, l.started_at, jsonb_array_length(f->'problems') AS problems
    FROM looked l CROSS JOIN jsonb_array_elements(l.report->'files') f
    WHERE coalesce(f->>'kind', '') = l.kind
    ORDER BY f->>'name', l.id DESC
), latest AS (
    SELECT DISTINCT ON (s.file) s.file, s.kind, s.organizations, s.rows, s.control_total, s.modified, s.status, s.run_id,
           r.started_at, jsonb_array_length(s.problems) AS problems
    FROM cpimportd.snapshot s JOIN cpimportd.runs r ON r.id = s.run_id
    WHERE r.department_id = $1 AND r.started_at > now() - interval '31 days'
    ORDER BY s.file, s.id DESC
), missed AS (
    SELECT f.* FROM found f JOIN latest l USING (file) WHERE f.status = 'held' AND f.run_id > l.run_id
), good AS (
    SELECT s.file, max(r.started_at) AS at
    FROM cpimportd.snapshot s JOIN cpimportd.runs r ON r.id = s.run_id
    WHERE r.department_id = $1 AND s.status IN ('published', 'unchanged')
    GROUP BY s.file
), shown AS (
    SELECT l.* FROM latest l
    WHERE (l.file IN (SELECT file FROM found)
           OR NOT EXISTS (SELECT FROM looked k WHERE k.kind = coalesce(l.kind, '') AND k.id > l.run_id))
      AND NOT EXISTS (SELECT FROM missed m WHERE m.file = l.file)
    UNION ALL
    SELECT f.* FROM found f WHERE f.file NOT IN (SELECT file FROM latest)
    UNION ALL
    SELECT m.* FROM missed m
)
SELECT s.file AS name, s.kind, s.organizations, s.rows, s.control_total, s.modified, s.status, s.run_id AS run,
       s.started_at AS read_at, s.problems,
       coalesce(g.at, CASE WHEN s.status IN ('published', 'unchanged') THEN s.started_at END) AS good_at
FROM shown s LEFT JOIN good g ON g.file = s.file
ORDER BY s.file;

-- name: months
-- Principal and interest by month and organization; each detail line belongs to one expense, so nothing is added twice.
-- A month is that of document_date, as the backend's reports have it; a document without one has none.
SELECT coalesce(o.name, '') AS organization, to_char(f.document_date, 'YYYY-MM') AS month,
       coalesce(sum(d.payment_amount) FILTER (WHERE d.payment_type = 'Погашение долга'), 0) AS principal,
       coalesce(sum(d.payment_amount) FILTER (WHERE d.payment_type = 'Уплата процентов'), 0) AS interest
FROM fin_expense_details d
JOIN fin_expenses f ON f.operation_id = d.expense_operation_id
LEFT JOIN fin_organizations o ON o.id = f.organization_id
WHERE f.department_id = $1 AND (f.document_date >= $2 OR f.document_date IS NULL)
GROUP BY 1, 2
ORDER BY 2, 1;

-- name: last_month
-- The latest month that has expenses: where the chart ends.
SELECT max(document_date)::date AS day FROM fin_expenses WHERE department_id = $1;

-- name: runs_since
-- How the runs since a moment ended, the oldest first; a day of many tries is cut off at a thousand.
SELECT id AS run, status, trigger, schedule, started_at, finished_at, {seconds} AS seconds
FROM cpimportd.runs r
WHERE department_id = $1 AND started_at >= $2
ORDER BY id DESC LIMIT 1000;

-- name: department_of
-- Whose run it is: a database may serve several departments.
SELECT department_id FROM cpimportd.runs WHERE id = $1;
