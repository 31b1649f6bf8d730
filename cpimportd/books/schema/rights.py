"""Checks the rights in the database, and the backend's tables with the columns that we use."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import asyncpg

from cpimportd.books.database.connection import SCHEMA
from cpimportd.core.model import BACKEND_TABLES, STAGED_COLUMNS, Kind
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import Problem, ProblemError, problem

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


_DML: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")

# Staged columns that do not go into a column of their own name.
_ELSEWHERE: Final = {
    "organization": "fin_organizations.name",
    "bank_account": "fin_bank_accounts.account_number",
    "contract": "fin_contracts.contract_number",
}

_TABLE_RIGHTS: Final = """
    SELECT wanted.name, array(SELECT r FROM unnest($2::text[]) r WHERE NOT has_table_privilege(c.oid, r)) AS missing
    FROM unnest($1::text[]) AS wanted (name) JOIN pg_class c ON c.oid = to_regclass(wanted.name)
"""

_OUR_TABLES: Final = """
    SELECT format('%I.%I', $1::text, c.relname) AS name,
           array(SELECT r FROM unnest($2::text[]) r WHERE NOT has_table_privilege(c.oid, r)) AS missing
    FROM pg_class c WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'r' ORDER BY 1
"""

# NULL where there is no such schema: then nothing is missing yet but the schema itself.
_OUR_SCHEMA: Final = "SELECT has_schema_privilege(to_regnamespace($1)::oid, 'USAGE')"

# An identity column's sequence asks for no right of its own.
_SEQUENCES: Final = """
    SELECT found.sequence
    FROM unnest($1::text[]) AS wanted (name)
    JOIN pg_class c ON c.oid = to_regclass(wanted.name)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id' AND a.attidentity = ''
    CROSS JOIN pg_get_serial_sequence(c.oid::regclass::text, 'id') AS found (sequence)
    WHERE found.sequence IS NOT NULL AND NOT has_sequence_privilege(found.sequence, 'USAGE')
"""

_COLUMNS: Final = """
    SELECT wanted.name AS table, a.attname AS column, format_type(a.atttypid, NULL) AS type,
           CASE WHEN a.atttypid = 'varchar'::regtype AND a.atttypmod > 0 THEN a.atttypmod - 4 END AS length,
           a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS must_be_given, a.attgenerated <> '' AS generated
    FROM unnest($1::text[]) AS wanted (name)
    JOIN pg_class c ON c.oid = to_regclass(wanted.name)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
"""

# The columns of a key are the same key in any order; INCLUDE columns stand behind indnkeyatts.
_DETAILS_INDEX: Final = """
    SELECT i.indexrelid::regclass::text
    FROM pg_index i
    WHERE i.indrelid = to_regclass('fin_expense_details') AND i.indisunique AND i.indpred IS NULL
      AND i.indexprs IS NULL
      AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text)
           FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
           JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
           WHERE k.place <= i.indnkeyatts)
          = ARRAY['department_id', 'expense_operation_id', 'payment_amount', 'payment_type']
    ORDER BY 1 LIMIT 1
