-- name: entries_of
-- To begin a query with: what a run's journal says of each document, without what it says of each field; `several`: how
-- many entries the document has.
WITH RECURSIVE narrow AS MATERIALIZED (
    SELECT seq, kind, operation_id, op, organization, amount_before, amount_after, why, paired_with,
           coalesce(op = 'update' AND why = 'put-right' AND lineage IS NOT NULL, false) AS righted,
           coalesce(old ? 'organization', false) AS has_owner_before, old ->> 'organization' AS owner_before,
           coalesce(new ? 'organization', false) AS has_owner_after, new ->> 'organization' AS owner_after,
           new ->> 'document_date' AS new_day, left(lineage ->> 'moment', 10) AS known_day,
           old ->> 'document_date' AS old_day,
           coalesce(old ? 'details' OR op = 'delete', false) AS has_lines_before,
           coalesce(new ? 'details' OR op = 'insert', false) AS has_lines_after, {old_paid} AS paid_before,
           {new_paid} AS paid_after
    FROM cpimportd.change
    WHERE run_id = $1 AND op <> 'reference'
), entries AS MATERIALIZED (
    SELECT *, count(*) OVER (PARTITION BY kind, operation_id) AS several FROM narrow
)

-- name: later
-- To go on with after seeds: under which names documents went on after the run, and what is known of them as they stood when
-- it had ended: what the first later entry found there, else what the books hold now. What somebody else had written
-- meanwhile was none of it, so entries that put it right do not count.
later_rekey AS MATERIALIZED (
    SELECT run_id, seq, kind, paired_with AS old_name, operation_id AS new_name
    FROM cpimportd.change
    WHERE department_id = $2 AND run_id > $1 AND op = 'rekey' AND paired_with IS NOT NULL
), {seeds}, {names}, spans AS MATERIALIZED (
    SELECT kind, key, name, run_id, seq, lead(run_id) OVER life AS until_run, lead(seq) OVER life AS until_seq
    FROM names
    WINDOW life AS (PARTITION BY kind, key ORDER BY run_id, seq)
    UNION ALL
    SELECT w.kind, w.key, w.key, $1, 2147483647, NULL, NULL
    FROM wanted w
    WHERE NOT EXISTS (SELECT FROM later_rekey r WHERE r.kind = w.kind AND r.old_name = w.key)
), found AS MATERIALIZED (
    SELECT s.kind, s.key, c.run_id, c.seq, c.op, c.amount_before, c.old ->> 'organization' AS owner,
           c.old ? 'organization' AS has_owner, c.old ->> 'document_date' AS day,
           coalesce(c.old ? 'details' OR c.op = 'delete', false) AS has_lines, {later_paid} AS paid,
           coalesce(c.op = 'insert' OR c.op = 'update' AND c.why = 'put-right' AND c.lineage IS NOT NULL, false) AS righted
    FROM spans s
    JOIN cpimportd.change c ON c.kind = s.kind AND c.operation_id = s.name
    WHERE c.department_id = $2 AND c.run_id > $1 AND (c.run_id, c.seq) >= (s.run_id, s.seq)
      AND (s.until_run IS NULL OR (c.run_id, c.seq) < (s.until_run, s.until_seq))
), lived AS MATERIALIZED (
    SELECT *, min(run_id) FILTER (WHERE op = 'delete') OVER (PARTITION BY kind, key) AS gone_run FROM found
), told AS MATERIALIZED (
    SELECT kind, key, bool_or(op = 'delete') AS went, (array_agg(amount_before ORDER BY run_id, seq))[1] AS amount,
           (array_agg(owner ORDER BY run_id, seq) FILTER (WHERE has_owner))[1] AS organization,
           (array_agg(day ORDER BY run_id, seq) FILTER (WHERE day IS NOT NULL))[1] AS day, bool_or(has_lines) AS has_lines,
           (array_agg(paid ORDER BY run_id, seq) FILTER (WHERE has_lines))[1] AS paid
    FROM lived
    WHERE NOT righted AND (gone_run IS NULL OR run_id <= gone_run)
    GROUP BY kind, key
), present AS (
    SELECT s.kind, s.key, f.operation_id, o.name AS organization, f.document_date::text AS day, f.amount
    FROM spans s
    JOIN fin_receipts f ON f.department_id = $2 AND f.operation_id = s.name
    LEFT JOIN fin_organizations o ON o.id = f.organization_id
    WHERE s.kind = 'receipts' AND s.until_run IS NULL
    UNION ALL
    SELECT s.kind, s.key, f.operation_id, o.name, f.document_date::text, f.amount
    FROM spans s
    JOIN fin_expenses f ON f.department_id = $2 AND f.operation_id = s.name
    LEFT JOIN fin_organizations o ON o.id = f.organization_id
    WHERE s.kind = 'expenses' AND s.until_run IS NULL
), stood AS MATERIALIZED (
    SELECT kind, key, coalesce(t.organization, p.organization) AS organization, coalesce(t.day, p.day) AS day,
           coalesce(t.amount, p.amount, 0) AS amount, coalesce(t.has_lines, false) AS has_lines, t.paid, p.operation_id
    FROM told t
    FULL JOIN present p USING (kind, key)
    WHERE t.went OR p.operation_id IS NOT NULL
)

