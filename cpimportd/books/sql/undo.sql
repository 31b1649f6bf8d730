-- name: about
-- What is known of a run that is to be undone.
SELECT r.id, r.status, r.undoes, (SELECT max(u.id) FROM cpimportd.runs u WHERE r.id = ANY (u.undoes)
                                  AND u.status = 'published') AS undone_by,
       EXISTS (SELECT FROM cpimportd.run_unit u
               WHERE u.run_id = r.id AND u.status = 'published' AND u.served_before IS NULL) AS before_this_version,
       EXISTS (SELECT FROM cpimportd.run_unit u WHERE u.run_id = r.id AND 'renamed' = ANY (u.accepted)) AS renamed,
       r.undoes <> '{}' AND EXISTS (SELECT FROM cpimportd.change c
                                    WHERE c.run_id = r.id AND c.op <> 'reference' AND c.step IS NULL) AS without_steps,
       (SELECT coalesce(sum(u.updated + u.deleted + u.retimed), 0) FROM cpimportd.run_unit u
        WHERE u.run_id = r.id AND u.status = 'published')
       > (SELECT count(*) FROM cpimportd.change c
          WHERE c.run_id = r.id AND c.op IN ('update', 'delete', 'rekey')) AS pruned
FROM cpimportd.runs r
WHERE r.id = $1 AND r.department_id = $2;

-- name: closure
-- A run, and the later ones that published any of its units, or any of theirs, or took documents from one for another
-- organization (a renaming): what has to go for its books to come back.
WITH RECURSIVE published AS (
    SELECT u.run_id, u.organization, u.kind
    FROM cpimportd.run_unit u JOIN cpimportd.runs r ON r.id = u.run_id AND r.department_id = $2
    WHERE u.run_id >= $1 AND u.status = 'published'
), touched AS (
    SELECT run_id, organization, kind FROM published
    UNION
    SELECT run_id, old ->> 'organization', kind FROM cpimportd.change
    WHERE department_id = $2 AND run_id > $1 AND op = 'update' AND old ? 'organization' AND NOT foreign_write
), undone AS (
    SELECT $1::bigint AS run_id
    UNION
    SELECT later.run_id
    FROM undone
    JOIN published own USING (run_id)
    JOIN touched later ON later.run_id > own.run_id AND (later.organization, later.kind) = (own.organization, own.kind)
)
SELECT run_id FROM undone ORDER BY run_id DESC;

-- name: units
-- The units that these runs published, with what their books held before the first of them, and of which run; less what
-- somebody else had written there.
SELECT DISTINCT ON (organization, kind) organization, kind, rows_before - foreign_rows AS rows_before,
       opening - foreign_sum AS opening, run_id
FROM cpimportd.run_unit
WHERE run_id = ANY ($1::bigint[]) AND status = 'published'
ORDER BY organization, kind, run_id;

-- name: create
-- Temporary tables for taking back runs: which ones, which documents the one at hand brought, its journal, and the lineage
-- of its documents.
CREATE TEMP TABLE undo_run (run_id bigint PRIMARY KEY) ON COMMIT DROP;
CREATE TEMP TABLE undo_brought (kind text, operation_id text, PRIMARY KEY (kind, operation_id)) ON COMMIT DROP;
CREATE TEMP TABLE undo_change (LIKE cpimportd.change INCLUDING DEFAULTS) ON COMMIT DROP;
CREATE TEMP TABLE undo_lineage (LIKE cpimportd.lineage) ON COMMIT DROP;

-- name: forget_collected
-- What was collected of the run before.
TRUNCATE undo_brought, undo_change, undo_lineage;

-- name: collect_brought
-- Documents that the run brought: by its lineage, and those that it brought back as an undo.
INSERT INTO undo_brought (kind, operation_id)
SELECT l.kind, l.operation_id FROM cpimportd.lineage l WHERE l.department_id = $2 AND l.first_run = $1
UNION
SELECT c.kind, c.operation_id FROM undo_change c WHERE c.op = 'insert';

-- name: strayed
-- Of these documents, those that stand under an organization that does not take part: that they go would be told of nobody.
SELECT DISTINCT o.name
FROM undo_brought b
CROSS JOIN stage_scope scope
JOIN {table} f ON f.operation_id = b.operation_id AND f.department_id = scope.department_id
JOIN fin_organizations o ON o.id = f.organization_id
WHERE b.kind = '{kind}'
  AND NOT EXISTS (SELECT FROM stage_unit u WHERE u.kind = '{kind}' AND u.organization = o.name)
