-- name: create
-- Documents of which has to be remembered anew how they stand, or that they are gone.
CREATE TEMP TABLE written_document (kind text, operation_id text, PRIMARY KEY (kind, operation_id)) ON COMMIT DROP;

-- name: of_merge
-- What the merge brought, changed, removed and gave another key.
INSERT INTO written_document (kind, operation_id)
SELECT '{kind}', operation_id FROM match_{kind} WHERE id IS NULL OR organization_after IS NULL OR NOT traced
UNION
SELECT '{kind}', operation_id FROM changed_{kind}
UNION
SELECT '{kind}', unnest(ARRAY[old_id, new_id]) FROM stage_pair WHERE kind = '{kind}' AND rekeyed;

-- name: of_unit
-- Everything of a unit of which not every document was remembered.
INSERT INTO written_document (kind, operation_id)
SELECT l.kind, l.operation_id
FROM cpimportd.lineage l JOIN stage_scope scope ON scope.department_id = l.department_id
WHERE l.kind = $1 AND l.organization = $2
ON CONFLICT DO NOTHING;

-- name: of_undo
-- What an undo brought back, changed, removed and gave its former key.
INSERT INTO written_document (kind, operation_id)
SELECT c.kind, name.value
FROM cpimportd.change c
JOIN stage_scope scope ON scope.run_id = c.run_id
CROSS JOIN LATERAL (VALUES (c.operation_id), (c.paired_with)) AS name (value)
WHERE c.op <> 'reference' AND name.value IS NOT NULL
ON CONFLICT DO NOTHING;

-- name: forget
-- How these documents stood.
DELETE FROM cpimportd.published p USING stage_scope scope, written_document w
WHERE p.department_id = scope.department_id AND p.kind = w.kind AND p.operation_id = w.operation_id;

-- name: remember
-- How those of them stand that are in the books and ours.
INSERT INTO cpimportd.published (department_id, kind, operation_id, organization, content, lines)
SELECT scope.department_id, '{kind}', w.operation_id, l.organization, {content}, lines.texts
FROM written_document w
CROSS JOIN stage_scope scope
JOIN cpimportd.lineage l
    ON l.department_id = scope.department_id AND l.kind = '{kind}' AND l.operation_id = w.operation_id
JOIN {table} f ON f.operation_id = w.operation_id AND f.department_id = scope.department_id
LEFT JOIN fin_organizations o ON o.id = f.organization_id
LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
LEFT JOIN fin_contracts k ON k.id = f.contract_id
LEFT JOIN (
    SELECT x.expense_operation_id, array_agg({line} ORDER BY x.id) AS texts
    FROM fin_expense_details x
    JOIN written_document n ON n.kind = 'expenses' AND n.operation_id = x.expense_operation_id
    WHERE '{kind}' = 'expenses'
    GROUP BY x.expense_operation_id
) lines ON lines.expense_operation_id = w.operation_id
WHERE w.kind = '{kind}';
