"""Generates a holding and its daily exports: workbooks as 1C uploads them, and their true sums.

Everything follows from a seed. The true sums are counted in kopecks from the documents and never read back from a
workbook, so they can verify any reader.
"""

import os
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from cpimportd.core.model import Group, Kind, Unit
from cpimportd.demo.ledger import LAST_DAY, Changes, Document, Ledger, Overnight, open_ledger
from cpimportd.demo.organizations import Organization, organizations
from cpimportd.demo.rows import detail_rows, expense_rows, receipt_rows, totals
from cpimportd.demo.workbook import Cell, write_workbook

WRONG_TOTAL_BY = Decimal("1000.00")
"""How far the wrong ``Итого`` of a broken day is off, in roubles."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What some documents add up to; amounts in roubles.

    Attributes:
        rows: how many there are of each kind.
        sums: their amounts by kind; ``Сумма`` or ``Сумма платежа``.
        principal: of the details, what repays debt.
        interest: of the details, what pays interest.
    """

    rows: Mapping[Kind, int] = field(default_factory=dict)
    sums: Mapping[Kind, Decimal] = field(default_factory=dict)
    principal: Decimal = Decimal(0)
    interest: Decimal = Decimal(0)

    @classmethod
    def total(cls, truths: Iterable["Truth"]) -> "Truth":
        """Several truths added up; every kind is there, at least with nothing."""
        every = tuple(truths)
        return cls(
            rows={kind: sum(t.rows.get(kind, 0) for t in every) for kind in Kind},
            sums={kind: sum((t.sums.get(kind, Decimal(0)) for t in every), Decimal(0)) for kind in Kind},
            principal=sum((t.principal for t in every), Decimal(0)),
            interest=sum((t.interest for t in every), Decimal(0)),
        )


class Damage(StrEnum):
    """What can be wrong with an upload."""

    EMPTY = "0 bytes"
    WRONG_TOTAL = "Итого is wrong"
    HALF = "half of the file"


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One workbook of a day: its name, what it is, and what is wrong with it, if anything."""

    name: str
    organization: Organization
    kind: Kind
    damage: Damage | None = None

    @property
    def unit(self) -> Unit:
        """What this file is published with."""
        return Unit(self.organization.name, self.kind.group)


@dataclass(frozen=True)
class ExportDay:
    """One day's upload.

    Attributes:
        number: of the day, from 1.
        files: what is uploaded, in the order of the organizations.
        units: the truth by unit, as 1C has it.
        overnight: by organization's name, what changed since the day before; empty on day 1.
    """

    number: int
    files: tuple[ExportedFile, ...]
    units: Mapping[Unit, Truth]
    overnight: Mapping[str, Overnight]
    ledgers: tuple[Ledger, ...] = field(repr=False)

    @property
    def held(self) -> frozenset[Unit]:
        """The units that must not be published today, for one of their files is broken."""
        return frozenset(file.unit for file in self.files if file.damage)

    @property
    def truth(self) -> Truth:
        """The whole holding, as 1C has it."""
        return Truth.total(self.units.values())

    @property
    def stamp(self) -> datetime:
        """When 1C wrote the files: every day anew."""
        return datetime.combine(LAST_DAY + timedelta(days=self.number), time(5, 30))

    def write(self, folder: Path) -> list[Path]:
        """Write the day's files into a folder, over those of another day; gives their paths."""
        return [self._write(file, folder / file.name) for file in self.files]

    def _write(self, file: ExportedFile, path: Path) -> Path:
        organization = file.organization
        (ledger,) = (ledger for ledger in self.ledgers if ledger.organization is organization)
        titles = organization.titles(file.kind)
        sums = totals(ledger, file.kind, WRONG_TOTAL_BY if file.damage is Damage.WRONG_TOTAL else Decimal(0))
        write_workbook(
            path,
            titles,
            _rows(ledger, file.kind),
            sums,
            title_rows=organization.title_rows,
            capital_shared_strings=organization.capital_shared_strings,
            stamp=self.stamp,
        )
        if file.damage is Damage.EMPTY:
            path.write_bytes(b"")
        elif file.damage is Damage.HALF:
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
        return path


