-- name: create
-- Units in which somebody else wrote, their documents that are not as we published them (of one that he added, nothing was
-- published; of one that he deleted, nothing is present), and references whose own text he changed.
CREATE TEMP TABLE foreign_unit (kind text, organization text, PRIMARY KEY (kind, organization)) ON COMMIT DROP;
CREATE TEMP TABLE foreign_document (
    kind text NOT NULL, operation_id text NOT NULL, op text NOT NULL, organization_before text, organization_after text,
    lines_differ boolean NOT NULL, present jsonb, published jsonb, stuck boolean NOT NULL DEFAULT false,
    PRIMARY KEY (kind, operation_id)
) ON COMMIT DROP;
CREATE TEMP TABLE foreign_reference (kind text, id int, was text NOT NULL, key text NOT NULL, PRIMARY KEY (kind, id))
    ON COMMIT DROP;
CREATE TEMP TABLE foreign_line ON COMMIT DROP AS SELECT {line_columns} FROM fin_expense_details x WHERE false;
CREATE TEMP VIEW foreign_sums AS
SELECT d.kind AS figure, d.operation_id, d.op, d.stuck, d.organization_before, d.organization_after,
       d.op <> 'update' OR d.present - ARRAY['amount', 'details'] = d.published - ARRAY['amount', 'details'] AS sums_only,
       (d.present IS NOT NULL)::int AS rows_before, (d.published IS NOT NULL)::int AS rows_after,
       coalesce((d.present ->> 'amount')::numeric, 0) AS before, coalesce((d.published ->> 'amount')::numeric, 0) AS after
FROM foreign_document d
UNION ALL
SELECT p.figure, w.operation_id, w.op, w.stuck, w.organization_before, w.organization_after, true,
       was.rows, will.rows, was.total, will.total
FROM foreign_document w
CROSS JOIN unnest(ARRAY['details', 'principal', 'interest', 'other']) AS p (figure)
CROSS JOIN LATERAL (SELECT count(*)::int AS rows, coalesce(sum(d.payment_amount), 0) AS total
                    FROM jsonb_to_recordset(w.present -> 'details') AS d (payment_type text, payment_amount numeric)
                    WHERE p.figure IN ('details', {paid})) was
CROSS JOIN LATERAL (SELECT count(*)::int AS rows, coalesce(sum(d.payment_amount), 0) AS total
                    FROM jsonb_to_recordset(w.published -> 'details') AS d (payment_type text, payment_amount numeric)
                    WHERE p.figure IN ('details', {paid})) will
WHERE w.kind = 'expenses';

-- name: shape
-- What a document's content consists of: the row type in which its text is read.
CREATE TEMP TABLE foreign_{kind} ON COMMIT DROP AS
SELECT {named_content}
FROM {table} f
LEFT JOIN fin_organizations o ON o.id = f.organization_id
LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
LEFT JOIN fin_contracts k ON k.id = f.contract_id
WHERE false;

-- name: find
-- Documents of these units that are not as we published them; the order of lines is no difference. One that is ours, but of
-- which no version of ours has remembered how it was published, is left to the comparison with the files. Where he gave an
-- organization of ours another name, what he added to it would come to light when it gets its own again: it is looked for, too.
INSERT INTO foreign_document (kind, operation_id, op, organization_before, organization_after, lines_differ, present,
                              published)