ORDER BY 1;

-- name: steps
-- The steps of a run, the last one first. What is in none comes before: all of a run that is no undo, and the contracts
-- that an undo deactivated at its end.
SELECT NULL::int AS step
UNION
SELECT step FROM cpimportd.change WHERE run_id = $1
ORDER BY step DESC NULLS FIRST;

-- name: collect_changes
-- The journal of one step of the run, less what it only put back for what somebody else had written: that stays. A journal
-- of an earlier version does not tell the two apart: where somebody else wrote to a unit after an earlier one of the runs
-- that are taken back, and this run put it right, what is in the books stays, only its lineage is the former one.
WITH journal AS (
    SELECT c.*, c.why = 'put-right' AND (c.op <> 'update' OR c.lineage IS NOT NULL) AND EXISTS (
               SELECT FROM cpimportd.run_unit u JOIN undo_run USING (run_id)
               WHERE u.run_id < c.run_id AND u.status = 'published'
                 AND (u.organization, u.kind) = (c.organization, c.kind)) AS stays
    FROM cpimportd.change c
    WHERE c.run_id = $1 AND c.step IS NOT DISTINCT FROM $2 AND NOT c.foreign_write
)
INSERT INTO undo_change (run_id, seq, department_id, kind, op, operation_id, organization, amount_before, amount_after,
                         old, new, why, paired_with, lineage)
SELECT run_id, seq, department_id, kind, CASE WHEN stays THEN 'update' ELSE op END, operation_id, organization,
       CASE WHEN stays THEN amount_after ELSE amount_before END, amount_after,
       CASE WHEN stays THEN '{}' ELSE old END, CASE WHEN stays THEN '{}' ELSE new END, why, paired_with, lineage
FROM journal
WHERE NOT (stays AND op = 'delete');

-- name: journal_brought
-- Documents that go again, whole, as the journal keeps what a snapshot removed. One that had come for another, re-timed,
-- names that one, which comes back.
INSERT INTO cpimportd.change (run_id, seq, step, department_id, kind, op, operation_id, organization, amount_before, old,
                              why, lineage, paired_with)
SELECT scope.run_id, $1 + row_number() OVER (ORDER BY f.operation_id), $2, scope.department_id, '{kind}', 'delete',
       f.operation_id, o.name, f.amount,
       to_jsonb(f) || jsonb_build_object('organization', o.name, 'bank_account', b.account_number,
                                         'contract', k.contract_number, 'extra', l.extra,
                                         'details_extra', l.detail_extra) || coalesce(lines.old, '{{}}'),
       'undone', to_jsonb(l),
       (SELECT min(c.operation_id) FROM undo_change c
        WHERE c.kind = u.kind AND c.op = 'delete' AND c.paired_with = u.operation_id)
FROM undo_brought u
CROSS JOIN stage_scope scope
JOIN {table} f ON f.operation_id = u.operation_id AND f.department_id = scope.department_id
LEFT JOIN fin_organizations o ON o.id = f.organization_id
LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
LEFT JOIN fin_contracts k ON k.id = f.contract_id
LEFT JOIN cpimportd.lineage l
    ON l.department_id = scope.department_id AND l.kind = '{kind}' AND l.operation_id = f.operation_id
LEFT JOIN LATERAL (
    SELECT jsonb_build_object('details', jsonb_agg(to_jsonb(x) - 'id' - 'created_at' - 'expense_operation_id'
                                                   ORDER BY x.id)) AS old
    FROM fin_expense_details x
    WHERE '{kind}' = 'expenses' AND x.expense_operation_id = f.operation_id HAVING count(*) > 0
) lines ON true
WHERE u.kind = '{kind}';

-- name: journal_changed
-- Documents whose former content comes back: old and new of the run's own entry change places. One that gets its former
-- key again is told under that, after its rekeying, which has taken its lines.
INSERT INTO cpimportd.change (run_id, seq, step, department_id, kind, op, operation_id, organization, amount_before,
                              amount_after, old, new, why, lineage)
