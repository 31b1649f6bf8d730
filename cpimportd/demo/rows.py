"""Turns a ledger into the cells of a workbook, as the organization's 1C would fill them."""

import random
from collections.abc import Iterator, Mapping
from decimal import Decimal

from cpimportd.core.model import Kind
from cpimportd.demo.ledger import Document, Ledger, Line
from cpimportd.demo.workbook import Cell

_STRAYING_LINES = 0.05
_FARTHEST = 40


def receipt_rows(ledger: Ledger) -> Iterator[list[Cell]]:
    """The rows of the organization's receipts, cells in the order of its titles."""
    organization = ledger.organization
    titles = organization.titles(Kind.RECEIPTS)
    for document in ledger.receipts:
        lender = document.counterparty_account is not None
        row: dict[str, Cell] = {
            **_common(document, organization.name, lender),
            "Поступление на расчетный счет": document.operation_id,
            "Вид операции": "Получение займа от контрагента" if lender else "Получение кредита в банке",
            "Номер входящего документа": document.incoming_number,
            "Дата входящего документа": f"{document.moment:%d.%m.%Y}",
            "Плательщик": document.counterparty,
            "Счет плательщика": document.counterparty_account,
            "Статья доходов": "Получение кредитов и займов",
            "Назначение платежа": f"Выдача кредита по договору {document.contract}. НДС нет.",
            "Валюта": "руб.",
            "Сумма": _amount(ledger, document.kopecks),
            "Номер чека ККМ": 0,
        }
        yield [row.get(title) for title in titles]


def expense_rows(ledger: Ledger) -> Iterator[list[Cell]]:
    """The rows of the organization's expenses, cells in the order of its titles."""
    organization = ledger.organization
    titles = organization.titles(Kind.EXPENSES)
    for document in ledger.expenses:
        row: dict[str, Cell] = {
            **_common(document, organization.name, document.lines[0].principal),
            "Списание с расчетного счета": document.operation_id,
            "Вид операции": "Возврат займа контрагенту" if document.lines[0].principal else "Возврат кредита банку",
            "Вид обязательства": "Налог (взносы): начислено / уплачено",
            "Вх. номер": document.incoming_number,
            "Вх. дата": f"{document.moment:%d.%m.%Y}" if document.dated else None,
            "Получатель": document.counterparty,
            "Счет получателя": document.counterparty_account,
            "Счет дебета": "67.01" if document.lines[0].principal else "67.02",
            "Статья расходов": _article(document),
            "Назначение платежа": f"Погашение задолженности по договору {document.contract} клиент {organization.name}",
            "Не подтверждено выпиской банка": "Да" if document.unconfirmed else "Нет",
            "Сумма": _amount(ledger, document.kopecks),
            "Номер чека ККМ": 0,
        }
        yield [row.get(title) for title in titles]


def detail_rows(ledger: Ledger) -> Iterator[list[Cell]]:
    """The rows of the expenses' details; a document's lines do not always stand together."""
    titles = ledger.organization.titles(Kind.DETAILS)
    for document, line in _in_file_order(ledger):
        vat = line.kopecks // 6 if line.principal and int(document.incoming_number) % 3 == 0 else 0
        row: dict[str, Cell] = {
            "Списание с расчетного счета": document.operation_id,
            "Договор": document.contract,
            "Погашение задолженности": "Автоматически",
            "Ставка НДС": "20%" if vat else None,
            "Статья расходов": _article(document),
            "Счет расчетов": "67.01" if line.principal else "67.02",
            "Вид платежа по кредитам займам": "Погашение долга" if line.principal else "Уплата процентов",
            "Сумма платежа": _amount(ledger, line.kopecks),
            "Сумма НДС": _amount(ledger, vat) if vat else None,
            "Курс расчетов": 1,
            "Кратность": 1,
            "Сумма расчетов": _amount(ledger, line.kopecks),
        }
        yield [row.get(title) for title in titles]


def totals(ledger: Ledger, kind: Kind, off_by: Decimal = Decimal(0)) -> Mapping[str, Cell]:
    """What the ``Итого`` row says by title; where there is a settlement rate, 1C adds up even that.

    Args:
        ledger: whose rows they are.
        kind: of the workbook.
        off_by: what the amount's total is wrong by, in roubles.
    """
    wrong = int(off_by * 100)
    if kind is not Kind.DETAILS:
        documents = ledger.receipts if kind is Kind.RECEIPTS else ledger.expenses
        return {"Сумма": _amount(ledger, sum(d.kopecks for d in documents) + wrong)}
    lines = [line for document in ledger.expenses for line in document.lines]
    paid = sum(line.kopecks for line in lines)
    control_totals = {"Сумма платежа": _amount(ledger, paid + wrong)}
    if ledger.organization.rates:
        control_totals |= {"Курс расчетов": len(lines), "Сумма расчетов": _amount(ledger, paid)}
    return control_totals


def _common(document: Document, organization: str, automatic: bool) -> dict[str, Cell]:
    return {
        "Организация": organization,
        "Банковский счет": document.bank_account,
        "Счет учета": "51",
        "Договор": document.contract,
        "Комментарий": "Загружен из Клиент-Банка",
        "Ручная корректировка": "Нет" if automatic else "Да",
        "Без закрывающих документов": "Нет",
    }


def _article(document: Document) -> str:
    return "Погашение кредитов и займов" if document.lines[0].principal else "Выплата процентов по кредитам и займам"


def _amount(ledger: Ledger, kopecks: int) -> Cell:
    separator = ledger.organization.text_amounts
    if not separator:
        return Decimal(kopecks).scaleb(-2)
    roubles = f"{kopecks // 100:,}".replace(",", separator)
    return f"{roubles},{kopecks % 100:02d}"


def _in_file_order(ledger: Ledger) -> list[tuple[Document, Line]]:
    """Every line after its document's others, but for a few that 1C prints some rows later."""
    rng = random.Random(ledger.organization.name)  # noqa: S311  made-up data
    placed: list[tuple[int, int, Document, Line]] = []
    for document in ledger.expenses:
        for line in document.lines:
            stray = rng.randrange(1, _FARTHEST) if rng.random() < _STRAYING_LINES else 0
            placed.append((len(placed) + stray, len(placed), document, line))
    placed.sort(key=lambda item: item[:2])
    return [(document, line) for _, _, document, line in placed]
