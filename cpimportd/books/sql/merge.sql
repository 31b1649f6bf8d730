-- name: rekey
-- Re-keyed documents that a human accepted keep their row: the old lines go first (their foreign key does not follow a
-- change of the key), then the key changes in place; what else differs is found by the comparison that follows.
WITH keys AS (SELECT p.old_id, p.new_id FROM stage_pair p WHERE p.kind = '{kind}' AND p.rekeyed),
lines AS (
    DELETE FROM fin_expense_details d USING keys WHERE d.expense_operation_id = keys.old_id
    RETURNING keys.new_id, d.payment_type, d.payment_amount
)
INSERT INTO gone_line SELECT d.new_id, {paid}, coalesce(d.payment_amount, 0) FROM lines d;

-- name: rekey_lines_before
-- The detail lines of documents about to be re-keyed, for the journal, while they are still there.
INSERT INTO cpimportd.change (run_id, seq, department_id, kind, op, operation_id, organization, amount_before,
                              amount_after, old, new, why, paired_with, lineage)
SELECT scope.run_id, $1 + row_number() OVER (ORDER BY p.new_id), scope.department_id, '{kind}', 'rekey', p.new_id,
       m.organization_before, m.amount_before, s.amount,
       jsonb_build_object('operation_id', p.old_id) || coalesce(lines.old, '{{}}'),
       jsonb_build_object('operation_id', p.new_id), 'accepted', p.old_id, to_jsonb(l)
FROM stage_pair p
CROSS JOIN stage_scope scope
JOIN match_{kind} m ON m.operation_id = p.old_id
JOIN {stage} s ON s.operation_id = p.new_id
LEFT JOIN cpimportd.lineage l
    ON l.department_id = scope.department_id AND l.kind = '{kind}' AND l.operation_id = p.old_id
LEFT JOIN LATERAL (
    SELECT jsonb_build_object('details', jsonb_agg(to_jsonb(d) - 'created_at' ORDER BY d.id)) AS old
    FROM fin_expense_details d WHERE d.expense_operation_id = p.old_id HAVING count(*) > 0
) lines ON true
WHERE p.kind = '{kind}' AND p.rekeyed;

-- name: rekey_rows
-- The key changes in place; the row keeps its id.
UPDATE {table} f SET operation_id = p.new_id, updated_at = localtimestamp
FROM stage_pair p, stage_scope scope
WHERE p.kind = '{kind}' AND p.rekeyed AND f.department_id = scope.department_id AND f.operation_id = p.old_id;

-- name: rekey_lineage
-- Lineage follows the key. One that the key had before is of a document that somebody else deleted.
DELETE FROM cpimportd.lineage l USING stage_pair p, stage_scope scope
WHERE p.kind = '{kind}' AND p.rekeyed AND l.kind = '{kind}' AND l.department_id = scope.department_id
  AND l.operation_id = p.new_id;
UPDATE cpimportd.lineage l SET operation_id = p.new_id
FROM stage_pair p, stage_scope scope
WHERE p.kind = '{kind}' AND p.rekeyed AND l.kind = '{kind}' AND l.department_id = scope.department_id
  AND l.operation_id = p.old_id;

-- name: rekey_matches
-- From here on a re-keyed document is one that both sides hold.
WITH old AS (
    DELETE FROM match_{kind} m USING stage_pair p
    WHERE p.kind = '{kind}' AND p.rekeyed AND m.operation_id = p.old_id
    RETURNING p.new_id, m.id, m.organization_before, m.amount_before, m.traced, m.contract_before
)
UPDATE match_{kind} m
SET id = old.id, organization_before = old.organization_before, amount_before = old.amount_before, traced = old.traced,
    contract_before = old.contract_before
FROM old WHERE m.operation_id = old.new_id;

-- name: rekey_detail_matches
-- The same for the sums of their lines; the snapshot may have none of them any more.
UPDATE match_details m SET operation_id = p.new_id
FROM stage_pair p
WHERE p.kind = 'expenses' AND p.rekeyed AND m.operation_id = p.old_id
  AND NOT EXISTS (SELECT FROM match_details n WHERE n.operation_id = p.new_id);
