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

-- name: unit_names
-- Units that are held now: the last run that decided about them held them.
SELECT organization, kind FROM (
    SELECT DISTINCT ON (u.organization, u.kind) u.organization, u.kind, u.status
    FROM cpimportd.run_unit u JOIN cpimportd.runs r ON r.id = u.run_id
    WHERE r.department_id = $1 AND u.kind <> 'details'
    ORDER BY u.organization, u.kind, u.run_id DESC
) last WHERE status = 'held'
ORDER BY 1, 2;
