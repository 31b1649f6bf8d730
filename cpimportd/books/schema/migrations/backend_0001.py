"""The backend's tables as revision 0001 makes them on an empty database: frozen, whatever the backend does later.

They are made as the backend makes them: we are guests there and add nothing. What is easily overlooked: ``is_active``,
``currency`` and ``unconfirmed_by_bank`` have no default in the database; timestamps are naive and in the server's zone;
``operation_id`` is unique alone (the foreign key of the details needs that) and once more with its department; no
foreign key follows a change of the key.
"""

from typing import Final

from sqlalchemy import Connection, text

from cpimportd.core.problems import ProblemError, problem

_FINANCE: Final = 8

TABLES = (
    """
    CREATE TABLE departments (
        id SERIAL NOT NULL,
        name VARCHAR(255) NOT NULL,
        code VARCHAR(50) NOT NULL,
        is_active BOOLEAN NOT NULL,
        created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
        updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
        CONSTRAINT departments_pkey PRIMARY KEY (id),
        CONSTRAINT departments_name_key UNIQUE (name),
        CONSTRAINT departments_code_key UNIQUE (code)
    )
    """,
    """
    CREATE TABLE fin_organizations (
        id SERIAL NOT NULL,
        name VARCHAR(255) NOT NULL,
        inn VARCHAR(20),
        department_id INTEGER NOT NULL,
        is_active BOOLEAN NOT NULL,
        created_at TIMESTAMP WITHOUT TIME ZONE DEFAULT now() NOT NULL,
        updated_at TIMESTAMP WITHOUT TIME ZONE DEFAULT now(),
        CONSTRAINT fin_organizations_pkey PRIMARY KEY (id),
        CONSTRAINT fin_organizations_department_id_fkey
            FOREIGN KEY (department_id) REFERENCES departments (id)
    )
    """,
    "CREATE INDEX ix_fin_organizations_department_id ON fin_organizations (department_id)",
    "CREATE INDEX ix_fin_organizations_is_active ON fin_organizations (is_active)",
    "CREATE UNIQUE INDEX ix_fin_organizations_name_dept ON fin_organizations (name, department_id)",
    """
    CREATE TABLE fin_bank_accounts (
        id SERIAL NOT NULL,
        account_number VARCHAR(255) NOT NULL,
        bank_name VARCHAR(255),
        department_id INTEGER NOT NULL,
        is_active BOOLEAN NOT NULL,
        created_at TIMESTAMP WITHOUT TIME ZONE DEFAULT now() NOT NULL,
        updated_at TIMESTAMP WITHOUT TIME ZONE DEFAULT now(),
        CONSTRAINT fin_bank_accounts_pkey PRIMARY KEY (id),
        CONSTRAINT fin_bank_accounts_department_id_fkey
            FOREIGN KEY (department_id) REFERENCES departments (id)
    )
    """,
    "CREATE INDEX ix_fin_bank_accounts_department_id ON fin_bank_accounts (department_id)",
    "CREATE INDEX ix_fin_bank_accounts_is_active ON fin_bank_accounts (is_active)",
    "CREATE UNIQUE INDEX ix_fin_bank_accounts_number_dept ON fin_bank_accounts (account_number, department_id)",
    """
    CREATE TABLE fin_contracts (
        id SERIAL NOT NULL,
        contract_number VARCHAR(255) NOT NULL,
        contract_date DATE,
        contract_type VARCHAR(100),
        counterparty VARCHAR(255),
        organization_id INTEGER,
        department_id INTEGER NOT NULL,
        is_active BOOLEAN NOT NULL,
        created_at TIMESTAMP WITHOUT TIME ZONE DEFAULT now() NOT NULL,
        updated_at TIMESTAMP WITHOUT TIME ZONE DEFAULT now(),
        CONSTRAINT fin_contracts_pkey PRIMARY KEY (id),
        CONSTRAINT fin_contracts_organization_id_fkey
            FOREIGN KEY (organization_id) REFERENCES fin_organizations (id) ON DELETE SET NULL,
        CONSTRAINT fin_contracts_department_id_fkey FOREIGN KEY (department_id) REFERENCES departments (id)
    )
    """,
    "CREATE INDEX ix_fin_contracts_department_id ON fin_contracts (department_id)",
    "CREATE INDEX ix_fin_contracts_is_active ON fin_contracts (is_active)",
    "CREATE UNIQUE INDEX ix_fin_contracts_number_dept ON fin_contracts (contract_number, department_id)",
    "CREATE INDEX ix_fin_contracts_organization_id ON fin_contracts (organization_id)",
    """
    CREATE TABLE fin_receipts (
        id SERIAL NOT NULL,
        operation_id VARCHAR(255) NOT NULL,
        organization_id INTEGER NOT NULL,
        bank_account_id INTEGER,
        contract_id INTEGER,
        operation_type VARCHAR(255),
        accounting_account VARCHAR(50),
        document_number VARCHAR(255),
        document_date DATE,
        payer VARCHAR(255),
        payer_account VARCHAR(255),
        settlement_account VARCHAR(100),
        contract_date DATE,
        currency VARCHAR(10),
        amount NUMERIC(15, 2) NOT NULL,
        commission NUMERIC(15, 2),
        payment_purpose TEXT,
        responsible_person VARCHAR(255),
        comment TEXT,
        department_id INTEGER NOT NULL,
        is_active BOOLEAN NOT NULL,
        created_at TIMESTAMP WITHOUT TIME ZONE DEFAULT now() NOT NULL,
        updated_at TIMESTAMP WITHOUT TIME ZONE DEFAULT now(),
        CONSTRAINT fin_receipts_pkey PRIMARY KEY (id),
        CONSTRAINT fin_receipts_operation_id_key UNIQUE (operation_id),
        CONSTRAINT fin_receipts_organization_id_fkey
            FOREIGN KEY (organization_id) REFERENCES fin_organizations (id),
        CONSTRAINT fin_receipts_bank_account_id_fkey
            FOREIGN KEY (bank_account_id) REFERENCES fin_bank_accounts (id),
        CONSTRAINT fin_receipts_contract_id_fkey FOREIGN KEY (contract_id) REFERENCES fin_contracts (id),
        CONSTRAINT fin_receipts_department_id_fkey FOREIGN KEY (department_id) REFERENCES departments (id)
    )
    """,
    "CREATE INDEX ix_fin_receipts_bank_account_id ON fin_receipts (bank_account_id)",
    "CREATE INDEX ix_fin_receipts_contract_id ON fin_receipts (contract_id)",
    "CREATE INDEX ix_fin_receipts_department_id ON fin_receipts (department_id)",
    "CREATE INDEX ix_fin_receipts_document_date ON fin_receipts (document_date)",
    "CREATE INDEX ix_fin_receipts_is_active ON fin_receipts (is_active)",
    "CREATE UNIQUE INDEX ix_fin_receipts_operation_dept ON fin_receipts (operation_id, department_id)",
    "CREATE INDEX ix_fin_receipts_organization_id ON fin_receipts (organization_id)",
    """
    CREATE TABLE fin_expenses (
        id SERIAL NOT NULL,
        operation_id VARCHAR(255) NOT NULL,
        organization_id INTEGER NOT NULL,
        bank_account_id INTEGER,
        contract_id INTEGER,
        operation_type VARCHAR(255),
        accounting_account VARCHAR(50),
        document_number VARCHAR(255),
        document_date DATE,
        recipient VARCHAR(255),
        recipient_account VARCHAR(255),
        debit_account VARCHAR(100),
        contract_date DATE,
        currency VARCHAR(10),
        amount NUMERIC(15, 2) NOT NULL,
        expense_article VARCHAR(255),
        payment_purpose TEXT,
        responsible_person VARCHAR(255),
        comment TEXT,
        tax_period VARCHAR(10),
        unconfirmed_by_bank BOOLEAN,
        department_id INTEGER NOT NULL,
        is_active BOOLEAN NOT NULL,
        created_at TIMESTAMP WITHOUT TIME ZONE DEFAULT now() NOT NULL,
        updated_at TIMESTAMP WITHOUT TIME ZONE DEFAULT now(),
        CONSTRAINT fin_expenses_pkey PRIMARY KEY (id),
        CONSTRAINT fin_expenses_operation_id_key UNIQUE (operation_id),
        CONSTRAINT fin_expenses_organization_id_fkey
            FOREIGN KEY (organization_id) REFERENCES fin_organizations (id),
        CONSTRAINT fin_expenses_bank_account_id_fkey
            FOREIGN KEY (bank_account_id) REFERENCES fin_bank_accounts (id),
        CONSTRAINT fin_expenses_contract_id_fkey FOREIGN KEY (contract_id) REFERENCES fin_contracts (id),
        CONSTRAINT fin_expenses_department_id_fkey FOREIGN KEY (department_id) REFERENCES departments (id)
    )
    """,
    "CREATE INDEX ix_fin_expenses_bank_account_id ON fin_expenses (bank_account_id)",
    "CREATE INDEX ix_fin_expenses_contract_id ON fin_expenses (contract_id)",
    "CREATE INDEX ix_fin_expenses_department_id ON fin_expenses (department_id)",
    "CREATE INDEX ix_fin_expenses_document_date ON fin_expenses (document_date)",
    "CREATE INDEX ix_fin_expenses_is_active ON fin_expenses (is_active)",
    "CREATE UNIQUE INDEX ix_fin_expenses_operation_dept ON fin_expenses (operation_id, department_id)",
    "CREATE INDEX ix_fin_expenses_organization_id ON fin_expenses (organization_id)",
    """
    CREATE TABLE fin_expense_details (
        id SERIAL NOT NULL,
        expense_operation_id VARCHAR(255) NOT NULL,
        contract_number VARCHAR(255),
        repayment_type VARCHAR(100),
        settlement_account VARCHAR(100),
        advance_account VARCHAR(100),
        payment_type VARCHAR(255),
        payment_amount NUMERIC(15, 2),
        settlement_rate NUMERIC(15, 6),
        settlement_amount NUMERIC(15, 2),
        vat_amount NUMERIC(15, 2),
        expense_amount NUMERIC(15, 2),
        vat_in_expense NUMERIC(15, 2),
        department_id INTEGER NOT NULL,
        created_at TIMESTAMP WITHOUT TIME ZONE DEFAULT now() NOT NULL,
        CONSTRAINT fin_expense_details_pkey PRIMARY KEY (id),
        CONSTRAINT fin_expense_details_expense_operation_id_fkey
            FOREIGN KEY (expense_operation_id) REFERENCES fin_expenses (operation_id) ON DELETE CASCADE,
        CONSTRAINT fin_expense_details_department_id_fkey
            FOREIGN KEY (department_id) REFERENCES departments (id)
    )
    """,
    "CREATE INDEX ix_fin_expense_details_department_id ON fin_expense_details (department_id)",
    "CREATE INDEX ix_fin_expense_details_expense_operation_id ON fin_expense_details (expense_operation_id)",
    """
    CREATE TABLE fin_import_logs (
        id SERIAL NOT NULL,
        import_date TIMESTAMP WITHOUT TIME ZONE DEFAULT now() NOT NULL,
        source_file VARCHAR(255),
        table_name VARCHAR(50),
        rows_inserted INTEGER,
        rows_updated INTEGER,
        rows_failed INTEGER,
        status VARCHAR(50),
        error_message TEXT,
        processed_by VARCHAR(100),
        processing_time_seconds NUMERIC(10, 2),
        department_id INTEGER NOT NULL,
        CONSTRAINT fin_import_logs_pkey PRIMARY KEY (id),
        CONSTRAINT fin_import_logs_department_id_fkey FOREIGN KEY (department_id) REFERENCES departments (id)
    )
    """,
    "CREATE INDEX ix_fin_import_logs_department_id ON fin_import_logs (department_id)",
    "CREATE INDEX ix_fin_import_logs_import_date ON fin_import_logs (import_date)",
)

