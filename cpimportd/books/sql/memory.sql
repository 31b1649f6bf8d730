-- name: served
-- From which files the books serve each organization today.
SELECT v.kind, v.organization, v.file, v.digest, v.sha256, v.rows, coalesce(v.control_total, 0) AS control_total,
       {whole} AS whole
FROM cpimportd.served v
WHERE v.department_id = $1
ORDER BY v.kind, v.organization, v.file;

-- name: whole
-- Whether the workbook of what is served, v, serves every organization whose documents it holds: not where one is held, and
-- filled from an earlier workbook or from none.
NOT EXISTS (
    SELECT FROM cpimportd.snapshot n CROSS JOIN LATERAL unnest(n.organizations) AS o (organization)
    WHERE n.id = v.snapshot_id
      AND NOT EXISTS (SELECT FROM cpimportd.served w
                      WHERE w.department_id = v.department_id AND w.kind = v.kind
                        AND w.organization = o.organization AND w.digest = v.digest)
)

-- name: known_expenses
-- Whose expenses these are, and their amounts, as the books have them.
SELECT f.operation_id, o.name AS organization, f.amount
FROM fin_expenses f JOIN fin_organizations o ON o.id = f.organization_id
WHERE f.department_id = $1 AND f.operation_id = ANY ($2::text[]);

-- name: similar_expenses
-- Expenses with the same digits in their names as one of these: names that fold alike are among them. Asked where details
-- have no expense, which is hardly ever.
SELECT operation_id FROM fin_expenses
WHERE department_id = $1
  AND regexp_replace(operation_id, '[^0-9]', '', 'g') IN (SELECT regexp_replace(n, '[^0-9]', '', 'g') FROM unnest($2::text[]) n);

-- name: fingerprints
-- What identifies the present rows of each organization: how many, their sum, and the transactions that wrote them last
-- (xmin changes with every write, to texts and dates too), with what a contract and a bank account that they name is
-- called: those lie in rows of their own. As cheap as the sums alone.
SELECT 'receipts' AS kind, o.name AS organization, count(*) AS rows, coalesce(sum(f.amount), 0) AS total,
       coalesce(sum(hashtextextended(
           concat(f.xmin, '|', k.contract_number, '|', k.is_active, '|', b.account_number), f.id)), 0) AS marks
FROM fin_receipts f JOIN fin_organizations o ON o.id = f.organization_id
LEFT JOIN fin_contracts k ON k.id = f.contract_id LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
WHERE f.department_id = $1
GROUP BY o.name
UNION ALL
SELECT 'expenses', o.name, count(*), coalesce(sum(f.amount), 0),
       coalesce(sum(hashtextextended(
           concat(f.xmin, '|', k.contract_number, '|', k.is_active, '|', b.account_number), f.id)), 0)
FROM fin_expenses f JOIN fin_organizations o ON o.id = f.organization_id
LEFT JOIN fin_contracts k ON k.id = f.contract_id LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
WHERE f.department_id = $1
GROUP BY o.name
UNION ALL
SELECT 'details', o.name, count(*), coalesce(sum(d.payment_amount), 0),
       coalesce(sum(hashint8extended(d.xmin::text::bigint, d.id)), 0)
FROM fin_expense_details d
JOIN fin_expenses f ON f.operation_id = d.expense_operation_id
JOIN fin_organizations o ON o.id = f.organization_id
WHERE f.department_id = $1
GROUP BY o.name;

-- name: last_fingerprints
-- The same as our last publication left it.
SELECT kind, organization, rows, total, marks FROM cpimportd.fingerprint WHERE department_id = $1;

-- name: unattributed
-- Per organization and kind, documents in the books that no file has ever brought: test data, or no longer exported.
SELECT o.name AS organization, f.kind, sum(f.documents)::int AS documents, sum(f.total) AS total
FROM (
    SELECT 'receipts' AS kind, organization_id, count(*) AS documents, sum(amount) AS total FROM fin_receipts
    WHERE department_id = $1 GROUP BY 2
    UNION ALL
    SELECT 'expenses', organization_id, count(*), sum(amount) FROM fin_expenses WHERE department_id = $1 GROUP BY 2
) f
LEFT JOIN fin_organizations o ON o.id = f.organization_id
WHERE NOT EXISTS (SELECT FROM cpimportd.served v
                  WHERE v.department_id = $1 AND v.organization = o.name AND v.kind = f.kind)
GROUP BY o.name, f.kind
ORDER BY o.name, f.kind;

