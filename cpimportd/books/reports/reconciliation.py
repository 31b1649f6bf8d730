"""Compares three accounts of the same sums: the books, the control totals of their workbooks, and the journal."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.books.journal.memory import NOTHING, fingerprints
from cpimportd.books.publish import foreign
from cpimportd.books.publish.foreign import Foreign, Shift, figure_sum
from cpimportd.core.formatting import money
from cpimportd.core.model import Figure, Kind, Unit
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import Problem, problem
from cpimportd.core.report import TERMS, Bridge
from cpimportd.core.typed import json_keys

MOST_FIGURES = 12
"""Of how many months, contracts and the like one line tells."""

Key = tuple[Kind, str]
"""Kind and organization."""


class Recorded(NamedTuple):
    """What one publication did to one organization's sum of one kind.

    Attributes:
        at: when the run began.
        bridge: as it recorded it.
        foreign_sum: what somebody else had added since the run before, which this one told and corrected.
    """

    run: int
    at: datetime
    bridge: Bridge
    foreign_sum: Decimal


@dataclass(frozen=True, slots=True)
class Group:
    """Workbooks and the organizations that they hold together: a control total speaks of all of these at once."""

    kind: Kind
    organizations: tuple[str, ...]
    files: tuple[str, ...]
    total: Decimal | None


@json_keys("problems", equal="equal")
@dataclass(frozen=True, slots=True)
class Account:
    """One organization and kind: what the books hold, what its workbooks say, what the journal says; None: nothing.

    ``control_total`` is that of all organizations in the same workbooks where these hold several.
    """

    kind: Kind
    organization: str
    rows: int
    books: Decimal
    control_total: Decimal | None
    journal: Decimal | None
    run: int | None
    problems: tuple[Problem, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether all of them agree."""
        return not self.problems


@json_keys(equal="equal", problems="problems")
@dataclass(frozen=True, slots=True)
class Reconciliation:
    """All accounts of a department; they agree where none has a problem."""

    accounts: tuple[Account, ...] = field(default=())

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Where they differ, each once."""
        return tuple(dict.fromkeys(found for account in self.accounts for found in account.problems))

    @property
    def equal(self) -> bool:
        """Whether every account agrees."""
        return not self.problems


async def reconcile(
    connection: asyncpg.Connection, department_id: int, since: datetime, zone: tzinfo = UTC
) -> Reconciliation:
    """Compare the three as they are at one moment.

    Args:
        connection: any, outside a transaction.
        department_id: whose books.
        since: a break of the journal's chain before this is history, and not told.
        zone: in which the days of runs are told.
    """
    async with connection.transaction(isolation="repeatable_read"):
        written, shifts = await foreign.look(connection, department_id)
        marks = await fingerprints(connection, department_id)
        served = await connection.fetch(sql("jobs", "control_totals", whole=sql("memory", "whole")), department_id)
        bridges: dict[Key, list[Recorded]] = defaultdict(list)
        query = sql("jobs", "bridges", recorded=sql("past", "recorded"))
        for row in await connection.fetch(query, department_id):
            bridge = Bridge(Figure(row["kind"]), **{name: row[name] for name in TERMS})
            one = Recorded(row["run"], row["at"].astimezone(zone), bridge, row["foreign_sum"])
            bridges[bridge.kind.kind, row["organization"]].append(one)
    groups = {(group.kind, name): group for group in grouped(served) for name in group.organizations}
    present = {key: (mark.rows, mark.total) for key, mark in marks.items() if key in groups or key in bridges}
    keys = sorted({*groups, *present}, key=lambda key: (key[1], list(Kind).index(key[0])))
    accounts = []
    for key in keys:
        rows, total = present.get(key, (NOTHING.rows, NOTHING.total))
        past, group = bridges.get(key, []), groups.get(key)
        moved = tuple(_moved(key, total, past))
        wrong = [*_apart(group, present), *moved, *_broken(key, past, since)]
        if key[0] is key[0].group.kinds[0]:
            unit = Unit(key[1], key[0].group)
            own = [shift for shift in shifts if shift.unit == unit]
            wrong += _written(
                written.get(unit, Foreign(unit)), own, told=bool(moved) or _lines_moved(unit, present, bridges)
            )
        closing, run = (past[-1].bridge.closing, past[-1].run) if past else (None, None)
        said = group.total if group else None
        accounts.append(Account(*key, rows, total, said, closing, run, tuple(wrong)))
    return Reconciliation(tuple(accounts))


def grouped(served: Sequence[Mapping[str, Any]]) -> Iterator[Group]:
    """Which workbooks and organizations belong together, because a workbook holds several or one lies in several."""
    by_kind: dict[Kind, list[tuple[set[str], dict[str, Decimal | None]]]] = defaultdict(list)
    for row in served:
        kind = Kind(row["kind"])
        names, files = {row["organization"]}, {row["file"]: row["control_total"]}
        apart = []
        for other in by_kind[kind]:
            if other[0] & names or other[1].keys() & files.keys():
                names, files = names | other[0], {**files, **other[1]}
            else:
                apart.append(other)
        by_kind[kind] = [*apart, (names, files)]
    for kind, groups in by_kind.items():
        for names, files in groups:
            totals = [total for total in files.values() if total is not None]
            whole = sum(totals, Decimal(0)) if len(totals) == len(files) else None
            yield Group(kind, tuple(sorted(names)), tuple(sorted(files)), whole)


def _apart(group: Group | None, present: Mapping[Key, tuple[int, Decimal]]) -> Iterator[Problem]:
    if group is None or group.total is None:
        return
    held = sum((present.get((group.kind, name), (0, Decimal(0)))[1] for name in group.organizations), Decimal(0))
    if held != group.total:
        yield problem(
            "books-apart",
            organization=", ".join(group.organizations),
            value=money(held),
            kind=group.kind.value,
            files=", ".join(group.files),
            total=money(group.total),
        )


def _moved(key: Key, total: Decimal, past: Sequence[Recorded]) -> Iterator[Problem]:
    if past and past[-1].bridge.closing != total:
        last = past[-1]
        yield problem(
            "books-moved",
            organization=key[1],
            value=money(total),
            kind=key[0].value,
            run=last.run,
            total=money(last.bridge.closing),
            date=f"{last.at:%Y-%m-%d}",
        )


def _lines_moved(unit: Unit, present: Mapping[Key, tuple[int, Decimal]], bridges: Mapping[Key, list[Recorded]]) -> bool:
    """Whether the sum of the unit's detail lines alone is another: then that is told of them."""
    key = (unit.group.kinds[-1], unit.organization)
    past = bridges.get(key, [])
    return bool(past) and past[-1].bridge.closing != present.get(key, (0, Decimal(0)))[1]