WITH old AS (
    DELETE FROM match_details m USING stage_pair p
    WHERE p.kind = 'expenses' AND p.rekeyed AND m.operation_id = p.old_id
    RETURNING p.new_id, m.rows_before, m.amount_before
)
UPDATE match_details m
SET rows_before = old.rows_before, amount_before = old.amount_before
FROM old WHERE m.operation_id = old.new_id;

-- name: find_changed_details
-- Documents whose lines are not the same multiset in the books and in the snapshot. Where number or sum differ, that is
-- clear; else every line counts +1 or −1, and what does not cancel out differs. A line under a wrong department differs
-- too. Each document is named once.
INSERT INTO changed_details (operation_id, money)
WITH compared AS (
    SELECT d.operation_id,
           (d.rows_before, d.amount_before) IS DISTINCT FROM (d.rows_after, d.amount_after) AS differs
    FROM match_details d
    WHERE EXISTS (SELECT FROM match_expenses m
                  WHERE m.operation_id = d.operation_id AND m.organization_after IS NOT NULL)
)
SELECT operation_id, true FROM compared WHERE differs
UNION ALL
SELECT DISTINCT operation_id, true
FROM (
    SELECT s.operation_id, scope.department_id, s.contract_number, s.repayment_type, s.settlement_account,
           s.advance_account, s.payment_type, s.amount, s.settlement_rate, s.settlement_amount, s.vat_amount,
           s.expense_amount, s.vat_in_expense, 1 AS sign
    FROM stage_details s CROSS JOIN stage_scope scope
    JOIN compared c ON c.operation_id = s.operation_id AND NOT c.differs
    UNION ALL
    SELECT d.expense_operation_id, d.department_id, d.contract_number, d.repayment_type, d.settlement_account,
           d.advance_account, d.payment_type, d.payment_amount, d.settlement_rate, d.settlement_amount, d.vat_amount,
           d.expense_amount, d.vat_in_expense, -1
    FROM fin_expense_details d JOIN compared c ON c.operation_id = d.expense_operation_id AND NOT c.differs
) lines
GROUP BY operation_id, department_id, contract_number, repayment_type, settlement_account, advance_account,
         payment_type, amount, settlement_rate, settlement_amount, vat_amount, expense_amount, vat_in_expense
HAVING sum(sign) <> 0;

-- name: mark_money_details
-- Lines that differ only around payment type and amount have no effect on the sums: they are normalised, not changed.
UPDATE changed_details c SET money = EXISTS (
    SELECT FROM (
        SELECT s.payment_type, s.amount, 1 AS sign FROM stage_details s WHERE s.operation_id = c.operation_id
        UNION ALL
        SELECT d.payment_type, d.payment_amount, -1 FROM fin_expense_details d
        WHERE d.expense_operation_id = c.operation_id
    ) lines
    GROUP BY payment_type, amount HAVING sum(sign) <> 0
)
WHERE EXISTS (SELECT FROM fin_expense_details d WHERE d.expense_operation_id = c.operation_id);

-- name: collect_lines
-- Per expense, its lines' source rows and extra columns in file order: the details' part of the lineage.
CREATE TEMP TABLE stage_lines ON COMMIT DROP AS
SELECT s.operation_id, min(t.snapshot_id) AS snapshot_id, array_agg(s.row ORDER BY s.file_no, s.row) AS rows,
       jsonb_agg(coalesce(s.extra, '{}') ORDER BY s.file_no, s.row) AS extra
FROM stage_details s JOIN stage_file t USING (file_no)
GROUP BY s.operation_id;

