"""The backend's columns that our statements use, and what each of them may be: what a run compares the database with.

Plain names, so that a run need not load SQLAlchemy; a test compares them with the tables as the backend makes them.
"""

from collections.abc import Mapping
from typing import Final

INTEGER: Final = ("integer", "bigint")
TEXT: Final = ("character varying", "text")
NUMERIC: Final = ("numeric",)
DATE: Final = ("date",)
TIME: Final = ("timestamp without time zone", "timestamp with time zone")
BOOLEAN: Final = ("boolean",)

Types = tuple[str, ...]
"""The types of PostgreSQL with which a column works; the first is the one that the backend gives it."""


def _columns(*of_type: tuple[Types, str]) -> Mapping[str, Types]:
    return {name: types for types, names in of_type for name in names.split()}


NEEDED: Final[Mapping[str, Mapping[str, Types]]] = {
    "departments": _columns((INTEGER, "id")),
    "fin_organizations": _columns(
        (INTEGER, "id department_id"), (TEXT, "name"), (BOOLEAN, "is_active"), (TIME, "created_at updated_at")
    ),
    "fin_bank_accounts": _columns(
        (INTEGER, "id department_id"),
        (TEXT, "account_number bank_name"),
        (BOOLEAN, "is_active"),
        (TIME, "created_at updated_at"),
    ),
    "fin_contracts": _columns(
        (INTEGER, "id organization_id department_id"),
        (TEXT, "contract_number counterparty"),
        (DATE, "contract_date"),
        (BOOLEAN, "is_active"),
        (TIME, "created_at updated_at"),
    ),
    "fin_receipts": _columns(
        (INTEGER, "id organization_id bank_account_id contract_id department_id"),
        (TEXT, "operation_id operation_type accounting_account document_number payer payer_account settlement_account"),
        (TEXT, "currency payment_purpose responsible_person comment"),
        (DATE, "document_date contract_date"),
        (NUMERIC, "amount commission"),
        (BOOLEAN, "is_active"),
        (TIME, "created_at updated_at"),
    ),
    "fin_expenses": _columns(
        (INTEGER, "id organization_id bank_account_id contract_id department_id"),
        (TEXT, "operation_id operation_type accounting_account document_number recipient recipient_account"),
        (TEXT, "debit_account currency expense_article payment_purpose responsible_person comment tax_period"),
        (DATE, "document_date contract_date"),
        (NUMERIC, "amount"),
        (BOOLEAN, "is_active unconfirmed_by_bank"),
        (TIME, "created_at updated_at"),
    ),
    "fin_expense_details": _columns(
        (INTEGER, "id department_id"),
        (TEXT, "expense_operation_id contract_number repayment_type settlement_account advance_account payment_type"),
        (NUMERIC, "payment_amount settlement_rate settlement_amount vat_amount expense_amount vat_in_expense"),
        (TIME, "created_at"),
    ),
    "fin_import_logs": _columns(
        (INTEGER, "id rows_inserted rows_updated rows_failed department_id"),
        (TEXT, "source_file table_name status error_message processed_by"),
        (NUMERIC, "processing_time_seconds"),
        (TIME, "import_date"),
    ),
}
"""Per table its columns; each table after those that it points to."""

NOT_USED: Final[Mapping[str, frozenset[str]]] = {
    "departments": frozenset({"name", "code", "is_active", "created_at", "updated_at"}),
    "fin_organizations": frozenset({"inn"}),
    "fin_contracts": frozenset({"contract_type"}),
}
"""Per table the columns of the backend that we know, and neither read nor write."""
