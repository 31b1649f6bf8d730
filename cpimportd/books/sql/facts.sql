-- name: add_unit
-- A unit that takes part though no file of today brings it.
INSERT INTO stage_unit (kind, organization) VALUES ($1, $2);

-- name: forget_comparison
-- The comparison is made anew.
TRUNCATE match_receipts, match_expenses, match_details;

-- name: find_organizations
-- The ids that the backend knows the units' organizations by; a new one has none yet.
UPDATE stage_unit u SET organization_id = o.id
FROM fin_organizations o, stage_scope scope
WHERE o.department_id = scope.department_id AND o.name = u.organization;

-- name: match
-- Every document that the units' organizations have in the books, or that the snapshot names, with what both say, and
-- whether its lineage is known.
INSERT INTO match_{kind} (operation_id, id, organization_before, organization_after, amount_before, amount_after, traced,
                          contract_before)
SELECT coalesce(s.operation_id, f.operation_id), f.id, o.name, s.organization, f.amount, s.amount,
       l.operation_id IS NOT NULL, k.contract_number
FROM {stage} s
FULL JOIN (
    SELECT t.operation_id, t.id, t.organization_id, t.amount, t.contract_id
    FROM {table} t, stage_scope scope
    WHERE t.department_id = scope.department_id
      AND (t.organization_id IN (SELECT organization_id FROM stage_unit WHERE kind = '{kind}')
           OR t.operation_id IN (SELECT operation_id FROM {stage}))
) f ON f.operation_id = s.operation_id
LEFT JOIN fin_organizations o ON o.id = f.organization_id
LEFT JOIN fin_contracts k ON k.id = f.contract_id
LEFT JOIN cpimportd.lineage l
    ON l.department_id = (SELECT department_id FROM stage_scope) AND l.kind = '{kind}'
    AND l.operation_id = coalesce(s.operation_id, f.operation_id);

-- name: match_details
-- Per expense concerned, how many lines and what sum the books and the snapshot have.
INSERT INTO match_details (operation_id, rows_before, rows_after, amount_before, amount_after)
SELECT operation_id, sum(rows_before), sum(rows_after), sum(amount_before), sum(amount_after)
FROM (
    SELECT d.expense_operation_id AS operation_id, 1 AS rows_before, 0 AS rows_after,
           coalesce(d.payment_amount, 0) AS amount_before, 0 AS amount_after
    FROM fin_expense_details d JOIN match_expenses m ON m.operation_id = d.expense_operation_id
    UNION ALL
    SELECT s.operation_id, 0, 1, 0, s.amount FROM stage_details s
) lines
GROUP BY operation_id;

-- name: totals
-- Per unit: documents before and after, the sum before, and how many documents in both differ in their amount.
SELECT u.organization,
       coalesce(b.documents, 0) AS before, coalesce(a.documents, 0) AS after,
       coalesce(b.total, 0) AS sum_before, coalesce(a.amount_changed, 0) AS amount_changed,
       first_date.value AS first_date
FROM stage_unit u
LEFT JOIN (
    SELECT organization_before AS organization, count(*) AS documents, sum(amount_before) AS total
    FROM match_{kind} WHERE id IS NOT NULL GROUP BY 1
) b USING (organization)
LEFT JOIN (
    SELECT organization_after AS organization, count(*) AS documents,
           count(*) FILTER (WHERE id IS NOT NULL AND amount_before IS DISTINCT FROM amount_after) AS amount_changed
    FROM match_{kind} WHERE organization_after IS NOT NULL GROUP BY 1
) a USING (organization)
LEFT JOIN (
    SELECT organization, min(document_date) AS value FROM {stage} GROUP BY 1
) first_date USING (organization)
WHERE u.kind = '{kind}';

-- name: gone
-- Documents that the books hold for a unit and the snapshot does not. Number and year are those in the document's text,
-- as in the lineage; for rows that we did not write they are read off the text here.
SELECT m.organization_before AS organization, m.operation_id, m.amount_before AS amount, f.document_date,
       coalesce(l.number, substring(m.operation_id FROM '(\S+)\s+от\s+\d{{1,2}}\.\d{{2}}\.\d{{4}}')) AS number,
       coalesce(extract(year FROM l.moment AT TIME ZONE scope.zone)::int,
                substring(m.operation_id FROM '\s+от\s+\d{{1,2}}\.\d{{2}}\.(\d{{4}})')::int) AS year
FROM match_{kind} m
CROSS JOIN stage_scope scope
JOIN {table} f ON f.id = m.id
LEFT JOIN cpimportd.lineage l
    ON l.department_id = scope.department_id AND l.kind = '{kind}' AND l.operation_id = m.operation_id