-- name: names
-- The names that documents had after the run, of those that were renamed: each from some entry on.
{called} (kind, key, name, run_id, seq) AS (
    SELECT w.kind, w.key, w.key, $1::bigint, 2147483647
    FROM {of} w
    WHERE EXISTS (SELECT FROM later_rekey r WHERE r.kind = w.kind AND r.old_name = w.key)
    UNION ALL
    SELECT n.kind, n.key, r.new_name, r.run_id, r.seq
    FROM {called} n
    JOIN later_rekey r ON r.kind = n.kind AND r.old_name = n.name AND (r.run_id, r.seq) > (n.run_id, n.seq)
    WHERE NOT EXISTS (
        SELECT FROM later_rekey e
        WHERE e.kind = r.kind AND e.old_name = r.old_name AND (e.run_id, e.seq) > (n.run_id, n.seq)
          AND (e.run_id, e.seq) < (r.run_id, r.seq))
      AND NOT EXISTS (
        SELECT FROM cpimportd.change d
        WHERE d.department_id = $2 AND d.kind = n.kind AND d.operation_id = n.name AND d.op = 'delete'
          AND (d.run_id, d.seq) > (n.run_id, n.seq) AND (d.run_id, d.seq) < (r.run_id, r.seq))
)

-- name: lines_paid
-- What a document's detail lines in JSON add up to: all, principal, interest, other.
(SELECT jsonb_build_array(coalesce(sum(d.payment_amount), 0), coalesce(sum(d.payment_amount) FILTER (WHERE {paid} = 'principal'), 0),
              coalesce(sum(d.payment_amount) FILTER (WHERE {paid} = 'interest'), 0),
              coalesce(sum(d.payment_amount) FILTER (WHERE {paid} = 'other'), 0))
 FROM jsonb_to_recordset(CASE jsonb_typeof({lines}) WHEN 'array' THEN {lines} ELSE '[]' END)
      AS d (payment_type text, payment_amount numeric))

-- name: stood_paid
-- The same of a document as it stood when the run had ended.
CASE WHEN s.has_lines THEN s.paid ELSE
    (SELECT jsonb_build_array(coalesce(sum(d.payment_amount), 0),
                  coalesce(sum(d.payment_amount) FILTER (WHERE {paid} = 'principal'), 0),
                  coalesce(sum(d.payment_amount) FILTER (WHERE {paid} = 'interest'), 0),
                  coalesce(sum(d.payment_amount) FILTER (WHERE {paid} = 'other'), 0))
     FROM fin_expense_details d WHERE s.kind = 'expenses' AND d.expense_operation_id = s.operation_id) END

