"""Compares today's snapshot with the books before anything is written: the facts that the guards judge."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date

import asyncpg

from cpimportd.books.database.queries import EXPENSES, SHAPES, Shape, sql
from cpimportd.books.publish.stage import drop_other_units
from cpimportd.core.folding import fold
from cpimportd.core.identity import Numbered, are_same_document, numbered
from cpimportd.core.model import Group, Unit
from cpimportd.core.problems import Problem, problem
from cpimportd.core.unit_facts import NOTHING_BESIDE, Beside, DocumentFact, Growth, Twin, UnitFacts


async def compare(connection: asyncpg.Connection) -> None:
    """Match the staged documents with those in the books."""
    await connection.execute(sql("facts", "find_organizations"))
    for shape in SHAPES:
        await connection.execute(sql("facts", "match", **shape.identifiers))
    await connection.execute(sql("facts", "match_details"))
    await connection.execute(sql("stage", "analyze_match"))


async def join(connection: asyncpg.Connection, units: Collection[Unit]) -> None:
    """Units that no file of today brings take part, too: what the books hold of them is compared with nothing."""
    await connection.execute(sql("facts", "forget_comparison"))
    await connection.executemany(
        sql("facts", "add_unit"), [(unit.group.value, unit.organization) for unit in sorted(units)]
    )
    await compare(connection)


async def gather(
    connection: asyncpg.Connection,
    closed_before: date | None = None,
    details_index: str | None = None,
    older: Collection[Unit] = (),
) -> Sequence[UnitFacts]:
    """The facts of every unit that takes part, in order of unit.

    Args:
        connection: in the publishing transaction.
        closed_before: documents of earlier days are in a closed period; None: nothing is closed.
        details_index: the backend's unique index that forbids equal detail lines; None where it has none.
        older: the units of which it is asked whether anything would change at all.
    """
    forbidden = await _equal_lines(connection, details_index)
    found = [facts for shape in SHAPES for facts in await _gather(connection, shape, closed_before)]
    same = set(older) - await _differing(connection, older)
    neighbours = await beside_new(connection)
    return sorted(
        (
            replace(
                facts,
                equal_lines=forbidden.get(facts.unit, ()),
                differs=facts.unit not in same,
                beside=neighbours.get(facts.unit, NOTHING_BESIDE),
            )
            for facts in found
        ),
        key=lambda facts: facts.unit,
    )


async def _differing(connection: asyncpg.Connection, units: Collection[Unit]) -> set[Unit]:
    """Those of these units in which anything would change."""
    return {
        Unit(row["organization"], shape.group)
        for shape in SHAPES
        if (names := [unit.organization for unit in units if unit.group is shape.group])
        for row in await connection.fetch(sql("facts", "differing", **shape.identifiers), names)
    }


async def _gather(connection: asyncpg.Connection, shape: Shape, closed_before: date | None) -> list[UnitFacts]:
    async def rows(name: str) -> list[asyncpg.Record]:
        found: list[asyncpg.Record] = await connection.fetch(sql("facts", name, **shape.identifiers))
        return found

    gone, new = _documents(await rows("gone")), _documents(await rows("new"))
    negative = _documents(await rows("negative"))
    if shape is EXPENSES:
        for organization, documents in _documents(await connection.fetch(sql("facts", "negative_lines"))).items():
            negative[organization] = list(dict.fromkeys([*negative[organization], *documents]))
    closed = defaultdict[str, list[DocumentFact]](list)
    if closed_before is not None:
        closed = _documents(await connection.fetch(sql("facts", "closed", **shape.identifiers), closed_before))
    elsewhere: dict[str, dict[str, int]] = defaultdict(dict)
    for row in await rows("elsewhere"):
        elsewhere[row["organization"]][row["other"]] = row["documents"]
    foreign: dict[str, list[str]] = defaultdict(list)
    for row in await rows("other_departments"):
        foreign[row["organization"]].append(row["operation_id"])
    return [
        UnitFacts(
            unit=Unit(row["organization"], shape.group),
            before=row["before"],
            after=row["after"],
            sum_before=row["sum_before"],
            gone=tuple(gone[row["organization"]]),
            new=tuple(new[row["organization"]]),
            amount_changed=row["amount_changed"],
            first_date=row["first_date"],
            negative=tuple(negative[row["organization"]]),
            elsewhere=elsewhere[row["organization"]],
            other_departments=tuple(foreign[row["organization"]]),
            closed=tuple(closed[row["organization"]]),
        )
        for row in await rows("totals")
    ]


async def _equal_lines(connection: asyncpg.Connection, index: str | None) -> Mapping[Unit, tuple[Problem, ...]]:
    """Units that need two equal detail lines where the backend's unique index forbids them."""
    if index is None:
        return {}
    found: defaultdict[Unit, list[Problem]] = defaultdict(list)
    for row in await connection.fetch(sql("facts", "equal_lines")):
        organization = row["organization"]
        found[Unit(organization, Group.EXPENSES)].append(
            problem("equal-lines", value=row["operation_id"], index=index, organization=organization)
        )
    return {unit: tuple(problems) for unit, problems in found.items()}


