-- name: run
-- One run, and whose books it was for.
SELECT id AS run, department_id, status, trigger, started_at, finished_at, undoes FROM cpimportd.runs WHERE id = $1;

-- name: bridges
-- The bridges of a run's published units: what its documents must add up to.
SELECT organization, kind, rows_before, rows_after, opening, added, removed, changed, closing, moved_in
FROM cpimportd.run_unit
WHERE run_id = $1 AND status = 'published' AND ($2::text IS NULL OR organization = $2)
UNION ALL
SELECT organization, figure, rows_before, rows_after, opening, added, removed, changed, closing, 0
FROM cpimportd.run_payment
WHERE run_id = $1 AND ($2::text IS NULL OR organization = $2)
ORDER BY 1, 2;

-- name: how_many
-- How many lines the journal of a run has, and how many documents that it brought are still in the books.
SELECT (SELECT count(*) FROM cpimportd.change
        WHERE run_id = $1 AND ($2::text IS NULL OR organization = $2)) AS changes,
       (SELECT count(*) FROM cpimportd.lineage
        WHERE first_run = $1 AND ($2::text IS NULL OR organization = $2)) AS inserted;

-- name: present
-- Documents as the books hold them now, references by their names, with their detail lines and their lineage.
SELECT f.operation_id,
       jsonb_build_object('organization', o.name, 'bank_account', b.account_number, 'contract', k.contract_number,
                          'is_active', f.is_active, {old_json}) AS fields,
       lines.old AS details, l.extra,
       to_jsonb(l) - ARRAY['department_id', 'kind', 'operation_id', 'organization', 'number', 'moment', 'extra',
                           'detail_extra'] AS lineage
FROM {table} f
LEFT JOIN fin_organizations o ON o.id = f.organization_id
LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
LEFT JOIN fin_contracts k ON k.id = f.contract_id
LEFT JOIN cpimportd.lineage l
    ON l.department_id = f.department_id AND l.kind = '{kind}' AND l.operation_id = f.operation_id
LEFT JOIN LATERAL (
    SELECT jsonb_agg(to_jsonb(x) - 'id' - 'created_at' - 'expense_operation_id' ORDER BY x.id) AS old
    FROM fin_expense_details x
    WHERE '{kind}' = 'expenses' AND x.expense_operation_id = f.operation_id
) lines ON true
WHERE f.department_id = $1 AND f.operation_id = ANY ($2::text[]);

-- name: snapshots
-- The workbooks that documents came from, and when they were read.
SELECT s.id, s.run_id, s.file, s.sheet, s.columns, s.sha256, s.modified, coalesce(r.finished_at, r.started_at) AS at
FROM cpimportd.snapshot s JOIN cpimportd.runs r ON r.id = s.run_id
WHERE s.id = ANY ($1::bigint[]);

-- name: report
-- What a run left in words.
SELECT status, report FROM cpimportd.runs WHERE id = $1;

-- name: run_snapshots
-- The workbooks that a run read.
SELECT file, sha256, sheet, columns, problems FROM cpimportd.snapshot WHERE run_id = $1 ORDER BY file;

-- name: organizations
-- Whose units a run looked at.
SELECT DISTINCT organization FROM cpimportd.run_unit WHERE run_id = $1 ORDER BY organization;

-- name: how_many_contracts
-- How many rows the bridge per contract has.
SELECT count(*) FROM cpimportd.run_contract WHERE run_id = $1 AND ($2::text IS NULL OR organization = $2);

-- name: contract_bridges
-- The bridge of one run per contract.
SELECT organization, kind, contract, opening, added, removed, changed, closing
FROM cpimportd.run_contract
WHERE run_id = $1 AND ($2::text IS NULL OR organization = $2)
ORDER BY organization, kind, contract;
