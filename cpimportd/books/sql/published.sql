-- name: forget
-- Documents of the units that took part and that are in the books no longer.
DELETE FROM cpimportd.published p USING stage_scope scope, stage_unit u
WHERE p.department_id = scope.department_id AND p.kind = '{kind}' AND u.kind = '{kind}' AND p.organization = u.organization
  AND NOT EXISTS (SELECT FROM cpimportd.lineage l
                  WHERE l.department_id = p.department_id AND l.kind = p.kind AND l.operation_id = p.operation_id);

-- name: remember
-- Documents of those units that the run brought or changed, and those that nothing is remembered of yet, as they stand now.
INSERT INTO cpimportd.published (department_id, kind, operation_id, organization, content)
SELECT l.department_id, l.kind, l.operation_id, l.organization, {content}
FROM cpimportd.lineage l
JOIN stage_scope scope ON scope.department_id = l.department_id
JOIN stage_unit u ON u.kind = '{kind}' AND u.organization = l.organization
JOIN {table} f ON f.operation_id = l.operation_id AND f.department_id = l.department_id
LEFT JOIN fin_organizations o ON o.id = f.organization_id
LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
LEFT JOIN fin_contracts k ON k.id = f.contract_id
LEFT JOIN cpimportd.published p
    ON p.department_id = l.department_id AND p.kind = l.kind AND p.operation_id = l.operation_id
WHERE l.kind = '{kind}'
  AND (p.operation_id IS NULL OR l.last_run = scope.run_id
       OR l.operation_id IN (SELECT c.operation_id FROM cpimportd.change c
                             WHERE c.run_id = scope.run_id AND c.kind = '{kind}' AND c.why = 'undone'))
ON CONFLICT (department_id, kind, operation_id)
DO UPDATE SET organization = excluded.organization, content = excluded.content;