"""


async def missing_rights(connection: asyncpg.Connection) -> tuple[Problem, ...]:
    """Every right that a run needs and the present user lacks, each with the GRANT that gives it.

    SELECT, INSERT, UPDATE and DELETE on the backend's ``fin_*`` tables, SELECT on ``departments``, USAGE on the
    sequences of their ids (without it an INSERT fails), and everything in our own schema. Tables that are not there at
    all are :func:`check_tables`' business.
    """
    user = await connection.fetchval("SELECT quote_ident(current_user)")
    rows = [
        *await connection.fetch(_TABLE_RIGHTS, list(BACKEND_TABLES), list(_DML)),
        *await connection.fetch(_TABLE_RIGHTS, ["departments"], ["SELECT"]),
        *await connection.fetch(_OUR_TABLES, SCHEMA, list(_DML)),
    ]
    found = [
        _right(
            phrase("right-on", rights=", ".join(row["missing"]), place=row["name"]),
            "ON " + row["name"],
            row["missing"],
            user,
        )
        for row in rows
        if row["missing"]
    ]
    found += [
        _right(
            phrase("right-on", rights="USAGE", place=row["sequence"]), "ON SEQUENCE " + row["sequence"], ["USAGE"], user
        )
        for row in await connection.fetch(_SEQUENCES, list(BACKEND_TABLES))
    ]
    if await connection.fetchval(_OUR_SCHEMA, SCHEMA) is False:
        found.append(_right(phrase("right-on-schema", name=SCHEMA), f"ON SCHEMA {SCHEMA}", ["USAGE"], user))
    return tuple(found)


def _right(reason: Phrase, place: str, rights: Iterable[str], user: str) -> Problem:
    return problem("database-rights", reason=reason, grant=f"GRANT {', '.join(rights)} {place} TO {user};")


async def check_tables(connection: asyncpg.Connection) -> None:
    """Make sure that the backend's tables are there with columns that our statements can work with.

    Raises:
        ProblemError: ``database-foreign``: a table or column is missing, has another type, or a column that we do not
            know must be given; one problem for each.
    """
    found: dict[str, dict[str, asyncpg.Record]] = {}
    for row in await connection.fetch(_COLUMNS, list(NEEDED)):
        found.setdefault(row["table"], {})[row["column"]] = row
    reasons = [reason for table in NEEDED for reason in _differences(table, found.get(table))]
    if reasons:
        raise ProblemError(*(problem("database-foreign", reason=reason) for reason in reasons))


def _differences(table: str, there: Mapping[str, Any] | None) -> Iterable[Phrase]:
    if there is None:
        yield phrase("is-missing", name=table)
        return
    needed = NEEDED[table]
    for name, types in needed.items():
        if name not in there:
            yield phrase("is-missing", name=f"{table}.{name}")
        elif there[name]["generated"]:
            yield phrase("is-generated", name=f"{table}.{name}")
        elif there[name]["type"] not in types:
            found, expected = there[name]["type"], " or ".join(types)
            yield phrase("type-differs", name=f"{table}.{name}", found=found, expected=expected)
    known = needed.keys() | NOT_USED.get(table, frozenset())
    for name, row in there.items():
        if row["must_be_given"] and name not in known and table in BACKEND_TABLES:
            yield phrase("must-be-given", name=f"{table}.{name}")


async def text_limits(connection: asyncpg.Connection) -> Mapping[Kind, Mapping[str, int]]:
    """How many characters fit, per kind and staged column (:data:`~cpimportd.core.model.STAGED_COLUMNS`).

    ``organization``, ``bank_account`` and ``contract`` have the limits of the texts that they name in
    ``fin_organizations``, ``fin_bank_accounts`` and ``fin_contracts``; a column without a limit is left out.
    """
    rows = await connection.fetch(_COLUMNS, list(BACKEND_TABLES))
    lengths = {f"{row['table']}.{row['column']}": row["length"] for row in rows if row["length"]}
    own_key = {Kind.DETAILS: {"operation_id": "fin_expense_details.expense_operation_id"}}
    limits: dict[Kind, dict[str, int]] = {}
    for kind in Kind:
        homes = {**{name: f"{kind.table}.{name}" for name in STAGED_COLUMNS[kind]}, **_ELSEWHERE}
        homes.update(own_key.get(kind, {}))
        limits[kind] = {
            name: lengths[homes[name]] for name in STAGED_COLUMNS[kind] if lengths.get(homes[name]) is not None
        }
    return limits


async def details_unique_index(connection: asyncpg.Connection) -> str | None:
    """The index that forbids two equal detail lines of one document, where the backend has one.

    It is known by its shape, not its name: unique, whole, over document, payment type, amount and department.
    """
    name: str | None = await connection.fetchval(_DETAILS_INDEX)
    return name


async def department_exists(connection: asyncpg.Connection, department_id: int) -> bool:
    """Whether ``departments`` has this id."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM departments WHERE id = $1)", department_id))
