"""A small builder for a day's files: what the reader would have made of them, and what the books remember."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from cpimportd.core.model import Document, Kind
from cpimportd.core.problems import Problem, problem
from cpimportd.core.workbooks import FetchedFile, Served, Snapshot

TITLES = {Kind.RECEIPTS: "Сумма", Kind.EXPENSES: "Сумма", Kind.DETAILS: "Сумма платежа"}


def document(row: int, operation_id: str, organization: str | None, amount: Decimal) -> Document:
    return Document(row, operation_id, organization, int(amount * 100))


@dataclass
class Day:
    """One day's files, added one by one; every file adds up unless it is told not to."""

    snapshots: list[Snapshot]

    def __init__(self) -> None:
        self.snapshots = []

    def add(
        self,
        name: str,
        kind: Kind | None,
        rows: Iterable[tuple[str, str | None, str | int]] = (),
        *,
        totals: Mapping[str, str] | None = None,
        sums: Mapping[str, str] | None = None,
        problems: Sequence[Problem] = (),
        unchanged: bool = False,
        content: str = "",
    ) -> Snapshot:
        documents = tuple(
            document(row, operation_id, organization, Decimal(amount))
            for row, (operation_id, organization, amount) in enumerate(rows, 2)
        )
        total = sum((d.amount for d in documents), Decimal(0))
        title = TITLES.get(kind or Kind.RECEIPTS)
        digest = content or hashlib.sha256(repr((kind, documents)).encode()).hexdigest()
        unread = any(p.code.startswith("file-") for p in problems)
        snapshot = Snapshot(
            file=FetchedFile(name, Path("/nowhere") / name, 1, None, f"bytes of {name} {digest}"),
            file_no=len(self.snapshots),
            digest="" if unread else digest,
            kind=None if unchanged else kind,
            documents=() if unchanged else documents,
            control_totals={title: total} if totals is None else {k: Decimal(v) for k, v in totals.items()},
            sums={title: total} if sums is None else {k: Decimal(v) for k, v in sums.items()},
            problems=tuple(problems),
            unchanged=unchanged,
        )
        self.snapshots.append(snapshot)
        return snapshot

    def broken(self, name: str, code: str = "file-empty", kind: Kind | None = None) -> Snapshot:
        facts = {"reason": "no central directory"} if code != "file-empty" else {}
        return self.add(name, kind, totals={}, sums={}, problems=[problem(code, file=name, **facts)])

    def organization(self, name: str, *, lines: int = 3, details: bool = True) -> None:
        """All three files of an organization, each with a few documents."""
        self.add(f"{name} postuplenie.xlsx", Kind.RECEIPTS, [(f"П {name} {i}", name, 100 + i) for i in range(lines)])
        self.add(f"{name} spisanie.xlsx", Kind.EXPENSES, [(f"С {name} {i}", name, 10 + i) for i in range(lines)])
        if details:
            halves = [(f"С {name} {i}", None, amount) for i in range(lines) for amount in (4, 6 + i)]
            self.add(f"{name} rasshifrovka.xlsx", Kind.DETAILS, halves)

    def without(self, *names: str) -> "Day":
        day = Day()
        day.snapshots = [s for s in self.snapshots if s.file.name not in names]
        return day

    def remembered(self) -> list[Served]:
        """What the books serve once this day was published."""
        owners = {
            d.operation_id: d.organization for s in self.snapshots if s.kind is Kind.EXPENSES for d in s.documents
        }
        served = []
        for s in self.snapshots:
            if s.kind is None:
                continue
            rows: dict[str, int] = {}
            for d in s.documents:
                owner = owners[d.operation_id] if s.kind is Kind.DETAILS else d.organization
                rows[owner] = rows.get(owner, 0) + 1
            total = s.main_total
            served += [Served(s.kind, o, s.file.name, s.digest, s.file.sha256, n, total) for o, n in rows.items()]
        return served

    def known_expenses(self) -> dict[str, tuple[str, Decimal]]:
        """What the books know of expenses once this day was published."""
        return {
            d.operation_id: (d.organization, d.amount)
            for s in self.snapshots
            if s.kind is Kind.EXPENSES
            for d in s.documents
        }

    def number(self, name: str) -> int:
        return next(s.file_no for s in self.snapshots if s.file.name == name)

    def unread(self, *names: str) -> "Day":
        """The same day, with the named files (all, if none is) left unread as unchanged."""
        day = Day()
        day.snapshots = [
            dataclasses.replace(s, unchanged=True, kind=None, documents=(), control_totals={}, sums={})
            if not names or s.file.name in names
            else s
            for s in self.snapshots
        ]
        return day


@pytest.fixture
def day() -> Day:
    return Day()


@pytest.fixture
def two() -> Day:
    """Two organizations, all three files of each, everything right."""
    day = Day()
    day.organization("Лотос")
    day.organization("Север")
    return day


@pytest.fixture
def new_day() -> Callable[[], Day]:
    return Day
