"""A document's fields as an accountant reads them: the workbook's titles, dates and sums as he writes them."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from cpimportd.rendering.numbers import amount, clean
from cpimportd.titles import line_text

_DATE: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_RATES: Final = frozenset({"settlement_rate"})
_FLAGS: Final = {True: "да", False: "нет"}


def value(field: str, found: object) -> str:
    """One value: ``1 234,56``, ``31.12.2024``, ``да``; nothing is ``—``."""
    if found is None or found == "":
        return "—"
    if isinstance(found, bool):
        return _FLAGS[found]
    if isinstance(found, Decimal):
        return f"{found.normalize():f}".replace(".", ",") if field in _RATES else amount(found)
    if field.endswith("_date") and (day := _DATE.fullmatch(str(found))):
        return ".".join(reversed(day.groups()))
    return clean(found)


def lines(gone: tuple[Mapping[str, Any], ...], new: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    """Detail lines as a set: those that went with a minus, those that came with a plus."""
    for one in gone:
        yield f"− {line_text(one, value)}"
    for one in new:
        yield f"+ {line_text(one, value)}"