WITH ours AS (
    SELECT p.operation_id FROM cpimportd.published p, stage_scope scope
    WHERE p.department_id = scope.department_id AND p.kind = '{kind}'
      AND p.organization IN (SELECT organization FROM foreign_unit WHERE kind = '{kind}')
), present AS (
    SELECT f.operation_id, {content} AS content, (
               SELECT array_agg({line} ORDER BY x.id) FROM fin_expense_details x
               WHERE '{kind}' = 'expenses' AND x.expense_operation_id = f.operation_id) AS lines
    FROM {table} f
    JOIN stage_scope scope ON scope.department_id = f.department_id
    LEFT JOIN fin_organizations o ON o.id = f.organization_id
    LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
    LEFT JOIN fin_contracts k ON k.id = f.contract_id
    WHERE o.name IN (SELECT organization FROM foreign_unit WHERE kind = '{kind}')
       OR f.operation_id IN (SELECT operation_id FROM ours)
       OR f.organization_id IN (
           SELECT r.reference_id FROM cpimportd.created_reference r
           JOIN foreign_unit u ON u.kind = '{kind}' AND u.organization = r.key
           WHERE r.department_id = scope.department_id AND r.kind = 'organization'
             AND NOT EXISTS (SELECT FROM fin_organizations t
                             WHERE t.department_id = r.department_id AND t.name = r.key AND t.id <> r.reference_id))
), published AS (
    SELECT p.operation_id, p.content, p.lines FROM cpimportd.published p, stage_scope scope
    WHERE p.department_id = scope.department_id AND p.kind = '{kind}'
      AND (p.operation_id IN (SELECT operation_id FROM ours) OR p.operation_id IN (SELECT operation_id FROM present))
), compared AS (
    SELECT operation_id, n.lines IS NOT DISTINCT FROM p.lines AS same_lines,
           to_jsonb(n.content::foreign_{kind}) || CASE '{kind}' WHEN 'expenses' THEN jsonb_build_object('details', (
               SELECT coalesce(jsonb_agg(to_jsonb(x::foreign_line) ORDER BY place), '[]')
               FROM unnest(n.lines) WITH ORDINALITY AS l (x, place))) ELSE '{{}}' END AS content,
           to_jsonb(p.content::foreign_{kind}) || CASE '{kind}' WHEN 'expenses' THEN jsonb_build_object('details', (
               SELECT coalesce(jsonb_agg(to_jsonb(x::foreign_line) ORDER BY place), '[]')
               FROM unnest(p.lines) WITH ORDINALITY AS l (x, place))) ELSE '{{}}' END AS published
    FROM present n FULL JOIN published p USING (operation_id)
    WHERE (n.content, n.lines) IS DISTINCT FROM (p.content, p.lines)
)
SELECT '{kind}', operation_id,
       CASE WHEN content IS NULL THEN 'insert' WHEN published IS NULL THEN 'delete' ELSE 'update' END,
       content ->> 'organization', published ->> 'organization', lines.differ, content, published
FROM compared c
CROSS JOIN LATERAL (
    SELECT NOT c.same_lines
           AND (SELECT jsonb_agg(x ORDER BY x) FROM jsonb_array_elements(content -> 'details') x) IS DISTINCT FROM
               (SELECT jsonb_agg(x ORDER BY x) FROM jsonb_array_elements(published -> 'details') x) AS differ
) lines
WHERE (lines.differ OR content - 'details' IS DISTINCT FROM published - 'details')
  AND (published IS NOT NULL
       OR NOT EXISTS (SELECT FROM cpimportd.lineage l, stage_scope scope
                      WHERE l.department_id = scope.department_id AND l.kind = '{kind}'
                        AND l.operation_id = c.operation_id));

-- name: unknown
-- Units of which some document is not remembered as it was published.
SELECT DISTINCT u.kind, u.organization
FROM foreign_unit u
CROSS JOIN stage_scope scope
JOIN cpimportd.lineage l
    ON l.department_id = scope.department_id AND l.kind = u.kind AND l.organization = u.organization
WHERE NOT EXISTS (SELECT FROM cpimportd.published p
                  WHERE p.department_id = l.department_id AND p.kind = l.kind AND p.operation_id = l.operation_id);

-- name: trust
-- In this unit nothing is left of what somebody else wrote: what still differs from the files is not his.
UPDATE stage_unit SET put_right = false WHERE kind = $1 AND organization = $2;

-- name: find_taken
-- Documents that cannot come back: another department has the key that was ours.
UPDATE foreign_document d SET stuck = true
FROM {table} f, stage_scope scope
WHERE d.kind = '{kind}' AND d.op = 'insert' AND f.operation_id = d.operation_id
  AND f.department_id <> scope.department_id;

