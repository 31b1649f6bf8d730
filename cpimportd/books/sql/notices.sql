-- name: owe
-- Readers that are to be told of a run when it is committed.
INSERT INTO cpimportd.notice (run_id, target, department_id)
SELECT $1, target, $2 FROM unnest($3::text[]) AS target;

-- name: outstanding
-- What readers have not been told of yet, the oldest run first.
SELECT run_id, target, since, tries, views, problems
FROM cpimportd.notice
WHERE department_id = $1 AND outcome IS NULL
ORDER BY run_id, target;

-- name: settle
-- Readers were told of these runs, or nobody wants them to be told any more.
UPDATE cpimportd.notice SET outcome = $4, ended_at = clock_timestamp(), tries = tries + $5, problems = '[]'
WHERE department_id = $1 AND target = $2 AND run_id = ANY ($3::bigint[]) AND outcome IS NULL;

-- name: fail
-- Readers could not be told of these runs; of views, which are left is noted.
UPDATE cpimportd.notice SET tries = tries + 1, views = $4, problems = $5
WHERE department_id = $1 AND target = $2 AND run_id = ANY ($3::bigint[]) AND outcome IS NULL;
