"""How 1C calls what the tables call otherwise: the words in which a document's fields are told to an accountant."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cpimportd.core.model import Kind
from cpimportd.documents.columns import COLUMNS

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
