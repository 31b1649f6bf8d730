"""A document's fields as an accountant reads them: the workbook's titles, dates and sums as he writes them."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from cpimportd.render.numbers import amount, clean
from cpimportd.render.titles import line_text

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
    if field == "details_extra" or isinstance(found, Mapping | list | tuple):
        return _written(_parsed(found))
    if field.endswith("_date") and (day := _DATE.fullmatch(str(found))):
        return ".".join(reversed(day.groups()))
    return clean(found)


def _parsed(found: object) -> object:
    """What the journal keeps as JSON: the columns of detail lines that have no field, a line each."""
    try:
        return json.loads(found) if isinstance(found, str) else found
    except ValueError:
        return found


def _written(found: object) -> str:
    """What JSON holds, in words, without the quotes and brackets of programs."""
    if isinstance(found, Mapping):
        return "; ".join(f"{clean(name)} {value('', one)}" for name, one in found.items()) or "—"
    if isinstance(found, list | tuple):
        return " / ".join(_written(one) for one in found) or "—"
    return value("", found)


def lines(gone: tuple[Mapping[str, Any], ...], new: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    """Detail lines as a set: those that went with a minus, those that came with a plus."""
    for one in gone:
        yield f"− {line_text(one, value)}"
    for one in new:
        yield f"+ {line_text(one, value)}"
