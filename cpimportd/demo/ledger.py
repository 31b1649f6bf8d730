"""Generates the content of one organization's 1C and its changes overnight; the same seed gives the same books."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from cpimportd.core.model import Group
from cpimportd.demo.organizations import Organization

FIRST_DAY = date(2020, 1, 9)
LAST_DAY = date(2025, 11, 28)

_BANKS = ("СЕВЕРНЫЙ БАНК ПАО ПРИМЕРБАНК", 'АО "УСЛОВНЫЙ БАНК"', 'ФИЛИАЛ "ЦЕНТРАЛЬНЫЙ" БАНКА ПРИМЕР (ПАО)')
_WORDS = {Group.RECEIPTS: "Поступление на расчетный счет", Group.EXPENSES: "Списание с расчетного счета"}
_TWO_LINES = 0.4
_WITHOUT_DATE = 0.002
_UNCONFIRMED = 0.01


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an expense's details: principal or interest, in kopecks."""

    principal: bool
    kopecks: int


@dataclass(frozen=True, slots=True)
class Document:
    """A receipt or an expense; only an expense has lines, and they add up to its amount.

    Attributes:
        group: receipts or expenses.
        number: unique within its year.
        moment: Moscow time, without a zone, as 1C writes it.
        contract: the text of ``Договор``.
        bank_account: the text of ``Банковский счет``.
        counterparty: who pays or is paid.
        counterparty_account: number, comma, bank; None where 1C knows none.
        incoming_number: of the bank's document.
        dated: whether the bank's document has a date.
        unconfirmed: whether the bank's statement lacks it.
    """

    group: Group
    number: str
    moment: datetime
    kopecks: int
    contract: str
    bank_account: str
    counterparty: str
    counterparty_account: str | None
    incoming_number: str
    dated: bool = True
    unconfirmed: bool = False
    lines: tuple[Line, ...] = ()

    @property
    def operation_id(self) -> str:
        """The first column's whole text; the hour has no leading zero."""
        at = self.moment
        return f"{_WORDS[self.group]} {self.number} от {at:%d.%m.%Y} {at.hour}:{at:%M:%S}"


@dataclass(frozen=True, slots=True)
class Changes:
    """How many of an organization's expenses change in one night, and how many receipts come."""

    deleted: int = 2
    retimed: int = 2
    repriced: int = 3
    added: int = 2
    receipts_added: int = 0


