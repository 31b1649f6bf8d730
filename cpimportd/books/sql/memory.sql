-- name: served
-- From which files the books serve each organization today.
SELECT kind, organization, file, digest, sha256, rows, coalesce(control_total, 0) AS control_total
FROM cpimportd.served
WHERE department_id = $1
ORDER BY kind, organization, file;

-- name: known_expenses
-- Whose expenses these are, and their amounts, as the books have them.
SELECT f.operation_id, o.name AS organization, f.amount
FROM fin_expenses f JOIN fin_organizations o ON o.id = f.organization_id
WHERE f.department_id = $1 AND f.operation_id = ANY ($2::text[]);

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

-- name: strangers
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
-- What the department's books hold of each kind.
SELECT 'receipts' AS kind, count(*)::int AS rows, coalesce(sum(amount), 0) AS total
FROM fin_receipts WHERE department_id = $1
UNION ALL
SELECT 'expenses', count(*)::int, coalesce(sum(amount), 0) FROM fin_expenses WHERE department_id = $1
UNION ALL
SELECT 'details', count(*)::int, coalesce(sum(payment_amount), 0) FROM fin_expense_details WHERE department_id = $1;

-- name: payments
-- Principal, interest and the rest, by the payment type of the detail lines (never by account).
SELECT coalesce(sum(payment_amount) FILTER (WHERE payment_type = 'Погашение долга'), 0) AS principal,
       coalesce(sum(payment_amount) FILTER (WHERE payment_type = 'Уплата процентов'), 0) AS interest,
       coalesce(sum(payment_amount) FILTER (WHERE payment_type IS NULL
           OR payment_type NOT IN ('Погашение долга', 'Уплата процентов')), 0) AS other
FROM fin_expense_details WHERE department_id = $1;

-- name: undone
-- Units that an undo put back.
SELECT kind, organization, undone_run, digests FROM cpimportd.undone_unit WHERE department_id = $1;
