"""The backend's tables as the backend itself makes them: what the first migration and ``needed.py`` are compared with."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    func,
)
from sqlalchemy.schema import SchemaItem

from cpimportd.books.schema.tables import NAMING

backend_metadata = MetaData(naming_convention={**NAMING, "ix": "ix_%(column_0_label)s"})

_AMOUNT = Numeric(15, 2)


def _id() -> Column[int]:
    return Column("id", Integer(), primary_key=True)


def _department() -> Column[int]:
    return Column("department_id", Integer(), ForeignKey("departments.id"), nullable=False, index=True)


def _stamps() -> tuple[SchemaItem, ...]:
    return (
        Column("is_active", Boolean(), nullable=False, index=True),
        Column("created_at", DateTime(), server_default=func.now(), nullable=False),
        Column("updated_at", DateTime(), server_default=func.now()),
    )


def _texts(length: int, names: Sequence[str]) -> tuple[SchemaItem, ...]:
    return tuple(Column(name, String(length)) for name in names)


departments = Table(
    "departments",
    backend_metadata,
    _id(),
    Column("name", String(255), nullable=False, unique=True),
    Column("code", String(50), nullable=False, unique=True),
    Column("is_active", Boolean(), nullable=False),
    Column("created_at", DateTime(), nullable=False),
    Column("updated_at", DateTime(), nullable=False),
)

organizations = Table(
    "fin_organizations",
    backend_metadata,
    _id(),
    Column("name", String(255), nullable=False),
    Column("inn", String(20)),
    _department(),
    *_stamps(),
    Index("ix_fin_organizations_name_dept", "name", "department_id", unique=True),
)

bank_accounts = Table(
    "fin_bank_accounts",
    backend_metadata,
    _id(),
    Column("account_number", String(255), nullable=False),
    Column("bank_name", String(255)),
    _department(),
    *_stamps(),
    Index("ix_fin_bank_accounts_number_dept", "account_number", "department_id", unique=True),
)

contracts = Table(
    "fin_contracts",
    backend_metadata,
    _id(),
    Column("contract_number", String(255), nullable=False),
    Column("contract_date", Date()),
    Column("contract_type", String(100)),
    Column("counterparty", String(255)),
    Column("organization_id", Integer(), ForeignKey("fin_organizations.id", ondelete="SET NULL"), index=True),
    _department(),
    *_stamps(),
    Index("ix_fin_contracts_number_dept", "contract_number", "department_id", unique=True),
)


def _document() -> tuple[SchemaItem, ...]:
    """The columns with which receipts and expenses begin."""
    return (
        _id(),
        Column("operation_id", String(255), nullable=False, unique=True),
        Column("organization_id", Integer(), ForeignKey("fin_organizations.id"), nullable=False, index=True),
        Column("bank_account_id", Integer(), ForeignKey("fin_bank_accounts.id"), index=True),
        Column("contract_id", Integer(), ForeignKey("fin_contracts.id"), index=True),
        Column("operation_type", String(255)),
        Column("accounting_account", String(50)),
        Column("document_number", String(255)),
        Column("document_date", Date(), index=True),
    )


receipts = Table(
    "fin_receipts",
    backend_metadata,
    *_document(),
    *_texts(255, ("payer", "payer_account")),
    Column("settlement_account", String(100)),
    Column("contract_date", Date()),
    Column("currency", String(10)),
    Column("amount", _AMOUNT, nullable=False),
    Column("commission", _AMOUNT),
    Column("payment_purpose", Text()),
    Column("responsible_person", String(255)),
    Column("comment", Text()),
    _department(),
    *_stamps(),
    Index("ix_fin_receipts_operation_dept", "operation_id", "department_id", unique=True),
)

expenses = Table(
    "fin_expenses",
    backend_metadata,
    *_document(),
    *_texts(255, ("recipient", "recipient_account")),
    Column("debit_account", String(100)),
    Column("contract_date", Date()),
    Column("currency", String(10)),
    Column("amount", _AMOUNT, nullable=False),
    Column("expense_article", String(255)),
    Column("payment_purpose", Text()),
    Column("responsible_person", String(255)),
    Column("comment", Text()),
    Column("tax_period", String(10)),
    Column("unconfirmed_by_bank", Boolean()),
    _department(),
    *_stamps(),
    Index("ix_fin_expenses_operation_dept", "operation_id", "department_id", unique=True),
)

expense_details = Table(
    "fin_expense_details",
    backend_metadata,
    _id(),
    Column(
        "expense_operation_id",
        String(255),
        ForeignKey("fin_expenses.operation_id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("contract_number", String(255)),
    *_texts(100, ("repayment_type", "settlement_account", "advance_account")),
    Column("payment_type", String(255)),
    Column("payment_amount", _AMOUNT),
    Column("settlement_rate", Numeric(15, 6)),
    *(Column(name, _AMOUNT) for name in ("settlement_amount", "vat_amount", "expense_amount", "vat_in_expense")),
    _department(),
    Column("created_at", DateTime(), server_default=func.now(), nullable=False),
)

import_logs = Table(
    "fin_import_logs",
    backend_metadata,
    _id(),
    Column("import_date", DateTime(), server_default=func.now(), nullable=False, index=True),
    Column("source_file", String(255)),
    Column("table_name", String(50)),
    *(Column(name, Integer()) for name in ("rows_inserted", "rows_updated", "rows_failed")),
    Column("status", String(50)),
    Column("error_message", Text()),
    Column("processed_by", String(100)),
    Column("processing_time_seconds", Numeric(10, 2)),
    _department(),
)

BACKEND_TABLES: Final = (
    departments,
    organizations,
    bank_accounts,
    contracts,
    receipts,
    expenses,
    expense_details,
    import_logs,
)
"""All of them, each after those it points to."""