-- name: heads_of_run
-- To begin a query with: each document that a run added, removed or changed, once, and what it corrected of it before. `part`:
-- 1 for what it corrected, where it changed the document, too; `seqs`: all of the run's entries about it. Of one that kept
-- its lines they are empty.
{entries}, together AS MATERIALIZED (
    SELECT kind, operation_id AS key, array_agg(seq ORDER BY seq) AS seqs,
           min(seq) FILTER (WHERE op IN ('update', 'rekey')) AS first_kept,
           count(*) FILTER (WHERE op IN ('update', 'rekey')) > 1
           AND (array_agg(righted ORDER BY seq) FILTER (WHERE op IN ('update', 'rekey')))[1] AS split
    FROM entries
    WHERE several > 1
    GROUP BY kind, operation_id
), {later}, removed AS MATERIALIZED (
    SELECT e.kind, CASE WHEN s.key IS NULL THEN 'removed' ELSE 'retimed' END AS what, coalesce(s.key, e.operation_id) AS key,
           CASE WHEN s.key IS NOT NULL THEN e.operation_id END AS was, coalesce(t.seqs, ARRAY[e.seq]) AS seqs, 2 AS part, e.why,
           coalesce(e.owner_before, e.organization) AS organization_before, s.organization AS organization_after,
           coalesce(s.day, e.old_day, '') AS day, coalesce(e.amount_before, 0) AS amount_before, s.amount AS amount_after,
           e.paid_before, CASE WHEN s.key IS NOT NULL THEN {stood_paid} END AS paid_after
    FROM entries e
    LEFT JOIN together t ON t.kind = e.kind AND t.key = e.operation_id
    LEFT JOIN came c ON c.kind = e.kind AND c.key = e.paired_with
    LEFT JOIN stood s ON s.kind = c.kind AND s.key = c.key
    WHERE e.op = 'delete'
), kept AS (
    SELECT kind, op = 'rekey' AS rekeyed, operation_id AS key, CASE op WHEN 'rekey' THEN paired_with END AS was,
           ARRAY[seq] AS seqs, 2 AS part, why, has_owner_before, owner_before, organization, new_day, known_day, amount_before,
           amount_after, seq AS last_seq, has_lines_before, paid_before, has_lines_after, paid_after
    FROM entries
    WHERE several = 1 AND op IN ('update', 'rekey')
    UNION ALL
    SELECT e.kind, bool_or(e.op = 'rekey'), e.operation_id,
           (array_agg(e.paired_with ORDER BY e.seq) FILTER (WHERE e.op = 'rekey'))[1], t.seqs, p.part,
           (array_agg(e.why ORDER BY e.seq DESC))[1], bool_or(e.has_owner_before),
           (array_agg(e.owner_before ORDER BY e.seq) FILTER (WHERE e.has_owner_before))[1],
           (array_agg(e.organization ORDER BY e.op = 'rekey', e.seq DESC))[1],
           (array_agg(e.new_day ORDER BY e.seq DESC) FILTER (WHERE e.new_day IS NOT NULL))[1],
           (array_agg(e.known_day ORDER BY e.seq DESC))[1], (array_agg(e.amount_before ORDER BY e.seq))[1],
           (array_agg(e.amount_after ORDER BY e.seq DESC))[1], max(e.seq), bool_or(e.has_lines_before),
           (array_agg(e.paid_before ORDER BY e.seq) FILTER (WHERE e.has_lines_before))[1],
           bool_or(e.has_lines_after),
           (array_agg(e.paid_after ORDER BY e.seq DESC) FILTER (WHERE e.has_lines_after))[1]
    FROM entries e
    JOIN together t ON t.kind = e.kind AND t.key = e.operation_id
    CROSS JOIN LATERAL (SELECT CASE WHEN t.split AND e.seq = t.first_kept THEN 1 ELSE 2 END AS part) p
    WHERE e.op IN ('update', 'rekey')
    GROUP BY e.kind, e.operation_id, t.seqs, p.part
), heads AS (
    SELECT * FROM removed
    UNION ALL
    SELECT k.kind, CASE WHEN k.rekeyed THEN 'rekeyed' ELSE 'changed' END, k.key, k.was, k.seqs, k.part, k.why,
           CASE WHEN k.has_owner_before THEN k.owner_before ELSE k.organization END, k.organization,
           coalesce(k.new_day, k.known_day, ''), coalesce(k.amount_before, 0), coalesce(k.amount_after, 0),
           CASE WHEN k.has_lines_before THEN k.paid_before WHEN n.seq IS NOT NULL THEN n.paid_before
                WHEN s.key IS NOT NULL THEN {stood_paid} END,
           CASE WHEN k.has_lines_after THEN k.paid_after WHEN k.has_lines_before THEN k.paid_before
                WHEN n.seq IS NOT NULL THEN n.paid_before WHEN s.key IS NOT NULL THEN {stood_paid} END
    FROM kept k
    LEFT JOIN stood s ON k.has_owner_before AND s.kind = k.kind AND s.key = k.key
    -- Of one that only changed hands: the lines that the run found when it went on with it.
    LEFT JOIN LATERAL (
        SELECT e.seq, e.paid_before FROM entries e
        WHERE k.has_owner_before AND NOT k.has_lines_before AND cardinality(k.seqs) > 1 AND e.kind = k.kind
          AND e.operation_id = k.key AND e.seq > k.last_seq AND e.has_lines_before
        ORDER BY e.seq LIMIT 1
    ) n ON true
    UNION ALL
    SELECT e.kind, 'added', e.operation_id, NULL, coalesce(t.seqs, ARRAY[e.seq]), 2, e.why, NULL,
           coalesce(e.owner_after, e.organization), coalesce(e.new_day, ''), NULL, coalesce(e.amount_after, 0), NULL, e.paid_after
    FROM entries e
    LEFT JOIN together t ON t.kind = e.kind AND t.key = e.operation_id
    WHERE e.op = 'insert'
      AND NOT EXISTS (SELECT FROM removed r WHERE r.kind = e.kind AND r.key = e.operation_id AND r.what = 'retimed')
    UNION ALL
    SELECT c.kind, 'added', c.key, NULL, ARRAY[]::int[], 2, 'snapshot', NULL, s.organization, coalesce(s.day, ''), NULL, s.amount,
           NULL, {stood_paid}
    FROM came c
    JOIN stood s USING (kind, key)
    WHERE NOT EXISTS (SELECT FROM entries e WHERE e.kind = c.kind AND e.paired_with = c.key AND e.op = 'delete')
      AND NOT EXISTS (SELECT FROM entries e WHERE e.kind = c.kind AND e.operation_id = c.key AND e.op = 'insert')
)

