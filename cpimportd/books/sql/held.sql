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
-- The units that the latest run which judged them held, with the codes of why. It stands in the reports: a run that found
-- nothing new writes no bridge. A run of some kinds says nothing of the others, so a few runs are looked at; an undo judges
-- nobody, see put_back.
SELECT unit->>'organization' AS organization, unit->'kinds'->>0 AS kind,
       ARRAY(SELECT DISTINCT p->>'code' FROM jsonb_array_elements(unit->'problems') p ORDER BY 1) AS codes
FROM (
    SELECT DISTINCT ON (u->>'unit') u AS unit
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

-- name: put_back
-- Units that an undo put back and that no run has judged since: the next one will hold them, unless other files come.
-- The contents are those of the latest run that was undone: the files that lie there, if 1C has uploaded none since.
SELECT n.organization, n.kind, n.run_id, n.undone_run, r.started_at,
       ARRAY(SELECT DISTINCT s.digest FROM cpimportd.run_unit u JOIN cpimportd.snapshot s ON s.id = ANY (u.snapshots)
             WHERE u.organization = n.organization AND (u.kind = n.kind OR n.kind = 'expenses' AND u.kind = 'details')
               AND u.run_id = (SELECT max(k.run_id) FROM cpimportd.run_unit k
                               WHERE k.run_id = ANY (r.undoes) AND k.organization = n.organization AND k.kind = n.kind
                                 AND k.status = 'published')) AS digests
FROM cpimportd.undone_unit n JOIN cpimportd.runs r ON r.id = n.run_id
WHERE n.department_id = $1
  AND NOT EXISTS (
    SELECT FROM cpimportd.runs later CROSS JOIN jsonb_array_elements(later.report->'units') unit
    WHERE later.department_id = $1 AND later.id > n.run_id AND later.undoes = '{}'
      AND later.status IN ('published', 'unchanged', 'partial', 'held')
      AND unit->>'unit' = n.organization || '/' || n.kind)
ORDER BY 1, 2;
