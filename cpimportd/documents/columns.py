"""Maps the columns of an export to fields: one table for each kind of documents.

A title is compared by :func:`~cpimportd.core.folding.fold`, so case, ``ё`` and spaces do not matter. Columns that
are not listed here are kept in ``extra``.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple

from cpimportd.core.model import MAIN_AMOUNT, Kind


class Meaning(Enum):
    """How the cells of a column are read."""

    TEXT = auto()
    MONEY = auto()
    RATE = auto()
    DATE = auto()
    FLAG = auto()
    CURRENCY = auto()


class Presence(Enum):
    """What it means if a workbook lacks a column."""

    REQUIRED = auto()
    """Reports or checks rely on it: the file cannot be understood without it."""
    EXPECTED = auto()
    """All sample exports have it: its absence is said."""
    OPTIONAL = auto()
    """Some organizations' exports have it."""


class Column(NamedTuple):
    """One column that we know.

    Attributes:
        field: its name in ``STAGED_COLUMNS``; ``extra`` for one that is checked, but has no field of its own.
        meaning: how its cells are read.
        presence: what it means if it is not there.
        titles: by which 1C calls it, in one release or another.
        filled: whether an empty cell in it is a reject.
        key: whether its text names something, so that it must not be cut where it is too long.
    """

    field: str
    meaning: Meaning
    presence: Presence
    titles: tuple[str, ...]
    filled: bool = False
    key: bool = False


_TEXT, _MONEY, _RATE, _DATE = Meaning.TEXT, Meaning.MONEY, Meaning.RATE, Meaning.DATE
_REQUIRED, _EXPECTED, _OPTIONAL = Presence.REQUIRED, Presence.EXPECTED, Presence.OPTIONAL

IDENTIFYING: Mapping[Kind, str] = {
    Kind.RECEIPTS: "Поступление на расчетный счет",
    Kind.EXPENSES: "Списание с расчетного счета",
    Kind.DETAILS: "Списание с расчетного счета",
}
"""The title of the column that names the document, and the words with which its name begins."""

