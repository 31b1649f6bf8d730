-- name: looked
-- To begin a query with: the latest runs that came to judge, and of each kind the latest that looked for it. A run of one
-- kind (--only) looks for no others; for a workbook whose kind nobody knows ('') every run looks.
recent AS (
    SELECT id, started_at, report FROM cpimportd.runs
    WHERE department_id = $1 AND status IN ('published', 'unchanged', 'partial', 'held') AND undoes = '{}'
    ORDER BY id DESC LIMIT 20
), looked AS (
    SELECT k.kind, max(r.id) AS id
    FROM recent r CROSS JOIN unnest(ARRAY['', 'receipts', 'expenses', 'details']) AS k(kind)
    WHERE k.kind = '' OR jsonb_path_exists(
        r.report, '$.units[*].kinds[*] ? (@ == $kind)', jsonb_build_object('kind', k.kind))
    GROUP BY k.kind
)