@dataclass(frozen=True, slots=True)
class Overnight:
    """What changed in one organization's 1C in one night, by operation id.

    Attributes:
        deleted: un-posted or deleted.
        retimed: before and after: the time is part of the operation id.
        repriced: their amount changed.
        added: new documents, receipts included.
    """

    deleted: tuple[str, ...] = ()
    retimed: tuple[tuple[str, str], ...] = ()
    repriced: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ledger:
    """One organization's documents, in the order in which 1C exports them: not by date."""

    organization: Organization
    receipts: tuple[Document, ...]
    expenses: tuple[Document, ...]

    def after_night(self, rng: random.Random, today: date, changes: Changes) -> tuple["Ledger", Overnight]:
        """The next day's ledger, and what changed on the way.

        Deleted ones are picked among the smallest, so that a night's deletions look like a bookkeeper's corrections and
        not like a broken export.
        """
        smallest = sorted(self.expenses, key=lambda d: (d.kopecks, d.operation_id))[: max(len(self.expenses) // 4, 1)]
        deleted = set(rng.sample(smallest, min(changes.deleted, len(smallest))))
        kept = [d for d in self.expenses if d not in deleted]
        touched = rng.sample(range(len(kept)), min(changes.retimed + changes.repriced, len(kept)))
        retimed, repriced = [], []
        for place in touched[: changes.retimed]:
            before, kept[place] = kept[place], _retimed(kept[place], rng)
            retimed.append((before.operation_id, kept[place].operation_id))
        for place in touched[changes.retimed :]:
            kept[place] = _repriced(kept[place], rng)
            repriced.append(kept[place].operation_id)
        new = {
            group: _documents(self.organization, group, rng, _moments(rng, count, today, today), self._documents(group))
            for group, count in ((Group.RECEIPTS, changes.receipts_added), (Group.EXPENSES, changes.added))
        }
        for document in new[Group.EXPENSES]:
            kept.insert(rng.randrange(len(kept) + 1), document)
        ledger = Ledger(self.organization, (*self.receipts, *new[Group.RECEIPTS]), tuple(kept))
        return ledger, Overnight(
            deleted=tuple(sorted(d.operation_id for d in deleted)),
            retimed=tuple(retimed),
            repriced=tuple(repriced),
            added=tuple(d.operation_id for group in Group for d in new[group]),
        )

    def _documents(self, group: Group) -> tuple[Document, ...]:
        return self.receipts if group is Group.RECEIPTS else self.expenses


def open_ledger(organization: Organization, rng: random.Random, receipts: int, expenses: int) -> Ledger:
    """An organization's books since 2020, with as many documents as asked for."""
    made = {}
    for group, count in ((Group.RECEIPTS, receipts), (Group.EXPENSES, expenses)):
        documents = _documents(organization, group, rng, _moments(rng, count, FIRST_DAY, LAST_DAY), ())
        rng.shuffle(documents)
        made[group] = tuple(documents)
    return Ledger(organization, made[Group.RECEIPTS], made[Group.EXPENSES])


def _moments(rng: random.Random, count: int, first: date, last: date) -> list[datetime]:
    days = (last - first).days + 1
    midnight = datetime.combine(first, time())
    return sorted(midnight + timedelta(days=rng.randrange(days), seconds=rng.randrange(86_400)) for _ in range(count))


def _documents(
    organization: Organization,
    group: Group,
    rng: random.Random,
    moments: Iterable[datetime],
    existing: Iterable[Document],
) -> list[Document]:
    """New documents; their numbers go on where the year's numbers ended."""
    last_number: Counter[int] = Counter()
    for document in existing:
        year = document.moment.year
        last_number[year] = max(last_number[year], int(document.number.rpartition("-")[2]))
    made = []
    for moment in moments:
        last_number[moment.year] += 1
        number = f"{organization.prefix}-{last_number[moment.year]:06d}"
        made.append(_document(organization, group, rng, number, moment))
    return made


def _document(organization: Organization, group: Group, rng: random.Random, number: str, moment: datetime) -> Document:
    bank = rng.choice(_BANKS)
    if group is Group.RECEIPTS:
        kopecks = rng.randrange(20, 1000) * 10_000_000
        lines: tuple[Line, ...] = ()
        account = f"45206810{rng.randrange(10**12):012d}, {bank}" if rng.random() < 0.5 else None
    else:
        kopecks = rng.randrange(5_000_000, 200_000_000)
        lines = _lines(rng, kopecks)
        account = f"70601810{rng.randrange(10**12):012d}, {bank}"
    return Document(
        group=group,
        number=number,
        moment=moment,
        kopecks=kopecks,
        contract=rng.choice(organization.contracts),
        bank_account=rng.choice(organization.bank_accounts),
        counterparty=rng.choice(_BANKS),
        counterparty_account=account,
        incoming_number=f"{rng.randrange(1, 10**6):06d}",
        dated=group is Group.RECEIPTS or rng.random() >= _WITHOUT_DATE,
        unconfirmed=group is Group.EXPENSES and rng.random() < _UNCONFIRMED,
        lines=lines,
    )


def _lines(rng: random.Random, kopecks: int) -> tuple[Line, ...]:
    if rng.random() >= _TWO_LINES:
        return (Line(rng.random() < 0.5, kopecks),)
    principal = rng.randrange(kopecks // 20, kopecks - kopecks // 20)
    return (Line(True, principal), Line(False, kopecks - principal))


def _retimed(document: Document, rng: random.Random) -> Document:
    """The same day at another time: posted anew."""
    seconds = document.moment.hour * 3600 + document.moment.minute * 60 + document.moment.second
    other = (seconds + rng.randrange(1, 86_400)) % 86_400
    return replace(document, moment=datetime.combine(document.moment.date(), time()) + timedelta(seconds=other))


def _repriced(document: Document, rng: random.Random) -> Document:
    """Another amount, up to a tenth more, on the first line."""
    more = rng.randrange(1, document.kopecks // 10)
    first, *rest = document.lines
    return replace(
        document, kopecks=document.kopecks + more, lines=(replace(first, kopecks=first.kopecks + more), *rest)
    )
