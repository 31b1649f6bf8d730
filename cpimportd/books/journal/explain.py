"""Explains a document: its present values and every earlier one, each with run, workbook, sheet, row and cell."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import asyncpg

from cpimportd.books.database.queries import at_one_moment, sql
from cpimportd.books.journal.lives import Step, last_name, pair_undone, present, walk_back
from cpimportd.books.journal.movements import Movement, Title, What, changed
from cpimportd.books.journal.names import ambiguous
from cpimportd.books.journal.origins import Origin, Origins
from cpimportd.books.journal.states import Entry, Key, State, Values, entry
from cpimportd.core.folding import fold
from cpimportd.core.identity import parse_identity
from cpimportd.core.model import Kind
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.typed import json_keys, to_json


@json_keys(
    "state", "since", "until", "origin", "change", since_run="since", until_run="until", source="origin", lines="lines",
    operation_id="state.key.operation_id", organization="state.organization", amount="amount",
    fields="state.fields",
)  # fmt: skip
@dataclass(frozen=True, slots=True)
class Version:
    """A document as it was for some time.

    Attributes:
        state: the document; None while it was gone.
        since: the run that made it so; 0: it was there before our first run; None where nobody knows.
        until: the run that ended it; None: it is so now.
        how: ``added``, ``changed``, ``retimed``, ``rekeyed``, ``removed``, ``brought back``, or ``foreign``: somebody
            else had written it into the books.
        why: the journal's word for it; None where the journal has none.
        change: field by field, how it differs from the version before; None for the first, or while it was gone.
    """

    state: State | None
    since: int | None
    since_at: datetime | None
    until: int | None
    how: str
    why: str | None
    origin: Origin
    change: Movement | None

    @property
    def amount(self) -> Decimal | None:
        """Its sum; JSON of the database writes a whole one without a point."""
        return None if self.state is None else Decimal(self.state.amount)

    @property
    def lines(self) -> tuple[Values, ...]:
        """The detail lines that it had."""
        return () if self.state is None else self.state.lines

    def titled(self, title: Title) -> dict[str, object]:
        """The version as scripts get it, its differences with the titles that the workbook has."""
        change = {} if self.change is None else self.change.titled(title)
        return {**to_json(self), **{name: change.get(name, []) for name in ("differences", "lines_gone", "lines_new")}}


@json_keys("key", "versions", kind="key.kind", operation_id="key.operation_id", in_books="in_books")
@dataclass(frozen=True, slots=True)
class Explained:
    """A document and all that is known of its past.

    Attributes:
        key: its last name.
        versions: the newest first; where it is gone the first one has no state.
    """

    key: Key
    versions: tuple[Version, ...]

    @property
    def in_books(self) -> bool:
        """Whether the books hold it now."""
        return bool(self.versions) and self.versions[0].state is not None

    def titled(self, title: Title) -> dict[str, object]:
        """The explanation as scripts get it, differences with the titles that the workbook has."""
        return {**to_json(self), "versions": [version.titled(title) for version in self.versions]}


async def explain(connection: asyncpg.Connection, department_id: int, name: str) -> Explained:
    """Explain a document.

    Args:
        connection: any; outside a transaction one is opened, so that everything told belongs to one moment.
        department_id: whose books.
        name: its ``operation_id``, its own number, or the bank's; where none is written like that, what looks the same.

    Raises:
        ProblemError: ``nothing-found``; ``name-ambiguous`` where a number is that of several documents.
    """
    name = name.strip()
    async with at_one_moment(connection):
        for query in ("documents_named", "documents_numbered", "documents_of_the_bank"):
            rows = await connection.fetch(sql("explain", query), department_id, name)
            if rows:
                break
        keys = [Key(Kind(row["kind"]), row["operation_id"]) for row in rows] or await _alike(
            connection, department_id, name
        )
        if not keys:
            raise _unknown(name)
        entries = await _journal_of(connection, department_id, keys)
        lives = sorted({last_name(key, entries) for key in keys})
        if len(lives) > 1:
            raise ProblemError(ambiguous("documents", name, [key.operation_id for key in lives]))
        explained = await _explained(connection, department_id, lives[0], entries)
        if not explained.versions:  # its lineage alone is left: somebody else removed it
            raise _unknown(name)
        return explained


async def _alike(connection: asyncpg.Connection, department_id: int, name: str) -> list[Key]:
    """Documents whose name, or number, only looks like this one."""
    digits, folded = re.sub("[^0-9]", "", name), fold(name)
    if not digits:
        return []
    rows = await connection.fetch(sql("explain", "documents_with_digits"), department_id, digits)
    return [
        Key(Kind(row["kind"]), row["operation_id"])
        for row in rows
        if folded in {fold(row["operation_id"]), fold(parse_identity(row["operation_id"]).number or "")}
    ]


def _unknown(name: str) -> ProblemError:
    return ProblemError(problem("nothing-found", what="document", value=name, hint=phrase("hint-document")))


async def _journal_of(connection: asyncpg.Connection, department_id: int, keys: Iterable[Key]) -> list[Entry]:
    """Every journal line about documents, and about those that they were or became."""
    found: dict[tuple[int, int], Entry] = {}
    asked: set[Key] = set()
    wanted = set(keys)
    while wanted:
        asked |= wanted
        named: set[Key] = set()
        for kind in {key.kind for key in wanted}:
            names = [key.operation_id for key in wanted if key.kind is kind]
            for row in await connection.fetch(sql("explain", "about"), department_id, kind.value, names):
                one = entry(row)
                found[one.run, one.seq] = one
                named.add(one.key)
                if one.paired_with is not None:
                    named.add(Key(kind, one.paired_with))
        wanted = named - asked
    return pair_undone([found[place] for place in sorted(found)])


async def _explained(
    connection: asyncpg.Connection, department_id: int, key: Key, entries: Sequence[Entry]
) -> Explained:
    now = (await present(connection, department_id, [key])).get(key)
    steps = [step for step in walk_back(key, now, entries) if step.state is not None or step.since is not None]
    origins = Origins(connection)
    await origins.of_states(step.state for step in steps)
    times = await _times(connection, {step.since for step in steps if step.since})
    versions = []
    for place, step in enumerate(steps):
        known = step.state is not None and step.how != "foreign"
        origin = origins.of(step.state.lineage if step.state is not None and known else None)
        since_at, change = times.get(step.since or 0), _change(step, steps[place + 1 :], origin)
        versions.append(Version(step.state, step.since, since_at, step.until, step.how, step.why, origin, change))
    return Explained(key, tuple(versions))


def _change(step: Step, older: Sequence[Step], origin: Origin) -> Movement | None:
    """How a version differs from the one before."""
    before = next((one.state for one in older if one.state is not None), None)
    if step.state is None or before is None:
        return None
    return changed(What.CHANGED, before, step.state, why=step.why, origin=origin)


async def _times(connection: asyncpg.Connection, runs: Iterable[int]) -> Mapping[int, datetime]:
    return {row["id"]: row["at"] for row in await connection.fetch(sql("explain", "runs"), list(runs))}
