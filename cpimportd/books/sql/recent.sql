-- name: looked
-- To begin a query with: of each kind the latest run that came to judge and looked for it, with what it told. A run of one
-- kind (--only) looks for no others; for a workbook whose kind nobody knows ('') every run looks.
looked AS (
    SELECT k.kind, r.id, r.started_at, r.report
    FROM unnest(ARRAY['', 'receipts', 'expenses', 'details']) AS k (kind)
    CROSS JOIN LATERAL (
        SELECT id, started_at, report FROM cpimportd.runs
        WHERE department_id = $1 AND status IN ('published', 'unchanged', 'partial', 'held') AND undoes = '{}'
          AND report IS NOT NULL AND (k.kind = '' OR k.kind = ANY (kinds))
        ORDER BY id DESC LIMIT 1
    ) r
)
