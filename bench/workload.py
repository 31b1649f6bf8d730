"""The exports that everybody imports: generated once for each size and kept, as making them takes longer than reading."""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cpimportd.demo
from cpimportd.demo.exports import ExportDay, Holding
from cpimportd.demo.ledger import Changes, Ledger

CHANGED_OVERNIGHT = 0.005
"""Of an organization's expenses: two fifths get another amount, the rest go, come, or get another time of day."""
FIRST, NEXT, CELL, REPRICED = "first", "next", "cell", "repriced"
"""The days: the first import, the next day, the next day again with one cell changed, and the first day with other
amounts in some expenses and nothing else changed."""


@dataclass(frozen=True)
class Size:
    """How much there is to import: a name, and what each organization has."""

    name: str
    organizations: int
    receipts: int
    expenses: int
    changes: Changes | None = None

    @cached_property
    def holding(self) -> Holding:
        fifth = max(1, round(self.expenses * CHANGED_OVERNIGHT / 5))
        changes = self.changes or Changes(deleted=fifth, retimed=fifth, repriced=2 * fifth, added=fifth)
        return Holding(self.organizations, self.receipts, self.expenses, seed=1, changes=changes)


SIZES = {
    size.name: size
    for size in (
        Size("ci", 2, 200, 2_000),
        Size("small", 1, 100, 1_000),
        Size("small-x8", 8, 100, 1_000),
        Size("small-x8-large-files", 1, 800, 8_000),
        Size("small-holdings", 20, 5, 30),
        Size("125k", 5, 1_000, 10_000),
        Size("1m", 40, 1_000, 10_000),
        Size("1m-large-files", 5, 8_000, 80_000),
        Size("holdings", 200, 5, 30),
    )
}
LARGER = {"small": "small-x8", "125k": "1m"}
"""The size that is eight times another one."""


class Workload:
    """The days of one size as folders of workbooks.

    Args:
        size: how much.
        cache: where they are kept; they are made anew where the generator's code has changed.
    """

    def __init__(self, size: Size, cache: Path) -> None:
        self.size = size
        mark = _generator()
        self._folder = cache / "exports" / f"{size.name}-{mark}"
        for outdated in self._folder.parent.glob(f"{size.name}-{'?' * len(mark)}"):
            if outdated != self._folder:
                shutil.rmtree(outdated)

    def folder(self, day: str) -> Path:
        """The folder of a day, made where it is missing."""
        folder = self._folder / day
        if not folder.is_dir():
            unfinished = folder.with_name(f"{day}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            self.day(day).write(unfinished)
            unfinished.rename(folder)
        return folder

    def day(self, day: str) -> ExportDay:
        """A day with the truth about it."""
        if day == CELL:
            return _one_cell(self.size.holding.day(2))
        if day == REPRICED:
            return _repriced(self.size.holding.day(1))
        return self.size.holding.day({FIRST: 1, NEXT: 2}[day])

    @cached_property
    def rows(self) -> int:
        """Documents and lines of the first day."""
        return sum(self.day(FIRST).truth.rows.values())

    def files(self, day: str, *, usual_parts: bool = False) -> list[dict[str, object]]:
        """What another program has to be told: each workbook, its kind, and how many rows stand above its header.

        Args:
            day: whose files.
            usual_parts: give copies of those whose part has another name than its package says; openpyxl reads no others.
        """
        files = []
        for file in self.day(day).files:
            folder = self.folder(day)
            if usual_parts and file.organization.capital_shared_strings:
                folder = _with_usual_parts(folder / file.name).parent
            path, header = str(folder / file.name), len(file.organization.title_rows)
            files.append({"path": path, "kind": file.kind.value, "header": header})
        return files


def _with_usual_parts(path: Path) -> Path:
    """A copy, kept beside the day's folder, whose shared strings are where the package says."""
    copy = path.parent.with_name(f"{path.parent.name}-usual-parts") / path.name
    if not copy.exists():
        copy.parent.mkdir(exist_ok=True)
        unfinished = copy.with_suffix(".unfinished")
        with zipfile.ZipFile(path) as package, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as renamed:
            for part in package.namelist():
                renamed.writestr(part.replace("SharedStrings", "sharedStrings"), package.read(part))
        unfinished.rename(copy)
    return copy


def _one_cell(day: ExportDay) -> ExportDay:
    """The same day with another text in one cell: the number of one expense's bank document."""
    first, *others = day.ledgers
    document = first.expenses[len(first.expenses) // 2]
    # A multiple of three more: what else the generator makes of the number stays as it is.
    number = f"{(int(document.incoming_number) + 3) % 999_999:06d}"
    expenses = tuple(replace(d, incoming_number=number) if d is document else d for d in first.expenses)
    return replace(day, ledgers=(Ledger(first.organization, first.receipts, expenses), *others))


def _repriced(day: ExportDay) -> ExportDay:
    """The same day with half a rouble more in every two hundredth expense and the first of its lines.

    Its truth is still that of the day before: whoever takes this day has to know better.
    """
    ledgers, between = [], round(1 / CHANGED_OVERNIGHT)
    for ledger in day.ledgers:
        expenses = list(ledger.expenses)
        for place in range(0, len(expenses), between):
            first, *rest = expenses[place].lines
            lines = (replace(first, kopecks=first.kopecks + 50), *rest)
            expenses[place] = replace(expenses[place], kopecks=expenses[place].kopecks + 50, lines=lines)
        ledgers.append(replace(ledger, expenses=tuple(expenses)))
    return replace(day, ledgers=tuple(ledgers))


def default_cache() -> Path:
    """Where exports and other programs' environments are kept between two calls."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cpimportd-bench"


def _generator() -> str:
    folder = Path(cpimportd.demo.__file__).parent
    made_by = (*sorted(folder.glob("*.py")), Path(__file__))
    return hashlib.sha256(b"".join(path.read_bytes() for path in made_by)).hexdigest()[:12]


def job(path: Path, url: str, files: Sequence[dict[str, object]], **more: object) -> Path:
    """Write down what another program is to do; gives the path."""
    path.write_text(json.dumps({"url": url, "files": list(files), **more}, ensure_ascii=False))
    return path
