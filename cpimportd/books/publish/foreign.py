"""Finds, journals and corrects foreign writes in the books, document by document.

This precedes every comparison with 1C's files. So the guards judge today's files against what we published, the journal
separates our changes from foreign ones, and no undo restores a foreign value.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

import asyncpg

from cpimportd.books.database.queries import FROM_JSON, LINE_COLUMNS, SHAPES, sql
from cpimportd.books.journal import memory
from cpimportd.books.publish import stage
from cpimportd.books.publish.account import Counts
from cpimportd.books.publish.merge import Journal
from cpimportd.core.model import PAYMENTS, Figure, Group, Kind, Unit
from cpimportd.core.phrases import Phrase, Reason, phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.report import TERMS, Bridge

_REFERENCES: Final = (
    {"reference": "organization", "references": "fin_organizations", "called": "name"},
    {"reference": "bank_account", "references": "fin_bank_accounts", "called": "account_number"},
    {"reference": "contract", "references": "fin_contracts", "called": "contract_number"},
)
_ZERO: Final = Decimal(0)
_COUNTED: Final = ("inserted", "removed", "updated", "put_right", "moved_in", "moved_out")


@dataclass(frozen=True, slots=True)
class Part:
    """What somebody else had made of one figure of a unit.

    Attributes:
        difference: by how much the sum was off.
        rows: how many rows there were too many, of what was corrected.
        opening: by how much the sum was off, of what was corrected.
        added: sum of the documents that came back.
        removed: sum of the documents that went again.
        changed: by how much the others differ, with its sign.
    """

    difference: Decimal = _ZERO
    rows: int = 0
    opening: Decimal = _ZERO
    added: Decimal = _ZERO
    removed: Decimal = _ZERO
    changed: Decimal = _ZERO


@dataclass(frozen=True, slots=True)
class Foreign:
    """What somebody else wrote to one unit.

    Attributes:
        unit: which.
        documents: how many he added, changed or deleted.
        stuck: how many of them could not be corrected.
        parts: what he had made of each figure.
        sums_only: whether all that differs is amounts and lines, in one direction, so that the sums tell of it.
        inactive: contracts that he set inactive though documents name them, with how many.
        known: whether it is remembered of every document how it was published.
    """

    unit: Unit
    documents: int = 0
    stuck: int = 0
    parts: Mapping[Figure, Part] = field(default_factory=dict)
    sums_only: bool = True
    inactive: Mapping[str, int] = field(default_factory=dict)
    known: bool = True

    def problems(self, run_id: int | None, *, held: bool = False) -> tuple[Problem, ...]:
        """What is to be told of it; nothing where the rows were written, but say what they said.

        Args:
            run_id: the run that put it right; None in a dry run.
            held: whether today's files are held: then nothing but what is remembered puts it right.
        """
        resting = self.resting()
        if self.known and not self.documents:
            return resting
        sums: Phrase | list[Phrase] = self._differences()
        count: int | Phrase = self.documents
        outcome = phrase("put-right")
        if self.stuck:
            outcome = phrase("not-put-right", count=self.stuck)
        elif not self.known:
            count, sums = phrase("some"), phrase("unknown-sum")
            outcome = phrase("stays-held" if held else "differing-put-right")
        told = problem(
            "foreign-writes", value=self.unit.group.value, organization=self.unit.organization, count=count, sums=sums,
            outcome=outcome, run=run_id or "RUN",
        )  # fmt: skip
        if not self.stuck:
            return (told, *resting)
        stays = problem(
            "foreign-stays", value=self.unit.group.value, organization=self.unit.organization, count=self.stuck
        )
        return told, stays, *resting

    def _differences(self) -> list[Phrase]:
        """By how much the sums were off; what was paid is named where the lines' own sum does not show it."""
        paid = () if self.parts.get(Figure.DETAILS, Part()).difference else PAYMENTS
        moved = (figure for figure in paid if self.parts.get(figure, Part()).difference)
        return [*self.sums(), *(figure_sum(figure, self.parts[figure].difference) for figure in moved)]

    def sums(self) -> list[Phrase]:
        """By how much the sum of each kind was off."""
        return [figure_sum(figure, part.difference) for figure, part in self.parts.items() if figure not in PAYMENTS]

    def resting(self) -> tuple[Problem, ...]:
        """Contracts that he set inactive; whether one is active is for people to say, so it is told and left."""
        if not self.inactive:
            return ()
        names, documents = ", ".join(f"«{name}»" for name in self.inactive), sum(self.inactive.values())
        return (problem("contract-inactive", organization=self.unit.organization, value=names, count=documents),)

    def in_bridge(self, bridge: Bridge) -> Bridge:
        """The bridge from what lay there, of one from what we had published."""
        part = self.parts.get(bridge.kind, Part())
        return replace(
            bridge,
            rows_before=bridge.rows_before + part.rows,
            **{name: getattr(bridge, name) + getattr(part, name) for name in TERMS[:-1]},
        )

    @property
    def of_opening(self) -> Mapping[Kind, tuple[int, Decimal]]:
        """Rows and sum of each kind that he had added to what we had published, and that were corrected."""
        return {figure.kind: (part.rows, part.opening) for figure, part in self.parts.items() if figure not in PAYMENTS}


