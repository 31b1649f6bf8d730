"""Computes the bridge of every unit, and compares the sums in the database with the control totals, before COMMIT."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import asyncpg

from cpimportd.books.database.queries import EXPENSES, SHAPES, Shape, planned_without, sql
from cpimportd.core.formatting import money
from cpimportd.core.model import PAYMENTS, Figure, Kind, Unit
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.report import TERMS, Bridge


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
    moved_in: int = 0
    moved_out: int = 0


async def counts(connection: asyncpg.Connection) -> Mapping[Unit, Counts]:
    """Per unit, what became of its documents."""
    found: dict[Unit, Counts] = {}
    for shape in SHAPES:
        for row in await connection.fetch(_sql("counts", shape)):
            fields = {name: row[name] for name in Counts.__slots__}
            found[Unit(row["organization"], shape.group)] = Counts(**fields)
    return found


async def bridges(connection: asyncpg.Connection) -> Mapping[tuple[Figure, str], Bridge]:
    """Per organization and figure, how yesterday's sum became today's; closing is what the database holds now.

    Raises:
        ProblemError: ``sums-differ``: the database does not hold what the snapshot says, or a bridge does not close.
    """
    found: dict[tuple[Figure, str], Bridge] = {}
    for shape in SHAPES:
        found |= await _bridges(connection, shape)
    _require_closed(found)
    await _compare_files(connection)
    return found


async def bridge_contracts(connection: asyncpg.Connection, *, foreign: bool = False) -> None:
    """Record, for every contract, how yesterday's sums became today's: of its documents, and of what they pay.

    Sums that did not move are not recorded.

    Args:
        connection: in the run's transaction.
        foreign: what somebody else had written was corrected in it: the bridges open with what lay there.

    Raises:
        ProblemError: ``sums-differ`` where one does not close, or principal, interest and other are not the details.
    """
    for shape in SHAPES:
        found: defaultdict[tuple[str, str], dict[Figure, Bridge]] = defaultdict(dict)
        # After a first import nobody has counted the lines yet: the planner would sort them all by their documents.
        async with planned_without(connection, "mergejoin"):
            rows = await connection.fetch(_sql("bridge_contracts", shape, foreign=foreign))
        for row in rows:
            figure = Figure(row["figure"])
            found[row["organization"], row["contract"]][figure] = Bridge(figure, **{name: row[name] for name in TERMS})
        for (organization, contract), bridges in found.items():
            scope = f"{organization}, {contract or '(without a contract)'}"
            for bridge in bridges.values():
                _require_explained(scope, bridge)
            if Figure.DETAILS in bridges:
                parts = [bridges.get(part) or _nothing(part) for part in PAYMENTS]
                _require_paid(scope, bridges[Figure.DETAILS], parts)


async def booked(connection: asyncpg.Connection, shape: Shape) -> Mapping[tuple[Figure, str], tuple[int, Decimal]]:
    """Rows and sum that the books hold now of the units of one kind that take part; of expenses' lines, too."""
    rows = await connection.fetch(sql("account", "booked", **shape.identifiers))
    if shape is EXPENSES:
        rows += await connection.fetch(sql("account", "booked_details"))
    return {(Figure(row["figure"]), row["organization"]): (row["rows"], row["total"]) for row in rows}


def _sql(name: str, shape: Shape, *, foreign: bool = False) -> str:
    """A query over the documents of one kind."""
    pieces = {
        piece: sql("account", piece, **shape.identifiers) for piece in ("documents", "terms", "foreign_movements")
    }
    if not foreign:
        pieces["foreign_movements"] = ""
    return sql("account", name, **shape.identifiers, **pieces, paid=sql("account", "paid"))


async def _bridges(connection: asyncpg.Connection, shape: Shape) -> dict[tuple[Figure, str], Bridge]:
    moved = await _terms(connection, "bridge", shape)
    found = {}
    for (figure, organization), (rows, total) in (await booked(connection, shape)).items():
        bridge = moved.get((figure, organization), _nothing(figure))
        if (bridge.closing, bridge.rows_after) != (total, rows):
            raise ProblemError(_differ(organization, figure, total, bridge.closing))
        found[figure, organization] = replace(bridge, control_total=bridge.closing, closing=total)
    if shape is EXPENSES:
        paid = await _terms(connection, "bridge_payments", shape)
        owners = [organization for figure, organization in found if figure is Figure.DETAILS]
        found |= {(part, one): paid.get((part, one), _nothing(part)) for one in owners for part in PAYMENTS}
    return found


async def _terms(connection: asyncpg.Connection, name: str, shape: Shape) -> dict[tuple[Figure, str], Bridge]:
    found = {}
    for row in await connection.fetch(_sql(name, shape)):
        terms = dict(row)
        figure, organization = Figure(terms.pop("figure")), terms.pop("organization")
        found[figure, organization] = Bridge(figure, **terms)
    return found


def _nothing(figure: Figure) -> Bridge:
    """The bridge of an organization without a row, before and after."""
    return Bridge(figure, *(Decimal(0),) * 5)


def _require_closed(found: Mapping[tuple[Figure, str], Bridge]) -> None:
    """Every bridge closes, and the details are what was paid with them: of the sums, and of each movement.

    Raises:
        ProblemError: ``sums-differ``.
    """
    for (figure, organization), bridge in found.items():
        _require_explained(organization, bridge)
        if figure is Figure.DETAILS:
            _require_paid(organization, bridge, [found[part, organization] for part in PAYMENTS])


def _require_explained(scope: str, bridge: Bridge) -> None:
    if bridge.unexplained:
        raise ProblemError(_differ(scope, bridge.kind, bridge.closing, bridge.closing + bridge.gap))


def _require_paid(scope: str, details: Bridge, parts: Sequence[Bridge]) -> None:
    for name in TERMS:
        paid = sum((getattr(part, name) for part in parts), Decimal(0))
        if paid != getattr(details, name):
            raise ProblemError(_differ(scope, Figure.DETAILS, getattr(details, name), paid))


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


def _differ(scope: str, kind: Kind | Figure, booked: Decimal, expected: Decimal) -> Problem:
    return problem(
        "sums-differ",
        organization=scope,
        value=(kind.kind if isinstance(kind, Figure) else kind).table,
        sum=money(booked),
        total=money(expected),
    )
