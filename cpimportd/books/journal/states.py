"""Restores the state of a document after an earlier run from the books and the journal.

The journal keeps the values before each change. So a former state is the present one (of a removed document: the row
that its deletion recorded) with the ``old`` of every later change laid over it, the newest first.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, NamedTuple

import asyncpg

from cpimportd.books.database.queries import DETAIL_COLUMNS, SHAPES, Shape
from cpimportd.core.model import PAYMENTS, STAGED_COLUMNS, Figure, Kind

Values = Mapping[str, Any]
"""Fields by their names in the tables; amounts and rates are Decimal, dates ISO texts."""


class Paid(NamedTuple):
    """What detail lines pay; the three are all of them."""

    principal: Decimal
    interest: Decimal
    other: Decimal


class Key(NamedTuple):
    """Which document."""

    kind: Kind
    operation_id: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal that is about a document.

    Attributes:
        key: the document; of a re-keyed one under its new name.
        op: ``update``, ``delete``, ``rekey`` or ``insert``.
        old: the differing fields before; of a removed document the whole.
        why: ``snapshot``, ``normalised``, ``put-right``, ``accepted`` or ``undone``.
        paired_with: the other name of a re-timed or re-keyed document.
        lineage: its row of lineage before; None where it had none, or an old version of ours wrote the journal.
    """

    run: int
    seq: int
    key: Key
    op: str
    organization: str | None
    amount_before: Decimal | None
    amount_after: Decimal | None
    old: Values
    new: Values
    why: str | None
    paired_with: str | None
    lineage: Values | None


@dataclass(frozen=True, slots=True)
class State:
    """A document at some time.

    Attributes:
        key: as it was called then.
        lines: its detail lines, in file order.
        extra: columns that the backend has no field for, by their titles.
        lineage: its row of lineage then; None where nobody knows.
    """

    key: Key
    fields: Values
    lines: tuple[Values, ...]
    extra: Values
    lineage: Values | None

    @property
    def organization(self) -> str | None:
        """Whose it was."""
        return self.fields.get("organization")

    @property
    def amount(self) -> Decimal:
        """Its amount; the predecessor's rows may lack one, which counts as nothing."""
        return self.fields.get("amount") or Decimal(0)

    @property
    def lines_sum(self) -> Decimal:
        """The sum of its detail lines."""
        return lines_sum(self.lines)

    @property
    def paid(self) -> Paid:
        """What its detail lines pay."""
        sums = {figure: Decimal(0) for figure in PAYMENTS}
        for line in self.lines:
            sums[Figure.of_payment(line.get("payment_type"))] += line.get("payment_amount") or Decimal(0)
        return Paid(*sums.values())


def shape_of(kind: Kind) -> Shape:
    """How documents of a kind lie in their table."""
    return next(shape for shape in SHAPES if shape.kind is kind)


def field_names(kind: Kind) -> tuple[str, ...]:
    """A document's fields, in the order of the workbook's columns."""
    own = {*shape_of(kind).columns, "organization", "bank_account", "contract"}
    return (*(name for name in STAGED_COLUMNS[kind] if name in own), "is_active")


def parse(text: str | None) -> Any:  # noqa: ANN401 - whatever JSON holds
    """JSON of the database; numbers with a point are amounts."""
    return None if text is None else json.loads(text, parse_float=Decimal)


def lines_of(stored: object, texts: dict[str, str] | None = None) -> tuple[Values, ...]:
    """Detail lines of the journal or of the tables, with the columns that are compared and shown.

    Args:
        stored: as the database gives them.
        texts: of other documents, to be shared.
    """
    found, known = stored if isinstance(stored, list) else [], {} if texts is None else texts
    return tuple({column: shared(line.get(column), known) for column in DETAIL_COLUMNS} for line in found)


def shared(value: Any, texts: dict[str, str]) -> Any:  # noqa: ANN401 - whatever JSON holds
    """A value whose text, where many documents have it, is in memory once: a first run brought all of them."""
    return texts.setdefault(value, value) if isinstance(value, str) else value


def lines_sum(lines: Iterable[Values]) -> Decimal:
    """The sum of detail lines."""
    return sum((line.get("payment_amount") or Decimal(0) for line in lines), Decimal(0))


def entry(row: asyncpg.Record) -> Entry:
    """A row of ``change`` that is about a document."""
    return Entry(
        run=row["run_id"],
        seq=row["seq"],
        key=Key(Kind(row["kind"]), row["operation_id"]),
        old=parse(row["old"]) or {},
        new=parse(row["new"]) or {},
        lineage=parse(row["lineage"]),
        **{name: row[name] for name in ("op", "organization", "amount_before", "amount_after", "why", "paired_with")},
    )


def before(state: State, key: Key, entries: Sequence[Entry]) -> State:
    """A state walked back over what happened since, to a time at which the document was called ``key``.

    What somebody else had written was corrected to what it had been: before that, it was so already.
    """
    for one in reversed(entries):
        state = replace(state, lineage=one.lineage) if is_correction(one) else undone(state, one)
    return State(key, state.fields, state.lines, state.extra, state.lineage)


def is_correction(one: Entry) -> bool:
    """Whether a change only took back what somebody else had written since our last publication."""
    return one.op == "update" and one.why == "put-right" and one.lineage is not None


def undone(state: State, one: Entry) -> State:
    """A state as it was before one change."""
    known = field_names(state.key.kind)
    fields = {**state.fields, **{name: one.old[name] for name in known if name in one.old}}
    lines = lines_of(one.old["details"]) if "details" in one.old else state.lines
    extra = one.old.get("extra") or {} if "extra" in one.old else state.extra
    key = Key(state.key.kind, one.paired_with) if one.op == "rekey" and one.paired_with else state.key
    return State(key, fields, lines, extra, one.lineage)


def whole(key: Key, stored: Values, lineage: Values | None) -> State:
    """A document out of the journal's whole row."""
    fields = {name: stored.get(name) for name in field_names(key.kind)}
    return State(key, fields, lines_of(stored.get("details")), stored.get("extra") or {}, lineage)
