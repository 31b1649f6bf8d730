-- name: last_run
-- The latest run that is over, whatever came of it; one that only put back what was before is no import.
SELECT id AS run, status, started_at, finished_at, report->'stages' AS stages, report->'problems' AS problems,
       {seconds} AS seconds
FROM cpimportd.runs r
WHERE department_id = $1 AND finished_at IS NOT NULL AND undoes = '{{}}'
ORDER BY id DESC LIMIT 1;

-- name: successes
-- When imports last ended after which the books are those of that day ($2: these statuses), by the schedule that asked for
-- them, none where a human did, and by the kinds that they looked for: one schedule's success says nothing of another's.
SELECT schedule, kinds, max(finished_at) AS at FROM cpimportd.runs
WHERE department_id = $1 AND status = ANY ($2::text[]) AND undoes = '{}'
GROUP BY schedule, kinds;

-- name: jobs
-- The jobs of schedules that were not done ($2 begins their subjects), and since when.
SELECT substr(subject, length($2) + 1) AS job, state, since FROM cpimportd.condition
WHERE department_id = $1 AND starts_with(subject, $2)
ORDER BY subject;

-- name: runs
-- How many runs ended how.
SELECT status, count(*) AS runs FROM cpimportd.runs WHERE department_id = $1 AND status <> 'running' GROUP BY status;

-- name: files
-- The workbooks as the latest run of their kind saw them: when they were uploaded, and how they fared. One that it did not
-- find is there no more; one whose kind nobody knows every run looks for.
WITH {looked}
SELECT DISTINCT ON (f->>'name') f AS file
FROM looked l CROSS JOIN jsonb_array_elements(l.report->'files') f
WHERE coalesce(f->>'kind', '') = l.kind
ORDER BY f->>'name', l.id DESC;

-- name: payments
-- Principal, interest and the rest of each organization; each detail line belongs to one expense.
SELECT coalesce(o.name, '') AS organization,
       coalesce(sum(d.payment_amount) FILTER (WHERE d.payment_type = 'Погашение долга'), 0) AS principal,
       coalesce(sum(d.payment_amount) FILTER (WHERE d.payment_type = 'Уплата процентов'), 0) AS interest,
       coalesce(sum(d.payment_amount) FILTER (WHERE d.payment_type IS NULL
           OR d.payment_type NOT IN ('Погашение долга', 'Уплата процентов')), 0) AS other
FROM fin_expense_details d
JOIN fin_expenses f ON f.operation_id = d.expense_operation_id
LEFT JOIN fin_organizations o ON o.id = f.organization_id
WHERE f.department_id = $1
GROUP BY 1 ORDER BY 1;
