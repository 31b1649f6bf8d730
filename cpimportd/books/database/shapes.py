"""How receipts and expenses lie in their tables: what differs between the two, so that one query serves both."""

from dataclasses import dataclass

from cpimportd.core.model import STAGED_COLUMNS, Group, Kind

_REFERENCES = ("organization", "bank_account", "contract")
_PLAIN_REFERENCES = "o.name, b.account_number, k.contract_number"
_NAMED_REFERENCES = "o.name AS organization, b.account_number AS bank_account, k.contract_number AS contract"

DETAIL_COLUMNS = tuple(
    "payment_amount" if column == "amount" else column
    for column in STAGED_COLUMNS[Kind.DETAILS]
    if column not in {"file_no", "row", "operation_id", "organization", "number", "moment", "extra"}
)
"""The columns of a detail line that are compared and shown, in the order of the journal's arrays."""

LINE_COLUMNS = (*DETAIL_COLUMNS, "department_id")
"""All columns of a detail line that we write, less its key."""


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
        """What stands in braces in the queries that serve both kinds.

        ``content`` and ``line`` are a document and a detail line as one text, in the order of ``named_content`` and
        ``LINE_COLUMNS``: ``cpimportd.published`` keeps them, so whoever adds a column migrates that table.
        """
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
            "named_content": f"{_NAMED_REFERENCES}, f.is_active, {', '.join(f'f.{c}' for c in columns)}",
            "content": f"ROW ({_PLAIN_REFERENCES}, f.is_active, {', '.join(f'f.{c}' for c in columns)})::text",
            "line": f"ROW ({', '.join(f'x.{c}' for c in LINE_COLUMNS)})::text",
        }


RECEIPTS = Shape(Kind.RECEIPTS, "payer")
EXPENSES = Shape(Kind.EXPENSES, "recipient")
SHAPES = (RECEIPTS, EXPENSES)
