-- name: now
-- What is held now, since when, why, and with which workbooks.
SELECT organization, kind, run_id, since_run, since, problems, contents, undone_run
FROM cpimportd.held
WHERE department_id = $1;

-- name: decided
-- The run that decided about a unit by name, the last one where none is named: how, and with which workbooks. A unit
-- without details counts once.
SELECT u.run_id, u.status,
       (SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object('digest', n.digest, 'sha256', n.sha256)), '[]')
        FROM cpimportd.snapshot n WHERE n.id = ANY (u.snapshots)) AS contents
FROM cpimportd.run_unit u JOIN cpimportd.runs r ON r.id = u.run_id
WHERE r.department_id = $1 AND u.organization = $2 AND u.kind = $3 AND ($4::bigint IS NULL OR u.run_id = $4)
ORDER BY u.run_id DESC
LIMIT 1;

-- name: release
-- Units that a run judged and did not hold. Where it saw every workbook of these groups, what none of them and nothing that
-- is served names is nowhere.
DELETE FROM cpimportd.held h
WHERE h.department_id = $1
  AND ($3 AND h.kind = ANY ($2::text[])
       OR EXISTS (SELECT FROM unnest($4::text[], $5::text[]) AS judged (kind, organization)
                  WHERE (judged.kind, judged.organization) = (h.kind, h.organization)))
  AND NOT EXISTS (SELECT FROM unnest($6::text[], $7::text[]) AS still (kind, organization)
                  WHERE (still.kind, still.organization) = (h.kind, h.organization));

-- name: hold
-- A unit is held by a run; since when, stays while it is.
INSERT INTO cpimportd.held (department_id, kind, organization, run_id, since_run, since, problems, contents, undone_run)
SELECT $1, $2, $3, r.id, r.id, r.started_at, $5, $6,
       (SELECT undone_run FROM cpimportd.undone_unit n
        WHERE (n.department_id, n.kind, n.organization) = ($1, $2, $3))
FROM cpimportd.runs r WHERE r.id = $4
ON CONFLICT (department_id, kind, organization) DO UPDATE
SET run_id = excluded.run_id, problems = excluded.problems, contents = excluded.contents,
    undone_run = excluded.undone_run, difference = NULL;

-- name: put_back
-- A unit that an undo put back is held at once: with the workbooks of the latest run that was undone, which lie there if 1C
-- has uploaded none since. One that was held already stays as it was.
INSERT INTO cpimportd.held (department_id, kind, organization, run_id, since_run, since, problems, contents, undone_run)
SELECT $1, $2, $3, r.id, r.id, r.started_at, $5,
       (SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object('digest', s.digest, 'sha256', s.sha256)), '[]')
        FROM cpimportd.run_unit u JOIN cpimportd.snapshot s ON s.id = ANY (u.snapshots)
        WHERE u.kind = $2 AND u.organization = $3
          AND u.run_id = (SELECT max(k.run_id) FROM cpimportd.run_unit k
                          WHERE k.run_id = ANY (r.undoes) AND k.organization = $3 AND k.kind = $2
                            AND k.status = 'published')),
       $6
FROM cpimportd.runs r WHERE r.id = $4
ON CONFLICT (department_id, kind, organization) DO UPDATE SET undone_run = excluded.undone_run;

-- name: not_undone
-- A unit whose undo is taken back is held for whatever else holds it; for nothing else: it is held no more.
WITH reasons AS (
    SELECT h.department_id, h.kind, h.organization,
           (SELECT jsonb_agg(p ORDER BY n) FROM jsonb_array_elements(h.problems) WITH ORDINALITY AS o (p, n)
            WHERE p ->> 'code' <> 'undone') AS others
    FROM cpimportd.held h WHERE h.department_id = $1 AND h.kind = $2 AND h.organization = $3
), released AS (
    DELETE FROM cpimportd.held h USING reasons r
    WHERE (h.department_id, h.kind, h.organization) = (r.department_id, r.kind, r.organization) AND r.others IS NULL
)
UPDATE cpimportd.held h SET undone_run = NULL, problems = r.others
FROM reasons r
WHERE (h.department_id, h.kind, h.organization) = (r.department_id, r.kind, r.organization) AND r.others IS NOT NULL;

-- name: rename_served
-- A workbook that serves as before lies on the server under another name: what served under the old one, to be served under
-- the new.
DELETE FROM cpimportd.served
WHERE department_id = $1 AND kind = $2 AND organization = $3 AND file = $4
RETURNING snapshot_id, run_id, digest, rows, control_total;

-- name: serve_renamed
-- The same under its new name.
INSERT INTO cpimportd.served (department_id, kind, organization, file, snapshot_id, run_id, digest, sha256, rows,
                              control_total)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: begin_trial
-- A row for the run that publishes held units on trial, behind a savepoint: of the run that holds them, under a number that
-- no run has, which is taken from no sequence.
INSERT INTO cpimportd.runs (id, department_id, status, started_at)
SELECT $2, department_id, 'held', started_at FROM cpimportd.runs WHERE id = $1;

-- name: on_trial
-- What is written from here on belongs to the trial.
UPDATE stage_scope SET run_id = $1;

-- name: keep_difference
-- What a held unit would change: its counts and sums.
UPDATE cpimportd.held SET difference = $4 WHERE (department_id, kind, organization) = ($1, $2, $3);

-- name: forget_documents
-- The documents of what held units would have changed when a run held them before.
DELETE FROM cpimportd.held_document d
USING unnest($2::text[], $3::text[]) AS held (kind, organization)
WHERE d.department_id = $1 AND (d.kind, d.organization) = (held.kind, held.organization);

-- name: keep_document
-- One document of a held unit's difference.
INSERT INTO cpimportd.held_document (department_id, kind, organization, place, what, movement)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: difference
-- What a held unit would change, by the run that holds it now.
SELECT run_id, difference, (SELECT count(*) FROM cpimportd.held_document d
                            WHERE (d.department_id, d.kind, d.organization) = (h.department_id, h.kind, h.organization)) AS kept
FROM cpimportd.held h
WHERE (department_id, kind, organization) = ($1, $2, $3);

-- name: documents
-- The documents of that, in the order of a diff.
SELECT movement
FROM cpimportd.held_document
WHERE (department_id, kind, organization) = ($1, $2, $3) AND ($4::text[] IS NULL OR what = ANY ($4))
ORDER BY place
OFFSET $5 LIMIT $6;

-- name: row_problems
-- What was noticed of single rows of the workbooks that a run held a unit with, in their order.
SELECT p AS problem
FROM cpimportd.run_unit u
JOIN cpimportd.snapshot n ON n.id = ANY (u.snapshots)
CROSS JOIN jsonb_array_elements(n.problems) WITH ORDINALITY AS o (p, place)
WHERE u.run_id = $1 AND u.organization = $2 AND (u.kind = $3 OR $3 = 'expenses' AND u.kind = 'details') AND p ->> 'row' IS NOT NULL
GROUP BY n.id, n.file, p, place
ORDER BY n.file, place;
