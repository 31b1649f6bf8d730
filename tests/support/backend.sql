-- A backend's database as it stands before cpimportd ever came: run as its owner, the role `backend`.
-- Constraint and index names are the backend's own; nothing of ours may rely on them.

CREATE TABLE alembic_version (version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY);
INSERT INTO alembic_version VALUES ('f3a91c0b77de');

CREATE TABLE departments (
    id serial PRIMARY KEY,
    name varchar(255) NOT NULL,
    code varchar(50) NOT NULL,
    description text,
    is_active boolean NOT NULL,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL
);
CREATE UNIQUE INDEX ix_departments_name ON departments (name);
CREATE UNIQUE INDEX ix_departments_code ON departments (code);
INSERT INTO departments (id, name, code, is_active, created_at, updated_at) VALUES
    (1, 'ИТ', 'IT', true, '2024-01-10 09:00', '2024-01-10 09:00'),
    (2, 'Маркетинг', 'MARKETING', true, '2024-01-10 09:00', '2024-01-10 09:00'),
    (7, 'Архив', 'ARCHIVE', false, '2024-01-10 09:00', '2024-06-01 12:30'),
    (8, 'Финансы', 'FINANCE', true, '2024-11-02 10:15', '2024-11-02 10:15'),
    (9, 'Продажи', 'SALES', true, '2025-02-03 08:00', '2025-02-03 08:00');
SELECT setval('departments_id_seq', 9);

