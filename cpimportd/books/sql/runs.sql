-- name: lock
-- One run at once: answers at once whether another one holds the lock. Correctness does not rest on it (a connection
-- pooler may lose it), but on the fencing update and the unique slot.
SELECT pg_try_advisory_lock($1, $2);

-- name: lock_in_transaction
-- The same behind a pooler: held by an open transaction, which keeps its server process for itself.
SELECT pg_try_advisory_xact_lock($1, $2);

-- name: abandon
-- Runs of a process that is gone: whoever holds the lock may say so.
UPDATE cpimportd.runs SET status = 'abandoned', finished_at = now() WHERE department_id = $1 AND status = 'running';

-- name: begin
-- A run begins.
INSERT INTO cpimportd.runs (department_id, schedule, slot, trigger, host, pid, version, accepted, requested_by, undoes,
                            kinds, started_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, coalesce($12, now()))
RETURNING id;

-- name: slot
-- The run that did, or is doing, a slot.
SELECT id, status FROM cpimportd.runs
WHERE department_id = $1 AND schedule = $2 AND slot = $3
  AND status IN ('running', 'published', 'unchanged', 'partial', 'held');

-- name: fence
-- Only a run that nobody has declared abandoned may publish; the row stays locked until COMMIT.
UPDATE cpimportd.runs SET status = 'running' WHERE id = $1 AND status = 'running' RETURNING id;

-- name: serialize
-- Two publications never overlap, even where the session's lock was lost; released with the transaction.
SELECT pg_advisory_xact_lock($1, $2);

-- name: conclude
-- How the run ended; written in the publishing transaction, so that its presence says whether COMMIT took place. now() would
-- be when that began.
UPDATE cpimportd.runs SET status = $2, finished_at = clock_timestamp() WHERE id = $1;

-- name: finish
-- How the run ended, with its report, and how long it took by its own clock.
UPDATE cpimportd.runs
SET status = $2, finished_at = clock_timestamp(), report = $3, seconds = ($3::jsonb ->> 'seconds')::float8
WHERE id = $1;

-- name: log_seconds
-- The same duration in the lines of the backend's import log that the run wrote before it was over.
UPDATE fin_import_logs l SET processing_time_seconds = round(r.seconds::numeric, 2)
FROM cpimportd.runs r
WHERE r.id = $1 AND l.id = ANY ($2::bigint[]) AND l.department_id = r.department_id
  AND r.seconds IS NOT NULL;

-- name: seconds
-- To select from runs r: how long a run took, by its own clock, which counts from before its row to after COMMIT; of one
-- that left no report, and of earlier versions', the time between its row and its end.
coalesce(r.seconds, (r.report ->> 'seconds')::float8, extract(epoch FROM r.finished_at - r.started_at)::float8)

-- name: withdraw
-- A run that found nothing uploaded yet, and will be repeated, leaves no row; nothing refers to it.
DELETE FROM cpimportd.runs WHERE id = $1 AND status = 'running';

-- name: status
-- Whether a run was committed.
SELECT status FROM cpimportd.runs WHERE id = $1;

-- name: settled
-- How a run stands when no transaction of its own is under way any more: a publishing one has the row locked.
SELECT status FROM cpimportd.runs WHERE id = $1 AND department_id = $2 FOR SHARE;

-- name: lock_tables
-- From here to COMMIT nobody else writes to the three tables; readers are never blocked.
LOCK TABLE fin_receipts, fin_expenses, fin_expense_details IN SHARE ROW EXCLUSIVE MODE;

-- name: lock_timeout
-- How long a statement of this session waits for a lock, in milliseconds.
SELECT setting::int FROM pg_settings WHERE name = 'lock_timeout';

-- name: lock_holders
-- Who else holds a lock on any of the tables that a run works with. Who wrote since when is hidden from a user who may not
-- see it (pg_read_all_stats); a prepared transaction has no process.
SELECT DISTINCT l.pid, a.usename::text AS user, nullif(a.application_name, '') AS application,
       to_char(a.xact_start, 'HH24:MI:SS') AS since, array_agg(DISTINCT c.relname::text ORDER BY c.relname::text) AS tables
FROM pg_locks l JOIN pg_class c ON c.oid = l.relation LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (c.relkind = 'r' AND c.relnamespace = to_regnamespace('cpimportd')
       OR c.oid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS ours (name)))
  AND l.granted AND l.mode <> 'AccessShareLock' AND l.pid IS DISTINCT FROM pg_backend_pid()
GROUP BY l.pid, l.virtualtransaction, a.usename, a.application_name, a.xact_start
ORDER BY l.pid;

-- name: notify
-- Listeners hear of the run when it is committed; the payload is its number alone.
SELECT pg_notify($1, $2);