NAMES: Final = (
    "departments",
    "fin_organizations",
    "fin_bank_accounts",
    "fin_contracts",
    "fin_receipts",
    "fin_expenses",
    "fin_expense_details",
    "fin_import_logs",
)


def create_backend(connection: Connection, department_id: int, *, with_departments: bool) -> None:
    """Create the tables, and the department whose books we keep.

    Args:
        connection: inside the migration's transaction.
        department_id: becomes ``departments.id``; 8 is Finance.
        with_departments: False where ``departments`` is there already and only the ``fin_*`` tables are missing.

    Raises:
        ProblemError: ``department-missing``: the ``departments`` that is there has no such id.
    """
    for statement in TABLES:
        if with_departments or "CREATE TABLE departments" not in statement:
            connection.exec_driver_sql(statement)
    if with_departments:
        _add_department(connection, department_id)
    elif not connection.execute(text("SELECT FROM departments WHERE id = :id"), {"id": department_id}).rowcount:
        raise ProblemError(problem("department-missing", value=department_id))


def _add_department(connection: Connection, department_id: int) -> None:
    finance = department_id == _FINANCE
    connection.execute(
        text(
            "INSERT INTO departments (id, name, code, is_active, created_at, updated_at) "
            "VALUES (:id, :name, :code, true, localtimestamp, localtimestamp)"
        ),
        {
            "id": department_id,
            "name": "Финансы" if finance else f"Подразделение {department_id}",
            "code": "FINANCE" if finance else f"DEPARTMENT_{department_id}",
        },
    )
    connection.exec_driver_sql("SELECT setval(pg_get_serial_sequence('departments', 'id'), max(id)) FROM departments")