-- name: find_forbidden
-- The same: the backend has got a unique index since, which forbids two equal lines of one document.
UPDATE foreign_document d SET stuck = true
WHERE d.lines_differ AND EXISTS (
    SELECT FROM jsonb_array_elements(d.published -> 'details') x WHERE x ->> 'payment_type' IS NOT NULL
    GROUP BY x ->> 'payment_type', (x ->> 'payment_amount')::numeric, x ->> 'department_id' HAVING count(*) > 1);

-- name: find_references
-- References that we created and whose text somebody else changed: a document that we published under the one names the other.
INSERT INTO foreign_reference (kind, id, was, key)
SELECT DISTINCT '{reference}', t.id, t.{called}, r.key
FROM foreign_document d
CROSS JOIN stage_scope scope
JOIN cpimportd.created_reference r
    ON r.department_id = scope.department_id AND r.kind = '{reference}' AND r.key = d.published ->> '{reference}'
JOIN {references} t
    ON t.id = r.reference_id AND t.department_id = scope.department_id AND t.{called} = d.present ->> '{reference}'
WHERE d.op = 'update' AND t.{called} <> r.key;

-- name: leave_taken_references
-- Of these, those whose text another one has that keeps it: their documents get that one.
DELETE FROM foreign_reference w USING {references} t, stage_scope scope
WHERE w.kind = '{reference}' AND t.department_id = scope.department_id AND t.{called} = w.key AND t.id <> w.id
  AND NOT EXISTS (SELECT FROM foreign_reference other WHERE other.kind = '{reference}' AND other.id = t.id);

-- name: free_references
-- Two may have each other's text, and a text stands once: neither has one for a moment.
UPDATE {references} t SET {called} = 'cpimportd ' || t.id
FROM foreign_reference w WHERE w.kind = '{reference}' AND w.id = t.id;

-- name: restore_references
-- Then each has its own again.
UPDATE {references} t SET {called} = w.key, updated_at = localtimestamp
FROM foreign_reference w WHERE w.kind = '{reference}' AND w.id = t.id;

-- name: journal_references
-- What they were called meanwhile.
INSERT INTO cpimportd.change (run_id, seq, department_id, kind, op, operation_id, old, new, why, foreign_write)
SELECT scope.run_id, $1 + row_number() OVER (ORDER BY w.kind, w.key), scope.department_id, w.kind, 'reference', w.key,
       jsonb_build_object(w.kind, w.was), jsonb_build_object(w.kind, w.key), 'put-right', true
FROM foreign_reference w, stage_scope scope;

-- name: add_references
-- References that the documents to be corrected name, and that are there no longer; remembered as ours.
WITH added AS (
    INSERT INTO {references} ({called}, department_id, is_active, created_at, updated_at)
    SELECT DISTINCT d.published ->> '{reference}', scope.department_id, true, localtimestamp, localtimestamp
    FROM foreign_document d, stage_scope scope
    WHERE NOT d.stuck AND d.published ->> '{reference}' IS NOT NULL
      AND NOT EXISTS (SELECT FROM {references} t WHERE t.department_id = scope.department_id
                        AND t.{called} = d.published ->> '{reference}')
    RETURNING id, {called} AS key
)
INSERT INTO cpimportd.created_reference (department_id, kind, key, reference_id, run_id)
SELECT scope.department_id, '{reference}', added.key, added.id, scope.run_id FROM added, stage_scope scope
ON CONFLICT (department_id, kind, key)
DO UPDATE SET reference_id = excluded.reference_id, run_id = excluded.run_id, deactivated_by_us = false;

-- name: journal
-- What somebody else wrote, and what is put back for it: differing columns only, and of what he added or deleted the whole.
INSERT INTO cpimportd.change (run_id, seq, department_id, kind, op, operation_id, organization, amount_before, amount_after,
                              old, new, why, lineage, foreign_write)
