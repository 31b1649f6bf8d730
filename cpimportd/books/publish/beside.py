"""What stands in the books beside the new documents of the units that take part."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.books.database.shapes import SHAPES, Shape
from cpimportd.core.folding import fold
from cpimportd.core.model import Group, Unit
from cpimportd.core.twins import Numbered, are_one, numbered
from cpimportd.core.unit_facts import NOTHING_BESIDE, Beside, Growth, Twin


async def beside_new(connection: asyncpg.Connection) -> Mapping[Unit, Beside]:
    """What the books hold beside the new documents of each unit; where that is nothing, the unit is left out.

    Args:
        connection: in the publishing transaction, after the comparison.
    """
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
        if are_one(name, new["amount"], other, old["amount"])
    ]