-- name: seeds_of_run
-- Of a run: the documents that it brought, as they were called then (those in the books by their lineage, those that went
-- since by what the journal kept of it), the other halves of re-timed ones, and those that it gave to another organization.
brought AS MATERIALIZED (
    SELECT kind, operation_id AS now FROM cpimportd.lineage WHERE department_id = $2 AND first_run = $1
    UNION
    SELECT kind, operation_id FROM cpimportd.change
    WHERE department_id = $2 AND run_id > $1 AND op = 'delete' AND (lineage ->> 'first_run')::bigint = $1
), back (kind, now, name, depth) AS (
    SELECT b.kind, b.now, b.now, 0 FROM brought b
    WHERE EXISTS (SELECT FROM later_rekey r WHERE r.kind = b.kind AND r.new_name = b.now)
    UNION ALL
    SELECT b.kind, b.now, r.old_name, b.depth + 1
    FROM back b JOIN later_rekey r ON r.kind = b.kind AND r.new_name = b.name
    WHERE b.depth < 100
), came AS MATERIALIZED (
    SELECT kind, key
    FROM (
        SELECT kind, now AS key FROM brought b
        WHERE NOT EXISTS (SELECT FROM later_rekey r WHERE r.kind = b.kind AND r.new_name = b.now)
        UNION
        SELECT kind, name FROM (SELECT DISTINCT ON (kind, now) * FROM back ORDER BY kind, now, depth DESC) first_called
        UNION
        SELECT kind, paired_with FROM entries WHERE op = 'delete' AND paired_with IS NOT NULL
    ) b
    WHERE NOT EXISTS (SELECT FROM entries e
                      WHERE e.kind = b.kind AND e.operation_id = b.key AND e.op IN ('update', 'rekey'))
), wanted AS MATERIALIZED (
    SELECT kind, key FROM came
    UNION
    SELECT kind, operation_id FROM entries
    WHERE op = 'update' AND has_owner_before AND kind = 'expenses' AND NOT has_lines_before
)

