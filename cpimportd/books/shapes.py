"""How receipts and expenses lie in their tables: what differs between the two, so that one query serves both."""

from dataclasses import dataclass

from cpimportd.model import STAGED_COLUMNS, Group, Kind

_REFERENCES = ("organization", "bank_account", "contract")


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of documents as the database knows it.

    Attributes:
        kind: receipts or expenses.
        counterparty: the column that names the other side.
    """

    kind: Kind
    counterparty: str

    @property
    def group(self) -> Group:
        """The group that the kind owns."""
        return self.kind.group

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that go into the table as they were staged: all less the key, the references and ``extra``."""
        skipped = {"file_no", "row", "operation_id", "number", "moment", "extra", *_REFERENCES}
        return tuple(column for column in STAGED_COLUMNS[self.kind] if column not in skipped)

    @property
    def identifiers(self) -> dict[str, str]:
        """What stands in braces in the queries that serve both kinds."""
        columns = self.columns
        return {
            "kind": self.kind.value,
            "table": self.kind.table,
            "stage": f"stage_{self.kind.value}",
            "counterparty": self.counterparty,
            "columns": ", ".join(columns),
            "stage_columns": ", ".join(f"s.{c}" for c in columns),
            "record_columns": ", ".join(f"r.{c}" for c in columns),
            "table_columns": ", ".join(f"f.{c}" for c in columns),
            "assignments": ", ".join(f"{c} = s.{c}" for c in columns),
            "old_json": ", ".join(f"'{c}', f.{c}" for c in columns),
            "new_json": ", ".join(f"'{c}', s.{c}" for c in columns),
        }

    @property
    def content(self) -> str:
        """All of a document's content as one jsonb: what we write of it, references by their names, and its lines.

        For queries that call the document's row ``f``, and ``o``, ``b`` and ``k`` what it refers to. What is empty is
        left out, so that a field which a later version adds makes no old document another one.
        """
        return f"""jsonb_strip_nulls(jsonb_build_object(
            'organization', o.name, 'bank_account', b.account_number, 'contract', k.contract_number,
            'is_active', f.is_active, {self.identifiers["old_json"]}{_LINES if self.kind is Kind.EXPENSES else ""}))"""


DETAIL_COLUMNS = tuple(
    "payment_amount" if column == "amount" else column
    for column in STAGED_COLUMNS[Kind.DETAILS]
    if column not in {"file_no", "row", "operation_id", "organization", "number", "moment", "extra"}
)
"""The columns of a detail line that are compared and shown, in the order of the journal's arrays."""

_LINES = f""", 'details', (
    SELECT jsonb_agg(jsonb_build_object({", ".join(f"'{c}', x.{c}" for c in (*DETAIL_COLUMNS, "department_id"))})
                     ORDER BY x.id)
    FROM fin_expense_details x WHERE x.expense_operation_id = f.operation_id)"""  # noqa: S608 - names of ours

RECEIPTS = Shape(Kind.RECEIPTS, "payer")
EXPENSES = Shape(Kind.EXPENSES, "recipient")
SHAPES = (RECEIPTS, EXPENSES)
