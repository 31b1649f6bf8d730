-- name: documents
-- To begin a query with: every document concerned, once, with what it was and what it is. A re-timed one came under another
-- id; a re-keyed one has its new id already. `there_before` and `there_after`: the books held it before, and hold it now.
pairs AS (
    SELECT p.old_id, p.new_id
    FROM stage_pair p
    JOIN match_{kind} o ON o.operation_id = p.old_id
    JOIN match_{kind} n ON n.operation_id = p.new_id
    WHERE p.kind = '{kind}' AND NOT p.rekeyed
), documents AS (
    SELECT m.operation_id AS old_id, m.operation_id AS new_id, m.id IS NOT NULL AS there_before,
           m.organization_after IS NOT NULL OR m.kept AS there_after, false AS retimed,
           m.organization_before AS owner_before, m.organization_after AS owner_after, m.contract_before,
           coalesce(m.amount_before, 0) AS before, coalesce(m.amount_after, 0) AS after
    FROM match_{kind} m
    WHERE NOT EXISTS (SELECT FROM pairs p WHERE p.old_id = m.operation_id)
      AND NOT EXISTS (SELECT FROM pairs p WHERE p.new_id = m.operation_id)
    UNION ALL
    SELECT p.old_id, p.new_id, true, true, true, o.organization_before, n.organization_after, o.contract_before,
           coalesce(o.amount_before, 0), coalesce(n.amount_after, 0)
    FROM pairs p
    JOIN match_{kind} o ON o.operation_id = p.old_id
    JOIN match_{kind} n ON n.operation_id = p.new_id
)

-- name: bridge
-- From yesterday's sums to today's, per organization, of documents and of expenses' lines: what the books held, what came,
-- what went, what changed, and what the snapshot says. One that changes hands goes from one and comes to the other.
WITH {documents}, flows AS (
    SELECT d.owner_before, d.owner_after, count(*) FILTER (WHERE d.there_before) AS documents_before,
           count(*) FILTER (WHERE d.there_after) AS documents_after, sum(d.before) AS amount_before,
           sum(d.after) AS amount_after, sum(o.rows_before) AS lines_before, sum(n.rows_after) AS lines_after,
           sum(o.amount_before) AS paid_before, sum(n.amount_after) AS paid_after
    FROM documents d
    LEFT JOIN match_details o ON '{kind}' = 'expenses' AND o.operation_id = d.old_id
    LEFT JOIN match_details n ON '{kind}' = 'expenses' AND n.operation_id = d.new_id
    GROUP BY d.owner_before, d.owner_after
), figures AS (
    SELECT f.owner_before, f.owner_after, s.figure, coalesce(s.rows_before, 0) AS rows_before,
           coalesce(s.rows_after, 0) AS rows_after, coalesce(s.before, 0) AS before, coalesce(s.after, 0) AS after
    FROM flows f
    CROSS JOIN LATERAL (VALUES
        ('{kind}', documents_before, documents_after, amount_before, amount_after),
        ('details', lines_before, lines_after, paid_before, paid_after)
    ) AS s (figure, rows_before, rows_after, before, after)
    WHERE s.figure = '{kind}' OR '{kind}' = 'expenses'
)
{terms}

-- name: bridge_payments
-- The same of lines by what they pay; what is there now are the books' own. Before, there were those that went, and those of
-- documents whose lines nobody wrote anew.
WITH {documents}, lines AS (
    SELECT n.owner_before, n.owner_after, {paid} AS figure, c.operation_id IS NULL AS was_there, true AS is_there,
           count(*) AS rows, sum(coalesce(d.payment_amount, 0)) AS amount
    FROM documents n
    JOIN fin_expense_details d ON d.expense_operation_id = n.new_id
    LEFT JOIN changed_details c ON c.operation_id = n.new_id
    GROUP BY 1, 2, 3, 4
    UNION ALL
    SELECT o.owner_before, o.owner_after, g.paid, true, false, count(*), sum(g.amount)
    FROM documents o JOIN gone_line g ON g.operation_id = o.old_id
    GROUP BY 1, 2, 3
), figures AS (
    SELECT owner_before, owner_after, figure, coalesce(sum(rows) FILTER (WHERE was_there), 0) AS rows_before,
           coalesce(sum(rows) FILTER (WHERE is_there), 0) AS rows_after,
           coalesce(sum(amount) FILTER (WHERE was_there), 0) AS before,
           coalesce(sum(amount) FILTER (WHERE is_there), 0) AS after
    FROM lines
    GROUP BY owner_before, owner_after, figure
)
{terms}