-- name: heads_of_undo
-- The same of an undo, which takes back one run after the other, so that its journal may tell of a document several times:
-- of each only how it was before and how it is after. A document that it took back and that came again for another is
-- re-timed; earlier versions left it to the undone runs to say so.
{entries}, rekeys AS MATERIALIZED (
    SELECT seq, kind, paired_with AS old_name, operation_id AS new_name FROM entries
    WHERE op = 'rekey' AND paired_with IS NOT NULL
), called (seq, kind, name, at) AS (
    SELECT e.seq, e.kind, e.operation_id, e.seq FROM entries e
    WHERE EXISTS (SELECT FROM rekeys r WHERE r.kind = e.kind AND r.old_name = e.operation_id)
    UNION ALL
    SELECT c.seq, c.kind, r.new_name, r.seq
    FROM called c JOIN rekeys r ON r.kind = c.kind AND r.old_name = c.name AND r.seq > c.at
    WHERE NOT EXISTS (SELECT FROM rekeys e
                      WHERE e.kind = r.kind AND e.old_name = r.old_name AND e.seq > c.at AND e.seq < r.seq)
), threaded AS MATERIALIZED (
    SELECT e.*, coalesce(n.name, e.operation_id) AS key,
           count(*) OVER (PARTITION BY e.kind, coalesce(n.name, e.operation_id)) AS together
    FROM entries e
    LEFT JOIN (SELECT DISTINCT ON (seq) seq, name FROM called ORDER BY seq, at DESC) n USING (seq)
), threads AS MATERIALIZED (
    SELECT kind, key, ARRAY[seq] AS seqs, op <> 'insert' AS was_there, op <> 'delete' AS is_there,
           CASE op WHEN 'rekey' THEN paired_with ELSE operation_id END AS was, has_owner_before, owner_before, has_owner_after,
           owner_after, organization, coalesce(new_day, known_day, old_day, '') AS day, coalesce(amount_before, 0) AS amount_before,
           coalesce(amount_after, 0) AS amount_after, has_lines_before, paid_before, has_lines_after, paid_after, false AS several
    FROM threaded
    WHERE together = 1
    UNION ALL
    SELECT kind, key, array_agg(seq ORDER BY seq), (array_agg(op ORDER BY seq))[1] <> 'insert',
           (array_agg(op ORDER BY seq DESC))[1] <> 'delete',
           (array_agg(CASE op WHEN 'rekey' THEN paired_with ELSE operation_id END ORDER BY seq))[1],
           bool_or(has_owner_before), (array_agg(owner_before ORDER BY seq) FILTER (WHERE has_owner_before))[1],
           bool_or(has_owner_after), (array_agg(owner_after ORDER BY seq DESC) FILTER (WHERE has_owner_after))[1],
           (array_agg(organization ORDER BY seq DESC))[1],
           coalesce((array_agg(new_day ORDER BY seq DESC) FILTER (WHERE new_day IS NOT NULL))[1],
                    (array_agg(known_day ORDER BY seq DESC))[1], min(old_day), ''),
           coalesce((array_agg(amount_before ORDER BY seq))[1], 0), coalesce((array_agg(amount_after ORDER BY seq DESC))[1], 0),
           bool_or(has_lines_before),
           (array_agg(paid_before ORDER BY seq) FILTER (WHERE has_lines_before))[1],
           bool_or(has_lines_after),
           (array_agg(paid_after ORDER BY seq DESC) FILTER (WHERE has_lines_after))[1], true
    FROM threaded
    WHERE together > 1
    GROUP BY kind, key
), {later}, pairs AS MATERIALIZED (
    SELECT seq, kind, CASE op WHEN 'delete' THEN operation_id ELSE paired_with END AS old_name,
           CASE op WHEN 'delete' THEN paired_with ELSE operation_id END AS new_name, op = 'delete' AS retimed
    FROM entries
    WHERE op IN ('delete', 'rekey') AND paired_with IS NOT NULL
), chains (kind, first_name, name, at, retimed) AS (
    -- One that goes on with another is no beginning.
    SELECT p.kind, p.old_name, p.new_name, p.seq, p.retimed
    FROM pairs p
    WHERE NOT EXISTS (
        SELECT FROM pairs e
        WHERE e.kind = p.kind AND e.new_name = p.old_name AND e.seq < p.seq
          AND NOT EXISTS (SELECT FROM pairs q
                          WHERE q.kind = e.kind AND q.old_name = e.new_name AND q.seq > e.seq AND q.seq < p.seq))
    UNION ALL
    SELECT c.kind, c.first_name, p.new_name, p.seq, c.retimed OR p.retimed
    FROM chains c JOIN pairs p ON p.kind = c.kind AND p.old_name = c.name AND p.seq > c.at
    WHERE NOT EXISTS (SELECT FROM pairs e
                      WHERE e.kind = p.kind AND e.old_name = p.old_name AND e.seq > c.at AND e.seq < p.seq)
), said AS (
    SELECT kind, first_name, name
    FROM (SELECT DISTINCT ON (kind, first_name) * FROM chains ORDER BY kind, first_name, at DESC) ended
    WHERE retimed AND first_name <> name
    UNION
    SELECT c.kind, c.paired_with, c.operation_id
    FROM cpimportd.change c JOIN cpimportd.runs r ON c.run_id = ANY (r.undoes)
    WHERE r.id = $1 AND c.op = 'delete' AND c.paired_with IS NOT NULL
      AND NOT EXISTS (SELECT FROM cpimportd.run_unit u WHERE u.run_id = r.id AND u.moved_in IS NOT NULL)
), linked AS MATERIALIZED (
    SELECT DISTINCT ON (o.kind, o.key) o.kind, o.key AS old_key, n.key AS new_key
    FROM said s
    JOIN threads o ON o.kind = s.kind AND o.was = s.first_name AND o.was_there AND NOT o.is_there
    JOIN threads n ON n.kind = s.kind AND n.key = s.name AND n.is_there AND NOT n.was_there
    ORDER BY o.kind, o.key, n.key
), sides AS MATERIALIZED (
    SELECT k.kind, k.key, k.was, k.seqs, k.was_there, k.is_there, k.day, k.amount_before, k.amount_after, k.several,
           CASE WHEN NOT k.was_there THEN NULL WHEN k.has_owner_before THEN k.owner_before
                ELSE coalesce(k.owner_after, k.organization) END AS organization_before,
           CASE WHEN k.is_there THEN coalesce(k.owner_after, k.organization) END AS organization_after,
           CASE WHEN NOT k.was_there THEN NULL WHEN k.has_lines_before THEN k.paid_before
                WHEN s.key IS NOT NULL THEN {stood_paid} END AS paid_before,
           CASE WHEN NOT k.is_there THEN NULL WHEN k.has_lines_after THEN k.paid_after
                WHEN k.has_lines_before AND k.was_there THEN k.paid_before
                WHEN s.key IS NOT NULL THEN {stood_paid} END AS paid_after
    FROM threads k
    LEFT JOIN stood s ON s.kind = k.kind AND s.key = k.key
), heads AS (
    SELECT n.kind, 'retimed' AS what, n.key, o.was, o.seqs || n.seqs AS seqs, 2 AS part, 'undone' AS why,
           o.organization_before, n.organization_after, n.day, o.amount_before, n.amount_after, o.paid_before, n.paid_after
    FROM linked l
    JOIN sides o ON o.kind = l.kind AND o.key = l.old_key
    JOIN sides n ON n.kind = l.kind AND n.key = l.new_key
    UNION ALL
    SELECT s.kind,
           CASE WHEN NOT s.was_there THEN 'added' WHEN NOT s.is_there THEN 'removed' WHEN s.was <> s.key THEN 'rekeyed'
                ELSE 'changed' END,
           s.key, CASE WHEN s.was_there AND s.is_there AND s.was <> s.key THEN s.was END, s.seqs, 2, 'undone',
           s.organization_before, s.organization_after, s.day, CASE WHEN s.was_there THEN s.amount_before END,
           CASE WHEN s.is_there THEN s.amount_after END, s.paid_before, s.paid_after
    FROM sides s
    WHERE (s.was_there OR s.is_there)
      AND NOT EXISTS (SELECT FROM linked l WHERE l.kind = s.kind AND l.old_key = s.key)
      AND NOT EXISTS (SELECT FROM linked l WHERE l.kind = s.kind AND l.new_key = s.key)
      AND (NOT s.several OR NOT s.was_there OR NOT s.is_there OR s.was <> s.key OR {differs})
)