SELECT scope.run_id, $1 + row_number() OVER (ORDER BY d.operation_id), scope.department_id, '{kind}', d.op, d.operation_id,
       coalesce(d.organization_after, d.organization_before), (d.present ->> 'amount')::numeric,
       (d.published ->> 'amount')::numeric,
       CASE d.op WHEN 'update' THEN differing.old || CASE WHEN d.lines_differ THEN jsonb_build_object(
                                    'details', coalesce(d.present -> 'details', '[]')) ELSE '{{}}' END
                 WHEN 'delete' THEN d.present END,
       CASE d.op WHEN 'update' THEN differing.new || CASE WHEN d.lines_differ THEN jsonb_build_object(
                                    'details', coalesce(d.published -> 'details', '[]')) ELSE '{{}}' END
                 WHEN 'insert' THEN d.published || jsonb_build_object('extra', l.extra, 'details_extra', l.detail_extra) END,
       'put-right',
       to_jsonb(l) - CASE d.op WHEN 'update' THEN ARRAY['extra', 'detail_extra'] ELSE ARRAY[]::text[] END, true
FROM foreign_document d
CROSS JOIN stage_scope scope
LEFT JOIN cpimportd.lineage l
    ON l.department_id = scope.department_id AND l.kind = '{kind}' AND l.operation_id = d.operation_id
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(key, coalesce(d.present -> key, 'null')), '{{}}') AS old,
           coalesce(jsonb_object_agg(key, coalesce(d.published -> key, 'null')), '{{}}') AS new
    FROM (SELECT jsonb_object_keys(d.present) AS key UNION SELECT jsonb_object_keys(d.published)) keys
    WHERE d.op = 'update' AND key <> 'details' AND d.present -> key IS DISTINCT FROM d.published -> key
) differing
WHERE d.kind = '{kind}' AND NOT d.stuck;

-- name: delete_details
-- The lines of what somebody else added, and of documents whose lines differ: the whole set, before any line is added.
DELETE FROM fin_expense_details x USING foreign_document d
WHERE d.kind = 'expenses' AND NOT d.stuck AND (d.lines_differ OR d.op = 'delete') AND x.expense_operation_id = d.operation_id;

-- name: delete_documents
-- What somebody else added.
DELETE FROM {table} f USING foreign_document d, stage_scope scope
WHERE d.kind = '{kind}' AND d.op = 'delete' AND f.operation_id = d.operation_id AND f.department_id = scope.department_id;

-- name: update_documents
-- What somebody else changed.
UPDATE {table} f
SET ({columns}, is_active, organization_id, bank_account_id, contract_id, updated_at) = (
    SELECT {record_columns}, r.is_active,
           (SELECT o.id FROM fin_organizations o
            WHERE o.department_id = scope.department_id AND o.name = d.published ->> 'organization'),
           (SELECT b.id FROM fin_bank_accounts b
            WHERE b.department_id = scope.department_id AND b.account_number = d.published ->> 'bank_account'),
           (SELECT k.id FROM fin_contracts k
            WHERE k.department_id = scope.department_id AND k.contract_number = d.published ->> 'contract'),
           localtimestamp
    FROM jsonb_populate_record(NULL::{table}, d.published) r
)
FROM foreign_document d, stage_scope scope
WHERE d.kind = '{kind}' AND d.op = 'update' AND NOT d.stuck AND d.present - 'details' <> d.published - 'details'
  AND f.operation_id = d.operation_id AND f.department_id = scope.department_id;

-- name: insert_documents
-- What somebody else deleted.
INSERT INTO {table} (operation_id, {columns}, organization_id, bank_account_id, contract_id, department_id, is_active,
                     created_at, updated_at)
