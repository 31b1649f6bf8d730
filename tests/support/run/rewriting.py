"""Workbooks of the samples written anew, with other texts in them, as 1C would have written them."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from python_calamine import load_workbook

from cpimportd.demo.workbook import write_workbook

Change = Callable[[str], str]
_CLOCK = re.compile(r"(\d{1,2})(:\d\d:\d\d)$")


def same(text: str) -> str:
    return text


def one_hour_later(operation_id: str) -> str:
    """The document re-timed: an hour later, or earlier in the last hour of a day, so that its date stays."""

    def moved(match: re.Match[str]) -> str:
        hour = int(match[1])
        return f"{hour + 1 if hour < 23 else hour - 1}{match[2]}"

    return _CLOCK.sub(moved, operation_id)


def rewrite_workbook(
    source: Path,
    target: Path | None = None,
    *,
    ids: Change = same,
    organization: Change = same,
    title: Change = same,
    rows: slice = slice(None),
    again: Callable[[int, list[Any]], list[list[Any]]] | None = None,
) -> Path:
    """Write a workbook anew.

    Args:
        source: the workbook.
        target: where to; None: in its place.
        ids: what becomes of the documents' names.
        organization: of the organizations' names.
        title: of the header's titles.
        rows: of which data rows; the others stay as they are.
        again: further rows, made of each by its place.
    """
    titles, *lines, total = load_workbook(str(source)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    name, owner = 0, titles.index("Организация") if "Организация" in titles else None
    for line in lines[rows]:
        line[name] = ids(line[name])
        if owner is not None:
            line[owner] = organization(line[owner])
    added = [new for place, line in enumerate(lines) for new in (again(place, list(line)) if again else ())]
    lines += added
    totals = {
        title(titles[at]): sum(line[at] for line in lines if isinstance(line[at], float))
        for at, cell in enumerate(total)
        if isinstance(cell, float)
    }
    path = target or source
    write_workbook(
        path,
        [title(one) for one in titles],
        [[None if cell == "" else cell for cell in line] for line in lines],
        {name: round(amount, 6) for name, amount in totals.items()},
    )
    os.utime(path, (time.time() - 7200,) * 2)
    return path
