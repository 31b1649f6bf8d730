"""Sheets written as rows of cells, and what is understood of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cpimportd.core.model import STAGED_COLUMNS, Cell, Kind, Value
from cpimportd.core.problems import Problem
from cpimportd.documents.columns import COLUMNS, Presence
from cpimportd.documents.items import DocumentRow, Header, Totals
from cpimportd.documents.understand import understand

MOSCOW = ZoneInfo("Europe/Moscow")

WORKBOOK_CELLS: Mapping[Kind, Mapping[str, Cell]] = {
    Kind.RECEIPTS: {
        "Организация": "ЛОТОС ООО",
        "Вид операции": "Получение кредита в банке",
        "Банковский счет": "ПРИМЕРБАНК основной (руб.)",
        "Счет учета": "51",
        "Дата входящего документа": "22.04.2022",
        "Плательщик": "СЕВЕРНЫЙ БАНК ПАО",
        "Договор": "Договор займа № 7/2020 от 28.07.2020г.",
        "Сумма": 100.0,
    },
    Kind.EXPENSES: {
        "Организация": "ЛОТОС ООО",
        "Вид операции": "Возврат кредита банку",
        "Банковский счет": "ПРИМЕРБАНК основной (руб.)",
        "Счет учета": "51",
        "Вх. дата": "22.04.2022",
        "Получатель": "СЕВЕРНЫЙ БАНК ПАО",
        "Договор": "Договор займа № 7/2020 от 28.07.2020г.",
        "Сумма": 100.0,
        "Не подтверждено выпиской банка": "Нет",
    },
    Kind.DETAILS: {
        "Договор": "Договор займа № 7/2020 от 28.07.2020г.",
        "Вид платежа по кредитам займам": "Погашение долга",
        "Сумма платежа": 100.0,
    },
}
WORDS = {
    Kind.RECEIPTS: "Поступление на расчетный счет",
    Kind.EXPENSES: "Списание с расчетного счета",
    Kind.DETAILS: "Списание с расчетного счета",
}
AMOUNT = {Kind.RECEIPTS: "Сумма", Kind.EXPENSES: "Сумма", Kind.DETAILS: "Сумма платежа"}


@dataclass
class Understood:
    """Everything that came out of one sheet."""

    items: list[Header | DocumentRow | Problem | Totals]

    @property
    def header(self) -> Header:
        (found,) = (item for item in self.items if isinstance(item, Header))
        return found

    @property
    def rows(self) -> list[DocumentRow]:
        return [item for item in self.items if isinstance(item, DocumentRow)]

    @property
    def documents(self) -> list[dict[str, Value]]:
        return [dict(zip(STAGED_COLUMNS[self.header.kind], row.values, strict=True)) for row in self.rows]

    @property
    def document(self) -> dict[str, Value]:
        assert self.problems == [] or all(p.effect == "warns" for p in self.problems), self.problems
        (found,) = self.documents
        return found

    @property
    def problems(self) -> list[Problem]:
        """All of them, less columns that these small sheets leave out."""
        return [item for item in self.items if isinstance(item, Problem) and item.code != "column-absent"]

    @property
    def codes(self) -> list[str]:
        return [found.code for found in self.problems]

    @property
    def totals(self) -> Totals:
        (found,) = (item for item in self.items if isinstance(item, Totals))
        assert found is self.items[-1], "the totals come last"
        return found


@dataclass
class Sheet:
    """A sheet that is filled row by row; what a document does not say is taken from a plain example."""

    kind: Kind = Kind.EXPENSES
    columns: Sequence[str] = ()
    above: Sequence[tuple[Cell, ...]] = ()
    file: str = "Lotos.xlsx"
    limits: Mapping[str, int] = field(default_factory=dict)
    zone: ZoneInfo = MOSCOW
    rows: list[tuple[Cell, ...]] = field(default_factory=list)
    without: Sequence[str] = ()

    @property
    def titles(self) -> tuple[str, ...]:
        plain = [title for title in (WORDS[self.kind], *WORKBOOK_CELLS[self.kind]) if title not in self.without]
        return (*plain, *[title for title in self.columns if title not in plain])

    def named(self, number: int) -> str:
        return f"{WORDS[self.kind]} 0А00-{number:06} от 22.04.2022 8:01:53"

    def document(self, cells: Mapping[str, Cell] | None = None, **fields: Cell) -> "Sheet":
        """One document; ``amount`` and ``name`` stand for the columns that are called differently in each kind."""
        values: dict[str, Cell] = {WORDS[self.kind]: self.named(len(self.rows) + 1), **WORKBOOK_CELLS[self.kind]}
        if "amount" in fields:
            values[AMOUNT[self.kind]] = fields["amount"]
        if "name" in fields:
            values[WORDS[self.kind]] = fields["name"]
        values |= cells or {}
        assert set(values) - set(self.titles) <= set(self.without), "a column that the sheet lacks"
        return self.row(*[values.get(title) for title in self.titles])

    def row(self, *cells: Cell) -> "Sheet":
        self.rows.append(cells)
        return self

    def only(self, cells: Mapping[str, Cell]) -> "Sheet":
        """A row that has nothing but these cells; ``first`` is the first, ``amount`` the amount."""
        names = {"first": self.titles[0], "amount": AMOUNT[self.kind]}
        values = {names.get(name, name): cell for name, cell in cells.items()}
        return self.row(*[values.get(title) for title in self.titles])

    def total(self, amount: Cell = None, label: str = "Итого", **others: Cell) -> "Sheet":
        return self.only({"first": label, "amount": amount, **others})

    def lines(self) -> Iterable[tuple[int, tuple[Cell, ...]]]:
        return enumerate((*self.above, self.titles, *self.rows), 1)

    def understood(self, **changed: Any) -> Understood:
        asked = {"file": self.file, "sheet": "Лист_1", "file_no": 7, "zone": self.zone, "limits": self.limits}
        return Understood(list(understand(self.lines(), **(asked | changed))))


@pytest.fixture(params=list(Kind), ids=str)
def every_kind(request) -> Kind:
    return request.param


@pytest.fixture
def sheet() -> type[Sheet]:
    return Sheet


@pytest.fixture
def understood() -> Any:
    """What is understood of bare rows."""

    def do(rows: Iterable[tuple[Cell, ...]], file: str = "Lotos.xlsx") -> Understood:
        numbered = enumerate(rows, 1)
        return Understood(list(understand(numbered, file=file, sheet="Лист_1", file_no=0, zone=MOSCOW, limits={})))

    return do


@pytest.fixture
def required() -> Any:
    return lambda kind: [c.titles[0] for c in COLUMNS[kind] if c.presence is Presence.REQUIRED]
