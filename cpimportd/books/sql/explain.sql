-- name: documents_named
-- Documents that bear this name, in the books or only in the journal any more.
SELECT 'receipts' AS kind, operation_id FROM fin_receipts WHERE department_id = $1 AND operation_id = $2
UNION
SELECT 'expenses', operation_id FROM fin_expenses WHERE department_id = $1 AND operation_id = $2
UNION
SELECT kind, $2 FROM cpimportd.change
WHERE department_id = $1 AND $2 IN (operation_id, paired_with) AND kind IN ('receipts', 'expenses');

-- name: documents_numbered
-- Documents with this number of their own, by their lineage or, where we did not write them, by their name.
SELECT kind, operation_id FROM cpimportd.lineage WHERE department_id = $1 AND number = $2
UNION
SELECT 'receipts', operation_id FROM fin_receipts
WHERE department_id = $1 AND strpos(operation_id, ' ' || $2 || ' от ') > 0
UNION
SELECT 'expenses', operation_id FROM fin_expenses
WHERE department_id = $1 AND strpos(operation_id, ' ' || $2 || ' от ') > 0
UNION
SELECT kind, operation_id FROM cpimportd.change
WHERE department_id = $1 AND kind IN ('receipts', 'expenses')
  AND (lineage ->> 'number' = $2 OR strpos(operation_id, ' ' || $2 || ' от ') > 0);

-- name: documents_of_the_bank
-- Documents with this number in the bank's papers (Вх. номер).
SELECT 'receipts' AS kind, operation_id FROM fin_receipts WHERE department_id = $1 AND document_number = $2
UNION
SELECT 'expenses', operation_id FROM fin_expenses WHERE department_id = $1 AND document_number = $2;

-- name: documents_with_digits
-- Documents whose names hold these digits in this order: those whose names or numbers look like a text with them are among
-- them. Asked where nothing is written as the text is.
SELECT kind, operation_id
FROM (
    SELECT 'receipts' AS kind, operation_id FROM fin_receipts WHERE department_id = $1
    UNION
    SELECT 'expenses', operation_id FROM fin_expenses WHERE department_id = $1
    UNION
    SELECT kind, operation_id FROM cpimportd.change WHERE department_id = $1 AND kind IN ('receipts', 'expenses')
) named
WHERE strpos(regexp_replace(operation_id, '[^0-9]', '', 'g'), $2) > 0
ORDER BY kind, operation_id;

-- name: about
-- Everything that the journal says about documents, also as the other half of a pair.
SELECT run_id, seq, kind, op, operation_id, organization, amount_before, amount_after, old, new, why, paired_with, lineage
FROM cpimportd.change
WHERE department_id = $1 AND kind = $2 AND op <> 'reference'
  AND (operation_id = ANY ($3::text[]) OR paired_with = ANY ($3::text[]))
ORDER BY run_id, seq;

-- name: runs
-- When runs were.
SELECT id, coalesce(finished_at, started_at) AS at FROM cpimportd.runs WHERE id = ANY ($1::bigint[]);

-- name: figure_documents
-- Every document that a sum of receipts or expenses counts, with the row that it came from.
SELECT f.operation_id, o.name AS organization, f.document_date, NULL::text AS payment_type,
       coalesce(f.amount, 0) AS amount, l.snapshot_id, l.source_row
FROM {table} f
LEFT JOIN fin_organizations o ON o.id = f.organization_id
LEFT JOIN cpimportd.lineage l
    ON l.department_id = f.department_id AND l.kind = '{kind}' AND l.operation_id = f.operation_id
WHERE f.department_id = $1 AND ($2::text IS NULL OR o.name = $2)
  AND ($3::date IS NULL OR f.document_date >= $3) AND ($4::date IS NULL OR f.document_date < $4)
ORDER BY f.document_date, f.operation_id;

-- name: figure_lines
-- Every detail line that a sum of them counts, by what it pays, with the row that it came from: lines lie in file order, as in the
-- lineage; where their number differs, somebody else wrote them and nobody knows.
SELECT f.operation_id, o.name AS organization, f.document_date, d.payment_type, d.amount, l.detail_snapshot_id AS snapshot_id,
       CASE WHEN cardinality(l.detail_rows) = d.lines THEN l.detail_rows[d.place] END AS source_row