-- name: terms
-- To end a query with that has figures: what goes from whom to whom, as the terms of each organization's bridges.
SELECT organization, figure, sum(rows_before)::int AS rows_before, sum(rows_after)::int AS rows_after,
       sum(opening) AS opening, sum(added) AS added, sum(removed) AS removed, sum(changed) AS changed,
       sum(closing) AS closing
FROM (
    SELECT owner_before AS organization, figure, rows_before, 0 AS rows_after, before AS opening, 0 AS added,
           CASE WHEN owner_after = owner_before THEN 0 ELSE before END AS removed,
           CASE WHEN owner_after = owner_before THEN -before ELSE 0 END AS changed, 0 AS closing
    FROM figures
    UNION ALL
    SELECT owner_after, figure, 0, rows_after, 0, CASE WHEN owner_after = owner_before THEN 0 ELSE after END, 0,
           CASE WHEN owner_after = owner_before THEN after ELSE 0 END, after
    FROM figures
) movements
WHERE organization IN (SELECT organization FROM stage_unit WHERE kind = '{kind}')
GROUP BY organization, figure

-- name: paid
-- What a detail line d pays, by its payment type alone (model.Figure.of_payment).
CASE d.payment_type WHEN 'Погашение долга' THEN 'principal' WHEN 'Уплата процентов' THEN 'interest' ELSE 'other' END

-- name: bridge_contracts
-- The same per contract, of documents, of expenses' lines and of what these pay, for the sums that moved; closing is what the
-- books hold now. A document that changes its contract or organization goes from one and comes to the other, and its lines
-- with it. What lines pay is told by one look at the books' own: those of documents that stay as they are were there before;
-- of the others there were those that went, and those that nobody wrote anew. Answered is what was written, and, where a sum
-- of lines moved, the others beside it, so that they can be compared: of details all terms but the closing come from the
-- comparison of snapshot and books.
WITH {documents}, present AS (
    SELECT f.operation_id, f.organization_id, f.contract_id, coalesce(k.contract_number, '') AS contract
    FROM {table} f LEFT JOIN fin_contracts k ON k.id = f.contract_id
    WHERE f.department_id = (SELECT department_id FROM stage_scope)
), placed AS (
    SELECT d.old_id, d.new_id, d.owner_before, d.owner_after, coalesce(d.contract_before, '') AS contract_before,
           p.contract AS contract_after, p.organization_id, p.contract_id, d.before, d.after,
           coalesce((d.owner_after, p.contract) = (d.owner_before, coalesce(d.contract_before, '')), false) AS stays
    FROM documents d LEFT JOIN present p ON p.operation_id = d.new_id AND d.there_after
), flows AS (
    SELECT d.owner_before, d.owner_after, d.contract_before, d.contract_after, d.stays, sum(d.before) AS amount_before,
           sum(d.after) AS amount_after, coalesce(sum(n.amount_before), 0) AS paid_before,
           coalesce(sum(n.amount_after), 0) AS paid_after
    FROM placed d LEFT JOIN match_details n ON '{kind}' = 'expenses' AND n.operation_id = d.new_id
    GROUP BY 1, 2, 3, 4, 5
), judged AS (
    SELECT f.owner_before, f.owner_after, f.contract_before, f.contract_after, f.stays, s.figure, s.before, s.after
    FROM flows f
    CROSS JOIN LATERAL (VALUES ('{kind}', amount_before, amount_after), ('details', paid_before, paid_after)) AS s (
        figure, before, after)
    WHERE s.figure = '{kind}' OR '{kind}' = 'expenses'
    UNION ALL
    SELECT d.owner_before, d.owner_after, d.contract_before, d.contract_after, d.stays, 'details', o.amount_before, 0
    FROM placed d JOIN match_details o ON o.operation_id = d.old_id
    WHERE d.old_id <> d.new_id AND '{kind}' = 'expenses'
    UNION ALL
    SELECT d.owner_before, d.owner_after, d.contract_before, d.contract_after, d.stays, g.paid, g.amount, 0
    FROM placed d JOIN gone_line g ON g.operation_id = d.old_id
    WHERE '{kind}' = 'expenses'
), lines AS (
    SELECT n.organization_id, n.contract_id, {paid} AS figure, n.owner_before, n.contract_before, n.stays,
           c.operation_id IS NOT NULL AS written_anew, sum(coalesce(d.payment_amount, 0)) AS amount
    FROM placed n
    JOIN fin_expense_details d ON d.expense_operation_id = n.new_id
    LEFT JOIN changed_details c ON c.operation_id = n.new_id
    WHERE '{kind}' = 'expenses'
    GROUP BY 1, 2, 3, 4, 5, 6, 7
), held AS (
    SELECT organization_id, contract_id, '{kind}' AS figure, NULL AS owner_before, NULL AS contract_before,
           NULL::boolean AS stays, NULL::boolean AS written_anew, sum(amount) AS amount
    FROM {table}
    WHERE department_id = (SELECT department_id FROM stage_scope)
      AND organization_id = ANY (ARRAY(SELECT organization_id FROM stage_unit WHERE kind = '{kind}'))
    GROUP BY 1, 2
    UNION ALL
    SELECT * FROM lines
), books AS (
    SELECT u.organization, coalesce(k.contract_number, '') AS contract, h.*
    FROM held h
    JOIN stage_unit u ON u.kind = '{kind}' AND u.organization_id = h.organization_id
    LEFT JOIN fin_contracts k ON k.id = h.contract_id
), movements AS (
    SELECT owner_before AS organization, contract_before AS contract, figure, before AS opening, 0 AS added,
           CASE WHEN stays THEN 0 ELSE before END AS removed, CASE WHEN stays THEN -before ELSE 0 END AS changed,
           0 AS closing
    FROM judged
    UNION ALL
    SELECT owner_after, contract_after, figure, 0, CASE WHEN stays THEN 0 ELSE after END, 0,
           CASE WHEN stays THEN after ELSE 0 END, 0
    FROM judged
    UNION ALL
    SELECT organization, contract, figure, 0, 0, 0, 0, amount FROM books
    UNION ALL
    SELECT organization, contract, 'details', 0, 0, 0, 0, amount FROM books WHERE figure <> '{kind}'
    UNION ALL
    SELECT organization, contract, figure, CASE WHEN stays AND NOT written_anew THEN amount ELSE 0 END,
           CASE WHEN stays THEN 0 ELSE amount END, 0, CASE WHEN stays AND written_anew THEN amount ELSE 0 END, 0
    FROM books WHERE figure <> '{kind}'
    UNION ALL
    SELECT owner_before, contract_before, figure, amount, 0, amount, 0, 0
    FROM books WHERE figure <> '{kind}' AND NOT stays AND NOT written_anew
    {foreign_movements}
), summed AS (
    SELECT organization, contract, figure, sum(opening) AS opening, sum(added) AS added, sum(removed) AS removed,
           sum(changed) AS changed, sum(closing) AS closing,
           (sum(added), sum(removed), sum(changed)) <> (0, 0, 0) AS moved
    FROM movements
    WHERE organization IN (SELECT organization FROM stage_unit WHERE kind = '{kind}')
    GROUP BY organization, contract, figure
), bridges AS (
    SELECT *, bool_or(moved) OVER (PARTITION BY organization, contract, figure = '{kind}') AS told FROM summed
), written AS (
    INSERT INTO cpimportd.run_contract (run_id, organization, kind, contract, opening, added, removed, changed, closing)
    SELECT scope.run_id, organization, figure, contract, opening, added, removed, changed, closing
    FROM bridges CROSS JOIN stage_scope scope
    WHERE moved
)
SELECT organization, contract, figure, opening, added, removed, changed, closing FROM bridges WHERE told;