SELECT d.operation_id, {record_columns}, o.id, b.id, k.id, scope.department_id, r.is_active, localtimestamp, localtimestamp
FROM foreign_document d
CROSS JOIN stage_scope scope
CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, d.published) r
LEFT JOIN fin_organizations o ON o.department_id = scope.department_id AND o.name = d.published ->> 'organization'
LEFT JOIN fin_bank_accounts b
    ON b.department_id = scope.department_id AND b.account_number = d.published ->> 'bank_account'
LEFT JOIN fin_contracts k ON k.department_id = scope.department_id AND k.contract_number = d.published ->> 'contract'
WHERE d.kind = '{kind}' AND d.op = 'insert' AND NOT d.stuck
ORDER BY d.operation_id;

-- name: insert_details
-- The lines of these documents, in file order.
INSERT INTO fin_expense_details (expense_operation_id, {detail_columns}, department_id, created_at)
SELECT d.operation_id, {record_columns}, r.department_id, localtimestamp
FROM foreign_document d
CROSS JOIN LATERAL jsonb_array_elements(d.published -> 'details') WITH ORDINALITY AS lines (line, place)
CROSS JOIN LATERAL jsonb_populate_record(NULL::fin_expense_details, lines.line) r
WHERE d.kind = 'expenses' AND NOT d.stuck AND d.lines_differ
ORDER BY d.operation_id, lines.place;

-- name: rewritten
-- A document that is not there as it was put back, or is there although it was taken away.
SELECT d.operation_id
FROM foreign_document d
CROSS JOIN stage_scope scope
LEFT JOIN {table} f ON f.operation_id = d.operation_id AND f.department_id = scope.department_id
WHERE d.kind = '{kind}' AND NOT d.stuck
  AND ((f.id IS NULL) <> (d.op = 'delete')
       OR d.op <> 'delete' AND f.amount IS DISTINCT FROM (d.published ->> 'amount')::numeric)
LIMIT 1;

-- name: inactive
-- Contracts that we created, that documents of these units name, and that somebody else set inactive.
SELECT u.kind, u.organization, k.contract_number, count(*)::int AS documents
FROM foreign_unit u
CROSS JOIN stage_scope scope
JOIN fin_organizations o ON o.department_id = scope.department_id AND o.name = u.organization
JOIN {table} f ON f.organization_id = o.id AND f.department_id = scope.department_id
JOIN fin_contracts k ON k.id = f.contract_id AND NOT k.is_active
JOIN cpimportd.created_reference r
    ON r.department_id = scope.department_id AND r.kind = 'contract' AND r.reference_id = k.id
    AND r.key = k.contract_number AND NOT r.deactivated_by_us
WHERE u.kind = '{kind}'
GROUP BY u.kind, u.organization, k.contract_number
ORDER BY u.kind, u.organization, k.contract_number;

-- name: told
-- Per organization, how many documents somebody else wrote, how many of them could not be corrected, and what he had made
-- of each figure.
SELECT figure, organization, count(*)::int AS documents, count(*) FILTER (WHERE stuck)::int AS stuck,
       coalesce(sum(rows) FILTER (WHERE NOT stuck), 0)::int AS rows, coalesce(sum(difference) FILTER (WHERE NOT stuck), 0) AS opening,
       coalesce(sum(difference), 0) AS difference, coalesce(sum(added) FILTER (WHERE NOT stuck), 0) AS added,
       coalesce(sum(removed) FILTER (WHERE NOT stuck), 0) AS removed,
       coalesce(sum(changed) FILTER (WHERE NOT stuck), 0) AS changed,
       bool_and(sums_only) AND sum(abs(difference)) = abs(sum(difference)) AS sums_only
FROM (
    SELECT figure, operation_id, stuck, sums_only, organization_before AS organization, rows_before - rows_after AS rows,
           before - after AS difference, 0 AS added, 0 AS removed, after - before AS changed
    FROM foreign_sums WHERE organization_before = organization_after
    UNION ALL
    SELECT figure, operation_id, stuck, sums_only, organization_before, rows_before, before, 0, before, 0
    FROM foreign_sums WHERE organization_before IS DISTINCT FROM organization_after AND organization_before IS NOT NULL
    UNION ALL
    SELECT figure, operation_id, stuck, sums_only, organization_after, -rows_after, -after, after, 0, 0
    FROM foreign_sums WHERE organization_before IS DISTINCT FROM organization_after AND organization_after IS NOT NULL
) moved
GROUP BY figure, organization;