-- name: differs
-- Whether a document that an undo wrote to several times is another one after it than before: by its fields, its detail lines
-- as a set, and what the backend has no column for.
(SELECT coalesce(bool_or(n.old IS DISTINCT FROM n.new), false)
 FROM (SELECT m.name,
              (array_agg(m.old ORDER BY m.seq) FILTER (WHERE m.has_old))[1] AS old,
              (array_agg(m.new ORDER BY m.seq DESC) FILTER (WHERE m.has_new))[1] AS new
       FROM (SELECT c.seq, f.name, c.old ? f.name AS has_old, c.new ? f.name AS has_new,
                    CASE WHEN f.name IN ('details', 'details_extra') THEN {sorted_old} ELSE c.old -> f.name END AS old,
                    CASE WHEN f.name IN ('details', 'details_extra') THEN {sorted_new} ELSE c.new -> f.name END AS new
             FROM cpimportd.change c CROSS JOIN unnest(ARRAY[{fields}]) AS f (name)
             WHERE c.run_id = $1 AND c.seq = ANY (s.seqs) AND (c.old ? f.name OR c.new ? f.name)) m
       GROUP BY m.name) n)

-- name: sorted
-- An array of JSON as a set, without what the database numbers.
(SELECT jsonb_agg(x.value - 'id' - 'created_at' - 'expense_operation_id' ORDER BY x.value - 'id' - 'created_at' - 'expense_operation_id')
 FROM jsonb_array_elements(CASE jsonb_typeof({side} -> f.name) WHEN 'array' THEN {side} -> f.name ELSE '[]' END) x)