WHERE m.organization_after IS NULL
ORDER BY m.operation_id;

-- name: new
-- Documents that the snapshot holds and the books do not, of the units from which documents are gone, or to which others
-- went of an organization from which some are: the other half of re-timed and re-keyed pairs. Elsewhere nobody asks for
-- them, so a first import lists none.
WITH less AS (SELECT DISTINCT organization_before AS organization FROM match_{kind} WHERE organization_after IS NULL)
SELECT s.organization, s.operation_id, s.amount, s.document_date, s.number,
       extract(year FROM s.moment AT TIME ZONE scope.zone)::int AS year
FROM match_{kind} m
CROSS JOIN stage_scope scope
JOIN {stage} s ON s.operation_id = m.operation_id
WHERE m.id IS NULL
  AND s.organization IN (
      SELECT organization FROM less
      UNION
      SELECT h.organization_after FROM match_{kind} h JOIN less ON less.organization = h.organization_before
      WHERE h.organization_after <> h.organization_before)
ORDER BY s.operation_id;

-- name: negative
-- Documents that come with a negative amount, or whose amount turns into one; what the books already hold was accepted.
SELECT s.organization, s.operation_id, s.amount, s.document_date, s.number,
       extract(year FROM s.moment AT TIME ZONE scope.zone)::int AS year
FROM match_{kind} m
CROSS JOIN stage_scope scope
JOIN {stage} s ON s.operation_id = m.operation_id
WHERE s.amount < 0 AND m.amount_before IS DISTINCT FROM m.amount_after
ORDER BY s.operation_id;

-- name: negative_lines
-- Expenses that come with a negative detail line which the books do not hold yet.
SELECT DISTINCT e.organization, e.operation_id, s.amount, e.document_date, e.number,
       extract(year FROM e.moment AT TIME ZONE scope.zone)::int AS year
FROM stage_details s
CROSS JOIN stage_scope scope
JOIN stage_expenses e ON e.operation_id = s.operation_id
WHERE s.amount < 0
  AND NOT EXISTS (SELECT FROM fin_expense_details d
                  WHERE d.expense_operation_id = s.operation_id AND d.payment_amount = s.amount)
ORDER BY e.operation_id;

-- name: elsewhere
-- Documents of the snapshot that the books hold under another organization.
SELECT organization_after AS organization, organization_before AS other, count(*) AS documents
FROM match_{kind}
WHERE id IS NOT NULL AND organization_before IS NOT NULL AND organization_after <> organization_before
GROUP BY 1, 2;

-- name: other_departments
-- Operation ids of the snapshot that another department owns: the backend's key does not let us have them too.
SELECT s.organization, s.operation_id, f.department_id
FROM {stage} s JOIN {table} f ON f.operation_id = s.operation_id, stage_scope scope
WHERE f.department_id <> scope.department_id
ORDER BY 1, 2;

-- name: closed
-- Documents dated before $1 that would come, go, or change in what a report shows of them: amount, date, contract,
-- organization, and what was paid with them. Only of units that the books hold already: a first import closes nothing.
-- `shown` is what of it a pair of one document under two ids is compared by, of whichever side has the document.
SELECT coalesce(m.organization_after, m.organization_before) AS organization, m.operation_id,
       coalesce(s.amount, f.amount) AS amount, least(f.document_date, s.document_date) AS document_date,
       coalesce(s.number, l.number) AS number, extract(year FROM coalesce(s.moment, l.moment) AT TIME ZONE scope.zone)::int
           AS year,
       CASE WHEN m.organization_after IS NULL THEN jsonb_build_array(m.organization_before, k.contract_number, (
           SELECT jsonb_agg(jsonb_build_array(d.payment_type, d.payment_amount::numeric(15, 2))
                            ORDER BY d.payment_type, d.payment_amount)
           FROM fin_expense_details d WHERE '{kind}' = 'expenses' AND d.expense_operation_id = m.operation_id))
       ELSE jsonb_build_array(m.organization_after, s.contract, (
           SELECT jsonb_agg(jsonb_build_array(n.payment_type, n.amount) ORDER BY n.payment_type, n.amount)
           FROM stage_details n WHERE '{kind}' = 'expenses' AND n.operation_id = m.operation_id))
       END::text AS shown
FROM match_{kind} m
CROSS JOIN stage_scope scope
LEFT JOIN {table} f ON f.id = m.id
LEFT JOIN {stage} s ON s.operation_id = m.operation_id
LEFT JOIN fin_contracts k ON k.id = f.contract_id
LEFT JOIN cpimportd.lineage l
    ON l.department_id = scope.department_id AND l.kind = '{kind}' AND l.operation_id = m.operation_id
