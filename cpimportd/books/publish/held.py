"""The table of the units held now with their workbooks: the run that judges writes it, everybody reads it.

A unit enters and leaves it in the publishing transaction, so that all readers see the same.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence

import asyncpg
import msgspec

from cpimportd.books.database.queries import sql
from cpimportd.books.journal.diff import Diff
from cpimportd.books.journal.memory import undone
from cpimportd.books.journal.movements import Movement
from cpimportd.books.publish.plan import NewName, Today
from cpimportd.books.publish.trial import HeldDifference
from cpimportd.core.folding import near_hint
from cpimportd.core.model import Group, Unit
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import Problem, ProblemError, printable, problem
from cpimportd.core.report import HeldUnit, UnitReport, UnitStatus
from cpimportd.core.typed import from_json, json_text
from cpimportd.core.workbooks import Content


async def held_units(connection: asyncpg.Connection, department_id: int) -> list[HeldUnit]:
    """The units that are held now, in order of their names."""
    rows = await connection.fetch(sql("held", "now"), department_id)
    found = (
        HeldUnit(
            unit=Unit(row["organization"], Group(row["kind"])),
            run=row["run_id"],
            since_run=row["since_run"],
            since=row["since"],
            problems=from_json(row["problems"], tuple[Problem, ...]),
            contents=_contents(row["contents"]),
            undone_run=row["undone_run"],
        )
        for row in rows
    )
    return sorted(found, key=lambda one: one.unit)


async def note(
    connection: asyncpg.Connection, department_id: int, run_id: int, today: Today, units: Iterable[UnitReport]
) -> None:
    """Note what a run holds, and what it holds no more; and by which names the workbooks go that serve as before.

    Args:
        connection: in the run's transaction.
        department_id: whose books.
        run_id: the run.
        today: what it saw.
        units: that it published or held; those that did not change need not be among them.
    """
    reports = {report.unit: report for report in units}
    held = {unit: report for unit, report in reports.items() if report.status is UnitStatus.HELD}
    judged = {*today.file_nos, *reports}
    groups = [group.value for group in today.groups]
    await connection.execute(
        sql("held", "release"), department_id, groups, today.whole, *_columns(judged), *_columns(held)
    )
    await connection.executemany(
        sql("held", "hold"),
        [
            (
                department_id,
                unit.group.value,
                unit.organization,
                run_id,
                _problems(report.problems),
                _stored(today, unit),
            )
            for unit, report in sorted(held.items())
        ],
    )
    await connection.execute(sql("held", "forget_documents"), department_id, *_columns(held))
    await _rename(connection, department_id, today.new_names)


async def keep_differences(
    connection: asyncpg.Connection, department_id: int, differences: Mapping[Unit, HeldDifference]
) -> None:
    """Keep what held units would change, in the place of what was known before.

    Args:
        connection: in the run's transaction, once it has noted what it holds.
        department_id: whose books.
        differences: of units that are held.
    """
    for unit, found in differences.items():
        name = (department_id, unit.group.value, unit.organization)
        await connection.execute(sql("held", "keep_difference"), *name, _encoded(found.diff))
        await connection.executemany(
            sql("held", "keep_document"),
            [(*name, place, one.what.value, _encoded(one)) for place, one in enumerate(found.movements)],
        )


_ENCODER = msgspec.json.Encoder(decimal_format="number")


def _encoded(value: Diff | Movement) -> str:
    """A value with its decimals as numbers, as the journal has them: who reads it makes decimals of them again."""
    return _ENCODER.encode(value).decode()


async def note_undo(connection: asyncpg.Connection, department_id: int, run_id: int, units: Collection[Unit]) -> None:
    """Note that units which an undo put back are held, and those whose undo it took back are not.

    Args:
        connection: in the undo's transaction, once it has noted what is undone.
        department_id: whose books.
        run_id: the undo.
        units: that took part in it.
    """
    put_back = await undone(connection, department_id)
    for unit in sorted(units):
        name = (department_id, unit.group.value, unit.organization)
        if unit in put_back:
            run = put_back[unit].undone_run
            why = problem("undone", organization=unit.organization, unit=unit.name, run=run)
            await connection.execute(sql("held", "put_back"), *name, run_id, _problems([why]), run)
        else:
            await connection.execute(sql("held", "not_undone"), *name)


async def _rename(connection: asyncpg.Connection, department_id: int, names: Sequence[NewName]) -> None:
    # Two workbooks may have exchanged their names: all old ones go before any new one comes.
    moved = [
        (name, await connection.fetchrow(
            sql("held", "rename_served"), department_id, name.kind.value, name.organization, name.before
        ))
        for name in names
    ]  # fmt: skip
    await connection.executemany(
        sql("held", "serve_renamed"),
        [
            (department_id, name.kind.value, name.organization, name.now, row["snapshot_id"], row["run_id"],
             row["digest"], name.content.sha256, row["rows"], row["control_total"])
            for name, row in moved
            if row is not None
        ],
    )  # fmt: skip


async def to_accept(
    connection: asyncpg.Connection, department_id: int, names: Sequence[str], run: int | None = None
) -> list[HeldUnit]:
    """What a human accepts by these names: units that are held, with the workbooks that he has seen.

    Args:
        connection: any.
        department_id: whose books.
        names: as in the report, ``ORGANIZATION/receipts`` or ``ORGANIZATION/expenses``; invisible characters as they
            are, or escaped as a problem's way out has them.
        run: that held them; None: the last one that did.

    Raises:
        ProblemError: ``accept-nothing``, one for each name that cannot be accepted; it says why.
    """
    now = {one.unit: one for one in await held_units(connection, department_id)}
    told = {printable(unit.name): unit.name for unit in now}
    found, refused = [], []
    for given in names:
        name = told.get(given, given)
        organization, _, group = name.rpartition("/")
        if not organization or group not in set(Group):
            near = near_hint(name, [known.name for known in now])
            refused.append(problem("accept-nothing", value=name, reason=phrase("no-unit-called-so", near=near)))
            continue
        unit = Unit(organization, Group(group))
        row = await connection.fetchrow(sql("held", "decided"), department_id, organization, group, run)
        one = now.get(unit)
        near = "" if unit in now else near_hint(name, [known.name for known in now])
        if reason := _why_not(one, row, run, near):
            refused.append(problem("accept-nothing", value=name, reason=reason))
        elif one is not None:
            found.append(one if row is None or run in {None, one.run} else _as_held_by(one, row))
    if refused:
        raise ProblemError(*refused)
    return found


def _why_not(
    held: HeldUnit | None, decided: asyncpg.Record | None, run: int | None, near: Phrase | str
) -> Phrase | None:
    """Why a unit cannot be accepted, as it is held now and as a run, the named one or the last, decided about it."""
    if held is not None and held.final:
        codes, first = ", ".join(dict.fromkeys(found.code for found in held.final)), held.final[0]
        return phrase("held-for-good", run=held.run, codes=codes, problem=first)
    if held is not None and run in {None, held.run}:
        return None
    if decided is None:
        return phrase("no-run-said", near=near)
    if decided["status"] != "held":
        return phrase("run-did-not-hold", run=decided["run_id"], near=near)
    return phrase("later-run-did-not", run=decided["run_id"], near=near) if held is None else None


def _as_held_by(held: HeldUnit, decided: asyncpg.Record) -> HeldUnit:
    return HeldUnit(
        held.unit, decided["run_id"], held.since_run, held.since, held.problems, _contents(decided["contents"])
    )


def _columns(units: Collection[Unit]) -> tuple[list[str], list[str]]:
    return [unit.group.value for unit in units], [unit.organization for unit in units]


def _contents(stored: str) -> tuple[Content, ...]:
    return tuple(Content(one["digest"], one["sha256"]) for one in json.loads(stored))


def _stored(today: Today, unit: Unit) -> str:
    return json.dumps([content._asdict() for content in today.contents.get(unit, ())])


def _problems(problems: Iterable[Problem]) -> str:
    return json_text(tuple(problems))
