"""Reads earlier runs: the list of runs, one run with its bridges, and its journal of changes."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import asyncpg

from cpimportd.books.database.queries import SHAPES, sql
from cpimportd.books.journal.movements import Difference, compare_extra, compare_lines, compare_lines_extra
from cpimportd.books.journal.states import Values, field_names, lines_of, parse
from cpimportd.core.model import Kind
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem

_RUNS: Final = """
    SELECT r.id AS run, r.status, r.trigger, r.schedule, r.slot, r.started_at, r.finished_at,
           {seconds} AS seconds, r.host, r.version,
           r.accepted, r.requested_by, r.undoes, u.published, u.held, u.inserted, u.updated, u.removed, u.retimed,
           u.moved
    FROM cpimportd.runs r
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT name) FILTER (WHERE status = 'published') AS published,
               count(DISTINCT name) FILTER (WHERE status = 'held') AS held,
               coalesce(sum(inserted), 0)::int AS inserted, coalesce(sum(updated), 0)::int AS updated,
               coalesce(sum(deleted), 0)::int AS removed, coalesce(sum(retimed), 0)::int AS retimed,
               coalesce(sum(moved_in), 0)::int AS moved
        -- A unit's name; its details' counts are lines, not documents.
        FROM (SELECT *, (organization, kind) AS name FROM cpimportd.run_unit WHERE kind <> 'details') units
        WHERE run_id = r.id
    ) u
""".replace("{seconds}", sql("runs", "seconds"))

_LATEST: Final = """
    WHERE r.department_id = $1 AND ($2::bigint IS NULL OR r.id < $2) AND ($3::text[] IS NULL OR r.status = ANY ($3))
      AND ($5::timestamptz IS NULL OR r.started_at >= $5) AND ($6::timestamptz IS NULL OR r.started_at < $6)
      AND ($7::text IS NULL OR EXISTS (
          SELECT FROM cpimportd.run_unit n
          WHERE n.run_id = r.id AND n.organization = $7
            AND (n.status = 'held' OR n.inserted + n.updated + n.deleted + n.retimed + coalesce(n.moved_out, 0) > 0)))
    ORDER BY r.id DESC LIMIT $4
"""

_CHANGES: Final = """
    SELECT seq, kind, op, operation_id, organization, amount_before, amount_after, old, new, why, paired_with
    FROM cpimportd.change
    WHERE run_id = $1 AND seq > $2 AND ($3::text IS NULL OR organization = $3)
    ORDER BY seq LIMIT $4
"""

_INSERTED: Final = """
    SELECT l.kind, l.operation_id, l.organization, s.file, l.source_row
    FROM cpimportd.lineage l JOIN cpimportd.snapshot s ON s.id = l.snapshot_id
    WHERE l.first_run = $1 AND ($2::text IS NULL OR l.organization = $2) AND (l.kind, l.operation_id) > ($3, $4)
    ORDER BY l.kind, l.operation_id LIMIT $5
"""


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run in a list; units and documents are counted, detail lines are not.

    Attributes:
        status: how it ended; ``running`` while it does, ``abandoned`` where its process is gone without a word.
        schedule: which schedule was due; None for a run by hand.
        seconds: how long it took, as its report says; None while it runs.
        requested_by: the human who asked for it; None for a run of a schedule.
        undoes: the runs that it took back.
        retimed: documents that came back under another time.
        moved: of the changed and re-timed documents, those that are of another organization now.
    """

    run: int
    status: str
    trigger: str
    schedule: str | None
    slot: datetime | None
    started_at: datetime
    finished_at: datetime | None
    seconds: float | None
    host: str | None
    version: str | None
    accepted: tuple[str, ...]
    requested_by: str | None
    undoes: tuple[int, ...]
    published: int
    held: int
    inserted: int
    updated: int
    removed: int
    retimed: int
    moved: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the journal: what a run changed or removed, with what was before.

    Attributes:
        seq: its place within the run, from 1.
        kind: ``receipts`` or ``expenses``; of references ``organization``, ``bank_account`` or ``contract``.
        op: ``update``, ``delete``, ``rekey``, ``insert`` (an undo brought it back) or ``reference``.
        operation_id: the document, or the reference's text.
        amount_before: the document's amount before.
        amount_after: after; None where it was removed.
        old: the differing columns before, of a removed document all of them; amounts are Decimal.
        why: ``snapshot``, ``normalised``, ``put-right`` or ``accepted``.
        paired_with: the other operation id of a re-timed or re-keyed document.
    """

    seq: int
    kind: str
    op: str
    operation_id: str | None
    organization: str | None
    amount_before: Decimal | None
    amount_after: Decimal | None
    old: Values | None
    new: Values | None
    why: str | None
    paired_with: str | None

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The fields that differ, those first that a workbook has a column for; of one that went or came back none."""
        old, new = self.old or {}, self.new or {}
        if self.op in {"delete", "insert"}:
            return ()
        known = field_names(Kind(self.kind)) if self.kind in {shape.kind for shape in SHAPES} else ()
        names = (*known, *(name for name in dict.fromkeys((*old, *new)) if name not in {*known, *_OTHERWISE}))
        return (
            *(Difference(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)),
            *compare_extra(old.get("extra") or {}, new.get("extra") or {}),
            *compare_lines_extra(old, new),
        )

    @property
    def lines(self) -> tuple[tuple[Values, ...], tuple[Values, ...]]:
        """The detail lines that went, and those that came, as a set."""
        return compare_lines(*(lines_of((side or {}).get("details")) for side in (self.old, self.new)))


