-- name: create
-- Temporary tables for one publication, gone with its transaction. A stage_* table takes the understood rows of its
-- kind by COPY; match_* tells for every document concerned what the books and the snapshot say of it, gone_line which
-- detail lines go and what they paid; changed_* which documents in both differ; stage_pair which removed and added
-- documents are one (re-timed or re-keyed).
CREATE TEMP TABLE stage_scope (department_id int NOT NULL, run_id bigint NOT NULL, zone text NOT NULL) ON COMMIT DROP;
CREATE TEMP TABLE stage_file (
    file_no int PRIMARY KEY, snapshot_id bigint NOT NULL, kind text NOT NULL, file text NOT NULL,
    control_total numeric(20, 2), complete boolean NOT NULL DEFAULT true
) ON COMMIT DROP;
CREATE TEMP TABLE stage_unit (
    organization text NOT NULL, kind text NOT NULL, organization_id int,
    put_right boolean NOT NULL DEFAULT false, accepted boolean NOT NULL DEFAULT false,
    PRIMARY KEY (kind, organization)
) ON COMMIT DROP;
CREATE TEMP TABLE stage_served (LIKE cpimportd.served) ON COMMIT DROP;
CREATE TEMP TABLE stage_receipts (
    file_no int NOT NULL, row int NOT NULL, operation_id text NOT NULL, organization text NOT NULL,
    amount numeric(15, 2) NOT NULL, number text, moment timestamptz, operation_type text, bank_account text,
    accounting_account text, document_number text, document_date date, payer text, payer_account text,
    settlement_account text, contract text, contract_date date, currency text, commission numeric(15, 2),
    payment_purpose text, responsible_person text, comment text, extra jsonb
) ON COMMIT DROP;
CREATE TEMP TABLE stage_expenses (
    file_no int NOT NULL, row int NOT NULL, operation_id text NOT NULL, organization text NOT NULL,
    amount numeric(15, 2) NOT NULL, number text, moment timestamptz, operation_type text, bank_account text,
    accounting_account text, document_number text, document_date date, recipient text, recipient_account text,
    debit_account text, contract text, contract_date date, currency text, expense_article text,
    payment_purpose text, responsible_person text, comment text, tax_period text, unconfirmed_by_bank boolean,
    extra jsonb
) ON COMMIT DROP;
CREATE TEMP TABLE stage_details (
    file_no int NOT NULL, row int NOT NULL, operation_id text NOT NULL, organization text,
    amount numeric(15, 2) NOT NULL, number text, moment timestamptz, contract_number text, repayment_type text,
    settlement_account text, advance_account text, payment_type text, settlement_rate numeric(15, 6),
    settlement_amount numeric(15, 2), vat_amount numeric(15, 2), expense_amount numeric(15, 2),
    vat_in_expense numeric(15, 2), extra jsonb
) ON COMMIT DROP;
CREATE TEMP TABLE match_receipts (
    operation_id text NOT NULL, id int, organization_before text, organization_after text,
    amount_before numeric(15, 2), amount_after numeric(15, 2), traced boolean NOT NULL, contract_before text,
    kept boolean NOT NULL DEFAULT false -- that it is still there, of no organization: an undo may leave it so
) ON COMMIT DROP;
CREATE TEMP TABLE match_expenses (LIKE match_receipts INCLUDING DEFAULTS) ON COMMIT DROP;
CREATE TEMP TABLE match_details (
    operation_id text NOT NULL, rows_before int NOT NULL, rows_after int NOT NULL,
    amount_before numeric(20, 2) NOT NULL, amount_after numeric(20, 2) NOT NULL
) ON COMMIT DROP;
CREATE TEMP TABLE gone_line (operation_id text NOT NULL, paid text NOT NULL, amount numeric NOT NULL) ON COMMIT DROP;
CREATE TEMP TABLE changed_receipts (
    operation_id text PRIMARY KEY, columns_differ boolean NOT NULL, extra_differs boolean NOT NULL,
    details_differ boolean NOT NULL, why text NOT NULL DEFAULT 'snapshot'
) ON COMMIT DROP;
CREATE TEMP TABLE changed_expenses (LIKE changed_receipts INCLUDING ALL) ON COMMIT DROP;
CREATE TEMP TABLE changed_details (operation_id text NOT NULL, money boolean NOT NULL) ON COMMIT DROP;
CREATE TEMP TABLE stage_pair (
    kind text NOT NULL, old_id text NOT NULL, new_id text NOT NULL, rekeyed boolean NOT NULL, PRIMARY KEY (kind, old_id)
) ON COMMIT DROP;

-- name: drop_other_units
-- A file may hold units that are not published (held, or another organization's): their rows leave the stage, and the
-- file no longer stands in it whole, so that its control total says nothing about what is left.
WITH dropped AS (
    DELETE FROM {stage} s
    WHERE NOT EXISTS (SELECT FROM stage_unit u WHERE u.kind = '{kind}' AND u.organization = s.organization)
    RETURNING s.file_no
)
UPDATE stage_file t SET complete = false FROM (SELECT DISTINCT file_no FROM dropped) d WHERE d.file_no = t.file_no;

-- name: drop_other_details
-- Detail lines follow their expense out of the stage.
WITH dropped AS (
    DELETE FROM stage_details s
    WHERE NOT EXISTS (SELECT FROM stage_expenses e WHERE e.operation_id = s.operation_id)
    RETURNING s.file_no
)
UPDATE stage_file t SET complete = false FROM (SELECT DISTINCT file_no FROM dropped) d WHERE d.file_no = t.file_no;

-- name: analyze
-- The planner knows nothing of freshly copied temporary tables. It needs only what is joined and grouped by: looking at
-- every column of a wide table took a tenth of the publication. The lines of a single document are looked up by index.
CREATE INDEX ON stage_details (operation_id);
ANALYZE stage_scope, stage_unit, stage_file, stage_receipts (file_no, operation_id, organization),
        stage_expenses (file_no, operation_id, organization), stage_details (file_no, operation_id, payment_type);

-- name: analyze_match
-- As above, for what was found by comparing.
ANALYZE match_receipts, match_expenses, match_details;

-- name: analyze_lines
-- As above, for the lines.
ANALYZE changed_details, stage_lines (operation_id);

-- name: analyze_changed
-- As above, for what differs.
ANALYZE changed_receipts, changed_expenses, stage_pair;

-- name: outgrown
-- Of these tables, those of our own that have grown by half since they were last looked at (a megabyte does no harm).
SELECT wanted.name
FROM unnest($1::text[]) AS wanted (name)
JOIN pg_class c ON c.oid = to_regclass(wanted.name)
WHERE pg_has_role(c.relowner, 'USAGE')
  AND pg_relation_size(c.oid) > current_setting('block_size')::int * greatest(c.relpages * 1.5, 128);

-- name: underestimated
-- Whether one of these tables has pages and, as far as the planner knows, hardly a row beside what the stage holds.
SELECT EXISTS (
    SELECT FROM unnest($1::text[]) AS wanted (name)
    JOIN pg_class c ON c.oid = to_regclass(wanted.name)
    WHERE c.relpages > 0
      AND c.reltuples * 100 < (SELECT count(*) FROM stage_receipts) + (SELECT count(*) FROM stage_expenses));

-- name: holds_rows
-- Whether a table holds any row.
SELECT EXISTS (SELECT FROM {table});