COLUMNS: Mapping[Kind, tuple[Column, ...]] = {
    Kind.RECEIPTS: (
        Column("operation_id", _TEXT, _REQUIRED, (IDENTIFYING[Kind.RECEIPTS],), filled=True, key=True),
        Column("organization", _TEXT, _REQUIRED, ("Организация",), filled=True, key=True),
        Column("amount", _MONEY, _REQUIRED, (MAIN_AMOUNT[Kind.RECEIPTS],), filled=True),
        Column("operation_type", _TEXT, _REQUIRED, ("Вид операции",)),
        Column("bank_account", _TEXT, _REQUIRED, ("Банковский счет",), key=True),
        Column("accounting_account", _TEXT, _REQUIRED, ("Счет учета",)),
        Column("document_number", _TEXT, _EXPECTED, ("Номер входящего документа",)),
        Column("document_date", _DATE, _REQUIRED, ("Дата входящего документа",)),
        Column("payer", _TEXT, _REQUIRED, ("Плательщик",)),
        Column("payer_account", _TEXT, _EXPECTED, ("Счет плательщика",)),
        Column("settlement_account", _TEXT, _EXPECTED, ("Счет расчетов",)),
        Column("contract", _TEXT, _REQUIRED, ("Договор",), key=True),
        Column("contract_date", _DATE, _OPTIONAL, ("Дата договора",)),
        Column("currency", Meaning.CURRENCY, _OPTIONAL, ("Валюта",)),
        Column("commission", _MONEY, _OPTIONAL, ("Комиссия",)),
        Column("payment_purpose", _TEXT, _EXPECTED, ("Назначение платежа",)),
        Column("responsible_person", _TEXT, _OPTIONAL, ("Ответственный",)),
        Column("comment", _TEXT, _EXPECTED, ("Комментарий",)),
    ),
    Kind.EXPENSES: (
        Column("operation_id", _TEXT, _REQUIRED, (IDENTIFYING[Kind.EXPENSES],), filled=True, key=True),
        Column("organization", _TEXT, _REQUIRED, ("Организация",), filled=True, key=True),
        Column("amount", _MONEY, _REQUIRED, (MAIN_AMOUNT[Kind.EXPENSES],), filled=True),
        Column("operation_type", _TEXT, _REQUIRED, ("Вид операции",)),
        Column("bank_account", _TEXT, _REQUIRED, ("Банковский счет",), key=True),
        Column("accounting_account", _TEXT, _REQUIRED, ("Счет учета",)),
        Column("document_number", _TEXT, _EXPECTED, ("Вх. номер",)),
        Column("document_date", _DATE, _REQUIRED, ("Вх. дата",)),
        Column("recipient", _TEXT, _REQUIRED, ("Получатель",)),
        Column("recipient_account", _TEXT, _EXPECTED, ("Счет получателя",)),
        Column("debit_account", _TEXT, _EXPECTED, ("Счет дебета",)),
        Column("contract", _TEXT, _REQUIRED, ("Договор",), key=True),
        Column("contract_date", _DATE, _OPTIONAL, ("Дата договора",)),
        Column("currency", Meaning.CURRENCY, _OPTIONAL, ("Валюта",)),
        Column("expense_article", _TEXT, _EXPECTED, ("Статья расходов",)),
        Column("payment_purpose", _TEXT, _EXPECTED, ("Назначение платежа",)),
        Column("responsible_person", _TEXT, _OPTIONAL, ("Ответственный",)),
        Column("comment", _TEXT, _EXPECTED, ("Комментарий",)),
        Column("tax_period", _TEXT, _EXPECTED, ("Налоговый период",)),
        Column(
            "unconfirmed_by_bank",
            Meaning.FLAG,
            _EXPECTED,
            ("Не подтверждено выпиской банка", "Не подтверждено банком"),
        ),
    ),
    Kind.DETAILS: (
        Column("operation_id", _TEXT, _REQUIRED, (IDENTIFYING[Kind.DETAILS],), filled=True, key=True),
        Column("amount", _MONEY, _REQUIRED, (MAIN_AMOUNT[Kind.DETAILS],), filled=True),
        Column("contract_number", _TEXT, _REQUIRED, ("Договор",)),
        Column("repayment_type", _TEXT, _EXPECTED, ("Погашение задолженности",)),
        Column("settlement_account", _TEXT, _EXPECTED, ("Счет расчетов",)),
        Column("advance_account", _TEXT, _EXPECTED, ("Счет авансов",)),
        Column("payment_type", _TEXT, _REQUIRED, ("Вид платежа по кредитам займам",)),
        Column("settlement_rate", _RATE, _OPTIONAL, ("Курс расчетов",)),
        Column("settlement_amount", _MONEY, _OPTIONAL, ("Сумма расчетов",)),
        Column("vat_amount", _MONEY, _EXPECTED, ("Сумма НДС",)),
        Column("expense_amount", _MONEY, _OPTIONAL, ("Сумма расходов",)),
        Column("vat_in_expense", _MONEY, _OPTIONAL, ("в т.ч. НДС",)),
        # For how many units of a currency its rate is given: the central bank quotes 100 yen.
        Column("extra", _RATE, _OPTIONAL, ("Кратность",)),
    ),
}
"""Everything that is read into a field, per kind."""

KNOWN_OPERATION_TYPES = frozenset(
    (
        "Получение кредита в банке",
        "Получение займа от контрагента",
        "Возврат кредита банку",
        "Возврат займа контрагенту",
        "Расчеты по кредитам и займам",
    )
)
"""What reports count as debt. Money that is lent, such as ``Выдача займа контрагенту``, is another matter."""


def column_letter(index: int) -> str:
    """What a spreadsheet program calls a column: ``A`` for 0, ``AA`` for 26."""
    letters = ""
    place = index + 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
