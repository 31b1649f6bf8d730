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

-- name: bridge_contracts
-- The same per contract, of those whose sum moved. A document that changes its contract or organization goes from one and
-- comes to the other; the opening follows from the closing, which is what the books hold now.
INSERT INTO cpimportd.run_contract (run_id, organization, kind, contract, opening, added, removed, changed, closing)
WITH present AS (
    SELECT f.operation_id, coalesce(k.contract_number, '') AS contract
    FROM {table} f LEFT JOIN fin_contracts k ON k.id = f.contract_id
    WHERE f.department_id = (SELECT department_id FROM stage_scope)
), entries AS (
    SELECT c.op, c.operation_id, c.organization AS organization_after, coalesce(c.amount_before, 0) AS before,
           coalesce(c.amount_after, 0) AS after, c.op = 'delete' AND c.paired_with IS NOT NULL AS retimed,
           CASE WHEN c.op = 'update' AND c.old ? 'organization' THEN c.old ->> 'organization'
                ELSE c.organization END AS organization_before,
           CASE WHEN c.op = 'delete' OR c.old ? 'contract' THEN coalesce(c.old ->> 'contract', '')
                ELSE coalesce(n.contract, p.contract) END AS contract_before,
           coalesce(n.contract, p.contract) AS contract_after
    FROM cpimportd.change c
    LEFT JOIN present p ON p.operation_id = c.operation_id
    -- An undo of several runs may tell of a document more than once: what it had then, the next entry knows.
    LEFT JOIN LATERAL (
        SELECT coalesce(later.old ->> 'contract', '') AS contract
        FROM cpimportd.change later
        WHERE later.run_id = c.run_id AND later.kind = c.kind AND later.operation_id = c.operation_id
          AND later.seq > c.seq AND later.old ? 'contract'
        ORDER BY later.seq LIMIT 1
    ) n ON true
    WHERE c.run_id = (SELECT run_id FROM stage_scope) AND c.kind = '{kind}' AND c.op IN ('update', 'delete', 'insert')
), movements AS (
    SELECT organization_before AS organization, contract_before AS contract, 0 AS added,
           CASE WHEN retimed THEN 0 ELSE before END AS removed, CASE WHEN retimed THEN -before ELSE 0 END AS changed
    FROM entries
    WHERE op = 'delete' OR (organization_before, contract_before) IS DISTINCT FROM (organization_after, contract_after)
    UNION ALL
    SELECT organization_after, contract_after, after, 0, 0 FROM entries
    WHERE op = 'insert'
       OR op = 'update' AND (organization_before, contract_before) IS DISTINCT FROM (organization_after, contract_after)
    UNION ALL
    SELECT organization_after, contract_after, 0, 0, after - before FROM entries
    WHERE op = 'update' AND (organization_before, contract_before) IS NOT DISTINCT FROM (organization_after, contract_after)
    UNION ALL
    SELECT m.organization_after, p.contract, CASE WHEN t.new_id IS NULL THEN m.amount_after ELSE 0 END, 0,
           CASE WHEN t.new_id IS NULL THEN 0 ELSE m.amount_after END
    FROM match_{kind} m
    JOIN present p ON p.operation_id = m.operation_id
    LEFT JOIN stage_pair t ON t.kind = '{kind}' AND t.new_id = m.operation_id AND NOT t.rekeyed
    WHERE m.id IS NULL
      AND NOT EXISTS (SELECT FROM entries e WHERE e.op = 'insert' AND e.operation_id = m.operation_id)
), moved AS (
    SELECT organization, contract, sum(added) AS added, sum(removed) AS removed, sum(changed) AS changed
    FROM movements WHERE organization IS NOT NULL AND (added, removed, changed) <> (0, 0, 0)
    GROUP BY organization, contract
), closed AS (
    SELECT o.name AS organization, coalesce(k.contract_number, '') AS contract, sum(f.amount) AS closing
    FROM {table} f
    JOIN fin_organizations o ON o.id = f.organization_id
    LEFT JOIN fin_contracts k ON k.id = f.contract_id
    WHERE f.department_id = (SELECT department_id FROM stage_scope) AND o.name IN (SELECT organization FROM moved)
    GROUP BY 1, 2
)
SELECT scope.run_id, organization, '{kind}', contract,
       coalesce(closing, 0) - added + removed - changed, added, removed, changed, coalesce(closing, 0)
FROM moved LEFT JOIN closed USING (organization, contract) CROSS JOIN stage_scope scope;

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