WHERE least(f.document_date, s.document_date) < $1
  AND EXISTS (SELECT FROM match_{kind} h WHERE h.organization_before IN (m.organization_after, m.organization_before))
  AND ((m.organization_before, m.amount_before, f.document_date, k.contract_number) IS DISTINCT FROM
       (m.organization_after, m.amount_after, s.document_date, s.contract)
       OR '{kind}' = 'expenses' AND EXISTS (
           SELECT FROM (
               SELECT d.payment_type, d.payment_amount, 1 AS sign FROM fin_expense_details d
               WHERE d.expense_operation_id = m.operation_id
               UNION ALL
               SELECT n.payment_type, n.amount, -1 FROM stage_details n WHERE n.operation_id = m.operation_id
           ) lines
           GROUP BY payment_type, payment_amount HAVING sum(sign) <> 0))
ORDER BY m.operation_id;

-- name: differing
-- Of these organizations, those with a document that would come, go or change in anything that is kept of it.
SELECT wanted.organization
FROM unnest($1::text[]) AS wanted (organization)
WHERE EXISTS (
    SELECT FROM match_{kind} m
    WHERE wanted.organization IN (m.organization_before, m.organization_after)
      AND m.organization_before IS DISTINCT FROM m.organization_after
) OR EXISTS (
    SELECT FROM match_{kind} m
    JOIN {stage} s ON s.operation_id = m.operation_id
    JOIN {table} f ON f.id = m.id
    LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
    LEFT JOIN fin_contracts k ON k.id = f.contract_id
    LEFT JOIN cpimportd.lineage l
        ON l.department_id = f.department_id AND l.kind = '{kind}' AND l.operation_id = m.operation_id
    WHERE m.organization_after = wanted.organization
      AND ((b.account_number, k.contract_number, f.is_active, l.extra, {table_columns}) IS DISTINCT FROM
           (s.bank_account, s.contract, true, coalesce(s.extra, '{{}}'), {stage_columns})
           OR '{kind}' = 'expenses' AND EXISTS (
               SELECT FROM (
                   SELECT d.contract_number, d.repayment_type, d.settlement_account, d.advance_account, d.payment_type,
                          d.payment_amount, d.settlement_rate, d.settlement_amount, d.vat_amount, d.expense_amount,
                          d.vat_in_expense, 1 AS sign
                   FROM fin_expense_details d WHERE d.expense_operation_id = m.operation_id
                   UNION ALL
                   SELECT n.contract_number, n.repayment_type, n.settlement_account, n.advance_account, n.payment_type,
                          n.amount, n.settlement_rate, n.settlement_amount, n.vat_amount, n.expense_amount,
                          n.vat_in_expense, -1
                   FROM stage_details n WHERE n.operation_id = m.operation_id
               ) lines
               GROUP BY contract_number, repayment_type, settlement_account, advance_account, payment_type,
                        payment_amount, settlement_rate, settlement_amount, vat_amount, expense_amount, vat_in_expense
               HAVING sum(sign) <> 0))
);

-- name: equal_lines
-- Documents with two detail lines that a unique index on (document, payment type, amount, department) forbids.
SELECT DISTINCT e.organization, s.operation_id
FROM stage_details s JOIN stage_expenses e ON e.operation_id = s.operation_id
WHERE s.payment_type IS NOT NULL
GROUP BY e.organization, s.operation_id, s.payment_type, s.amount
HAVING count(*) > 1
ORDER BY 1, 2;

-- name: forget_units
-- Units that were held after comparing take no further part.
DELETE FROM stage_unit WHERE kind = $1 AND organization = ANY ($2::text[]);

-- name: forget_matches
-- What was found about documents of units that take no further part.
DELETE FROM match_{kind} m
WHERE NOT EXISTS (SELECT FROM stage_unit u
                  WHERE u.kind = '{kind}' AND u.organization = coalesce(m.organization_after, m.organization_before));

-- name: forget_detail_matches
-- The same for their details.
DELETE FROM match_details d WHERE NOT EXISTS (SELECT FROM match_expenses m WHERE m.operation_id = d.operation_id);

-- name: mark_accepted
-- A unit that goes on because a human accepted its difference.
UPDATE stage_unit SET accepted = true WHERE kind = $1 AND organization = $2;

-- name: known_names
-- The department's organizations that the backend knows.
SELECT o.name FROM fin_organizations o, stage_scope scope WHERE o.department_id = scope.department_id ORDER BY 1;

