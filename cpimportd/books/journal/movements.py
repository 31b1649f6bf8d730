"""The change of one document in a run, field by field, and its effect on the sums."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from cpimportd.books.database.queries import DETAIL_COLUMNS
from cpimportd.books.journal.origins import Origin
from cpimportd.books.journal.states import Key, Paid, State, Values, field_names
from cpimportd.core.model import PAYMENTS, Figure, Kind
from cpimportd.core.report import Bridge
from cpimportd.core.typed import json_keys, to_json

_ZERO: Final = Decimal(0)

Title = Callable[[Kind, str], str]
"""What a field is called in the workbook."""


class What(StrEnum):
    """What became of a document."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    RETIMED = "retimed"
    """1C gave it another time: one went and one came, shown as one."""
    REKEYED = "rekeyed"
    """1C calls it otherwise; a human accepted that."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field, before and after."""

    field: str
    old: Any
    new: Any


_UNTOLD = (
    "key", "organization_after", "lines_before", "lines_after", "paid_before", "paid_after", "differences", "origin",
)  # fmt: skip


@json_keys(
    *_UNTOLD, kind="key.kind", operation_id="key.operation_id", organization="organization", source="origin.document"
)
@dataclass(frozen=True, slots=True)
class Movement:
    """One document that a run added, removed or changed.

    Attributes:
        key: the document; of a removed one its last name, else its name after the run.
        was: its name before, of a re-timed or re-keyed one.
        organization_before: whose it was; None where it is new.
        organization_after: whose it is; None where it went.
        amount_before: its amount before; None where it is new.
        amount_after: its amount after; None where it went.
        lines_before: the sum of its detail lines before; None where it is new.
        lines_after: their sum after; None where it went.
        paid_before: what these pay; None where it is new.
        paid_after: what they pay after; None where it went.
        fields: all of its fields, after the run, or before it where it went.
        lines_gone: detail lines that went, as a set.
        lines_new: detail lines that came.
        why: ``snapshot``, ``normalised``, ``put-right``, ``accepted`` or ``undone``.
        origin: where what is told here came from.
    """

    what: What
    key: Key
    was: str | None
    organization_before: str | None
    organization_after: str | None
    amount_before: Decimal | None
    amount_after: Decimal | None
    lines_before: Decimal | None
    lines_after: Decimal | None
    paid_before: Paid | None
    paid_after: Paid | None
    fields: Values
    differences: tuple[Difference, ...]
    lines_gone: tuple[Values, ...]
    lines_new: tuple[Values, ...]
    why: str | None
    origin: Origin

    @property
    def organization(self) -> str:
        """Whose document, now or last."""
        return self.organization_after or self.organization_before or ""

    @property
    def moved(self) -> bool:
        """Whether it was there before and after, of another organization."""
        there = self.what not in {What.ADDED, What.REMOVED}
        return there and self.organization_before != self.organization_after

    def sums(self) -> Iterator[tuple[Figure, Decimal | None, Decimal | None]]:
        """What it counts in each figure, before and after; None where it was not there, or is not."""
        yield Figure(self.key.kind.value), self.amount_before, self.amount_after
        if self.key.kind is Kind.EXPENSES:
            yield Figure.DETAILS, self.lines_before, self.lines_after
            for place, figure in enumerate(PAYMENTS):
                before, after = self.paid_before, self.paid_after
                yield figure, before and before[place], after and after[place]

    def titled(self, title: Title) -> dict[str, object]:
        """The movement as scripts get it, its differences with the titles that the workbook has."""
        differences = [
            {"field": d.field, "title": title(self.key.kind, d.field), "old": d.old, "new": d.new}
            for d in self.differences
        ]
        return {**to_json(self), "differences": to_json(differences)}