CREATE TABLE fin_organizations (
    id serial PRIMARY KEY,
    name varchar(255) NOT NULL,
    inn varchar(20),
    department_id integer NOT NULL REFERENCES departments (id),
    is_active boolean NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE INDEX ix_fin_organizations_name ON fin_organizations (name);
CREATE INDEX ix_fin_organizations_department_id ON fin_organizations (department_id);
CREATE INDEX ix_fin_organizations_is_active ON fin_organizations (is_active);
CREATE UNIQUE INDEX ix_fin_organizations_name_dept ON fin_organizations (name, department_id);

CREATE TABLE fin_bank_accounts (
    id serial PRIMARY KEY,
    account_number varchar(255) NOT NULL,
    bank_name varchar(255),
    department_id integer NOT NULL REFERENCES departments (id),
    is_active boolean NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE INDEX ix_fin_bank_accounts_account_number ON fin_bank_accounts (account_number);
CREATE INDEX ix_fin_bank_accounts_department_id ON fin_bank_accounts (department_id);
CREATE INDEX ix_fin_bank_accounts_is_active ON fin_bank_accounts (is_active);
CREATE UNIQUE INDEX ix_fin_bank_accounts_number_dept ON fin_bank_accounts (account_number, department_id);

CREATE TABLE fin_contracts (
    id serial PRIMARY KEY,
    contract_number varchar(255) NOT NULL,
    contract_date date,
    contract_type varchar(100),
    counterparty varchar(255),
    organization_id integer REFERENCES fin_organizations (id) ON DELETE SET NULL,
    department_id integer NOT NULL REFERENCES departments (id),
    is_active boolean NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE INDEX ix_fin_contracts_contract_number ON fin_contracts (contract_number);
CREATE INDEX ix_fin_contracts_contract_date ON fin_contracts (contract_date);
CREATE INDEX ix_fin_contracts_organization_id ON fin_contracts (organization_id);
CREATE INDEX ix_fin_contracts_department_id ON fin_contracts (department_id);
CREATE INDEX ix_fin_contracts_is_active ON fin_contracts (is_active);
CREATE UNIQUE INDEX ix_fin_contracts_number_dept ON fin_contracts (contract_number, department_id);

CREATE TABLE fin_receipts (
    id serial PRIMARY KEY,
    operation_id varchar(255) NOT NULL,
    organization_id integer NOT NULL REFERENCES fin_organizations (id),
    bank_account_id integer REFERENCES fin_bank_accounts (id),
    contract_id integer REFERENCES fin_contracts (id),
    operation_type varchar(255),
    accounting_account varchar(50),
    document_number varchar(255),
    document_date date,
    payer varchar(255),
    payer_account varchar(255),
    settlement_account varchar(100),
    contract_date date,
    currency varchar(10),
    amount numeric(15, 2) NOT NULL,
    commission numeric(15, 2),
    payment_purpose text,
    responsible_person varchar(255),
    comment text,
    department_id integer NOT NULL REFERENCES departments (id),
    is_active boolean NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE UNIQUE INDEX ix_fin_receipts_operation_id ON fin_receipts (operation_id);
CREATE UNIQUE INDEX ix_fin_receipts_operation_dept ON fin_receipts (operation_id, department_id);
CREATE INDEX ix_fin_receipts_organization_id ON fin_receipts (organization_id);
CREATE INDEX ix_fin_receipts_bank_account_id ON fin_receipts (bank_account_id);
CREATE INDEX ix_fin_receipts_contract_id ON fin_receipts (contract_id);
CREATE INDEX ix_fin_receipts_document_date ON fin_receipts (document_date);
CREATE INDEX ix_fin_receipts_payer ON fin_receipts (payer);
CREATE INDEX ix_fin_receipts_department_id ON fin_receipts (department_id);
CREATE INDEX ix_fin_receipts_is_active ON fin_receipts (is_active);

CREATE TABLE fin_expenses (
    id serial PRIMARY KEY,
    operation_id varchar(255) NOT NULL,
    organization_id integer NOT NULL REFERENCES fin_organizations (id),
    bank_account_id integer REFERENCES fin_bank_accounts (id),
    contract_id integer REFERENCES fin_contracts (id),
    operation_type varchar(255),
    accounting_account varchar(50),
    document_number varchar(255),
    document_date date,
    recipient varchar(255),
    recipient_account varchar(255),
    debit_account varchar(100),
    contract_date date,
    currency varchar(10),
    amount numeric(15, 2) NOT NULL,
    expense_article varchar(255),
    payment_purpose text,
    responsible_person varchar(255),
    comment text,
    tax_period varchar(10),
    unconfirmed_by_bank boolean,
    department_id integer NOT NULL REFERENCES departments (id),
    is_active boolean NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE UNIQUE INDEX ix_fin_expenses_operation_id ON fin_expenses (operation_id);
CREATE UNIQUE INDEX ix_fin_expenses_operation_dept ON fin_expenses (operation_id, department_id);
CREATE INDEX ix_fin_expenses_organization_id ON fin_expenses (organization_id);
CREATE INDEX ix_fin_expenses_bank_account_id ON fin_expenses (bank_account_id);
CREATE INDEX ix_fin_expenses_contract_id ON fin_expenses (contract_id);
CREATE INDEX ix_fin_expenses_document_date ON fin_expenses (document_date);
CREATE INDEX ix_fin_expenses_recipient ON fin_expenses (recipient);
CREATE INDEX ix_fin_expenses_expense_article ON fin_expenses (expense_article);
CREATE INDEX ix_fin_expenses_department_id ON fin_expenses (department_id);
CREATE INDEX ix_fin_expenses_is_active ON fin_expenses (is_active);

CREATE TABLE fin_expense_details (
    id serial PRIMARY KEY,
    expense_operation_id varchar(255) NOT NULL REFERENCES fin_expenses (operation_id) ON DELETE CASCADE,
    contract_number varchar(255),
    repayment_type varchar(100),
    settlement_account varchar(100),
    advance_account varchar(100),
    payment_type varchar(255),
    payment_amount numeric(15, 2),
    settlement_rate numeric(15, 6),
    settlement_amount numeric(15, 2),
    vat_amount numeric(15, 2),
    expense_amount numeric(15, 2),
    vat_in_expense numeric(15, 2),
    department_id integer NOT NULL REFERENCES departments (id),
    created_at timestamp NOT NULL DEFAULT now()
);
CREATE INDEX ix_fin_expense_details_expense_operation_id ON fin_expense_details (expense_operation_id);
CREATE INDEX ix_fin_expense_details_contract_number ON fin_expense_details (contract_number);
CREATE INDEX ix_fin_expense_details_payment_type ON fin_expense_details (payment_type);
CREATE INDEX ix_fin_expense_details_department_id ON fin_expense_details (department_id);

CREATE TABLE fin_import_logs (
    id serial PRIMARY KEY,
    import_date timestamp NOT NULL DEFAULT now(),
    source_file varchar(255),
    table_name varchar(50),
    rows_inserted integer,
    rows_updated integer,
    rows_failed integer,
    status varchar(50),
    error_message text,
    processed_by varchar(100),
    processing_time_seconds numeric(10, 2),
    department_id integer NOT NULL REFERENCES departments (id)
);
CREATE INDEX ix_fin_import_logs_import_date ON fin_import_logs (import_date);
CREATE INDEX ix_fin_import_logs_department_id ON fin_import_logs (department_id);

-- A table of the backend that no importer may touch.
CREATE TABLE fin_manual_adjustments (
    id serial PRIMARY KEY,
    department_id integer NOT NULL REFERENCES departments (id),
    amount numeric(15, 2) NOT NULL,
    comment text
);

-- Five materialized views read the tables; only some can be refreshed CONCURRENTLY.
CREATE MATERIALIZED VIEW mv_credit_monthly AS
SELECT department_id, date_trunc('month', document_date)::date AS month, sum(amount) AS received
FROM fin_receipts WHERE is_active GROUP BY 1, 2;
CREATE UNIQUE INDEX uq_mv_credit_monthly ON mv_credit_monthly (department_id, month);

CREATE MATERIALIZED VIEW mv_credit_by_contract AS
SELECT c.department_id, c.id AS contract_id, c.contract_number,
       (SELECT coalesce(sum(r.amount), 0) FROM fin_receipts r WHERE r.contract_id = c.id) AS received,
       (SELECT coalesce(sum(d.payment_amount), 0)
        FROM fin_expenses e JOIN fin_expense_details d ON d.expense_operation_id = e.operation_id
        WHERE e.contract_id = c.id AND d.payment_type = 'Погашение долга') AS principal_paid
FROM fin_contracts c;
CREATE UNIQUE INDEX uq_mv_credit_by_contract ON mv_credit_by_contract (contract_id);

CREATE MATERIALIZED VIEW mv_credit_by_organization AS
SELECT o.department_id, o.id AS organization_id, o.name,
       (SELECT coalesce(sum(r.amount), 0) FROM fin_receipts r WHERE r.organization_id = o.id) AS received,
       (SELECT coalesce(sum(e.amount), 0) FROM fin_expenses e WHERE e.organization_id = o.id) AS spent
FROM fin_organizations o;
CREATE UNIQUE INDEX uq_mv_credit_by_organization ON mv_credit_by_organization (organization_id);

CREATE MATERIALIZED VIEW mv_credit_payments AS
SELECT e.department_id, date_trunc('month', e.document_date)::date AS month, d.payment_type, sum(d.payment_amount) AS paid
FROM fin_expenses e JOIN fin_expense_details d ON d.expense_operation_id = e.operation_id
GROUP BY 1, 2, 3;

-- A unique index with a WHERE does not allow CONCURRENTLY either.
CREATE MATERIALIZED VIEW mv_credit_totals AS
SELECT d.id AS department_id,
       (SELECT coalesce(sum(amount), 0) FROM fin_receipts r WHERE r.department_id = d.id) AS received,
       (SELECT coalesce(sum(amount), 0) FROM fin_expenses e WHERE e.department_id = d.id) AS spent
FROM departments d;
CREATE UNIQUE INDEX uq_mv_credit_totals ON mv_credit_totals (department_id) WHERE department_id > 0;