-- name: new_names
-- Units whose organization the backend does not know yet.
SELECT organization, kind FROM stage_unit WHERE organization_id IS NULL ORDER BY 1, 2;

-- name: units_of
-- The organizations that take part with this kind of documents.
SELECT organization FROM stage_unit WHERE kind = $1 ORDER BY 1;

-- name: growth
-- New documents of units that were published before, and what is usual: documents of the day that has most of them, in the
-- last year of those that the books hold; and what one in ten of the last thirty publications exceeded. A document whose
-- lineage is known was removed by somebody else and comes back: that is no growth, nor is anything in a unit that is corrected.
SELECT u.organization, a.documents::int AS documents, a.total,
       greatest(b.busiest, h.usual, 0)::int AS usual,
       greatest(1, round(extract(epoch FROM now() - h.last) / 86400))::int AS days
FROM stage_unit u
CROSS JOIN stage_scope scope
JOIN (
    SELECT organization_after AS organization, count(*) AS documents, sum(amount_after) AS total
    FROM match_{kind} WHERE id IS NULL AND NOT traced GROUP BY 1
) a USING (organization)
JOIN LATERAL (
    SELECT max(started_at) AS last, percentile_disc(0.9) WITHIN GROUP (ORDER BY inserted) FILTER (WHERE rows_before > 0) AS usual
    FROM (
        SELECT r.started_at, k.inserted, k.rows_before
        FROM cpimportd.run_unit k JOIN cpimportd.runs r ON r.id = k.run_id
        WHERE r.department_id = scope.department_id AND k.organization = u.organization AND k.kind = '{kind}'
          AND k.status = 'published' AND r.id <> scope.run_id AND r.undoes = '{{}}'
        ORDER BY r.id DESC LIMIT 30
    ) publications
) h ON h.last IS NOT NULL
LEFT JOIN (
    SELECT organization_id, max(documents) AS busiest
    FROM (
        SELECT t.organization_id, t.document_date, count(*) AS documents,
               max(t.document_date) OVER (PARTITION BY t.organization_id) AS newest
        FROM {table} t, stage_scope
        WHERE t.department_id = stage_scope.department_id
        GROUP BY t.organization_id, t.document_date
    ) of_a_day
    WHERE document_date > newest - 366
    GROUP BY organization_id
) b ON b.organization_id = u.organization_id
WHERE u.kind = '{kind}' AND NOT u.put_right
  AND EXISTS (SELECT FROM match_{kind} m WHERE m.organization_before = u.organization);

-- name: outside
-- Organizations that have documents in the books and take no part, "" for documents without one.
SELECT DISTINCT coalesce(o.name, '') AS name
FROM {table} t CROSS JOIN stage_scope scope LEFT JOIN fin_organizations o ON o.id = t.organization_id
WHERE t.department_id = scope.department_id
  AND NOT EXISTS (SELECT FROM stage_unit u WHERE u.kind = '{kind}' AND u.organization_id = t.organization_id)
ORDER BY 1;

-- name: same_digits
-- New documents, each with those that stay under an organization that takes no part and have the same digits in their name:
-- names that fold alike are among them.
SELECT s.organization, s.operation_id, s.amount, t.operation_id AS twin, coalesce(o.name, '') AS owner
FROM match_{kind} m
CROSS JOIN stage_scope scope
JOIN {stage} s ON s.operation_id = m.operation_id
JOIN {table} t ON regexp_replace(t.operation_id, '[^0-9]', '', 'g') = regexp_replace(s.operation_id, '[^0-9]', '', 'g')
LEFT JOIN fin_organizations o ON o.id = t.organization_id
WHERE m.id IS NULL AND t.department_id = scope.department_id
  AND NOT EXISTS (SELECT FROM stage_unit u WHERE u.kind = '{kind}' AND u.organization_id = t.organization_id)
ORDER BY 2, 4;

-- name: outside_documents
-- Documents of organizations that take no part.
SELECT o.name AS organization, t.operation_id, t.amount
FROM {table} t JOIN fin_organizations o ON o.id = t.organization_id, stage_scope scope
WHERE t.department_id = scope.department_id AND o.name = ANY ($1::text[])
ORDER BY 2;

-- name: new_documents
-- New documents of these organizations.
SELECT s.organization, s.operation_id, s.amount
FROM match_{kind} m JOIN {stage} s ON s.operation_id = m.operation_id
WHERE m.id IS NULL AND s.organization = ANY ($1::text[])
ORDER BY 2;
