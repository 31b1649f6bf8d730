"""Writes the changes of a run as a workbook: Добавлено, Удалено, Изменено, Итоги."""

import re
from collections.abc import AsyncGenerator, Iterable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from cpimportd.core.lists import each
from cpimportd.core.model import Figure
from cpimportd.render.fields import line_text, title_of
from cpimportd.render.workbooks.tables import Table, Titled, write_tables

if TYPE_CHECKING:
    from cpimportd.books.journal.diff import Diff
    from cpimportd.books.journal.movements import Movement, Sums, What

_KINDS: Final = {
    Figure.RECEIPTS: "Поступления",
    Figure.EXPENSES: "Списания",
    Figure.DETAILS: "Расшифровка",
    Figure.PRINCIPAL: "Основной долг",
    Figure.INTEREST: "Проценты",
    Figure.OTHER: "Прочее",
}
_WHAT: Final = {"changed": "Изменён", "retimed": "Другое время", "rekeyed": "Переименован"}
_WHY: Final = {
    "normalised": "запись прежнего загрузчика приведена к общему виду",
    "put-right": "исправлено: запись изменил кто-то другой",
    "accepted": "подтверждено вручную",
    "undone": "загрузка отменена",
}
_ISO_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST_DAY: Final = date(1900, 3, 1)
"""Spreadsheet programs know no day before 1900, and take that year for a leap year."""
_FOUND: Final = (Titled("Файл", 36), Titled("Лист", 14), Titled("Ячейка", 10))
_DOCUMENT: Final = (
    Titled("Организация", 24),
    Titled("Вид", 14),
    Titled("Документ", 44),
    Titled("Дата", 12),
    Titled("Контрагент", 28),
    Titled("Договор", 28),
    Titled("Вид операции", 28),
    Titled("Сумма", 18),
    Titled("Назначение платежа", 40),
    Titled("Примечание", 24),
    *_FOUND,
)
_CHANGED: Final = (
    Titled("Организация", 24),
    Titled("Вид", 14),
    Titled("Документ", 44),
    Titled("Что произошло", 16),
    Titled("Поле", 28),
    Titled("Было", 36),
    Titled("Стало", 36),
    Titled("Разница", 18),
    Titled("Примечание", 24),
    *_FOUND,
)
_SUMS: Final = (
    Titled("Организация", 24),
    Titled("Вид", 14),
    Titled("На начало", 20),
    Titled("Добавлено", 20),
    Titled("Удалено", 20),
    Titled("Изменено", 20),
    Titled("На конец", 20),
    Titled("Не объяснено", 16),
)


class Movements(Protocol):
    """Reads the documents of a diff, one after another."""

    def __call__(self, *what: "What") -> "AsyncGenerator[Movement, None]":
        """Those of some kinds."""


async def write_diff(found: "Diff", movements: Movements, path: Path) -> None:
    """Write a diff into a file.

    Args:
        found: what a run made different.
        movements: reads its documents.
        path: where to; it is overwritten.

    Raises:
        OSError: it cannot be written.
    """
    await write_tables(path, tables_of(found, movements))


def tables_of(found: "Diff", movements: Movements) -> Iterable[Table]:
    """The four sheets."""
    from cpimportd.books.journal.movements import What  # noqa: PLC0415 - a caller with a diff has loaded the room

    for title, what in (("Добавлено", What.ADDED), ("Удалено", What.REMOVED)):
        yield Table(title, _DOCUMENT, each(lambda one: [_document(one)], movements(what)))
    yield Table("Изменено", _CHANGED, each(_changes, movements(What.CHANGED, What.RETIMED, What.REKEYED)))
    yield Table("Итоги", _SUMS, (_total(sums) for sums in found.sums))


def _total(sums: "Sums") -> tuple[Any, ...]:
    opening, closing = (None, None) if sums.bridge is None else (sums.bridge.opening, sums.bridge.closing)
    moved = (sums.added, sums.removed, sums.changed)
    return (sums.organization, _KINDS[sums.kind], opening, *moved, closing, sums.unexplained)


def _document(one: "Movement") -> tuple[Any, ...]:
    fields = one.fields
    return (
        one.organization,
        _KINDS[Figure(one.key.kind.value)],
        one.key.operation_id,
        _shown("document_date", fields.get("document_date")),
        fields.get("payer") or fields.get("recipient"),
        fields.get("contract"),
        fields.get("operation_type"),
        one.amount_after if one.amount_after is not None else one.amount_before,
        fields.get("payment_purpose"),
        _WHY.get(one.why or ""),
        *_place(one),
    )


def _changes(one: "Movement") -> Iterator[tuple[Any, ...]]:
    """A row for each field that differs; a detail line that went or came is one, too."""
    head = (one.organization, _KINDS[Figure(one.key.kind.value)], one.key.operation_id, _WHAT[one.what.value])
    tail = (_WHY.get(one.why or ""), *_place(one))
    if one.was is not None:
        yield (*head, "Документ", one.was, one.key.operation_id, None, *tail)
    for difference in one.differences:
        old, new = difference.old, difference.new
        gap = new - old if isinstance(old, Decimal) and isinstance(new, Decimal) else None
        field = difference.field
        yield (*head, title_of(one.key.kind, field), _shown(field, old), _shown(field, new), gap, *tail)
    for line in one.lines_gone:
        yield (*head, "Строка расшифровки", line_text(line, _text), None, None, *tail)
    for line in one.lines_new:
        yield (*head, "Строка расшифровки", None, line_text(line, _text), None, *tail)


def _shown(field: str, value: object) -> object:
    """A field's value as the sheet is to hold it: a date, which the books' JSON writes as a text, is a date again.

    By the field's name, never by the text's look: a contract may be called 2023-02-01, and an account 5400-19-33.
    """
    is_date = field.endswith("_date") and not field.startswith("extra.")
    if is_date and isinstance(value, str) and _ISO_DAY.fullmatch(value):
        day = date.fromisoformat(value)
        return day if day >= _FIRST_DAY else value
    return str(value) if isinstance(value, list | dict) else value


def _text(_: str, value: object) -> str:
    return str(value).replace(".", ",") if isinstance(value, Decimal) else str(value)


def _place(one: "Movement") -> tuple[Any, ...]:
    place = one.origin.document
    if place is None:
        return (None, None, None)
    return (place.workbook.file, place.workbook.sheet, place.cell("amount") or f"строка {place.row}")