def figure_sum(figure: str, difference: Decimal, name: Reason = "") -> Phrase:
    """By how much a figure was off; of a month or contract which one that was."""
    return phrase("named-figure-sum" if name else "figure-sum", figure=str(figure), name=name, sum=difference)


@dataclass(frozen=True, slots=True)
class Shift:
    """By how much one figure of a unit is off: principal, interest, other, a month, or a contract.

    Attributes:
        unit: which.
        figure: what kind of figure.
        name: of the month or contract; None stands for documents without one, and is empty where there is none to name.
        difference: what lies there less what we published.
    """

    unit: Unit
    figure: str
    name: str | None
    difference: Decimal


async def correct(
    connection: asyncpg.Connection,
    journal: Journal,
    department_id: int,
    units: Collection[Unit],
    details_index: str | None,
) -> Mapping[Unit, Foreign]:
    """Put these units' documents as we published them, where somebody else has written to them since.

    Args:
        connection: in the publishing transaction, holding its lock.
        journal: of the run.
        department_id: whose books.
        units: which may be looked at.
        details_index: the backend's unique index that forbids equal detail lines; None where it has none.

    Returns:
        Every unit whose rows somebody else has written.

    Raises:
        ProblemError: ``row-rewritten``: something in the database changes what is written.
    """
    written = await memory.foreign_writes(connection, department_id) & set(units)
    if not written:
        return {}
    await _find(connection, written)
    for shape in SHAPES:
        await connection.execute(sql("foreign", "find_taken", **shape.identifiers))
    if details_index is not None:
        await connection.execute(sql("foreign", "find_forbidden"))
    await _references(connection, journal)
    await _documents(connection, journal)
    await _require_corrected(connection)
    told = await _told(connection, written)
    known = [(unit.group.value, unit.organization) for unit, foreign in told.items() if foreign.known]
    await connection.executemany(sql("foreign", "trust"), known)
    return told


async def look(connection: asyncpg.Connection, department_id: int) -> tuple[Mapping[Unit, Foreign], Sequence[Shift]]:
    """What somebody else has written since our last publication, and what that does to the figures.

    The connection is in a transaction that may make temporary tables.
    """
    written = await memory.foreign_writes(connection, department_id)
    if not written:
        return {}, ()
    await stage.lay_out(connection, department_id, 0, "UTC")
    await _find(connection, written)
    shifts = [
        Shift(Unit(row["organization"], Group(row["kind"])), row["figure"], row["name"], row["difference"])
        for row in await connection.fetch(sql("foreign", "figures", paid=sql("account", "paid")))
    ]
    return await _told(connection, written), shifts