FROM (
    SELECT expense_operation_id, department_id, payment_type, coalesce(payment_amount, 0) AS amount,
           row_number() OVER document AS place, count(*) OVER (PARTITION BY expense_operation_id) AS lines
    FROM fin_expense_details
    WINDOW document AS (PARTITION BY expense_operation_id ORDER BY id)
) d
JOIN fin_expenses f ON f.operation_id = d.expense_operation_id
LEFT JOIN fin_organizations o ON o.id = f.organization_id
LEFT JOIN cpimportd.lineage l
    ON l.department_id = f.department_id AND l.kind = 'expenses' AND l.operation_id = f.operation_id
WHERE d.department_id = $1 AND ($2::text IS NULL OR o.name = $2)
  AND ($3::date IS NULL OR f.document_date >= $3) AND ($4::date IS NULL OR f.document_date < $4)
  AND $5::text IN ('details', {paid})
ORDER BY f.document_date, f.operation_id, d.place;

-- name: figure_total
-- What the parts of a figure add up to, and how many there are.
SELECT count(*) AS count, coalesce(sum(amount), 0) AS total FROM ({parts}) parts;

-- name: contracts
-- Every contract, to be compared as it looks.
SELECT id, contract_number, is_active FROM fin_contracts WHERE department_id = $1 ORDER BY contract_number;

-- name: contracts_named
-- Contracts by their number, whole or a part of it.
SELECT id, contract_number, is_active FROM fin_contracts
WHERE department_id = $1 AND (contract_number = $2 OR strpos(lower(contract_number), lower($2)) > 0)
ORDER BY contract_number <> $2, contract_number;

-- name: contract_documents
-- The documents of a contract, by the contract in their own head.
SELECT '{kind}' AS kind, f.operation_id, o.name AS organization, f.document_date, coalesce(f.amount, 0) AS amount,
       l.snapshot_id, l.source_row, sums.principal, sums.interest, sums.other
FROM {table} f
LEFT JOIN fin_organizations o ON o.id = f.organization_id
LEFT JOIN cpimportd.lineage l
    ON l.department_id = f.department_id AND l.kind = '{kind}' AND l.operation_id = f.operation_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(payment_amount) FILTER (WHERE payment_type = 'Погашение долга'), 0) AS principal,
           coalesce(sum(payment_amount) FILTER (WHERE payment_type = 'Уплата процентов'), 0) AS interest,
           coalesce(sum(payment_amount) FILTER (WHERE payment_type IS NULL
               OR payment_type NOT IN ('Погашение долга', 'Уплата процентов')), 0) AS other
    FROM fin_expense_details d WHERE '{kind}' = 'expenses' AND d.expense_operation_id = f.operation_id
) sums
WHERE f.department_id = $1 AND f.contract_id = $2
ORDER BY f.document_date, f.operation_id;

-- name: contract_totals
-- What these documents add up to, and how many there are.
SELECT count(*) AS documents, coalesce(sum(amount), 0) AS amount, coalesce(sum(principal), 0) AS principal,
       coalesce(sum(interest), 0) AS interest, coalesce(sum(other), 0) AS other
FROM ({documents}) d;

-- name: contract_past
-- How many documents once were the contract's, and how many bridges it has.
SELECT (SELECT count(*) FROM ({gone}) gone) AS gone, (SELECT count(*) FROM ({bridges}) bridges) AS bridges;

-- name: contract_gone
-- Documents that once were the contract's and are not any more, by the journal.
SELECT c.run_id, c.kind, c.operation_id, c.organization, c.op, c.amount_before, c.paired_with
FROM cpimportd.change c
WHERE c.department_id = $1 AND c.op IN ('delete', 'update') AND c.old ->> 'contract' = $2
  AND (c.op = 'delete' OR c.new ->> 'contract' IS DISTINCT FROM $2)
ORDER BY c.run_id DESC, c.seq;
