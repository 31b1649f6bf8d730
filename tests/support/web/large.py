"""Large runs, made in SQL within seconds: documents that a first day brought, a second one changed, and an undo took back."""

from tests.support.database import run_sql

NAME = "'Списание с расчетного счета 0Я00-' || lpad(n::text, 8, '0') || ' от 01.02.2024 10:00:00'"

_DOCUMENTS = """
    INSERT INTO fin_expenses
    SELECT r.* FROM generate_series(1, {number}) n
    CROSS JOIN (SELECT * FROM fin_expenses ORDER BY id LIMIT 1) e
    CROSS JOIN LATERAL jsonb_populate_record(NULL::fin_expenses, to_jsonb(e) || jsonb_build_object('id', 1000000 + n, 'operation_id', {name}, 'amount', 110)) r
"""
_LINES = """
    INSERT INTO fin_expense_details
    SELECT r.* FROM generate_series(1, {number}) n
    CROSS JOIN (SELECT * FROM fin_expense_details ORDER BY id LIMIT 1) d
    CROSS JOIN LATERAL jsonb_populate_record(NULL::fin_expense_details, to_jsonb(d) || jsonb_build_object('id', 1000000 + n, 'expense_operation_id', {name},
                                                                   'payment_amount', 110)) r
"""
_LINEAGE = """
    INSERT INTO cpimportd.lineage
    SELECT r.* FROM generate_series(1, {number}) n
    CROSS JOIN (SELECT l.* FROM cpimportd.lineage l JOIN fin_expenses f USING (operation_id) WHERE f.id < 1000000 ORDER BY f.id LIMIT 1) l
    CROSS JOIN LATERAL jsonb_populate_record(NULL::cpimportd.lineage, to_jsonb(l) || jsonb_build_object('operation_id', {name}, 'first_run', 1, 'last_run', 2)) r
"""
_ENTRIES = """
    INSERT INTO cpimportd.change (run_id, seq, department_id, kind, op, operation_id, organization, amount_before, amount_after,
                                  old, new, why, lineage)
    SELECT {run}, 1000 + n, 8, 'expenses', 'update', l.operation_id, l.organization, {before}, {after},
           jsonb_build_object('amount', {before}, 'details', jsonb_build_array(x.line || '{{"payment_amount": {before}}}')),
           jsonb_build_object('amount', {after}, 'details', jsonb_build_array(x.line || '{{"payment_amount": {after}}}')),
           {why}, to_jsonb(l) || '{{"last_run": 1}}'
    FROM generate_series(1, {number}) n
    JOIN cpimportd.lineage l ON l.operation_id = {name}
    CROSS JOIN (SELECT to_jsonb(d) - 'id' - 'created_at' - 'expense_operation_id' AS line FROM fin_expense_details d
                ORDER BY id LIMIT 1) x
"""
_UNDO = """
    INSERT INTO cpimportd.runs (id, department_id, status, trigger, started_at, finished_at, undoes, host, version)
    SELECT 90, 8, 'published', trigger, started_at, finished_at, '{2}', host, version FROM cpimportd.runs WHERE id = 2
"""
_LATER = """
    INSERT INTO cpimportd.runs (id, department_id, status, trigger, started_at, finished_at, host, version)
    SELECT 91, 8, 'published', trigger, started_at, finished_at, host, version FROM cpimportd.runs WHERE id = 2
"""

_CONTRACT = (
    "(SELECT k.contract_number FROM fin_expenses f JOIN fin_contracts k ON k.id = f.contract_id WHERE f.id = 1000001)"
)
_BRIDGES = """
    INSERT INTO cpimportd.run_contract (run_id, organization, kind, contract, opening, added, removed, changed, closing)
    SELECT 91, 'ЛОТОС ООО', 'expenses', 'Договор N ' || n, 0, n, 0, 0, n FROM generate_series(1000001, 1000000 + {number}) n
"""
_LEFT = """
    INSERT INTO cpimportd.change (run_id, seq, department_id, kind, op, operation_id, organization, amount_before, old)
    SELECT 91, n, 8, 'expenses', 'delete', 'Left ' || n, 'ЛОТОС ООО', 10, jsonb_build_object('contract', {contract})
    FROM generate_series(1, {number}) n
"""
_MOVED = """
    INSERT INTO cpimportd.run_contract (run_id, organization, kind, contract, opening, added, removed, changed, closing)
    SELECT 91, 'Organization ' || n, 'expenses', {contract}, 0, n, 0, 0, n FROM generate_series(1, {number}) n
"""
_CONTRACTS = """
    INSERT INTO fin_contracts SELECT r.* FROM generate_series(1, {number}) n
    CROSS JOIN (SELECT * FROM fin_contracts ORDER BY id LIMIT 1) k
    CROSS JOIN LATERAL jsonb_populate_record(NULL::fin_contracts, to_jsonb(k)
        || jsonb_build_object('id', 1000000 + n, 'contract_number', 'Договор N ' || (1000000 + n))) r
"""


def enlarge_contracts(url: str, number: int) -> str:
    """In a database that :func:`enlarge` filled: a run 91 that moved so many new contracts.

    It moved the contract of all documents there, too: as many have left that, and it has a bridge per organization.

    Args:
        url: of the database.
        number: of contracts, of documents that left that one, and of organizations.

    Returns:
        That contract.
    """
    of = {"number": number, "contract": _CONTRACT}
    made = (text.format(**of) for text in (_CONTRACTS, _BRIDGES, _LEFT, _MOVED))
    (row,) = run_sql(url, _LATER, *made, "ANALYZE", f"SELECT {_CONTRACT} AS contract")
    return str(row["contract"])


def enlarge(url: str, number: int) -> None:
    """In a database with three runs (tests/web): so many documents that run 1 brought, run 2 changed and run 90 changed back.

    Args:
        url: of the database.
        number: of documents.
    """
    of = {"number": number, "name": NAME}
    run_sql(
        url,
        *(text.format(**of) for text in (_DOCUMENTS, _LINES, _LINEAGE)),
        _ENTRIES.format(**of, run=2, before=100, after=120, why="'snapshot'"),
        _UNDO,
        _ENTRIES.format(**of, run=90, before=120, after=110, why="'undone'"),
        "ANALYZE",
        "SELECT 1",
    )
