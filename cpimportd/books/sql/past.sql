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

-- name: entries
-- What a run changed, removed or brought back, in its order.
SELECT run_id, seq, kind, op, operation_id, organization, amount_before, amount_after, old, new, why, paired_with, lineage
FROM cpimportd.change
WHERE run_id = $1 AND op <> 'reference'
ORDER BY seq;

-- name: inserted
-- Documents that a run inserted: those still in the books by their lineage, those that went since by what the journal
-- kept of it.
SELECT kind, operation_id FROM cpimportd.lineage WHERE department_id = $1 AND first_run = $2
UNION
SELECT kind, operation_id FROM cpimportd.change
WHERE department_id = $1 AND run_id > $2 AND op = 'delete' AND (lineage ->> 'first_run')::bigint = $2;

-- name: later
-- What happened to documents after a run, in its order; a re-keyed one is found by both of its names.
SELECT run_id, seq, kind, op, operation_id, organization, amount_before, amount_after, old, new, why, paired_with, lineage
FROM cpimportd.change c
WHERE c.department_id = $1 AND c.run_id > $2 AND c.op <> 'reference' AND c.kind = $3
  AND (c.operation_id = ANY ($4::text[]) OR c.op = 'rekey' AND c.paired_with = ANY ($4::text[]))
ORDER BY run_id, seq;

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

-- name: pairs_undone
-- Re-timed documents of the runs that a run undid: what went then, and what came for it; of an undo by an earlier version,
-- whose own journal did not say that these go the other way.
SELECT c.kind, c.operation_id, c.paired_with
FROM cpimportd.change c JOIN cpimportd.runs r ON c.run_id = ANY (r.undoes)
WHERE r.id = $1 AND c.op = 'delete' AND c.paired_with IS NOT NULL
  AND NOT EXISTS (SELECT FROM cpimportd.run_unit u WHERE u.run_id = r.id AND u.moved_in IS NOT NULL)
ORDER BY c.run_id, c.seq;

-- name: organizations
-- Whose units a run looked at.
SELECT DISTINCT organization FROM cpimportd.run_unit WHERE run_id = $1 ORDER BY organization;

-- name: contract_bridges
-- The bridge of one run per contract.
SELECT organization, kind, contract, opening, added, removed, changed, closing
FROM cpimportd.run_contract
WHERE run_id = $1 AND ($2::text IS NULL OR organization = $2)
ORDER BY organization, kind, contract;