SELECT scope.run_id, $1 + row_number() OVER (ORDER BY c.operation_id), $2, scope.department_id, c.kind, 'update',
       coalesce(k.paired_with, c.operation_id),
       CASE WHEN c.old ? 'organization' THEN c.old ->> 'organization' ELSE c.organization END,
       c.amount_after, c.amount_before,
       c.new || CASE WHEN k.op = 'rekey' AND c.new ? 'details' THEN '{{"details": []}}'::jsonb ELSE '{{}}' END,
       c.old || CASE WHEN k.op = 'rekey' AND c.old ? 'details'
                     THEN jsonb_build_object('details', coalesce(k.old -> 'details', '[]')) ELSE '{{}}' END,
       'undone', to_jsonb(l)
FROM undo_change c
CROSS JOIN stage_scope scope
LEFT JOIN undo_change k ON k.op = 'rekey' AND k.kind = c.kind AND k.operation_id = c.operation_id
LEFT JOIN cpimportd.lineage l
    ON l.department_id = scope.department_id AND l.kind = c.kind AND l.operation_id = c.operation_id
WHERE c.op = 'update' AND c.kind = '{kind}' AND (c.old <> '{{}}' OR c.new <> '{{}}');

-- name: journal_removed
-- Documents that come back, whole. There is a lineage already where somebody else had deleted the document.
INSERT INTO cpimportd.change (run_id, seq, step, department_id, kind, op, operation_id, organization, amount_after, new,
                              why, lineage)
SELECT scope.run_id, $1 + row_number() OVER (ORDER BY c.operation_id), $2, scope.department_id, c.kind, 'insert',
       c.operation_id, c.organization, c.amount_before, c.old, 'undone', to_jsonb(l)
FROM undo_change c
CROSS JOIN stage_scope scope
LEFT JOIN cpimportd.lineage l
    ON l.department_id = scope.department_id AND l.kind = c.kind AND l.operation_id = c.operation_id
WHERE c.op = 'delete' AND c.kind = '{kind}';

-- name: journal_rekeyed
-- Documents that get their former key again, with the lines that go with the present one.
INSERT INTO cpimportd.change (run_id, seq, step, department_id, kind, op, operation_id, organization, amount_before,
                              amount_after, old, new, why, paired_with, lineage)
SELECT scope.run_id, $1 + row_number() OVER (ORDER BY c.operation_id), $2, scope.department_id, c.kind, 'rekey',
       c.paired_with, c.organization, c.amount_after, c.amount_before,
       jsonb_build_object('operation_id', c.operation_id) || coalesce(lines.old, '{{}}'),
       jsonb_build_object('operation_id', c.paired_with), 'undone', c.operation_id, to_jsonb(l)
FROM undo_change c
CROSS JOIN stage_scope scope
LEFT JOIN cpimportd.lineage l
    ON l.department_id = scope.department_id AND l.kind = c.kind AND l.operation_id = c.operation_id
LEFT JOIN LATERAL (
    SELECT jsonb_build_object('details', jsonb_agg(to_jsonb(x) - 'created_at' ORDER BY x.id)) AS old
    FROM fin_expense_details x
    WHERE '{kind}' = 'expenses' AND x.expense_operation_id = c.operation_id HAVING count(*) > 0
) lines ON true
WHERE c.op = 'rekey' AND c.kind = '{kind}';

-- name: delete_details
-- The lines of every document that goes or whose lines change: the whole set, before any line is added.
DELETE FROM fin_expense_details d
WHERE d.expense_operation_id IN (
    SELECT operation_id FROM undo_brought WHERE kind = 'expenses'
    UNION ALL
    SELECT operation_id FROM undo_change
    WHERE kind = 'expenses' AND (op = 'rekey' OR op = 'update' AND old ? 'details')
);

-- name: delete_documents
-- Documents that the run had brought.
DELETE FROM {table} f USING undo_brought u, stage_scope scope
WHERE u.kind = '{kind}' AND f.operation_id = u.operation_id AND f.department_id = scope.department_id;

-- name: restore_columns
-- The columns that the run had changed; references by their names, for ids may have been given anew.
UPDATE {table} f
SET ({columns}, is_active, organization_id, bank_account_id, contract_id, updated_at) = (
    SELECT {record_columns}, r.is_active,
           CASE WHEN c.old ? 'organization'
                THEN (SELECT o.id FROM fin_organizations o
                      WHERE o.department_id = c.department_id AND o.name = c.old ->> 'organization')
                ELSE f.organization_id END,
           CASE WHEN c.old ? 'bank_account'
                THEN (SELECT b.id FROM fin_bank_accounts b
                      WHERE b.department_id = c.department_id AND b.account_number = c.old ->> 'bank_account')
                ELSE f.bank_account_id END,
           CASE WHEN c.old ? 'contract'
                THEN (SELECT k.id FROM fin_contracts k
                      WHERE k.department_id = c.department_id AND k.contract_number = c.old ->> 'contract')
                ELSE f.contract_id END,
           localtimestamp
    FROM jsonb_populate_record(f, c.old) r
)
FROM undo_change c
WHERE c.op = 'update' AND c.kind = '{kind}' AND c.old - 'details' - 'extra' - 'details_extra' <> '{{}}'
  AND f.operation_id = c.operation_id AND f.department_id = c.department_id;