@dataclass(frozen=True)
class Holding:
    """Some organizations whose 1C databases are exported every day.

    Args:
        organizations: how many.
        receipts: of each organization, on day 1.
        expenses: of each organization, on day 1; their details are about 1.4 times as many lines.
        seed: the same seed and sizes give the same days.
        changes: how much changes overnight; the first organization also gets a receipt.
    """

    organizations: int = 3
    receipts: int = 60
    expenses: int = 300
    seed: int = 1
    changes: Changes = field(default_factory=Changes)

    def day(self, number: int) -> ExportDay:
        """The upload of a day, counted from 1, whole and right.

        Raises:
            ValueError: there is no such day.
        """
        if number < 1:
            raise ValueError("days are counted from 1")
        ledgers, overnight = _ledgers(self, number)
        files = tuple(
            ExportedFile(ledger.organization.file_name(kind), ledger.organization, kind)
            for ledger in ledgers
            for kind in Kind
        )
        units = {Unit(ledger.organization.name, group): _truth(ledger, group) for ledger in ledgers for group in Group}
        return ExportDay(number, files, units, overnight, ledgers)

    def broken_day(self, number: int) -> ExportDay:
        """The same upload with three files broken: one of 0 bytes, one with a wrong ``Итого``, one half a zip."""
        day = self.day(number)
        owners = [ledger.organization.name for ledger in day.ledgers]
        damages = {
            (owners[0], Kind.EXPENSES): Damage.EMPTY,
            (owners[1 % len(owners)], Kind.RECEIPTS): Damage.WRONG_TOTAL,
            (owners[2 % len(owners)], Kind.DETAILS): Damage.HALF,
        }
        files = tuple(replace(file, damage=damages.get((file.organization.name, file.kind))) for file in day.files)
        return replace(day, files=files)


def books_after(days: Iterable[ExportDay]) -> Truth:
    """What the books must hold after these days' imports: a held unit stays as it was."""
    units: dict[Unit, Truth] = {}
    for day in days:
        units |= {unit: truth for unit, truth in day.units.items() if unit not in day.held}
    return Truth.total(units.values())


@lru_cache(maxsize=8)
def _ledgers(holding: Holding, number: int) -> tuple[tuple[Ledger, ...], Mapping[str, Overnight]]:
    if number == 1:
        rngs = (random.Random(f"{holding.seed}/{n}") for n in range(holding.organizations))  # noqa: S311  made-up data
        opened = zip(organizations(holding.organizations), rngs, strict=True)
        return tuple(open_ledger(o, rng, holding.receipts, holding.expenses) for o, rng in opened), {}
    before, _ = _ledgers(holding, number - 1)
    today = LAST_DAY + timedelta(days=number - 1)
    nights = [_night(holding, ledger, place, today) for place, ledger in enumerate(before)]
    return tuple(ledger for ledger, _ in nights), {ledger.organization.name: overnight for ledger, overnight in nights}


def _night(holding: Holding, ledger: Ledger, place: int, today: date) -> tuple[Ledger, Overnight]:
    rng = random.Random(f"{holding.seed}/{place}/{today}")  # noqa: S311  made-up data
    changes = holding.changes
    if place == 0:
        changes = replace(changes, receipts_added=changes.receipts_added + 1)
    return ledger.after_night(rng, today, changes)


def _truth(ledger: Ledger, group: Group) -> Truth:
    if group is Group.RECEIPTS:
        return Truth({Kind.RECEIPTS: len(ledger.receipts)}, {Kind.RECEIPTS: _roubles(ledger.receipts)})
    lines = [line for document in ledger.expenses for line in document.lines]
    principal = Decimal(sum(line.kopecks for line in lines if line.principal)).scaleb(-2)
    interest = Decimal(sum(line.kopecks for line in lines if not line.principal)).scaleb(-2)
    return Truth(
        rows={Kind.EXPENSES: len(ledger.expenses), Kind.DETAILS: len(lines)},
        sums={Kind.EXPENSES: _roubles(ledger.expenses), Kind.DETAILS: principal + interest},
        principal=principal,
        interest=interest,
    )


def _roubles(documents: Iterable[Document]) -> Decimal:
    return Decimal(sum(document.kopecks for document in documents)).scaleb(-2)


def _rows(ledger: Ledger, kind: Kind) -> Iterator[list[Cell]]:
    if kind is Kind.RECEIPTS:
        return receipt_rows(ledger)
    return expense_rows(ledger) if kind is Kind.EXPENSES else detail_rows(ledger)


def upload(day: ExportDay, folder: Path) -> None:
    """Write a day's files as 1C would have an hour ago, so that they are not taken for half an upload."""
    for path in day.write(folder):
        an_hour_ago = path.stat().st_mtime - 3600
        os.utime(path, (an_hour_ago, an_hour_ago))
