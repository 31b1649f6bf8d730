-- name: lock
-- Two runs, or two hosts, note what is wrong one after the other; released with the transaction.
SELECT pg_advisory_xact_lock($1, $2);

-- name: conditions
-- What is wrong, as earlier runs found it.
SELECT subject, state, since, told_at, run_id FROM cpimportd.condition WHERE department_id = $1 ORDER BY subject;

-- name: put_condition
-- Something is wrong, or still is.
INSERT INTO cpimportd.condition (department_id, subject, state, since, told_at, run_id)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (department_id, subject) DO UPDATE
SET state = excluded.state, since = excluded.since, told_at = excluded.told_at, run_id = excluded.run_id;

-- name: forget_condition
-- It is over.
DELETE FROM cpimportd.condition WHERE department_id = $1 AND subject = $2;

-- name: queue
-- Something is to be told.
INSERT INTO cpimportd.alert (department_id, occasion, subject, title, body, run_id)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING id;

-- name: unsent
-- What waits; whatever another host is sending at this moment is left to it.
SELECT id, created_at, occasion, title, body, tries, error FROM cpimportd.alert
WHERE department_id = $1 AND sent_at IS NULL ORDER BY id FOR UPDATE SKIP LOCKED;

-- name: sent
-- It went to everybody.
UPDATE cpimportd.alert SET sent_at = now(), tries = tries + 1, error = NULL WHERE id = ANY ($1::bigint[]);

-- name: forget_sent
-- What was sent long ago.
DELETE FROM cpimportd.alert WHERE department_id = $1 AND sent_at < now() - interval '1 year';

-- name: not_sent
-- It did not go to somebody, and why.
UPDATE cpimportd.alert SET tries = tries + 1, error = $2 WHERE id = $1;

-- name: latest
-- What waits, and what was sent last.
SELECT id, created_at, occasion, subject, title, run_id, sent_at, tries, error FROM cpimportd.alert
WHERE department_id = $1 ORDER BY sent_at IS NULL DESC, id DESC LIMIT $2;