-- name: restore_keys
-- Keys that a human had let the run change.
UPDATE {table} f SET operation_id = c.paired_with, updated_at = localtimestamp
FROM undo_change c
WHERE c.op = 'rekey' AND c.kind = '{kind}' AND f.operation_id = c.operation_id AND f.department_id = c.department_id;

-- name: restore_documents
-- Documents that the run had removed, under a new id: the old one may have been given away.
INSERT INTO {table}
SELECT r.*
FROM undo_change c
CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, c.old || jsonb_build_object(
    'id', nextval(pg_get_serial_sequence('{table}', 'id')),
    'organization_id', (SELECT o.id FROM fin_organizations o
                        WHERE o.department_id = c.department_id AND o.name = c.old ->> 'organization'),
    'bank_account_id', (SELECT b.id FROM fin_bank_accounts b
                        WHERE b.department_id = c.department_id AND b.account_number = c.old ->> 'bank_account'),
    'contract_id', (SELECT k.id FROM fin_contracts k
                    WHERE k.department_id = c.department_id AND k.contract_number = c.old ->> 'contract'),
    'updated_at', localtimestamp)) r
WHERE c.op = 'delete' AND c.kind = '{kind}'
ORDER BY (c.old ->> 'id')::bigint;

-- name: restore_details
-- The lines of documents that came back, or whose lines had been others, in their order.
INSERT INTO fin_expense_details (expense_operation_id, {detail_columns}, department_id, created_at)
SELECT coalesce(k.paired_with, c.operation_id), {record_columns}, c.department_id, localtimestamp
FROM undo_change c
LEFT JOIN undo_change k ON k.op = 'rekey' AND k.kind = c.kind AND k.operation_id = c.operation_id
CROSS JOIN LATERAL jsonb_array_elements(c.old -> 'details') WITH ORDINALITY AS lines (line, place)
CROSS JOIN LATERAL jsonb_populate_record(NULL::fin_expense_details, lines.line) r
WHERE c.kind = 'expenses' AND c.op IN ('update', 'delete', 'rekey') AND jsonb_typeof(c.old -> 'details') = 'array'
ORDER BY c.seq, lines.place;

-- name: drop_lineage
-- Lineage of documents that go, and of those whose former lineage comes back (one that is gone may have left its own, where
-- somebody else deleted it); of what the journal left out it is needed yet.
WITH dropped AS (
    DELETE FROM cpimportd.lineage l USING stage_scope scope
    WHERE l.department_id = scope.department_id AND (l.kind, l.operation_id) IN (
        SELECT kind, operation_id FROM undo_brought
        UNION ALL
        SELECT kind, operation_id FROM undo_change WHERE op IN ('update', 'rekey', 'delete')
    )
    RETURNING l.*
)
INSERT INTO undo_lineage SELECT * FROM dropped;

-- name: restore_lineage
-- Where the content that is there again had come from. The first entry of a document in the run's journal has it, less
-- what the run left as it was.
INSERT INTO cpimportd.lineage
SELECT r.*
FROM (
    SELECT DISTINCT ON (kind, key) kind, key, lineage
    FROM (SELECT kind, seq, lineage, CASE op WHEN 'rekey' THEN paired_with ELSE operation_id END AS key
          FROM undo_change c
          WHERE op IN ('update', 'delete', 'rekey', 'insert') AND lineage IS NOT NULL
            AND NOT (op = 'update' AND EXISTS (SELECT FROM undo_change k WHERE k.op = 'rekey' AND k.kind = c.kind
                                                 AND k.operation_id = c.operation_id))) entries
    ORDER BY kind, key, seq
) first
LEFT JOIN undo_lineage present ON present.kind = first.kind AND present.operation_id = first.key
CROSS JOIN LATERAL jsonb_populate_record(present, first.lineage) r;