-- name: find_changed
-- Documents that both sides hold and that differ: in a column, in what we keep beside the table (`extra`), or in their
-- lines. A file's order is no difference: extra columns of lines are compared as a set.
INSERT INTO changed_{kind} (operation_id, columns_differ, extra_differs, details_differ)
SELECT * FROM (
    SELECT s.operation_id,
           (f.organization_id, f.bank_account_id, f.contract_id, f.is_active, {table_columns}) IS DISTINCT FROM
           (s.organization_id, s.bank_account_id, s.contract_id, true, {stage_columns}) AS columns_differ,
           l.operation_id IS NOT NULL AND (
               l.extra IS DISTINCT FROM coalesce(s.extra, '{{}}')
               OR ('{kind}' = 'expenses' AND d.operation_id IS NULL
                   AND l.detail_extra IS DISTINCT FROM coalesce(n.extra, '[]')
                   AND (SELECT jsonb_agg(x ORDER BY x) FROM jsonb_array_elements(l.detail_extra) x)
                       IS DISTINCT FROM (SELECT jsonb_agg(x ORDER BY x) FROM jsonb_array_elements(n.extra) x))
           ) AS extra_differs,
           d.operation_id IS NOT NULL AS details_differ
    FROM staged_{kind} s
    CROSS JOIN stage_scope scope
    JOIN {table} f ON f.operation_id = s.operation_id AND f.department_id = scope.department_id
    LEFT JOIN changed_details d ON '{kind}' = 'expenses' AND d.operation_id = s.operation_id
    LEFT JOIN stage_lines n ON '{kind}' = 'expenses' AND n.operation_id = s.operation_id
    LEFT JOIN cpimportd.lineage l
        ON l.department_id = scope.department_id AND l.kind = '{kind}' AND l.operation_id = s.operation_id
) compared
WHERE columns_differ OR extra_differs OR details_differ;