-- name: foreign_movements
-- To be put among the movements of contracts where somebody else had written: from what lay there to what we had published.
UNION ALL
SELECT x.*
FROM (
    SELECT s.figure, s.organization_before, s.organization_after, n.contract_before, n.contract_after, s.before, s.after,
           coalesce((s.organization_before, n.contract_before) = (s.organization_after, n.contract_after), false) AS stays
    FROM foreign_document w
    JOIN foreign_sums s ON s.operation_id = w.operation_id AND (s.figure = 'receipts') = ('{kind}' = 'receipts')
    CROSS JOIN LATERAL (SELECT coalesce(w.present ->> 'contract', '') AS contract_before,
                               coalesce(w.published ->> 'contract', '') AS contract_after) n
    WHERE w.kind = '{kind}' AND NOT w.stuck
) w
CROSS JOIN LATERAL (VALUES
    (organization_before, contract_before, figure, before, 0, CASE WHEN stays THEN 0 ELSE before END,
     CASE WHEN stays THEN -before ELSE 0 END, 0),
    (organization_after, contract_after, figure, -after, CASE WHEN stays THEN 0 ELSE after END, 0,
     CASE WHEN stays THEN after ELSE 0 END, 0)
) x

-- name: counts
-- Per organization, in documents, each once: added, removed, re-timed, changed (and of these normalised and corrected),
-- unchanged. One that changed hands counts where it is now, if that takes part; moved_in and moved_out tell of it on both
-- sides.
WITH {documents}, told AS (
    SELECT d.*, coalesce(h.organization, l.organization) AS home, h.organization AS now_here, l.organization AS was_here,
           c.why, c.operation_id IS NOT NULL OR r.new_id IS NOT NULL AS differs
    FROM documents d
    LEFT JOIN stage_unit h ON h.kind = '{kind}' AND h.organization = d.owner_after
    LEFT JOIN stage_unit l ON l.kind = '{kind}' AND l.organization = d.owner_before
    LEFT JOIN changed_{kind} c ON c.operation_id = d.new_id
    LEFT JOIN stage_pair r ON r.kind = '{kind}' AND r.rekeyed AND r.new_id = d.new_id
)
SELECT u.organization,
       count(*) FILTER (WHERE t.home = u.organization AND NOT t.there_before)::int AS inserted,
       count(*) FILTER (WHERE t.home = u.organization AND NOT t.there_after)::int AS removed,
       count(*) FILTER (WHERE t.home = u.organization AND t.retimed)::int AS retimed,
       count(*) FILTER (WHERE t.home = u.organization AND t.there_before AND t.there_after AND NOT t.retimed
                          AND t.differs)::int AS updated,
       count(*) FILTER (WHERE t.home = u.organization AND t.there_before AND t.there_after AND NOT t.retimed
                          AND NOT t.differs)::int AS unchanged,
       count(*) FILTER (WHERE t.home = u.organization AND t.why = 'normalised')::int AS normalised,
       count(*) FILTER (WHERE t.home = u.organization AND t.why = 'put-right')::int AS put_right,
       count(*) FILTER (WHERE t.now_here = u.organization AND t.there_before
                          AND t.owner_before IS DISTINCT FROM t.owner_after)::int AS moved_in,
       count(*) FILTER (WHERE t.was_here = u.organization AND t.there_after
                          AND t.owner_before IS DISTINCT FROM t.owner_after)::int AS moved_out