def _documents(rows: Sequence[asyncpg.Record]) -> defaultdict[str, list[DocumentFact]]:
    grouped: defaultdict[str, list[DocumentFact]] = defaultdict(list)
    for row in rows:
        grouped[row["organization"]].append(
            DocumentFact(
                row["operation_id"],
                row["number"],
                row["year"],
                row["amount"],
                row["document_date"],
                row.get("shown"),
            )
        )
    return grouped


async def forget(connection: asyncpg.Connection, units: Collection[Unit]) -> None:
    """Units that were held after comparing leave the stage and what was found about them."""
    if not units:
        return
    for group in Group:
        names = [unit.organization for unit in units if unit.group is group]
        await connection.execute(sql("facts", "forget_units"), group.value, names)
    await drop_other_units(connection)
    for shape in SHAPES:
        await connection.execute(sql("facts", "forget_matches", **shape.identifiers))
    await connection.execute(sql("facts", "forget_detail_matches"))


async def mark_accepted(connection: asyncpg.Connection, units: Collection[Unit]) -> None:
    """What a human accepted says so in the journal."""
    await connection.executemany(
        sql("facts", "mark_accepted"), [(unit.group.value, unit.organization) for unit in units]
    )


async def beside_new(connection: asyncpg.Connection) -> Mapping[Unit, Beside]:
    """After the comparison, what the books hold beside each unit's new documents; units without any are left out."""
    found = {unit: Beside(new=True, names=names) for unit, names in (await _new_names(connection)).items()}
    for shape in SHAPES:
        twins, growth = await _twins(connection, shape), await _growth(connection, shape)
        for organization in twins.keys() | growth.keys():
            unit = Unit(organization, shape.group)
            found[unit] = replace(
                found.get(unit, NOTHING_BESIDE),
                twins=tuple(twins.get(organization, {}).values()),
                growth=growth.get(organization),
            )
    return found


async def _new_names(connection: asyncpg.Connection) -> Mapping[Unit, tuple[str, ...]]:
    """Per unit whose organization the books do not know, the organizations there that fold like it."""
    known: dict[str, list[str]] = defaultdict(list)
    for row in await connection.fetch(sql("facts", "known_names")):
        known[fold(row["name"])].append(row["name"])
    new = [Unit(row["organization"], Group(row["kind"])) for row in await connection.fetch(sql("facts", "new_names"))]
    return {unit: tuple(known.get(fold(unit.organization), ())) for unit in new}


async def _growth(connection: asyncpg.Connection, shape: Shape) -> Mapping[str, Growth]:
    rows = await connection.fetch(sql("facts", "growth", **shape.identifiers))
    return {row["organization"]: Growth(row["documents"], row["total"], row["usual"], row["days"]) for row in rows}


async def _twins(connection: asyncpg.Connection, shape: Shape) -> Mapping[str, Mapping[str, Twin]]:
    """Per organization, its new documents that the books hold under an organization that today does not touch.

    Those that today touches have no twin in the books: what they hold is in today's files, where a document that comes
    twice is found before, or goes.
    """
    outside = [row["name"] for row in await connection.fetch(sql("facts", "outside", **shape.identifiers))]
    if not outside:
        return {}
    pairs = [
        (row["organization"], Twin(row["operation_id"], row["amount"], row["twin"], row["owner"]))
        for row in await connection.fetch(sql("facts", "same_digits", **shape.identifiers))
        if fold(row["operation_id"]) == fold(row["twin"])
    ]
    pairs += await _same_numbers(connection, shape, outside)
    found: dict[str, dict[str, Twin]] = defaultdict(dict)
    for organization, twin in pairs:
        found[organization].setdefault(twin.operation_id, twin)
    return found


async def _same_numbers(connection: asyncpg.Connection, shape: Shape, outside: Sequence[str]) -> list[tuple[str, Twin]]:
    """New documents with the number and year of one that stays under a name that folds like their organization's."""
    units = [row["organization"] for row in await connection.fetch(sql("facts", "units_of"), shape.kind.value)]
    folded = {fold(name) for name in units} & {fold(name) for name in outside}
    if not folded:
        return []
    owners, alike = ([name for name in names if fold(name) in folded] for names in (outside, units))
    staying: dict[tuple[str, str, int], list[tuple[Numbered, asyncpg.Record]]] = defaultdict(list)
    for row in await connection.fetch(sql("facts", "outside_documents", **shape.identifiers), owners):
        if name := numbered(row["operation_id"]):
            staying[name.of_year(row["organization"])].append((name, row))
    return [
        (new["organization"], Twin(new["operation_id"], new["amount"], old["operation_id"], old["organization"]))
        for new in await connection.fetch(sql("facts", "new_documents", **shape.identifiers), alike)
        if (name := numbered(new["operation_id"]))
        for other, old in staying.get(name.of_year(new["organization"]), ())
        if are_same_document(name, new["amount"], other, old["amount"])
    ]