-- name: seeds_of_undo
-- Of an undo: what it gave to another organization, with the lines that it has.
wanted AS MATERIALIZED (
    SELECT kind, key FROM threads
    WHERE is_there AND kind = 'expenses' AND NOT has_lines_after AND (has_owner_before OR has_owner_after)
)

-- name: page
-- The documents that a run made different, in order; `names`: what each was called afterwards.
{heads}, asked AS (
    SELECT kind, what, key, was, seqs, part, day, coalesce(organization_after, organization_before) AS organization
    FROM heads
    WHERE ($3::text IS NULL OR $3 IN (organization_before, organization_after)) AND ($4::text[] IS NULL OR what = ANY ($4))
      AND ($7::text IS NULL OR kind = $7)
), chosen AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY kind = 'expenses', organization COLLATE "C", day, key COLLATE "C", part, what) AS place
    FROM asked
    ORDER BY place
    OFFSET $5 LIMIT $6
), {names_of_page}
SELECT c.kind, c.what, c.key, c.was, c.seqs, c.part,
       coalesce(n.names, ARRAY[c.key]) AS names
FROM chosen c
LEFT JOIN (SELECT kind, key, array_agg(name) AS names FROM page_names GROUP BY kind, key) n
    ON n.kind = c.kind AND n.key = c.key
ORDER BY c.place;

