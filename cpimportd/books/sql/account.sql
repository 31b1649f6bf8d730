-- name: bridge
-- From yesterday's sum to today's, per organization: what the books held, what came, what went, what changed, and what
-- the snapshot says. A re-timed or re-keyed document is one document: its difference counts as changed.
SELECT organization, sum(rows_before)::int AS rows_before, sum(rows_after)::int AS rows_after, sum(opening) AS opening,
       sum(added) AS added, sum(removed) AS removed, sum(changed) AS changed, sum(closing) AS closing
FROM (
    SELECT m.organization_before AS organization, {rows_before} AS rows_before, 0 AS rows_after,
           {before} AS opening, 0 AS added,
           CASE WHEN m.organization_after IS DISTINCT FROM m.organization_before AND p.old_id IS NULL
                THEN {before} ELSE 0 END AS removed,
           CASE WHEN m.organization_after = m.organization_before OR p.old_id IS NOT NULL
                THEN -{before} ELSE 0 END AS changed,
           0 AS closing
    FROM match_{kind} m
    {join_details}
    LEFT JOIN stage_pair p ON p.kind = '{kind}' AND p.old_id = m.operation_id
    WHERE m.id IS NOT NULL
    UNION ALL
    SELECT m.organization_after, 0, {rows_after}, 0,
           CASE WHEN m.organization_after IS DISTINCT FROM m.organization_before AND p.new_id IS NULL
                THEN {after} ELSE 0 END,
           0,
           CASE WHEN m.organization_after = m.organization_before OR p.new_id IS NOT NULL
                THEN {after} ELSE 0 END,
           {after}
    FROM match_{kind} m
    {join_details}
    LEFT JOIN stage_pair p ON p.kind = '{kind}' AND p.new_id = m.operation_id AND NOT p.rekeyed
    WHERE m.organization_after IS NOT NULL
) movements
WHERE organization IN (SELECT organization FROM stage_unit WHERE kind = '{kind}')
GROUP BY organization;

-- name: counts
-- Per organization, in documents: added, removed, re-timed, changed (and of these normalised and put right), unchanged.
SELECT u.organization,
       count(*) FILTER (WHERE m.organization_after = u.organization AND p_new.new_id IS NULL
                          AND m.organization_before IS DISTINCT FROM u.organization)::int AS inserted,
       count(*) FILTER (WHERE m.organization_before = u.organization AND p_old.old_id IS NULL
                          AND m.organization_after IS DISTINCT FROM u.organization)::int AS removed,
       count(*) FILTER (WHERE m.organization_after = u.organization AND p_new.new_id IS NOT NULL)::int AS retimed,
       count(*) FILTER (WHERE m.organization_before = m.organization_after AND c.operation_id IS NOT NULL)::int AS updated,
       count(*) FILTER (WHERE m.organization_before = m.organization_after AND c.operation_id IS NULL)::int AS unchanged,
       count(*) FILTER (WHERE c.why = 'normalised')::int AS normalised,
       count(*) FILTER (WHERE c.why = 'put-right')::int AS put_right,
       count(*) FILTER (WHERE m.organization_after = u.organization AND m.id IS NULL)::int AS rows_inserted
FROM stage_unit u
JOIN match_{kind} m ON u.organization IN (m.organization_before, m.organization_after)
LEFT JOIN stage_pair p_old ON p_old.kind = '{kind}' AND p_old.old_id = m.operation_id
LEFT JOIN stage_pair p_new ON p_new.kind = '{kind}' AND p_new.new_id = m.operation_id AND NOT p_new.rekeyed
LEFT JOIN changed_{kind} c ON c.operation_id = m.operation_id
WHERE u.kind = '{kind}'
GROUP BY u.organization;

-- name: booked
-- What the books hold now of the published organizations.
SELECT u.organization, count(f.id)::int AS rows, coalesce(sum(f.amount), 0) AS total
FROM stage_unit u
LEFT JOIN {table} f ON f.organization_id = u.organization_id
    AND f.department_id = (SELECT department_id FROM stage_scope)
WHERE u.kind = '{kind}'
GROUP BY u.organization;

-- name: booked_details
-- The same for detail lines, through their expenses.
SELECT u.organization, count(d.id)::int AS rows, coalesce(sum(d.payment_amount), 0) AS total
FROM stage_unit u
LEFT JOIN fin_expenses f ON f.organization_id = u.organization_id
    AND f.department_id = (SELECT department_id FROM stage_scope)
LEFT JOIN fin_expense_details d ON d.expense_operation_id = f.operation_id
WHERE u.kind = 'expenses'
GROUP BY u.organization;

-- name: booked_by_file
-- What the books hold now of the documents in each file that stands whole in the stage, beside its control total.
SELECT t.file, t.control_total, coalesce(sum(f.amount), 0) AS total
FROM stage_file t
LEFT JOIN {stage} s ON s.file_no = t.file_no
LEFT JOIN {table} f ON f.operation_id = s.operation_id AND f.department_id = (SELECT department_id FROM stage_scope)
WHERE t.kind = '{kind}' AND t.complete AND t.control_total IS NOT NULL
GROUP BY t.file_no, t.file, t.control_total;

-- name: booked_details_by_file
-- The same for details. A document's lines may come from several files, so all whole files are taken together.
SELECT string_agg(DISTINCT t.file, ', ') AS file,
       (SELECT sum(w.control_total) FROM stage_file w WHERE w.kind = 'details' AND w.complete) AS control_total,
       (SELECT coalesce(sum(d.payment_amount), 0) FROM fin_expense_details d
        WHERE d.expense_operation_id IN (SELECT s.operation_id FROM stage_details s)) AS total
FROM stage_file t
WHERE t.kind = 'details'
HAVING bool_and(t.complete AND t.control_total IS NOT NULL);

-- name: by_file
-- Per file, how many of its documents were added and changed, for the backend's import log.
SELECT s.file_no, count(*) FILTER (WHERE m.id IS NULL)::int AS inserted,
       count(*) FILTER (WHERE c.operation_id IS NOT NULL)::int AS updated
FROM {stage} s
JOIN match_{kind} m ON m.operation_id = s.operation_id
LEFT JOIN changed_{kind} c ON c.operation_id = s.operation_id
GROUP BY s.file_no;

-- name: by_file_details
-- The same for details: lines of documents whose lines were written anew.
SELECT s.file_no, count(*) FILTER (WHERE c.operation_id IS NOT NULL)::int AS inserted, 0 AS updated
FROM stage_details s LEFT JOIN changed_details c ON c.operation_id = s.operation_id
GROUP BY s.file_no;
