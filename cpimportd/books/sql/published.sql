-- name: create
-- Documents of which has to be remembered anew how they stand, where they are ours, or that they are gone.
CREATE TEMP TABLE written_document (kind text, operation_id text, ours boolean) ON COMMIT DROP;
CREATE TEMP TABLE written_lines (operation_id text, texts text[]) ON COMMIT DROP;

-- name: of_merge
-- What the merge brought, changed, removed and gave another key.
INSERT INTO written_document (kind, operation_id, ours)
SELECT '{kind}', operation_id, organization_after IS NOT NULL FROM match_{kind}
WHERE id IS NULL OR organization_after IS NULL OR NOT traced
   OR operation_id IN (SELECT operation_id FROM changed_{kind})
   OR operation_id IN (SELECT new_id FROM stage_pair WHERE kind = '{kind}' AND rekeyed)
UNION ALL
SELECT '{kind}', old_id, false FROM stage_pair
WHERE kind = '{kind}' AND rekeyed AND old_id NOT IN (SELECT operation_id FROM match_{kind});

-- name: of_unit
-- Everything of a unit of which not every document was remembered.
INSERT INTO written_document (kind, operation_id, ours)
SELECT l.kind, l.operation_id, true
FROM cpimportd.lineage l JOIN stage_scope scope ON scope.department_id = l.department_id
WHERE l.kind = $1 AND l.organization = $2
  AND NOT EXISTS (SELECT FROM written_document w WHERE w.kind = l.kind AND w.operation_id = l.operation_id);

-- name: of_undo
-- What an undo brought back, changed, removed and gave its former key.
INSERT INTO written_document (kind, operation_id, ours)
SELECT DISTINCT c.kind, name.value, EXISTS (
           SELECT FROM cpimportd.lineage l
           WHERE l.department_id = scope.department_id AND l.kind = c.kind AND l.operation_id = name.value)
FROM cpimportd.change c
JOIN stage_scope scope ON scope.run_id = c.run_id
CROSS JOIN LATERAL (VALUES (c.operation_id), (c.paired_with)) AS name (value)
WHERE c.op <> 'reference' AND name.value IS NOT NULL;

-- name: gather_lines
-- The lines of expenses, each as a text, in file order. Joined as a query of its own, they were looked through once for every
-- document of a first import: the planner knows nothing yet of the tables that it fills.
INSERT INTO written_lines (operation_id, texts)
SELECT x.expense_operation_id, array_agg({line} ORDER BY x.id)
FROM fin_expense_details x
JOIN written_document w ON w.kind = 'expenses' AND w.ours AND w.operation_id = x.expense_operation_id
GROUP BY x.expense_operation_id;

-- name: forget
-- How these documents stood.
DELETE FROM cpimportd.published p USING stage_scope scope, written_document w
WHERE p.department_id = scope.department_id AND p.kind = w.kind AND p.operation_id = w.operation_id;

-- name: remember
-- How those of them stand that are in the books and ours.
INSERT INTO cpimportd.published (department_id, kind, operation_id, organization, content, lines)
SELECT scope.department_id, '{kind}', w.operation_id, o.name, {content}, lines.texts
FROM written_document w
CROSS JOIN stage_scope scope
JOIN {table} f ON f.operation_id = w.operation_id AND f.department_id = scope.department_id
JOIN fin_organizations o ON o.id = f.organization_id
LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
LEFT JOIN fin_contracts k ON k.id = f.contract_id
LEFT JOIN written_lines lines ON '{kind}' = 'expenses' AND lines.operation_id = w.operation_id
WHERE w.kind = '{kind}' AND w.ours;
