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
             ORDER BY 1) AS following
FROM parts p
JOIN pg_class c ON c.oid = p.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY p.name, c.oid::regclass::text <> p.name, 2;

-- name: session
-- The database's encoding; whether foreign keys and triggers work in our sessions; who we are.
SELECT current_setting('server_encoding') AS encoding, current_setting('session_replication_role') AS replication_role,
       quote_ident(current_user) AS user;

-- name: rewritten
-- A document whose row is not what was written to it, after the merge: asked only where somebody's code runs on it.
SELECT s.operation_id
FROM staged_{kind} s
CROSS JOIN stage_scope scope
JOIN {table} f ON f.operation_id = s.operation_id AND f.department_id = scope.department_id
WHERE (f.organization_id, f.bank_account_id, f.contract_id, f.is_active, {table_columns}) IS DISTINCT FROM
      (s.organization_id, s.bank_account_id, s.contract_id, true, {stage_columns})
ORDER BY 1 LIMIT 1;

-- name: rewritten_line
-- A document of whose detail lines one is not what was written, or is there once too often or too seldom.
SELECT operation_id
FROM (
    SELECT s.operation_id, s.contract_number, s.repayment_type, s.settlement_account, s.advance_account, s.payment_type,
           s.amount, s.settlement_rate, s.settlement_amount, s.vat_amount, s.expense_amount, s.vat_in_expense, 1 AS sign
    FROM stage_details s
    UNION ALL
    SELECT d.expense_operation_id, d.contract_number, d.repayment_type, d.settlement_account, d.advance_account,
           d.payment_type, d.payment_amount, d.settlement_rate, d.settlement_amount, d.vat_amount, d.expense_amount,
           d.vat_in_expense, -1
    FROM fin_expense_details d
    WHERE d.expense_operation_id IN (SELECT operation_id FROM stage_details)
) lines
GROUP BY operation_id, contract_number, repayment_type, settlement_account, advance_account, payment_type, amount,
         settlement_rate, settlement_amount, vat_amount, expense_amount, vat_in_expense
HAVING sum(sign) <> 0
ORDER BY 1 LIMIT 1;