-- name: journal_changed
-- What changes in documents that both sides hold: only the differing columns, old and new, references by their names,
-- lines as a whole. `why`: accepted by a human; normalised where the predecessor's row differs without effect on any
-- sum; put-right where it does, or where the files did not change and so somebody else wrote; else the snapshot. What we
-- keep beside the tables is most of a row of lineage: where it stays as it is, the journal leaves it out of the former row.
WITH compared AS (
    SELECT s.operation_id, s.organization, f.amount AS amount_before, s.amount AS amount_after, c.extra_differs,
           coalesce(differing.old, '{{}}') AS old, coalesce(differing.new, '{{}}') AS new,
           l.operation_id IS NULL AS was_there_before, s.put_right, s.accepted, l.extra AS old_extra, s.extra AS new_extra,
           l.detail_extra AS old_lines_extra, n.extra AS new_lines_extra,
           to_jsonb(l) - CASE WHEN l.extra = coalesce(s.extra, '{{}}') THEN 'extra' ELSE '' END
                       - CASE WHEN l.detail_extra = coalesce(n.extra, '[]') THEN 'detail_extra' ELSE '' END AS lineage,
           coalesce(d.money, false) AS lines_money, d.operation_id IS NOT NULL AS lines_differ, lines.old AS old_lines,
           lines.new AS new_lines
    FROM changed_{kind} c
    CROSS JOIN stage_scope scope
    JOIN staged_{kind} s ON s.operation_id = c.operation_id
    JOIN {table} f ON f.operation_id = c.operation_id AND f.department_id = scope.department_id
    LEFT JOIN fin_organizations o ON o.id = f.organization_id
    LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
    LEFT JOIN fin_contracts k ON k.id = f.contract_id
    LEFT JOIN cpimportd.lineage l
        ON l.department_id = scope.department_id AND l.kind = '{kind}' AND l.operation_id = c.operation_id
    LEFT JOIN changed_details d ON c.details_differ AND d.operation_id = c.operation_id
    LEFT JOIN stage_lines n ON '{kind}' = 'expenses' AND n.operation_id = c.operation_id
    CROSS JOIN LATERAL (
        SELECT jsonb_object_agg(key, before.value) AS old, jsonb_object_agg(key, after.value) AS new
        FROM jsonb_each(jsonb_build_object(
                 'organization', o.name, 'bank_account', b.account_number, 'contract', k.contract_number,
                 'is_active', f.is_active, {old_json})) before
        JOIN jsonb_each(jsonb_build_object(
                 'organization', s.organization, 'bank_account', s.bank_account, 'contract', s.contract,
                 'is_active', true, {new_json})) after USING (key)
        WHERE before.value IS DISTINCT FROM after.value
    ) differing
    LEFT JOIN LATERAL (
        SELECT (SELECT coalesce(jsonb_agg(to_jsonb(x) - 'id' - 'created_at' - 'expense_operation_id' ORDER BY x.id), '[]')
                FROM fin_expense_details x WHERE x.expense_operation_id = c.operation_id) AS old,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                           'contract_number', x.contract_number, 'repayment_type', x.repayment_type,
                           'settlement_account', x.settlement_account, 'advance_account', x.advance_account,
                           'payment_type', x.payment_type, 'payment_amount', x.amount,
                           'settlement_rate', x.settlement_rate, 'settlement_amount', x.settlement_amount,
                           'vat_amount', x.vat_amount, 'expense_amount', x.expense_amount,
                           'vat_in_expense', x.vat_in_expense, 'department_id', scope.department_id)
                       ORDER BY x.file_no, x.row), '[]')
                FROM stage_details x WHERE x.operation_id = c.operation_id) AS new
    ) lines ON c.details_differ
), judged AS (
    SELECT *,
           CASE WHEN accepted THEN 'accepted'
                WHEN was_there_before AND NOT lines_money
                     AND NOT (old ?| ARRAY['amount', 'commission', 'organization', 'contract', 'document_date',
                                           'is_active', 'unconfirmed_by_bank'])
                     AND (NOT old ? 'currency' OR lower(coalesce(old ->> 'currency', 'руб.')) IN ('руб.', 'руб', 'rub'))
                THEN 'normalised'
                WHEN was_there_before OR put_right THEN 'put-right'
                ELSE 'snapshot' END AS why
    FROM compared
), written AS (
    INSERT INTO cpimportd.change (run_id, seq, department_id, kind, op, operation_id, organization, amount_before,
                                  amount_after, old, new, why, lineage)
    SELECT scope.run_id, $1 + row_number() OVER (ORDER BY operation_id), scope.department_id, '{kind}', 'update',
           operation_id, organization, amount_before, amount_after,
           old || CASE WHEN extra_differs THEN jsonb_build_object('extra', old_extra, 'details_extra', old_lines_extra)
                       ELSE '{{}}' END
               || CASE WHEN lines_differ THEN jsonb_build_object('details', old_lines) ELSE '{{}}' END,
           new || CASE WHEN extra_differs THEN jsonb_build_object('extra', new_extra, 'details_extra', new_lines_extra)
                       ELSE '{{}}' END
               || CASE WHEN lines_differ THEN jsonb_build_object('details', new_lines) ELSE '{{}}' END,
           why, lineage
    FROM judged, stage_scope scope
)
UPDATE changed_{kind} c SET why = judged.why FROM judged WHERE judged.operation_id = c.operation_id;

-- name: journal_gone
-- Documents that go, whole, with the names of what they refer to and their lines. A re-timed document names its other
-- half in `paired_with`.
INSERT INTO cpimportd.change (run_id, seq, department_id, kind, op, operation_id, organization, amount_before, old, why,
                              paired_with, lineage)
SELECT scope.run_id, $1 + row_number() OVER (ORDER BY m.operation_id), scope.department_id, '{kind}', 'delete',
       m.operation_id, m.organization_before, m.amount_before,
       to_jsonb(f) || jsonb_build_object('organization', m.organization_before, 'bank_account', b.account_number,
                                         'contract', k.contract_number, 'extra', l.extra,
                                         'details_extra', l.detail_extra) || coalesce(lines.old, '{{}}'),
       CASE WHEN u.accepted THEN 'accepted' WHEN l.operation_id IS NULL OR u.put_right THEN 'put-right'
            ELSE 'snapshot' END,
       p.new_id, to_jsonb(l)