-- name: journal_references
-- Contracts that get back what the run had completed, unless a run that stays has changed them since.
INSERT INTO cpimportd.change (run_id, seq, step, department_id, kind, op, operation_id, organization, old, new, why)
SELECT scope.run_id, $1 + row_number() OVER (ORDER BY c.operation_id), $2, scope.department_id, c.kind, 'reference',
       c.operation_id, c.organization, c.new, c.old, 'undone'
FROM undo_change c, stage_scope scope
WHERE c.op = 'reference' AND c.kind = 'contract' AND NOT EXISTS (
    SELECT FROM cpimportd.change later
    WHERE later.department_id = c.department_id AND later.op = 'reference' AND later.kind = 'contract'
      AND later.operation_id = c.operation_id AND later.run_id > c.run_id AND later.run_id <> scope.run_id
      AND later.run_id NOT IN (SELECT run_id FROM undo_run));

-- name: restore_references
-- The same contracts.
UPDATE fin_contracts k
SET (contract_date, counterparty, is_active, organization_id, updated_at) = (
    SELECT r.contract_date, r.counterparty, r.is_active,
           CASE WHEN c.old ? 'organization'
                THEN (SELECT o.id FROM fin_organizations o
                      WHERE o.department_id = c.department_id AND o.name = c.old ->> 'organization')
                ELSE k.organization_id END,
           localtimestamp
    FROM jsonb_populate_record(k, c.old) r
)
FROM undo_change c, stage_scope scope
WHERE c.op = 'reference' AND c.kind = 'contract' AND k.department_id = c.department_id
  AND k.contract_number = c.operation_id AND NOT EXISTS (
    SELECT FROM cpimportd.change later
    WHERE later.department_id = c.department_id AND later.op = 'reference' AND later.kind = 'contract'
      AND later.operation_id = c.operation_id AND later.run_id > c.run_id AND later.run_id <> scope.run_id
      AND later.run_id NOT IN (SELECT run_id FROM undo_run));

-- name: restore_deactivations
-- Whether we laid those contracts to rest.
UPDATE cpimportd.created_reference t SET deactivated_by_us = NOT (c.old ->> 'is_active')::boolean
FROM undo_change c, stage_scope scope
WHERE c.op = 'reference' AND c.kind = 'contract' AND c.old ? 'is_active' AND t.department_id = c.department_id
  AND t.kind = 'contract' AND t.key = c.operation_id AND NOT EXISTS (
    SELECT FROM cpimportd.change later
    WHERE later.department_id = c.department_id AND later.op = 'reference' AND later.kind = 'contract'
      AND later.operation_id = c.operation_id AND later.run_id > c.run_id AND later.run_id <> scope.run_id
      AND later.run_id NOT IN (SELECT run_id FROM undo_run));

-- name: restore_served
-- The workbooks that served the units before the first of the runs that are taken back.
INSERT INTO cpimportd.served
SELECT r.*
FROM (SELECT DISTINCT ON (organization, kind) served_before FROM cpimportd.run_unit
      WHERE run_id IN (SELECT run_id FROM undo_run) AND status = 'published'
      ORDER BY organization, kind, run_id) first
CROSS JOIN LATERAL jsonb_populate_recordset(NULL::cpimportd.served, first.served_before) r;

-- name: remember_undone
-- What the run had published is not taken again by itself. An undo that is undone brings back what it had put aside.
INSERT INTO cpimportd.undone_unit (department_id, kind, organization, run_id, undone_run, digests)
SELECT scope.department_id, CASE u.kind WHEN 'details' THEN 'expenses' ELSE u.kind END, u.organization, scope.run_id, $1,
       array_agg(DISTINCT n.digest)
FROM cpimportd.run_unit u
CROSS JOIN stage_scope scope
JOIN cpimportd.snapshot n ON n.id = ANY (u.snapshots)
WHERE u.run_id = $1 AND u.status = 'published'
GROUP BY 1, 2, 3, 4
ON CONFLICT (department_id, kind, organization) DO UPDATE
SET run_id = excluded.run_id, undone_run = excluded.undone_run,
    digests = (SELECT array_agg(DISTINCT d) FROM unnest(cpimportd.undone_unit.digests || excluded.digests) d);

-- name: forget_undone
-- The units of an undo that is taken back are as they were before it.
DELETE FROM cpimportd.undone_unit n USING cpimportd.run_unit u, stage_scope scope
WHERE u.run_id = $1 AND n.department_id = scope.department_id AND n.organization = u.organization AND n.kind = u.kind;
