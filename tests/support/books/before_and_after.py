"""Days whose runs are undone, and what the books must be again then."""

import json
from decimal import Decimal

TABLES = {
    "fin_receipts": "to_jsonb(t) - 'id' - 'updated_at'",
    "fin_expenses": "to_jsonb(t) - 'id' - 'updated_at'",
    "fin_expense_details": "to_jsonb(t) - 'id' - 'created_at'",
    "fin_contracts": "to_jsonb(t) - 'updated_at'",
    "cpimportd.lineage": "to_jsonb(t)",
    "cpimportd.served": "to_jsonb(t)",
}


def books(sql, database, *, contracts=True):
    """Everything that an undo has to bring back."""
    return {
        table: sorted(row[0] for row in sql(database, f"SELECT ({columns})::text FROM {table} t"))
        for table, columns in TABLES.items()
        if contracts or table != "fin_contracts"
    }


def content(sql, database):
    """The books as whoever reads them sees them: contracts and accounts by their texts, nothing of ids and clocks."""
    found = books(sql, database)
    named = sql(database, """
        SELECT f.operation_id, o.name, b.account_number, k.contract_number, k.contract_date
        FROM (SELECT operation_id, organization_id, bank_account_id, contract_id FROM fin_receipts
              UNION ALL SELECT operation_id, organization_id, bank_account_id, contract_id FROM fin_expenses) f
        LEFT JOIN fin_organizations o ON o.id = f.organization_id
        LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
        LEFT JOIN fin_contracts k ON k.id = f.contract_id ORDER BY 1""")  # fmt: skip
    ids = ("organization_id", "bank_account_id", "contract_id", "created_at")
    rows = {
        table: sorted(
            json.dumps({k: v for k, v in json.loads(row).items() if k not in ids}, sort_keys=True)
            for row in found[table]
        )
        for table in ("fin_receipts", "fin_expenses", "fin_expense_details", "cpimportd.lineage")
    }
    return rows, [tuple(row) for row in named]


def three_days(made):
    one, two, three, four = (made.expense(n, f"{n}00.50") for n in (1, 2, 3, 4))
    receipts = [made.receipt(9, "5000.00"), made.receipt(8, "1.00")]
    first = made.Day(
        receipts=receipts,
        expenses=[one, two, three, four],
        details=[made.line(row, str(row["amount"])) for row in (one, two, three, four)],
    )
    dearer = {**two, "amount": Decimal("250.00"), "comment": "corrected", "contract": "Договор N 9 от 01.02.2022"}
    noted = {**three, "extra": {"Основание": "устно"}}
    new = {**made.expense(5, "7.00"), "bank_account": "ДРУГОЙ БАНК"}
    second = made.Day(
        receipts=receipts[:1],
        expenses=[one, dearer, noted, new],
        details=[
            made.line(one, "60.50"),
            made.line(one, "40.00", "Уплата процентов"),
            made.line(dearer, "250.00"),
            made.line(noted, "300.50"),
            made.line(new, "7.00"),
        ],
    )
    cheaper = {**dearer, "amount": Decimal("245.00")}
    third = made.Day(
        receipts=second.receipts,
        expenses=[cheaper, noted, new, made.expense(6, "1.00")],
        details=[
            made.line(cheaper, "245.00"),
            made.line(noted, "300.50"),
            made.line(new, "7.00"),
            made.line(made.expense(6, "1.00"), "1.00"),
        ],
    )
    return first, second, third
