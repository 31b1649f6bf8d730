-- name: absent
-- Which of these tables the search path does not lead to.
SELECT name FROM unnest($1::text[]) AS names (name) WHERE to_regclass(name) IS NULL ORDER BY 1;

-- name: relations
-- Everything that a backup has to hold: our schema, the backend's tables that we write ($2), departments, below each its
-- partitions and inheritance children, and the sequences of their columns. `readable` tells whether a sequence's value
-- can be read, `asked` whether it is a table that we write, where only a table's rows are the rows.
WITH RECURSIVE wanted (oid, asked) AS (
    SELECT c.oid, false FROM pg_class c WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION
    SELECT to_regclass(name)::oid, true FROM unnest($2::text[]) AS names (name) WHERE to_regclass(name) IS NOT NULL
    UNION
    SELECT i.inhrelid, w.asked FROM wanted w JOIN pg_inherits i ON i.inhparent = w.oid
),
sequences AS (
    SELECT d.objid AS oid
    FROM wanted w
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = w.oid AND d.classid = 'pg_class'::regclass
        AND d.deptype IN ('a', 'i')
    UNION
    SELECT d.refobjid
    FROM wanted w
    JOIN pg_attrdef a ON a.adrelid = w.oid
    JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid AND d.refclassid = 'pg_class'::regclass
)
SELECT n.nspname AS schema, c.relname AS name, c.relkind::text AS sort, pg_get_userbyid(c.relowner) AS owner,
       found.asked, CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE true END AS readable
FROM (
    SELECT oid, bool_or(asked) AS asked
    FROM (SELECT oid, asked FROM wanted UNION ALL SELECT oid, false FROM sequences) AS every
    GROUP BY oid
) AS found
JOIN pg_class c ON c.oid = found.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY 1, 2;