FROM match_{kind} m
CROSS JOIN stage_scope scope
JOIN {table} f ON f.id = m.id
JOIN stage_unit u ON u.kind = '{kind}' AND u.organization = m.organization_before
LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
LEFT JOIN fin_contracts k ON k.id = f.contract_id
LEFT JOIN stage_pair p ON p.kind = '{kind}' AND p.old_id = m.operation_id
LEFT JOIN cpimportd.lineage l
    ON l.department_id = scope.department_id AND l.kind = '{kind}' AND l.operation_id = m.operation_id
LEFT JOIN LATERAL (
    SELECT jsonb_build_object('details', jsonb_agg(to_jsonb(x) - 'id' - 'created_at' - 'expense_operation_id'
                                                   ORDER BY x.id)) AS old
    FROM fin_expense_details x
    WHERE '{kind}' = 'expenses' AND x.expense_operation_id = m.operation_id HAVING count(*) > 0
) lines ON true
WHERE m.organization_after IS NULL;

-- name: delete_details
-- The old lines of every document that goes or whose lines differ: the whole set, before any line is added.
WITH lines AS (
    DELETE FROM fin_expense_details d
    WHERE d.expense_operation_id IN (SELECT operation_id FROM changed_details)
       OR d.expense_operation_id IN (SELECT operation_id FROM match_expenses WHERE organization_after IS NULL)
    RETURNING d.expense_operation_id, d.payment_type, d.payment_amount
)
INSERT INTO gone_line SELECT d.expense_operation_id, {paid}, coalesce(d.payment_amount, 0) FROM lines d;

-- name: delete_documents
-- Documents that the snapshot no longer holds.
DELETE FROM {table} f USING match_{kind} m WHERE m.organization_after IS NULL AND f.id = m.id;

-- name: update_documents
-- Documents that differ in a column of their table; the rest is not touched.
UPDATE {table} f
SET ({columns}, organization_id, bank_account_id, contract_id, is_active, updated_at) =
    ROW ({stage_columns}, s.organization_id, s.bank_account_id, s.contract_id, true, localtimestamp)
FROM staged_{kind} s, changed_{kind} c, stage_scope scope
WHERE c.operation_id = s.operation_id AND c.columns_differ
  AND f.operation_id = s.operation_id AND f.department_id = scope.department_id;

-- name: insert_documents
-- Documents that are new, in file order.
INSERT INTO {table} (operation_id, {columns}, organization_id, bank_account_id, contract_id, department_id, is_active,
                     created_at, updated_at)
SELECT s.operation_id, {stage_columns}, s.organization_id, s.bank_account_id, s.contract_id, scope.department_id, true,
       localtimestamp, localtimestamp
FROM staged_{kind} s
CROSS JOIN stage_scope scope
JOIN match_{kind} m ON m.operation_id = s.operation_id AND m.id IS NULL
ORDER BY s.file_no, s.row;

-- name: insert_details
-- The lines of every document that is new or whose lines differ: the whole set, in file order.
INSERT INTO fin_expense_details (expense_operation_id, contract_number, repayment_type, settlement_account,
    advance_account, payment_type, payment_amount, settlement_rate, settlement_amount, vat_amount, expense_amount,
    vat_in_expense, department_id, created_at)
SELECT s.operation_id, s.contract_number, s.repayment_type, s.settlement_account, s.advance_account, s.payment_type,
       s.amount, s.settlement_rate, s.settlement_amount, s.vat_amount, s.expense_amount, s.vat_in_expense,
       scope.department_id, localtimestamp
FROM stage_details s CROSS JOIN stage_scope scope
JOIN changed_details c ON c.operation_id = s.operation_id
ORDER BY s.file_no, s.row;

-- name: journal_restored
-- Documents that somebody else had deleted, and that are there again: their lineage says so. It is no journal of these
-- insertions, for it keeps the run that brought them first.
INSERT INTO cpimportd.change (run_id, seq, department_id, kind, op, operation_id, organization, amount_after, new, why,
                              lineage)