-- name: figures
-- By how much the figures of an organization are off: principal, interest and the rest by the payment type of the lines,
-- months by the document's date, contracts by their numbers.
WITH sides AS (
    SELECT kind, organization_before AS organization, present AS document, 1 AS sign FROM foreign_document
    UNION ALL
    SELECT kind, organization_after, published, -1 FROM foreign_document
), figures AS (
    SELECT s.kind, s.organization, {paid} AS figure, '' AS name, s.sign * d.payment_amount AS difference
    FROM sides s
    CROSS JOIN LATERAL jsonb_to_recordset(s.document -> 'details') AS d (payment_type text, payment_amount numeric)
    UNION ALL
    SELECT kind, organization, 'month', left(document ->> 'document_date', 7), sign * (document ->> 'amount')::numeric
    FROM sides
    UNION ALL
    SELECT kind, organization, 'contract', document ->> 'contract', sign * (document ->> 'amount')::numeric FROM sides
)
SELECT kind, organization, figure, name, sum(difference) AS difference
FROM figures
WHERE organization IS NOT NULL
GROUP BY kind, organization, figure, name
HAVING sum(difference) <> 0
ORDER BY kind, organization, array_position(ARRAY['principal', 'interest', 'other', 'month', 'contract'], figure), name;

-- name: counts
-- Per organization, in documents, what putting right did to those that the merge left alone afterwards; what it did not leave
-- alone it has counted, as what it did. One that somebody else had given to another organization changes hands, as one that
-- 1C does. `touched`: those that the merge took for unchanged.
WITH told AS (
    SELECT d.op, d.organization_before, d.organization_after, m.operation_id IS NOT NULL AS matched,
           h.organization AS now_here, l.organization AS was_here, coalesce(h.organization, l.organization) AS home,
           c.operation_id IS NULL AND p.old_id IS NULL
           AND (m.operation_id IS NULL OR coalesce(m.organization_before = m.organization_after, false)) AS left_alone
    FROM foreign_document d
    LEFT JOIN stage_unit h ON h.kind = '{kind}' AND h.organization = d.organization_after
    LEFT JOIN stage_unit l ON l.kind = '{kind}' AND l.organization = d.organization_before
    LEFT JOIN changed_{kind} c ON c.operation_id = d.operation_id
    LEFT JOIN match_{kind} m ON m.operation_id = d.operation_id
    LEFT JOIN stage_pair p ON p.kind = '{kind}' AND p.old_id = d.operation_id
    WHERE d.kind = '{kind}' AND NOT d.stuck
)
SELECT u.organization,
       count(*) FILTER (WHERE t.home = u.organization AND t.left_alone AND t.op = 'insert')::int AS inserted,
       count(*) FILTER (WHERE t.home = u.organization AND t.left_alone AND t.op = 'delete')::int AS removed,
       count(*) FILTER (WHERE t.home = u.organization AND t.left_alone AND t.op = 'update')::int AS updated,
       count(*) FILTER (WHERE t.now_here = u.organization AND t.left_alone AND t.matched)::int AS touched,
       count(*) FILTER (WHERE t.now_here = u.organization AND t.left_alone AND t.op = 'update'
                          AND t.organization_before IS DISTINCT FROM t.organization_after)::int AS moved_in,
       count(*) FILTER (WHERE t.was_here = u.organization AND t.left_alone AND t.op = 'update'
                          AND t.organization_before IS DISTINCT FROM t.organization_after)::int AS moved_out,
       count(*)::int AS put_right
FROM stage_unit u JOIN told t ON u.organization IN (t.now_here, t.was_here)
WHERE u.kind = '{kind}'
GROUP BY u.organization;
