"""Which column of a workbook goes where: one table per kind of document."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cpimportd.documents.values import read_currency, read_date, read_flag, read_money, read_rate, read_text
from cpimportd.model import Cell, Kind, Value


@dataclass(frozen=True, slots=True)
class Field:
    """One column that we understand.

    Attributes:
        name: the staged column.
        titles: what 1C calls it, the usual title first.
        read: what its cells mean.
        required: whether a workbook without this column is wrong.
        filled: whether an empty cell is a reject.
        key: whether the text identifies something, so that it must never be cut.
    """

    name: str
    titles: tuple[str, ...]
    read: Callable[[Cell], Value] = read_text
    required: bool = False
    filled: bool = False
    key: bool = False

    @property
    def is_number(self) -> bool:
        """Whether the ``Итого`` row may hold a total for it."""
        return self.read in {read_money, read_rate}


def _document(title: str) -> tuple[Field, ...]:
    return (
        Field("operation_id", (title,), required=True, filled=True, key=True),
        Field("organization", ("Организация",), required=True, filled=True, key=True),
        Field("amount", ("Сумма",), read_money, required=True, filled=True),
        Field("operation_type", ("Вид операции",), required=True),
        Field("bank_account", ("Банковский счет",), required=True, key=True),
        Field("accounting_account", ("Счет учета",), required=True),
        Field("contract", ("Договор",), required=True, key=True),
        Field("contract_date", ("Дата договора",), read_date),
        Field("currency", ("Валюта",), read_currency),
        Field("payment_purpose", ("Назначение платежа",)),
        Field("responsible_person", ("Ответственный",)),
        Field("comment", ("Комментарий",)),
    )


FIELDS: Final[Mapping[Kind, tuple[Field, ...]]] = {
    Kind.RECEIPTS: (
        *_document("Поступление на расчетный счет"),
        Field("document_number", ("Номер входящего документа",)),
        Field("document_date", ("Дата входящего документа",), read_date, required=True),
        Field("payer", ("Плательщик",), required=True),
        Field("payer_account", ("Счет плательщика",)),
        Field("settlement_account", ("Счет расчетов",)),
        Field("commission", ("Комиссия",), read_money),
    ),
    Kind.EXPENSES: (
        *_document("Списание с расчетного счета"),
        Field("document_number", ("Вх. номер",)),
        Field("document_date", ("Вх. дата",), read_date, required=True),
        Field("recipient", ("Получатель",), required=True),
        Field("recipient_account", ("Счет получателя",)),
        Field("debit_account", ("Счет дебета",)),
        Field("expense_article", ("Статья расходов",)),
        Field("tax_period", ("Налоговый период",)),
        Field("unconfirmed_by_bank", ("Не подтверждено выпиской банка", "Не подтверждено банком"), read_flag),
    ),
    Kind.DETAILS: (
        Field("operation_id", ("Списание с расчетного счета",), required=True, filled=True, key=True),
        Field("amount", ("Сумма платежа",), read_money, required=True, filled=True),
        Field("contract_number", ("Договор",), required=True),
        Field("repayment_type", ("Погашение задолженности",)),
        Field("settlement_account", ("Счет расчетов",), required=True),
        Field("advance_account", ("Счет авансов",)),
        Field("payment_type", ("Вид платежа по кредитам займам",), required=True),
        Field("settlement_rate", ("Курс расчетов",), read_rate),
        Field("settlement_amount", ("Сумма расчетов",), read_money),
        Field("vat_amount", ("Сумма НДС",), read_money),
        Field("expense_amount", ("Сумма расходов",), read_money),
        Field("vat_in_expense", ("в т.ч. НДС",), read_money),
    ),
}
"""What we understand of each kind; every other column is kept in ``extra``."""

MULTIPLICITY: Final = "Кратность"
"""How many units of the foreign currency the rate is for; kept in ``extra``, and used to check the settlement."""

_SPACES = re.compile(r"\s+")
_NAMES = (
    (Kind.RECEIPTS, ("postuplenie", "поступление")),
    (Kind.DETAILS, ("rasshifrovka", "расшифровка")),
    (Kind.EXPENSES, ("spisanie", "списание")),
)


def folded(title: object) -> str:
    """A title as it is compared: trimmed, case folded, ``ё`` as ``е``, runs of any spaces as one."""
    text = unicodedata.normalize("NFC", str(title)).replace("\ufeff", "")
    return _SPACES.sub(" ", text).strip().casefold().replace("ё", "е")


def kind_by_name(name: str) -> Kind | None:
    """The kind that a file's name speaks of; details before expenses, because their names hold both words."""
    text = folded(name)
    return next((kind for kind, words in _NAMES if any(word in text for word in words)), None)


_IDENTIFYING: Final = {kind: folded(fields[0].titles[0]) for kind, fields in FIELDS.items()}
_OF_DETAILS: Final = frozenset({"сумма платежа", "вид платежа по кредитам займам"})


def kind_of_header(cells: tuple[Cell, ...]) -> Kind | None:
    """The kind whose header this row is; None where it is no header.

    Expenses and details begin with the same title; what tells them apart is the payment's columns.
    """
    titles = {folded(cell) for cell in cells if isinstance(cell, str)}
    if len(titles) < 3:
        return None
    if _IDENTIFYING[Kind.RECEIPTS] in titles:
        return Kind.RECEIPTS
    if _IDENTIFYING[Kind.EXPENSES] not in titles:
        return None
    return Kind.DETAILS if titles & _OF_DETAILS else Kind.EXPENSES
