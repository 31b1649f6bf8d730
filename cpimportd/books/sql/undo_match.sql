-- name: create
-- What documents said before an undo, beside the tables that every publication has.
CREATE TEMP TABLE undo_content (
    kind text NOT NULL, operation_id text NOT NULL, content text NOT NULL, PRIMARY KEY (kind, operation_id)
) ON COMMIT DROP;

-- name: remember_documents
-- What the units hold, and whatever else the runs that are taken back had touched.
INSERT INTO match_{kind} (operation_id, id, organization_before, amount_before, traced, contract_before)
SELECT f.operation_id, f.id, o.name, f.amount, true, k.contract_number
FROM {table} f
CROSS JOIN stage_scope scope
LEFT JOIN fin_organizations o ON o.id = f.organization_id
LEFT JOIN fin_contracts k ON k.id = f.contract_id
WHERE f.department_id = scope.department_id
  AND (f.organization_id IN (SELECT organization_id FROM stage_unit WHERE kind = '{kind}')
       OR f.operation_id IN (SELECT c.operation_id FROM cpimportd.change c JOIN undo_run USING (run_id)
                             WHERE c.kind = '{kind}'));

-- name: remember_lines
-- The lines of these expenses, and what was paid with them: an undo tells of all as if they went and came.
INSERT INTO gone_line
SELECT d.expense_operation_id, {paid}, coalesce(d.payment_amount, 0)
FROM fin_expense_details d JOIN match_expenses m ON m.operation_id = d.expense_operation_id;

-- name: whole
-- All that a document says, its lines and columns without a field as sets: what `diff` compares, as one text.
md5(ROW (f.organization_id, f.bank_account_id, f.contract_id, f.is_active, {table_columns})::text
    || coalesce(l.extra, '{{}}')::text
    || coalesce((SELECT jsonb_agg(x ORDER BY x)::text FROM jsonb_array_elements(l.detail_extra) x), '[]')
    || coalesce((SELECT string_agg(ROW ({line_columns})::text, ';' ORDER BY ROW ({line_columns})::text)
                 FROM fin_expense_details x
                 WHERE '{kind}' = 'expenses' AND x.expense_operation_id = f.operation_id), ''))

-- name: remember_contents
-- What each of these documents says.
INSERT INTO undo_content
SELECT '{kind}', f.operation_id, {whole}
FROM match_{kind} m
CROSS JOIN stage_scope scope
JOIN {table} f ON f.id = m.id
LEFT JOIN cpimportd.lineage l
    ON l.department_id = scope.department_id AND l.kind = '{kind}' AND l.operation_id = f.operation_id;

-- name: links
-- Where the undo's journal says that a document goes on under another name, in its order.
SELECT kind, op, operation_id, paired_with FROM cpimportd.change
WHERE run_id = $1 AND (op = 'rekey' OR op = 'delete' AND paired_with IS NOT NULL)
ORDER BY seq;

-- name: add_rekeyed
-- Documents that got another key in place ($1 the former ones, $2 the present ones): from here on they have that.
WITH keys AS (
    INSERT INTO stage_pair (kind, old_id, new_id, rekeyed)
    SELECT '{kind}', old_id, new_id, true FROM unnest($1::text[], $2::text[]) AS k (old_id, new_id)
    RETURNING old_id, new_id
), contents AS (
    UPDATE undo_content c SET operation_id = k.new_id FROM keys k WHERE c.kind = '{kind}' AND c.operation_id = k.old_id
), lines AS (
    UPDATE gone_line d SET operation_id = k.new_id FROM keys k WHERE '{kind}' = 'expenses' AND d.operation_id = k.old_id
)
UPDATE match_{kind} m SET operation_id = k.new_id FROM keys k WHERE m.operation_id = k.old_id;

-- name: match_present
-- What the books hold now of the same documents.
UPDATE match_{kind} m SET organization_after = o.name, amount_after = f.amount, kept = true
FROM stage_scope scope, {table} f LEFT JOIN fin_organizations o ON o.id = f.organization_id
WHERE f.department_id = scope.department_id AND f.operation_id = m.operation_id;

-- name: match_new
-- And of others.
INSERT INTO match_{kind} (operation_id, organization_after, amount_after, traced, kept)
SELECT f.operation_id, o.name, f.amount, true, true
FROM {table} f
CROSS JOIN stage_scope scope
LEFT JOIN fin_organizations o ON o.id = f.organization_id
WHERE f.department_id = scope.department_id
  AND (f.organization_id IN (SELECT organization_id FROM stage_unit WHERE kind = '{kind}')
       OR f.operation_id IN (SELECT c.operation_id FROM cpimportd.change c
                             WHERE c.run_id = scope.run_id AND c.kind = '{kind}'))
  AND NOT EXISTS (SELECT FROM match_{kind} m WHERE m.operation_id = f.operation_id);

-- name: match_lines
-- Per expense, its lines of before and of now.
INSERT INTO match_details (operation_id, rows_before, rows_after, amount_before, amount_after)
SELECT operation_id, sum(rows_before), sum(rows_after), sum(amount_before), sum(amount_after)
FROM (
    SELECT operation_id, 1 AS rows_before, 0 AS rows_after, amount AS amount_before, 0 AS amount_after FROM gone_line
    UNION ALL
    SELECT d.expense_operation_id, 0, 1, 0, coalesce(d.payment_amount, 0)
    FROM fin_expense_details d JOIN match_expenses m ON m.operation_id = d.expense_operation_id
) lines
GROUP BY operation_id;

-- name: write_lines_anew
-- For the bridges, whatever lines are there now were not there before.
INSERT INTO changed_details (operation_id, money) SELECT operation_id, true FROM match_expenses;

-- name: add_retimed
-- Documents that went under one name ($1) and came under another ($2).
INSERT INTO stage_pair (kind, old_id, new_id, rekeyed)
SELECT '{kind}', k.old_id, k.new_id, false
FROM unnest($1::text[], $2::text[]) AS k (old_id, new_id)
JOIN match_{kind} o ON o.operation_id = k.old_id AND o.id IS NOT NULL AND NOT o.kept
JOIN match_{kind} n ON n.operation_id = k.new_id AND n.id IS NULL AND n.kept
ON CONFLICT DO NOTHING;

-- name: find_changed
-- Documents of the journal that do not say the same as before.
INSERT INTO changed_{kind} (operation_id, columns_differ, extra_differs, details_differ, why)
SELECT f.operation_id, true, true, true, 'undone'
FROM {table} f
CROSS JOIN stage_scope scope
JOIN undo_content b ON b.kind = '{kind}' AND b.operation_id = f.operation_id
LEFT JOIN cpimportd.lineage l
    ON l.department_id = scope.department_id AND l.kind = '{kind}' AND l.operation_id = f.operation_id
WHERE f.department_id = scope.department_id AND b.content <> {whole}
  AND f.operation_id IN (SELECT c.operation_id FROM cpimportd.change c
                         WHERE c.run_id = scope.run_id AND c.kind = '{kind}');