SELECT scope.run_id, $1 + row_number() OVER (ORDER BY f.operation_id), scope.department_id, '{kind}', 'insert',
       f.operation_id, s.organization, f.amount,
       to_jsonb(f) || jsonb_build_object('organization', s.organization, 'bank_account', s.bank_account,
                                         'contract', s.contract, 'extra', coalesce(s.extra, '{{}}'),
                                         'details_extra', coalesce(n.extra, '[]')) || coalesce(lines.new, '{{}}'),
       CASE WHEN s.accepted THEN 'accepted' ELSE 'put-right' END, to_jsonb(l)
FROM match_{kind} m
CROSS JOIN stage_scope scope
JOIN cpimportd.lineage l
    ON l.department_id = scope.department_id AND l.kind = '{kind}' AND l.operation_id = m.operation_id
JOIN staged_{kind} s ON s.operation_id = m.operation_id
JOIN {table} f ON f.operation_id = m.operation_id AND f.department_id = scope.department_id
LEFT JOIN stage_lines n ON '{kind}' = 'expenses' AND n.operation_id = m.operation_id
LEFT JOIN LATERAL (
    SELECT jsonb_build_object('details', jsonb_agg(to_jsonb(x) - 'id' - 'created_at' - 'expense_operation_id'
                                                   ORDER BY x.id)) AS new
    FROM fin_expense_details x
    WHERE '{kind}' = 'expenses' AND x.expense_operation_id = m.operation_id HAVING count(*) > 0
) lines ON true
WHERE m.id IS NULL;

-- name: drop_lineage
-- A document that is gone has no present content.
DELETE FROM cpimportd.lineage l USING match_{kind} m, stage_scope scope
WHERE m.organization_after IS NULL AND l.department_id = scope.department_id AND l.kind = '{kind}'
  AND l.operation_id = m.operation_id;

-- name: add_lineage
-- Where each document's present content came from, where nothing is known of it yet. A row that was there before our first
-- run has first_run 0: it was adopted, not inserted.
INSERT INTO cpimportd.lineage (department_id, kind, operation_id, organization, first_run, last_run, snapshot_id,
                               source_row, detail_snapshot_id, detail_rows, number, moment, extra, detail_extra)
SELECT scope.department_id, '{kind}', s.operation_id, s.organization,
       CASE WHEN m.id IS NULL THEN scope.run_id ELSE 0 END, scope.run_id, t.snapshot_id, s.row, n.snapshot_id,
       coalesce(n.rows, '{{}}'), s.number, s.moment, coalesce(s.extra, '{{}}'), coalesce(n.extra, '[]')
FROM {stage} s
CROSS JOIN stage_scope scope
JOIN stage_file t USING (file_no)
JOIN match_{kind} m ON m.operation_id = s.operation_id AND NOT m.traced
LEFT JOIN stage_lines n ON '{kind}' = 'expenses' AND n.operation_id = s.operation_id;

-- name: update_lineage
-- Content that changed, or that is there again, came from today's snapshot; rows that merely moved in the file keep their
-- lineage.
UPDATE cpimportd.lineage l
SET organization = s.organization, last_run = scope.run_id, snapshot_id = t.snapshot_id, source_row = s.row,
    detail_snapshot_id = n.snapshot_id, detail_rows = coalesce(n.rows, '{{}}'), number = s.number, moment = s.moment,
    extra = coalesce(s.extra, '{{}}'), detail_extra = coalesce(n.extra, '[]')
FROM (SELECT operation_id FROM changed_{kind}
      UNION SELECT operation_id FROM match_{kind} WHERE id IS NULL) c
CROSS JOIN stage_scope scope
JOIN {stage} s ON s.operation_id = c.operation_id
JOIN stage_file t USING (file_no)
LEFT JOIN stage_lines n ON '{kind}' = 'expenses' AND n.operation_id = s.operation_id
WHERE l.department_id = scope.department_id AND l.kind = '{kind}' AND l.operation_id = c.operation_id
  AND l.last_run <> scope.run_id;
