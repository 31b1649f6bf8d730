-- name: run
-- One run, and whose books it was for.
SELECT id AS run, department_id, status, trigger, started_at, finished_at, undoes FROM cpimportd.runs WHERE id = $1;

-- name: recorded
-- To select from: every bridge that a publication or an undo recorded, of documents, of their lines, and of what these pay.
(
    SELECT run_id, organization, kind, rows_before, rows_after, opening, added, removed, changed, closing,
           coalesce(foreign_sum, 0) AS foreign_sum, inserted, updated, deleted AS removed_documents, retimed,
           coalesce(moved_in, 0) AS moved_in, coalesce(moved_out, 0) AS moved_out, moved_in IS NULL AS gross
    FROM cpimportd.run_unit
    WHERE status = 'published'
    UNION ALL
    SELECT run_id, organization, figure, rows_before, rows_after, opening, added, removed, changed, closing,
           0, 0, 0, 0, 0, 0, 0, false
    FROM cpimportd.run_payment
)

-- name: bridges
-- The bridges of a run's published units: what its documents must add up to. The older versions that counted in gross, a
-- document that an undo moved twice for each time, knew nothing of documents that change hands.
SELECT u.organization, u.kind, u.rows_before, u.rows_after, u.opening, u.added, u.removed, u.changed, u.closing, u.gross
FROM {recorded} u
WHERE u.run_id = $1 AND ($2::text IS NULL OR u.organization = $2)
ORDER BY 1, 2;

-- name: closings
-- What the books held of each organization and kind when a run had ended: a unit that was held, or did not change, stays at
-- what the last run left that published it.
SELECT DISTINCT ON (u.organization, u.kind) u.organization, u.kind, u.closing
FROM {recorded} u
JOIN cpimportd.runs r ON r.id = u.run_id
WHERE r.department_id = $1 AND u.run_id <= $2 AND u.kind IN ('receipts', 'expenses', 'details') AND u.closing IS NOT NULL
ORDER BY u.organization, u.kind, u.run_id DESC;

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
-- To begin a query with: bridges of contracts, of those whose sum a run moved.
SELECT n.run_id AS run, coalesce(r.finished_at, r.started_at) AS at, n.organization, n.kind, n.contract, n.opening, n.added,
       n.removed, n.changed, n.closing
FROM cpimportd.run_contract n JOIN cpimportd.runs r ON r.id = n.run_id

-- name: contracts_of_run
-- The bridge of one run per contract, what a contract's documents pay below them.
{contract_bridges}
WHERE n.run_id = $1 AND ($2::text IS NULL OR n.organization = $2)
ORDER BY n.organization, n.contract,
         array_position(ARRAY['receipts', 'expenses', 'details', 'principal', 'interest', 'other'], n.kind);

-- name: runs_of_contract
-- How one contract's sums moved, run by run.
{contract_bridges}
WHERE r.department_id = $1 AND n.contract = $2
ORDER BY n.run_id DESC, n.organization,
         array_position(ARRAY['receipts', 'expenses', 'details', 'principal', 'interest', 'other'], n.kind);