-- name: numbers
-- How many there are of each kind: all, and each document once (of one that was corrected and that 1C changed, what 1C did);
-- and what they add up to, per organization and figure: a document that changed hands went from one and came to the other.
{heads}, told_once AS MATERIALIZED (
    SELECT * FROM heads
    WHERE ($3::text IS NULL OR $3 IN (organization_before, organization_after)) AND ($4::text IS NULL OR kind = $4)
), by_1c AS (
    SELECT kind, key FROM heads WHERE why IS DISTINCT FROM 'put-right'
    UNION ALL
    SELECT kind, was FROM heads WHERE why IS DISTINCT FROM 'put-right' AND was IS NOT NULL
), counted AS (
    SELECT h.what, h.organization_before, h.organization_after,
           h.why IS DISTINCT FROM 'put-right'
           OR NOT EXISTS (SELECT FROM by_1c b WHERE b.kind = h.kind AND b.key = h.key) AS once
    FROM told_once h
), flows AS MATERIALIZED (
    SELECT kind, organization_before, organization_after,
           organization_before IS NOT DISTINCT FROM organization_after AS stays, sum(amount_before) AS amount_before,
           sum(amount_after) AS amount_after, sum((paid_before ->> 0)::numeric) AS lines_before,
           sum((paid_after ->> 0)::numeric) AS lines_after, sum((paid_before ->> 1)::numeric) AS principal_before,
           sum((paid_after ->> 1)::numeric) AS principal_after, sum((paid_before ->> 2)::numeric) AS interest_before,
           sum((paid_after ->> 2)::numeric) AS interest_after, sum((paid_before ->> 3)::numeric) AS other_before,
           sum((paid_after ->> 3)::numeric) AS other_after
    FROM told_once
    GROUP BY kind, organization_before, organization_after
), figures AS (
    SELECT f.figure, h.organization_before, h.organization_after, h.stays, f.before, f.after
    FROM flows h
    CROSS JOIN LATERAL (VALUES
        (h.kind, h.amount_before, h.amount_after), ('details', h.lines_before, h.lines_after),
        ('principal', h.principal_before, h.principal_after), ('interest', h.interest_before, h.interest_after),
        ('other', h.other_before, h.other_after)
    ) AS f (figure, before, after)
    WHERE f.figure = h.kind OR h.kind = 'expenses'
)
SELECT NULL::text AS what, NULL::bigint AS movements, NULL::bigint AS documents, NULL::bigint AS moved, t.organization,
       figure, sum(t.added) AS added, sum(t.removed) AS removed, sum(t.changed) AS changed
FROM figures
CROSS JOIN LATERAL (VALUES
    (organization_after, CASE WHEN stays THEN 0 ELSE coalesce(after, 0) END, 0,
     CASE WHEN stays THEN coalesce(after, 0) - coalesce(before, 0) ELSE 0 END),
    (CASE WHEN NOT stays THEN organization_before END, 0, coalesce(before, 0), 0)
) AS t (organization, added, removed, changed)
WHERE t.organization IS NOT NULL AND ($3::text IS NULL OR t.organization = $3)
GROUP BY t.organization, figure
UNION ALL
SELECT what, count(*), count(*) FILTER (WHERE once),
       count(*) FILTER (WHERE once AND what NOT IN ('added', 'removed')
                          AND organization_before IS DISTINCT FROM organization_after),
       NULL, NULL, NULL, NULL, NULL
FROM counted
GROUP BY what;

-- name: entries
-- Some entries of a run's journal.
SELECT run_id, seq, kind, op, operation_id, organization, amount_before, amount_after, old, new, why, paired_with, lineage
FROM cpimportd.change
WHERE run_id = $1 AND seq = ANY ($2::int[])
ORDER BY seq;

-- name: since
-- What happened after a run to documents, under these names, in its order.
SELECT run_id, seq, kind, op, operation_id, organization, amount_before, amount_after, old, new, why, paired_with, lineage
FROM cpimportd.change
WHERE department_id = $1 AND run_id > $2 AND op <> 'reference' AND kind = $3 AND operation_id = ANY ($4::text[])
ORDER BY run_id, seq;
