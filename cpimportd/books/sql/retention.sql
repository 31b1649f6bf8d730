-- name: prune_changes
-- Remove journal entries of runs that ended before an instant, a batch at a time so that nobody waits for a lock.
DELETE FROM cpimportd.change WHERE (run_id, seq) IN (
    SELECT c.run_id, c.seq FROM cpimportd.change c JOIN cpimportd.runs r ON r.id = c.run_id
    WHERE r.department_id = $1 AND r.finished_at < $2
    LIMIT $3
);
