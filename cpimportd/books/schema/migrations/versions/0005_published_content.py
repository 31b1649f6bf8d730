"""Each document as we published it, so that foreign writes can be found and corrected document by document.

Earlier publications are taken from the books, for units without foreign writes. The fingerprints now include the texts
of contracts and bank accounts; valid fingerprints get the new form.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE cpimportd.published (
        department_id INTEGER NOT NULL,
        kind TEXT NOT NULL,
        operation_id TEXT NOT NULL,
        organization TEXT NOT NULL,
        content TEXT NOT NULL,
        lines TEXT[],
        CONSTRAINT published_pkey PRIMARY KEY (department_id, kind, operation_id),
        CONSTRAINT published_kind_check CHECK (kind IN ('receipts', 'expenses'))
    )
    """,
    "ALTER TABLE cpimportd.change ADD COLUMN foreign_write BOOLEAN DEFAULT false NOT NULL",
    "ALTER TABLE cpimportd.run_unit ADD COLUMN foreign_rows INTEGER DEFAULT 0 NOT NULL, "
    "ADD COLUMN foreign_sum NUMERIC(20, 2) DEFAULT 0 NOT NULL",
)

# What identified the rows of an organization so far, and what does from now on.
PRESENT = """
    SELECT 'receipts' AS kind, f.department_id, o.name AS organization, count(*) AS rows,
           coalesce(sum(f.amount), 0) AS total,
           coalesce(sum(hashint8extended(f.xmin::text::bigint, f.id)), 0) AS marks,
           coalesce(sum(hashtextextended(
               concat(f.xmin, '|', k.contract_number, '|', k.is_active, '|', b.account_number), f.id)), 0)
               AS new_marks
    FROM fin_receipts f JOIN fin_organizations o ON o.id = f.organization_id
    LEFT JOIN fin_contracts k ON k.id = f.contract_id LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
    GROUP BY f.department_id, o.name
    UNION ALL
    SELECT 'expenses', f.department_id, o.name, count(*), coalesce(sum(f.amount), 0),
           coalesce(sum(hashint8extended(f.xmin::text::bigint, f.id)), 0),
           coalesce(sum(hashtextextended(
               concat(f.xmin, '|', k.contract_number, '|', k.is_active, '|', b.account_number), f.id)), 0)
    FROM fin_expenses f JOIN fin_organizations o ON o.id = f.organization_id
    LEFT JOIN fin_contracts k ON k.id = f.contract_id LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
    GROUP BY f.department_id, o.name
    UNION ALL
    SELECT 'details', f.department_id, o.name, count(*), coalesce(sum(d.payment_amount), 0),
           coalesce(sum(hashint8extended(d.xmin::text::bigint, d.id)), 0),
           coalesce(sum(hashint8extended(d.xmin::text::bigint, d.id)), 0)
    FROM fin_expense_details d
    JOIN fin_expenses f ON f.operation_id = d.expense_operation_id
    JOIN fin_organizations o ON o.id = f.organization_id
    GROUP BY f.department_id, o.name
"""

FINGERPRINTS = f"""
    UPDATE cpimportd.fingerprint p SET marks = now.new_marks
    FROM ({PRESENT}) now
    WHERE now.department_id = p.department_id AND now.kind = p.kind AND now.organization = p.organization
      AND (now.rows, now.total, now.marks) = (p.rows, p.total, p.marks)
"""  # noqa: S608 - names of ours

LINES = """(
    SELECT array_agg(ROW (x.payment_amount, x.contract_number, x.repayment_type, x.settlement_account,
                          x.advance_account, x.payment_type, x.settlement_rate, x.settlement_amount, x.vat_amount,
                          x.expense_amount, x.vat_in_expense, x.department_id)::text ORDER BY x.id)
    FROM fin_expense_details x WHERE x.expense_operation_id = f.operation_id)
"""

COLUMNS = {
    "receipts": (
        "amount, operation_type, accounting_account, document_number, document_date, payer, payer_account, "
        "settlement_account, contract_date, currency, commission, payment_purpose, responsible_person, comment"
    ),
    "expenses": (
        "amount, operation_type, accounting_account, document_number, document_date, recipient, recipient_account, "
        "debit_account, contract_date, currency, expense_article, payment_purpose, responsible_person, comment, "
        "tax_period, unconfirmed_by_bank"
    ),
}

COMMENTS = {
    "TABLE cpimportd.published": "Each document as we published it last: what somebody else wrote since differs, "
    "and is put right by it.",
    "COLUMN cpimportd.published.department_id": "Whose books: departments.id in the backend.",
    "COLUMN cpimportd.published.kind": "receipts or expenses; an expense''s detail lines are part of its content.",
    "COLUMN cpimportd.published.operation_id": "The document: fin_receipts.operation_id or fin_expenses.operation_id.",
    "COLUMN cpimportd.published.organization": "Whose document.",
    "COLUMN cpimportd.published.content": "Its columns that we write, references by their names, as a row''s text.",
    "COLUMN cpimportd.published.lines": "The same of each of its detail lines, in file order.",
    "COLUMN cpimportd.change.foreign_write": "It took back what somebody else had written, before the run''s own "
    "changes; no undo brings that again.",
    "COLUMN cpimportd.run_unit.foreign_rows": "How many of rows_before somebody else had added; below 0: removed. They "
    "were put right first.",
    "COLUMN cpimportd.run_unit.foreign_sum": "What of opening somebody else had written, with its sign.",
}


def fill(kind: str) -> str:
    """Documents of units whose fingerprints are true."""
    own = ", ".join(f"f.{column}" for column in COLUMNS[kind].split(", "))
    lines = LINES if kind == "expenses" else "NULL"
    return f"""
        WITH now AS ({PRESENT}), foreign_unit AS (
            SELECT p.department_id, p.organization
            FROM cpimportd.fingerprint p LEFT JOIN now USING (department_id, kind, organization)
            WHERE p.kind IN ('{kind}', '{"details" if kind == "expenses" else kind}')
              AND (coalesce(now.rows, 0), coalesce(now.total, 0), coalesce(now.new_marks, 0))
                  <> (p.rows, p.total, p.marks)
        )
        INSERT INTO cpimportd.published (department_id, kind, operation_id, organization, content, lines)
        SELECT l.department_id, l.kind, l.operation_id, l.organization,
               ROW (o.name, b.account_number, k.contract_number, f.is_active, {own})::text, {lines}
        FROM cpimportd.lineage l
        JOIN fin_{kind} f ON f.operation_id = l.operation_id AND f.department_id = l.department_id
        LEFT JOIN fin_organizations o ON o.id = f.organization_id
        LEFT JOIN fin_bank_accounts b ON b.id = f.bank_account_id
        LEFT JOIN fin_contracts k ON k.id = f.contract_id
        WHERE l.kind = '{kind}'
          AND EXISTS (SELECT FROM cpimportd.fingerprint p WHERE p.department_id = l.department_id AND p.kind = l.kind
                        AND p.organization = l.organization)
          AND NOT EXISTS (SELECT FROM foreign_unit u WHERE u.department_id = l.department_id
                            AND u.organization = l.organization)
    """  # noqa: S608 - names of ours


def upgrade() -> None:
    connection = op.get_bind()
    for statement in (*TABLES, FINGERPRINTS, *map(fill, COLUMNS)):
        connection.exec_driver_sql(statement)
    for what, comment in COMMENTS.items():
        connection.exec_driver_sql(f"COMMENT ON {what} IS '{comment}'")