async def _find(connection: asyncpg.Connection, written: Collection[Unit]) -> None:
    await connection.execute(
        sql("foreign", "create", paid=sql("account", "paid"), line_columns=", ".join(f"x.{c}" for c in LINE_COLUMNS))
    )
    for shape in SHAPES:
        await connection.execute(sql("foreign", "shape", **shape.identifiers))
    await connection.executemany(
        "INSERT INTO foreign_unit (kind, organization) VALUES ($1, $2)",
        [(unit.group.value, unit.organization) for unit in sorted(written)],
    )
    for shape in SHAPES:
        await connection.execute(sql("foreign", "find", **shape.identifiers))
    await connection.execute("ANALYZE foreign_unit, foreign_document (kind, operation_id, op)")


async def _references(connection: asyncpg.Connection, journal: Journal) -> None:
    for names in _REFERENCES:
        await connection.execute(sql("foreign", "find_references", **names))
    for names in _REFERENCES:
        while await connection.execute(sql("foreign", "leave_taken_references", **names)) != "DELETE 0":
            pass
        for name in ("free_references", "restore_references", "add_references"):
            await connection.execute(sql("foreign", name, **names))
    await journal.write("foreign", "journal_references")


async def _documents(connection: asyncpg.Connection, journal: Journal) -> None:
    for shape in SHAPES:
        await journal.write("foreign", "journal", **shape.identifiers)
    await connection.execute(sql("foreign", "delete_details"))
    for name in ("delete_documents", "update_documents", "insert_documents"):
        for shape in SHAPES:
            await connection.execute(sql("foreign", name, **shape.identifiers))
    await connection.execute(sql("foreign", "insert_details", **FROM_JSON))


async def _require_corrected(connection: asyncpg.Connection) -> None:
    """A trigger that changes what is put back would have its own value journaled as 1C's.

    Raises:
        ProblemError: ``row-rewritten``.
    """
    for shape in SHAPES:
        operation_id = await connection.fetchval(sql("foreign", "rewritten", **shape.identifiers))
        if operation_id is not None:
            raise ProblemError(problem("row-rewritten", value=operation_id, table=shape.kind.table))


async def _told(connection: asyncpg.Connection, written: Collection[Unit]) -> Mapping[Unit, Foreign]:
    unknown = {(row["kind"], row["organization"]) for row in await connection.fetch(sql("foreign", "unknown"))}
    found = {
        (Figure(row["figure"]), row["organization"]): row for row in await connection.fetch(sql("foreign", "told"))
    }
    inactive: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for shape in SHAPES:
        for row in await connection.fetch(sql("foreign", "inactive", **shape.identifiers)):
            inactive[row["kind"], row["organization"]][row["contract_number"]] = row["documents"]
    told = {}
    for unit in written:
        rows = {
            figure: row for figure in unit.group.figures if (row := found.get((figure, unit.organization))) is not None
        }
        main = rows.get(unit.group.figures[0])
        told[unit] = Foreign(
            unit,
            documents=main["documents"] if main else 0,
            stuck=main["stuck"] if main else 0,
            parts={figure: Part(**{name: row[name] for name in Part.__slots__}) for figure, row in rows.items()},
            sums_only=main["sums_only"] if main else True,
            inactive=inactive[unit.group.value, unit.organization],
            known=(unit.group.value, unit.organization) not in unknown,
        )
    return told


async def counts(connection: asyncpg.Connection, merged: Mapping[Unit, Counts]) -> Mapping[Unit, Counts]:
    """Per unit, what putting right and the merge did to its documents together."""
    together = dict(merged)
    for shape in SHAPES:
        for row in await connection.fetch(sql("foreign", "counts", **shape.identifiers)):
            unit = Unit(row["organization"], shape.group)
            one = merged.get(unit, Counts())
            together[unit] = replace(
                one,
                unchanged=one.unchanged - row["touched"],
                **{name: getattr(one, name) + row[name] for name in _COUNTED},
            )
    return together
