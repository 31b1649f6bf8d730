"""The predecessor's way: a stand-in for its importer, made for comparison, not its code.

    ENVIRONMENT/bin/python predecessor.py JOB.json

What it has in common with it is the method: openpyxl reads each workbook whole, every row of receipts and expenses is
looked up by its key and then inserted or changed through the ORM, every detail line is inserted without a key (so a
second run doubles them), and there is a COMMIT after every hundred rows. It writes the columns that the backend's readers use.
"""

import json
import re
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from openpyxl import load_workbook
from sqlalchemy import create_engine, select
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import Session

BETWEEN_COMMITS = 100
DEPARTMENT = 8
DOCUMENT = {
    "accounting_account": "Счет учета", "payment_purpose": "Назначение платежа", "comment": "Комментарий",
    "operation_type": "Вид операции",
}  # fmt: skip
COLUMNS = {
    "receipts": DOCUMENT | {
        "operation_id": "Поступление на расчетный счет", "document_number": "Номер входящего документа",
        "document_date": "Дата входящего документа", "payer": "Плательщик", "payer_account": "Счет плательщика",
        "settlement_account": "Счет расчетов", "currency": "Валюта", "amount": "Сумма", "commission": "Комиссия",
    },
    "expenses": DOCUMENT | {
        "operation_id": "Списание с расчетного счета", "document_number": "Вх. номер", "document_date": "Вх. дата",
        "recipient": "Получатель", "recipient_account": "Счет получателя", "debit_account": "Счет дебета",
        "expense_article": "Статья расходов", "tax_period": "Налоговый период", "amount": "Сумма",
        "unconfirmed_by_bank": "Не подтверждено выпиской банка",
    },
    "details": {
        "expense_operation_id": "Списание с расчетного счета", "contract_number": "Договор",
        "repayment_type": "Погашение задолженности", "settlement_account": "Счет расчетов",
        "advance_account": "Счет авансов", "payment_type": "Вид платежа по кредитам займам",
        "payment_amount": "Сумма платежа", "settlement_rate": "Курс расчетов", "settlement_amount": "Сумма расчетов",
        "vat_amount": "Сумма НДС",
    },
}  # fmt: skip
AMOUNTS = {"amount", "commission", "payment_amount", "settlement_rate", "settlement_amount", "vat_amount"}


def value(column: str, cell: object) -> object:
    if cell is None or cell == "":
        return None
    if column in AMOUNTS:
        return Decimal(re.sub(r"\s", "", str(cell)).replace(",", "."))
    if column == "document_date":
        day, month, year = map(int, str(cell).split("."))
        return date(year, month, day)
    return cell == "Да" if column == "unconfirmed_by_bank" else str(cell)


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


class Importer:
    def __init__(self, session: Session, tables) -> None:
        self.session, self.tables, self.rows = session, tables, 0

    def file(self, path: str, kind: str, header: int) -> None:
        sheet = load_workbook(path).worksheets[0]
        titles = [cell.value for cell in sheet[header + 1]]
        for cells in sheet.iter_rows(min_row=header + 2, values_only=True):
            if cells[0] != "Итого":
                self.row(kind, dict(zip(titles, cells, strict=True)))
        self.session.commit()

    def row(self, kind: str, row: dict[str, object]) -> None:
        found = {column: value(column, row.get(title)) for column, title in COLUMNS[kind].items()}
        found["department_id"] = DEPARTMENT
        if kind == "details":
            self.session.add(self.tables.fin_expense_details(**found))
        else:
            self.upsert(f"fin_{kind}", found | self.references(row))
        self.rows += 1
        if self.rows % BETWEEN_COMMITS == 0:
            self.session.commit()

    def upsert(self, table: str, found: dict[str, object]) -> None:
        entity = self.tables[table]
        document = self.session.scalar(select(entity).where(entity.operation_id == found["operation_id"]))
        if document is None:
            self.session.add(entity(**found, is_active=True, created_at=now(), updated_at=now()))
        else:
            for column, new in found.items():
                setattr(document, column, new)
            document.updated_at = now()

    def references(self, row: dict[str, object]) -> dict[str, object]:
        return {
            "organization_id": self.reference("fin_organizations", "name", row["Организация"]),
            "bank_account_id": self.reference("fin_bank_accounts", "account_number", row["Банковский счет"]),
            "contract_id": self.reference("fin_contracts", "contract_number", row["Договор"]),
        }

    def reference(self, table: str, column: str, text: str) -> int:
        entity = self.tables[table]
        found = self.session.scalar(select(entity).where(getattr(entity, column) == text))
        if found is None:
            found = entity(
                department_id=DEPARTMENT, is_active=True, created_at=now(), updated_at=now(), **{column: text}
            )
            self.session.add(found)
            self.session.flush()
        return found.id


def load(job: dict[str, object]) -> None:
    engine = create_engine(job["url"].replace("postgresql://", "postgresql+psycopg2://"))
    base = automap_base()
    base.prepare(autoload_with=engine)
    with Session(engine) as session:
        importer = Importer(session, base.classes)
        for kind in COLUMNS:
            for file in job["files"]:
                if file["kind"] == kind:
                    importer.file(file["path"], kind, file["header"])


if __name__ == "__main__":
    load(json.loads(Path(sys.argv[1]).read_text()))