@json_keys("bridge", "net", opening="bridge.opening", closing="bridge.closing", unexplained="unexplained")
@dataclass(frozen=True, slots=True)
class Sums:
    """What the documents of a diff add up to, beside the bridge that the run itself recorded.

    Attributes:
        kind: of what; details and what they pay are told through their expenses.
        added: sum of what came.
        removed: sum of what went.
        changed: by how much the rest differs.
        bridge: as the run recorded it; None where it published nothing of this organization and kind.
        net: whether only the difference of opening and closing is comparable: earlier versions counted a document that
            went and came back in an undo twice, and were short of its details' movements.
    """

    organization: str
    kind: Figure
    added: Decimal
    removed: Decimal
    changed: Decimal
    bridge: Bridge | None
    net: bool = False

    @property
    def unexplained(self) -> Decimal:
        """By how much the documents told here miss the bridge: 0.00, unless a part of the journal is no more."""
        if self.bridge is None:
            return _ZERO
        recorded = self.bridge
        if self.net:
            return abs(self.added - self.removed + self.changed - (recorded.closing - recorded.opening))
        gaps = (getattr(self, name) - getattr(recorded, name) for name in ("added", "removed", "changed"))
        return sum(map(abs, gaps), _ZERO)


def compare(kind: Kind, before: Values, after: Values) -> Iterator[Difference]:
    """The fields that differ, in the order of the workbook's columns."""
    for name in field_names(kind):
        if before.get(name) != after.get(name):
            yield Difference(name, before.get(name), after.get(name))


def compare_extra(before: Values, after: Values) -> Iterator[Difference]:
    """The same for columns that the backend has no field for."""
    for title in dict.fromkeys((*before, *after)):
        if before.get(title) != after.get(title):
            yield Difference(f"extra.{title}", before.get(title), after.get(title))


def compare_lines_extra(before: Values, after: Values) -> Iterator[Difference]:
    """The same for such columns of the detail lines, as JSON; the order of the lines is none of it."""
    old, new = before.get("details_extra"), after.get("details_extra")
    if old != new and sorted(map(_text, old or ())) != sorted(map(_text, new or ())):
        yield Difference("details_extra", _text(old), _text(new))


def _text(value: object) -> str:
    return json.dumps(to_json(value), ensure_ascii=False, sort_keys=True)


def compare_lines(
    before: tuple[Values, ...], after: tuple[Values, ...]
) -> tuple[tuple[Values, ...], tuple[Values, ...]]:
    """Detail lines as a set in which a line may stand twice: those that went, and those that came."""
    old, new = Counter(map(_line, before)), Counter(map(_line, after))
    return tuple(map(_values, (old - new).elements())), tuple(map(_values, (new - old).elements()))


def _line(line: Values) -> tuple[Any, ...]:
    return tuple(line.get(column) for column in DETAIL_COLUMNS)


def _values(line: tuple[Any, ...]) -> Mapping[str, Any]:
    return dict(zip(DETAIL_COLUMNS, line, strict=True))


def added(state: State, why: str | None, origin: Origin) -> Movement:
    """A document that came."""
    return Movement(
        what=What.ADDED, key=state.key, was=None,
        organization_before=None, organization_after=state.organization,
        amount_before=None, amount_after=state.amount,
        lines_before=None, lines_after=state.lines_sum, paid_before=None, paid_after=state.paid,
        fields=state.fields, differences=(), lines_gone=(), lines_new=state.lines, why=why, origin=origin,
    )  # fmt: skip


def removed(state: State, why: str | None, origin: Origin) -> Movement:
    """A document that went."""
    return Movement(
        what=What.REMOVED, key=state.key, was=None,
        organization_before=state.organization, organization_after=None,
        amount_before=state.amount, amount_after=None,
        lines_before=state.lines_sum, lines_after=None, paid_before=state.paid, paid_after=None,
        fields=state.fields, differences=(), lines_gone=state.lines, lines_new=(), why=why, origin=origin,
    )  # fmt: skip


def changed(
    what: What, before: State, after: State, *, why: str | None, origin: Origin, more: Iterable[Difference] = ()
) -> Movement:
    """A document that was there before and after; ``more``: what differs and is neither a field nor a line."""
    gone, new = compare_lines(before.lines, after.lines)
    differences = (
        *compare(after.key.kind, before.fields, after.fields),
        *compare_extra(before.extra, after.extra),
        *more,
    )
    return Movement(
        what=what, key=after.key, was=before.key.operation_id if before.key != after.key else None,
        organization_before=before.organization, organization_after=after.organization,
        amount_before=before.amount, amount_after=after.amount,
        lines_before=before.lines_sum, lines_after=after.lines_sum, paid_before=before.paid, paid_after=after.paid,
        fields=after.fields, differences=differences, lines_gone=gone, lines_new=new, why=why, origin=origin,
    )  # fmt: skip
