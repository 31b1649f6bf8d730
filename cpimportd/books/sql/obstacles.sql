-- name: tables
-- What of the tables that we write ($1), and of their partitions and children, is no plain table, hides rows from us, or
-- runs somebody else's code on our writes. `changing`: triggers that see a row before it is written, and rules.
WITH RECURSIVE parts (oid, name) AS (
    SELECT to_regclass(name)::oid, name FROM unnest($1::text[]) AS names (name) WHERE to_regclass(name) IS NOT NULL
    UNION
    SELECT i.inhrelid, p.name FROM parts p JOIN pg_inherits i ON i.inhparent = p.oid
)
SELECT p.name AS table, format('%I.%I', n.nspname, c.relname) AS relation, c.relkind::text AS sort,
       row_security_active(c.oid) AS hidden,
       array(SELECT 'policy ' || polname FROM pg_policy WHERE polrelid = c.oid ORDER BY 1) AS policies,
       array(SELECT 'trigger ' || tgname FROM pg_trigger
             WHERE tgrelid = c.oid AND NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgtype & 3 = 3
             UNION ALL
             SELECT 'rule ' || rulename FROM pg_rewrite
             WHERE ev_class = c.oid AND rulename <> '_RETURN' AND ev_enabled IN ('O', 'A') ORDER BY 1) AS changing,
       array(SELECT 'trigger ' || tgname FROM pg_trigger
             WHERE tgrelid = c.oid AND NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgtype & 3 <> 3
             ORDER BY 1) AS following,
       array(SELECT attname::text FROM pg_attribute
             WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated <> '' ORDER BY 1) AS generated
FROM parts p
JOIN pg_class c ON c.oid = p.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY p.name, c.oid::regclass::text <> p.name, 2;

-- name: session
-- The database's encoding; whether foreign keys and triggers work in our sessions; who we are.
SELECT current_setting('server_encoding') AS encoding, current_setting('session_replication_role') AS replication_role,
       quote_ident(current_user) AS user;
