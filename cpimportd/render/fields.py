"""Formats a document's fields for an accountant: the workbook's titles, and dates and sums in his notation."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from cpimportd.core.formatting import amount
from cpimportd.core.model import Kind
from cpimportd.core.problems import printable
from cpimportd.documents.columns import COLUMNS

if TYPE_CHECKING:
    from cpimportd.books.journal.movements import Difference

_DATE: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_RATES: Final = frozenset({"settlement_rate"})
_FLAGS: Final = {True: "да", False: "нет"}
_LONGEST: Final = 10_000

_OTHERS: Final = {"payment_amount": "amount"}
"""Fields of the backend's tables that are staged under another name."""

_OURS: Final = {
    "is_active": "Действует",
    "details_extra": "Прочие колонки расшифровки",
    "extra": "Прочие колонки",
}
"""What no workbook has a column for."""

TITLES: Final[Mapping[Kind, Mapping[str, str]]] = {
    kind: {column.field: column.titles[0] for column in columns if column.field != "extra"}
    for kind, columns in COLUMNS.items()
}
"""Per kind, a field's name in ``STAGED_COLUMNS`` → the title of its column."""

_EXTRA: Final = "extra."


def title_of(kind: Kind, field: str) -> str:
    """The title of a field, as the workbook writes it; of a column without a field the column's own.

    Args:
        kind: of the document.
        field: its name in ``STAGED_COLUMNS`` or in the backend's table, or ``extra.`` and a column's title.
    """
    if field.startswith(_EXTRA):
        return field.removeprefix(_EXTRA)
    return TITLES[kind].get(_OTHERS.get(field, field)) or _OURS.get(field, field)


def line_text(line: Mapping[str, Any], show: Callable[[str, object], str]) -> str:
    """A detail line in one sentence: its filled fields with their titles, the payment type and the sum first.

    Args:
        line: fields by their names in the backend's table.
        show: how a field's value is written.
    """
    order = ("payment_type", "payment_amount", *line)
    filled = (name for name in dict.fromkeys(order) if line.get(name) not in {None, ""})
    return "; ".join(f"{title_of(Kind.DETAILS, name)} {show(name, line[name])}" for name in filled)


def value(field: str, found: object) -> str:
    """One value: ``1 234,56``, ``31.12.2024``, ``да``; nothing is ``—``."""
    if found is None or found == "":
        return "—"
    if isinstance(found, bool):
        return _FLAGS[found]
    if isinstance(found, Decimal):
        return f"{found.normalize():f}".replace(".", ",") if field in _RATES else amount(found)
    if field == "details_extra" or isinstance(found, Mapping | list | tuple):
        return _written(_parsed(found))
    if field.endswith("_date") and (day := _DATE.fullmatch(str(found))):
        return ".".join(reversed(day.groups()))
    return _clean(found)


def _parsed(found: object) -> object:
    """What the journal keeps as JSON: the columns of detail lines that have no field, a line each."""
    try:
        return json.loads(found) if isinstance(found, str) else found
    except ValueError:
        return found


def _written(found: object) -> str:
    """What JSON holds, in words, without the quotes and brackets of programs."""
    if isinstance(found, Mapping):
        return "; ".join(f"{_clean(name)} {value('', one)}" for name, one in found.items()) or "—"
    if isinstance(found, list | tuple):
        return " / ".join(_written(one) for one in found) or "—"
    return value("", found)


def differences(
    kind: Kind | None,
    found: "Iterable[Difference]",
    gone: Iterable[Mapping[str, Any]],
    new: Iterable[Mapping[str, Any]],
) -> Iterator[str]:
    """How a document differs: each field before and after, then its detail lines that went, and those that came.

    Args:
        kind: of the document; None: it is none, and has no titles.
        found: its fields.
        gone: lines, told with a minus.
        new: lines, told with a plus.
    """
    for one in found:
        title = one.field if kind is None else title_of(kind, one.field)
        yield f"{_clean(title)}: {value(one.field, one.old)} → {value(one.field, one.new)}"
    yield from (f"− {line_text(line, value)}" for line in gone)
    yield from (f"+ {line_text(line, value)}" for line in new)


def _clean(text: object) -> str:
    # Not layout's, which loads rich: the web interface needs the titles alone.
    return printable(text, limit=_LONGEST)