_OTHERWISE: Final = ("details", "extra", "details_extra")
"""What of a journal line is no field of the document: told line by line, and column by column."""


@dataclass(frozen=True, slots=True)
class Inserted:
    """One document that a run brought and that is still in the books, with where it came from."""

    kind: str
    operation_id: str
    organization: str
    file: str
    row: int


@dataclass(frozen=True, slots=True)
class Shown:
    """One run: its line, and the report that it stored (None where it ended without one)."""

    line: RunLine
    report: Mapping[str, Any] | None


async def history(
    connection: asyncpg.Connection,
    *,
    department_id: int,
    limit: int = 20,
    before: int | None = None,
    statuses: Sequence[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    organization: str | None = None,
) -> list[RunLine]:
    """The latest runs, newest first.

    Args:
        connection: any.
        department_id: whose books.
        limit: how many.
        before: only runs with a smaller number: the next page.
        statuses: only runs that ended so.
        since: only runs that began then or later.
        until: only runs that began before it.
        organization: only runs in which documents of it, by its exact name, changed, or a unit of it was held.
    """
    rows = await connection.fetch(_RUNS + _LATEST, department_id, before, statuses, limit, since, until, organization)
    return [_line(row) for row in rows]


async def show(connection: asyncpg.Connection, run_id: int) -> Shown:
    """One run with its stored report; :func:`changes` and :func:`inserted` give its journal.

    Raises:
        ProblemError: ``wrong-use``: there is no such run.
    """
    row = await connection.fetchrow(_RUNS + "WHERE r.id = $1", run_id)
    if row is None:
        raise ProblemError(problem("wrong-use", reason=phrase("no-such-run-listed", run=run_id), verb="show"))
    report = await connection.fetchval("SELECT report FROM cpimportd.runs WHERE id = $1", run_id)
    return Shown(_line(row), _json(report))


async def changes(
    connection: asyncpg.Connection, run_id: int, *, organization: str | None = None, page: int = 500
) -> AsyncGenerator[Change, None]:
    """The journal of one run in its order, fetched by pages: it may hold every document of the books.

    Args:
        connection: any; it may be used for other things between two changes.
        run_id: of which run.
        organization: only its changes.
        page: how many are fetched at once.
    """
    last = 0
    while rows := await connection.fetch(_CHANGES, run_id, last, organization, page):
        for row in rows:
            yield Change(**{**dict(row), "old": parse(row["old"]), "new": parse(row["new"])})
        last = rows[-1]["seq"]


async def inserted(
    connection: asyncpg.Connection, run_id: int, *, organization: str | None = None, page: int = 500
) -> AsyncGenerator[Inserted, None]:
    """The documents that a run brought, as far as they are still in the books; by pages, by kind and operation id."""
    last = ("", "")
    while rows := await connection.fetch(_INSERTED, run_id, organization, *last, page):
        for row in rows:
            yield Inserted(row["kind"], row["operation_id"], row["organization"], row["file"], row["source_row"])
        last = (rows[-1]["kind"], rows[-1]["operation_id"])


async def how_many(connection: asyncpg.Connection, run_id: int, *, organization: str | None = None) -> tuple[int, int]:
    """How many :func:`changes` and :func:`inserted` documents there are."""
    row = await connection.fetchrow(sql("past", "how_many"), run_id, organization)
    return row["changes"], row["inserted"]


def _line(row: asyncpg.Record) -> RunLine:
    return RunLine(**{**dict(row), "accepted": tuple(row["accepted"]), "undoes": tuple(row["undoes"])})


def _json(value: str | None) -> Any:  # noqa: ANN401 - whatever JSON holds
    # Amounts stay as they are written: 100.10 is no float.
    return None if value is None else json.loads(value, parse_float=str)
