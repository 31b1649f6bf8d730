"""Small exports of an invented organization, in any format: what a run makes of their cells is known to the kopeck."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from cpimportd.core.model import Kind

RECEIPTS, EXPENSES, DETAILS = Kind.RECEIPTS, Kind.EXPENSES, Kind.DETAILS
NAMES = {
    RECEIPTS: "Lotos - Postuplenie(kredity)",
    EXPENSES: "Lotos - Spisanie kredity",
    DETAILS: "Lotos - Spisanie(rasshifrovka)",
}
ORGANIZATION = "ЛОТОС ООО"
_RECEIPT, _EXPENSE = "Поступление на расчетный счет", "Списание с расчетного счета"
_DAYS = ("22.04.2022", "01.03.2023", "31.12.2024")
AMOUNT = {RECEIPTS: "Сумма", EXPENSES: "Сумма", DETAILS: "Сумма платежа"}


class Exports:
    """Three workbooks as tables: change ``cells`` before writing them.

    Attributes:
        titles: per kind, the header.
        rows: per kind, a row for each document; no totals.
        totals: per kind, what the last row says.
    """

    def __init__(self) -> None:
        common = {"Организация": ORGANIZATION, "Банковский счет": "ПРИМЕРБАНК (руб.)", "Счет учета": "51"}
        contract = {"Договор": "Договор займа № 7/2020 от 28.07.2020г."}
        notes = {"Комментарий": None, "Ведомость": None}
        documents: dict[Kind, list[dict[str, Any]]] = {kind: [] for kind in Kind}
        for number, day in enumerate(_DAYS, 1):
            moment = f"0Л0Л-{number:06} от {day} 8:01:53"
            receipt = {_RECEIPT: f"{_RECEIPT} {moment}", **common, "Вид операции": "Получение кредита в банке"}
            receipt |= {"Дата входящего документа": day, "Плательщик": "СЕВЕРНЫЙ БАНК ПАО", **contract, **notes}
            expense = {
                _EXPENSE: f"{_EXPENSE} {moment}",
                **common,
                "Вид операции": "Возврат кредита банку",
                "Вх. дата": day,
            }
            expense |= {"Получатель": "СЕВЕРНЫЙ БАНК ПАО", **contract, **notes}
            detail = {_EXPENSE: f"{_EXPENSE} {moment}", **contract, "Ведомость": None}
            documents[RECEIPTS].append({**receipt, "Сумма": 1000.5 * number})
            documents[EXPENSES].append({**expense, "Сумма": 300.25 * number})
            documents[DETAILS] += [
                {**detail, "Вид платежа по кредитам займам": "Погашение долга", "Сумма платежа": 200.25 * number},
                {**detail, "Вид платежа по кредитам займам": "Уплата процентов", "Сумма платежа": 100.0 * number},
            ]
        self.titles = {kind: list(rows[0]) for kind, rows in documents.items()}
        self.rows = documents
        self.totals: dict[Kind, Any] = {
            kind: float(sum(Decimal(str(row[AMOUNT[kind]])) for row in rows)) for kind, rows in documents.items()
        }

    def table(self, kind: Kind) -> list[Sequence[Any]]:
        titles = self.titles[kind]
        total = [self.totals[kind] if title == AMOUNT[kind] else None for title in titles]
        rows = [[row[title] for title in titles] for row in self.rows[kind]]
        return [titles, *rows, ["Итого", *total[1:]]]

    def upload(self, folder: Path, write: Callable[..., Path], suffix: str = ".xlsx", **options: Any) -> None:
        """Put the three workbooks where 1C puts them, finished two hours ago."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for kind, name in NAMES.items():
            path = write(folder / f"{name} XLSX{suffix}", self.table(kind), **options)
            os.utime(path, (time.time() - 7200,) * 2)