FROM stage_unit u JOIN told t ON u.organization IN (t.now_here, t.was_here)
WHERE u.kind = '{kind}'
GROUP BY u.organization;

-- name: booked
-- What the books hold now of the published organizations.
SELECT u.organization, '{kind}' AS figure, count(f.id)::int AS rows, coalesce(sum(f.amount), 0) AS total
FROM stage_unit u
LEFT JOIN {table} f ON f.organization_id = u.organization_id
    AND f.department_id = (SELECT department_id FROM stage_scope)
WHERE u.kind = '{kind}'
GROUP BY u.organization;

-- name: booked_details
-- The same for detail lines, through their expenses.
SELECT u.organization, 'details' AS figure, count(d.id)::int AS rows, coalesce(sum(d.payment_amount), 0) AS total
FROM stage_unit u
LEFT JOIN fin_expenses f ON f.organization_id = u.organization_id
    AND f.department_id = (SELECT department_id FROM stage_scope)
LEFT JOIN fin_expense_details d ON d.expense_operation_id = f.operation_id
WHERE u.kind = 'expenses'
GROUP BY u.organization;

-- name: booked_by_file
-- What the books hold now of the documents in each file that stands whole in the stage, beside its control total.
SELECT t.file, t.control_total, coalesce(sum(f.amount), 0) AS total
FROM stage_file t
LEFT JOIN {stage} s ON s.file_no = t.file_no
LEFT JOIN {table} f ON f.operation_id = s.operation_id AND f.department_id = (SELECT department_id FROM stage_scope)
WHERE t.kind = '{kind}' AND t.complete AND t.control_total IS NOT NULL
GROUP BY t.file_no, t.file, t.control_total;

-- name: booked_details_by_file
-- The same for details. A document's lines may come from several files, so all whole files are taken together.
SELECT string_agg(DISTINCT t.file, ', ') AS file,
       (SELECT sum(w.control_total) FROM stage_file w WHERE w.kind = 'details' AND w.complete) AS control_total,
       (SELECT coalesce(sum(d.payment_amount), 0) FROM fin_expense_details d
        WHERE d.expense_operation_id IN (SELECT s.operation_id FROM stage_details s)) AS total
FROM stage_file t
WHERE t.kind = 'details'
HAVING bool_and(t.complete AND t.control_total IS NOT NULL);

-- name: by_file
-- Per file, how many of its documents were added and changed, for the backend's import log.
SELECT s.file_no, count(*) FILTER (WHERE m.id IS NULL)::int AS inserted,
       count(*) FILTER (WHERE c.operation_id IS NOT NULL)::int AS updated
FROM {stage} s
JOIN match_{kind} m ON m.operation_id = s.operation_id
LEFT JOIN changed_{kind} c ON c.operation_id = s.operation_id
GROUP BY s.file_no;

-- name: by_file_details
-- The same for details: lines of documents whose lines were written anew.
SELECT s.file_no, count(*) FILTER (WHERE c.operation_id IS NOT NULL)::int AS inserted, 0 AS updated
FROM stage_details s LEFT JOIN changed_details c ON c.operation_id = s.operation_id
GROUP BY s.file_no;
