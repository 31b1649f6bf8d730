-- name: bridges
-- Every bridge of documents and lines that a publication left, in the order in which they happened.
SELECT u.run_id AS run, r.started_at AS at, u.organization, u.kind, u.opening, u.added, u.removed, u.changed, u.closing,
       u.foreign_sum
FROM {recorded} u
JOIN cpimportd.runs r ON r.id = u.run_id
WHERE r.department_id = $1 AND u.kind IN ('receipts', 'expenses', 'details') AND u.closing IS NOT NULL
ORDER BY u.run_id;

-- name: control_totals
-- From which workbooks the books are filled, and what the Итого of each says of all its organizations together: nothing that
-- could be compared where one of these is held, and so filled from an earlier workbook.
SELECT v.kind, v.organization, v.file, v.digest, CASE WHEN {whole} THEN v.control_total END AS control_total
FROM cpimportd.served v
WHERE v.department_id = $1
ORDER BY v.kind, v.file, v.organization;

-- name: runs
-- The runs of a period, the oldest first.
SELECT id AS run, status, schedule, started_at FROM cpimportd.runs
WHERE department_id = $1 AND started_at >= $2 ORDER BY id;

-- name: movements
-- What the publications of a period changed, per organization and what is summed: documents, and the sum before and after.
SELECT u.organization, u.kind, sum(u.inserted)::int AS inserted, sum(u.updated)::int AS updated,
       sum(u.removed_documents)::int AS removed, sum(u.retimed)::int AS retimed, sum(u.moved_in)::int AS moved_in,
       sum(u.moved_out)::int AS moved_out,
       (array_agg(u.opening ORDER BY u.run_id))[1] AS opening, sum(u.added) AS added, sum(u.removed) AS removed_sum,
       sum(u.changed) AS changed, (array_agg(u.closing ORDER BY u.run_id DESC))[1] AS closing
FROM {recorded} u
JOIN cpimportd.runs r ON r.id = u.run_id
WHERE r.department_id = $1 AND r.started_at >= $2 AND u.closing IS NOT NULL
GROUP BY u.organization, u.kind
ORDER BY u.organization, array_position(ARRAY['receipts', 'expenses', 'details', 'principal', 'interest', 'other'], u.kind);

-- name: months
-- Sums by the month of the document; a detail line counts in the month of its expense, and no amount twice.
SELECT to_char(month, 'YYYY-MM') AS month, sum(receipts) AS receipts, sum(expenses) AS expenses,
       sum(principal) AS principal, sum(interest) AS interest
FROM (
    SELECT date_trunc('month', document_date) AS month, amount AS receipts, 0 AS expenses, 0 AS principal, 0 AS interest
    FROM fin_receipts WHERE department_id = $1 AND document_date >= $2
    UNION ALL
    SELECT date_trunc('month', document_date), 0, amount, 0, 0
    FROM fin_expenses WHERE department_id = $1 AND document_date >= $2
    UNION ALL
    SELECT date_trunc('month', e.document_date), 0, 0,
           CASE WHEN d.payment_type = 'Погашение долга' THEN d.payment_amount ELSE 0 END,
           CASE WHEN d.payment_type = 'Уплата процентов' THEN d.payment_amount ELSE 0 END
    FROM fin_expense_details d JOIN fin_expenses e ON e.operation_id = d.expense_operation_id
    WHERE e.department_id = $1 AND e.document_date >= $2
) moved
GROUP BY month ORDER BY month DESC;