-- name: totals
-- What the department's books hold of each kind; from a day to a day, by the documents' own dates, both included. A document
-- without a date belongs to no period; a detail line has the date of its expense.
SELECT 'receipts' AS kind, count(*)::int AS rows, coalesce(sum(amount), 0) AS total
FROM fin_receipts f
WHERE f.department_id = $1 AND ($2::date IS NULL OR f.document_date >= $2) AND ($3::date IS NULL OR f.document_date <= $3)
UNION ALL
SELECT 'expenses', count(*)::int, coalesce(sum(amount), 0)
FROM fin_expenses f
WHERE f.department_id = $1 AND ($2::date IS NULL OR f.document_date >= $2) AND ($3::date IS NULL OR f.document_date <= $3)
UNION ALL
SELECT 'details', count(*)::int, coalesce(sum(payment_amount), 0)
FROM fin_expense_details d
WHERE d.department_id = $1 AND ($2::date IS NULL AND $3::date IS NULL OR EXISTS (
    SELECT FROM fin_expenses f
    WHERE f.operation_id = d.expense_operation_id
      AND ($2::date IS NULL OR f.document_date >= $2) AND ($3::date IS NULL OR f.document_date <= $3)));

-- name: payments
-- Principal, interest and the rest, by the payment type of the detail lines (never by account); of the same days.
SELECT coalesce(sum(payment_amount) FILTER (WHERE payment_type = 'Погашение долга'), 0) AS principal,
       coalesce(sum(payment_amount) FILTER (WHERE payment_type = 'Уплата процентов'), 0) AS interest,
       coalesce(sum(payment_amount) FILTER (WHERE payment_type IS NULL
           OR payment_type NOT IN ('Погашение долга', 'Уплата процентов')), 0) AS other
FROM fin_expense_details d
WHERE d.department_id = $1 AND ($2::date IS NULL AND $3::date IS NULL OR EXISTS (
    SELECT FROM fin_expenses f
    WHERE f.operation_id = d.expense_operation_id
      AND ($2::date IS NULL OR f.document_date >= $2) AND ($3::date IS NULL OR f.document_date <= $3)));

-- name: unconfirmed
-- Expenses of the same days that the bank's statement does not confirm.
SELECT count(*)::int AS rows, coalesce(sum(amount), 0) AS total
FROM fin_expenses f
WHERE f.department_id = $1 AND f.unconfirmed_by_bank AND ($2::date IS NULL OR f.document_date >= $2) AND ($3::date IS NULL OR f.document_date <= $3);

-- name: currencies
-- Receipts and expenses of the same days by currency.
SELECT currency, sum(receipts) AS receipts, sum(expenses) AS expenses
FROM (
    SELECT coalesce(currency, '') AS currency, sum(amount) AS receipts, 0 AS expenses
    FROM fin_receipts f
    WHERE f.department_id = $1 AND ($2::date IS NULL OR f.document_date >= $2) AND ($3::date IS NULL OR f.document_date <= $3)
    GROUP BY 1
    UNION ALL
    SELECT coalesce(currency, ''), 0, sum(amount)
    FROM fin_expenses f
    WHERE f.department_id = $1 AND ($2::date IS NULL OR f.document_date >= $2) AND ($3::date IS NULL OR f.document_date <= $3)
    GROUP BY 1
) by_kind
GROUP BY 1 ORDER BY 1;

-- name: superseded
-- Of which units contents with one of these digests, or bytes, were published, by which run last, and which run published
-- the unit since. An undo publishes what served before.
WITH known AS (
    SELECT id, digest, sha256 FROM cpimportd.snapshot WHERE digest = ANY ($2::text[])
    UNION
    SELECT id, digest, sha256 FROM cpimportd.snapshot WHERE sha256 = ANY ($3::text[])
), published AS (
    SELECT u.organization, u.kind, u.run_id, u.snapshots
    FROM cpimportd.run_unit u JOIN cpimportd.runs r ON r.id = u.run_id
    WHERE EXISTS (SELECT FROM known) AND r.department_id = $1 AND u.status = 'published' AND u.kind <> 'details'
), last AS (
    SELECT organization, kind, max(run_id) AS run_id FROM published GROUP BY 1, 2
)
SELECT DISTINCT ON (p.organization, p.kind, k.digest, k.sha256)
       p.organization, p.kind, k.digest, k.sha256, p.run_id AS run, r.started_at AS at, last.run_id AS later
FROM published p
JOIN known k ON k.id = ANY (p.snapshots)
JOIN last USING (organization, kind)
JOIN cpimportd.runs r ON r.id = p.run_id
WHERE p.run_id < last.run_id
ORDER BY p.organization, p.kind, k.digest, k.sha256, p.run_id DESC;

-- name: undone
-- Units that an undo put back.
SELECT kind, organization, undone_run, digests FROM cpimportd.undone_unit WHERE department_id = $1;
