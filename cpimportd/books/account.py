"""Does it add up? The bridge of every unit, and the sums in the database beside the control totals, before COMMIT."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import asyncpg

from cpimportd.books.queries import sql
from cpimportd.books.shapes import EXPENSES, SHAPES, Shape
from cpimportd.model import Kind, Unit
from cpimportd.problems import Problem, ProblemError, problem
from cpimportd.report import Bridge


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened to one unit's documents."""

    inserted: int = 0
    removed: int = 0
    retimed: int = 0
    updated: int = 0
    unchanged: int = 0
    normalised: int = 0
    put_right: int = 0


async def counts(connection: asyncpg.Connection) -> Mapping[Unit, Counts]:
    """Per unit, what the merge did to its documents."""
    found: dict[Unit, Counts] = {}
    for shape in SHAPES:
        for row in await connection.fetch(sql("account", "counts", **shape.identifiers)):
            fields = {name: row[name] for name in Counts.__slots__}
            found[Unit(row["organization"], shape.group)] = Counts(**fields)
    return found


async def bridges(connection: asyncpg.Connection) -> Mapping[tuple[Kind, str], Bridge]:
    """Per organization and kind, how yesterday's sum became today's; closing is what the database holds now.

    Raises:
        ProblemError: ``sums-differ`` where the database does not hold what the snapshot says.
    """
    found: dict[tuple[Kind, str], Bridge] = {}
    for shape in SHAPES:
        found |= await _bridges(connection, shape.kind, shape)
    found |= await _bridges(connection, Kind.DETAILS, EXPENSES)
    await _compare_files(connection)
    return found


async def bridge_contracts(connection: asyncpg.Connection) -> None:
    """Record, for every contract whose sum moved, how yesterday's became today's."""
    for shape in SHAPES:
        await connection.execute(sql("account", "bridge_contracts", **shape.identifiers))


async def _bridges(connection: asyncpg.Connection, kind: Kind, shape: Shape) -> dict[tuple[Kind, str], Bridge]:
    details = kind is Kind.DETAILS
    pieces = {
        "rows_before": "coalesce(d.rows_before, 0)" if details else "1",
        "rows_after": "coalesce(d.rows_after, 0)" if details else "1",
        "before": "coalesce(d.amount_before, 0)" if details else "coalesce(m.amount_before, 0)",
        "after": "coalesce(d.amount_after, 0)" if details else "m.amount_after",
        "join_details": "LEFT JOIN match_details d ON d.operation_id = m.operation_id" if details else "",
    }
    moved = {
        row["organization"]: row
        for row in await connection.fetch(sql("account", "bridge", **shape.identifiers, **pieces))
    }
    booked = await connection.fetch(
        sql("account", "booked_details") if details else sql("account", "booked", **shape.identifiers)
    )
    found = {}
    for row in booked:
        organization, total = row["organization"], row["total"]
        move = moved.get(organization)
        staged = (move["closing"], move["rows_after"]) if move else (Decimal(0), 0)
        if staged != (total, row["rows"]):
            raise ProblemError(_differ(organization, kind, total, staged[0]))
        found[kind, organization] = Bridge(
            kind=kind,
            rows_before=move["rows_before"] if move else 0,
            rows_after=row["rows"],
            opening=move["opening"] if move else Decimal(0),
            added=move["added"] if move else Decimal(0),
            removed=move["removed"] if move else Decimal(0),
            changed=move["changed"] if move else Decimal(0),
            closing=total,
            control_total=staged[0],
        )
    return found


async def _compare_files(connection: asyncpg.Connection) -> None:
    rows = [
        (shape.kind, row)
        for shape in SHAPES
        for row in await connection.fetch(sql("account", "booked_by_file", **shape.identifiers))
    ]
    rows += [(Kind.DETAILS, row) for row in await connection.fetch(sql("account", "booked_details_by_file"))]
    differing = [
        _differ(row["file"], kind, row["total"], row["control_total"])
        for kind, row in rows
        if row["total"] != row["control_total"]
    ]
    if differing:
        raise ProblemError(*differing)


def _differ(scope: str, kind: Kind, booked: Decimal, expected: Decimal) -> Problem:
    return problem("sums-differ", organization=scope, value=kind.table, sum=f"{booked:.2f}", total=f"{expected:.2f}")