def _written(theirs: Foreign, shifts: Sequence[Shift], *, told: bool) -> Iterator[Problem]:
    """Documents that are not as the last run left them, unless the sums say all of it.

    Args:
        theirs: what somebody else wrote to the unit.
        shifts: by how much its figures are off.
        told: whether one of its sums is said to be another.
    """
    yield from theirs.resting()
    if theirs.known and not theirs.documents:
        return
    types = [shift.difference for shift in shifts if shift.figure in {"principal", "interest", "other"}]
    if theirs.known and told and theirs.sums_only and sum(map(abs, types)) == abs(sum(types)):
        return
    figures = [_figure(shift) for shift in shifts]
    more = [phrase("and-more", more=len(figures) - MOST_FIGURES)] if len(figures) > MOST_FIGURES else []
    yield problem(
        "books-written",
        organization=theirs.unit.organization,
        value=theirs.unit.group.value,
        count=theirs.documents if theirs.known else phrase("some"),
        sums=[*theirs.sums(), *figures[:MOST_FIGURES], *more],
    )


def _figure(shift: Shift) -> Phrase:
    return figure_sum(shift.figure, shift.difference, phrase("nameless") if shift.name is None else shift.name)


def _broken(key: Key, past: Sequence[Recorded], since: datetime) -> Iterator[Problem]:
    for before, one in zip((None, *past), past, strict=False):
        if one.at < since:
            continue
        where: dict[str, Any] = {"run": one.run, "date": f"{one.at:%Y-%m-%d}", "kind": key[0].value}
        if one.bridge.gap:
            yield problem("journal-open", organization=key[1], value=money(one.bridge.gap), **where)
        if before is not None and before.bridge.closing + one.foreign_sum != one.bridge.opening:
            yield problem(
                "journal-gap",
                organization=key[1],
                value=money(one.bridge.opening),
                total=money(before.bridge.closing),
                before=before.run,
                **where,
            )
