-- name: held
-- The last run that decided about a unit by name, how, and from which contents. A unit without details counts once.
SELECT u.run_id, u.status,
       ARRAY(SELECT DISTINCT n.digest FROM cpimportd.run_unit k JOIN cpimportd.snapshot n ON n.id = ANY (k.snapshots)
             WHERE k.run_id = u.run_id AND k.organization = u.organization
               AND (k.kind = u.kind OR u.kind = 'expenses' AND k.kind = 'details')) AS digests,
       u.problems
FROM cpimportd.run_unit u JOIN cpimportd.runs r ON r.id = u.run_id
WHERE r.department_id = $1 AND u.organization = $2 AND u.kind = $3 AND ($4::bigint IS NULL OR u.run_id = $4)
ORDER BY u.run_id DESC
LIMIT 1;

-- name: now
-- The units that the latest run which judged them held, with the codes of why, and which run that was. It stands in the reports: a run that found
-- nothing new writes no bridge. A run of some kinds says nothing of the others, so a few runs are looked at; an undo judges
-- nobody.
SELECT unit->>'organization' AS organization, unit->'kinds'->>0 AS kind, unit->>'unit' AS unit, run_id,
       ARRAY(SELECT DISTINCT p->>'code' FROM jsonb_array_elements(unit->'problems') p ORDER BY 1) AS codes
FROM (
    SELECT DISTINCT ON (u->>'unit') u AS unit, r.id AS run_id
    FROM (
        SELECT id, report FROM cpimportd.runs
        WHERE department_id = $1 AND status IN ('published', 'unchanged', 'partial', 'held') AND undoes = '{}'
        ORDER BY id DESC LIMIT 20
    ) r
    CROSS JOIN jsonb_array_elements(r.report->'units') u
    ORDER BY u->>'unit', r.id DESC
) latest
WHERE unit->>'status' = 'held'
ORDER BY 1, 2;
