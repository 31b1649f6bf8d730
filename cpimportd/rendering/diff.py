"""What a run made different, as people read it: the sums first, then document by document."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from cpimportd.rendering import fields
from cpimportd.rendering.bridge import COLUMNS
from cpimportd.rendering.explain import spot
from cpimportd.rendering.layout import Column, foreign, print_heading, print_line, print_table
from cpimportd.rendering.numbers import amount, count, moment, signed
from cpimportd.titles import title_of

if TYPE_CHECKING:
    from cpimportd.books.diff import Diff
    from cpimportd.books.movements import Movement

MOST_ROWS: Final = 500
"""Documents of one table that are shown; a first import brings all of them."""

_DOCUMENTS: Final = (
    Column("Organization"),
    Column("Document"),
    Column("Counterparty"),
    Column("Contract"),
    Column("Sum", number=True),
    Column("Came in"),
)


def render_diff(found: "Diff", zone: tzinfo, console: Console) -> None:
    """Print what a run made different.

    Args:
        found: the diff.
        zone: in which instants are told.
        console: where to.
    """
    said = f"Run {found.run}, {found.status}, began {moment(found.started_at, zone)}"
    did = "undid" if found.status == "published" else "was to undo"
    undone = f"; it {did} run {', '.join(map(str, found.undoes))}" if found.undoes else ""
    print_line(console, said + undone, style="bold")
    if not found.movements:
        print_line(console, "It added, removed and changed no document.")
        return
    _sums(found, console)
    for title, what in (("Added", "added"), ("Removed", "removed")):
        _documents(title, [one for one in found.movements if one.what == what], zone, console)
    for title, what in (("Changed", "changed"), ("Re-timed", "retimed"), ("Re-keyed", "rekeyed")):
        _changes(title, [one for one in found.movements if one.what == what], zone, console)


def _sums(found: "Diff", console: Console) -> None:
    print_heading(console, "Sums")
    rows: list[tuple[str | Text, ...]] = []
    for one in found.sums:
        bridge = one.bridge
        rows.append(
            (
                foreign(one.organization),
                one.kind.value,
                "" if bridge is None else amount(bridge.opening),
                amount(one.added),
                amount(one.removed),
                signed(one.changed),
                "" if bridge is None else amount(bridge.closing),
            )
        )
    print_table(console, COLUMNS, rows)
    for one in found.unexplained:
        print_line(
            console,
            f"NOT EXPLAINED: the documents below miss the run's own bridge of {one.organization}, {one.kind.value}, "
            f"by {amount(one.unexplained)}: the journal is no longer whole (journal.keep), an old version wrote it, or "
            "the run put back what somebody else had removed.",
            style="bold red",
        )


def _documents(title: str, movements: "Sequence[Movement]", zone: tzinfo, console: Console) -> None:
    if not movements:
        return
    print_heading(console, f"{title}: {count(len(movements))}")
    rows: list[tuple[str | Text, ...]] = []
    for one in movements[:MOST_ROWS]:
        counterparty = one.fields.get("payer") or one.fields.get("recipient") or ""
        total = one.amount_after if one.amount_after is not None else one.amount_before
        rows.append(
            (
                *(foreign(text) for text in (one.organization, one.key.operation_id, counterparty)),
                foreign(one.fields.get("contract") or ""),
                "" if total is None else amount(total),
                foreign(place(one, zone)),
            )
        )
    print_table(console, _DOCUMENTS, rows)
    _rest(movements, console)


def _changes(title: str, movements: "Sequence[Movement]", zone: tzinfo, console: Console) -> None:
    if not movements:
        return
    print_heading(console, f"{title}: {count(len(movements))}")
    for one in movements[:MOST_ROWS]:
        sums = " → ".join(dict.fromkeys(amount(s) for s in (one.amount_before, one.amount_after) if s is not None))
        why = f" ({one.why})" if one.why not in {None, "snapshot"} else ""
        print_line(console, f"{one.organization}: {one.key.operation_id}: {sums}{why}", style="yellow")
        if one.was is not None:
            print_line(console, f"it was: {one.was}", indent=4)
        for difference in one.differences:
            old, new = (fields.value(difference.field, side) for side in (difference.old, difference.new))
            print_line(console, f"{title_of(one.key.kind, difference.field)}: {old} → {new}", indent=4)
        for text in fields.lines(one.lines_gone, one.lines_new):
            print_line(console, text, indent=4)
        if came := place(one, zone):
            print_line(console, f"came in {came}", indent=4, style="dim")
    _rest(movements, console)


def _rest(movements: "Sequence[Movement]", console: Console) -> None:
    if len(movements) > MOST_ROWS:
        print_line(console, f"… and {count(len(movements) - MOST_ROWS)} more: --xlsx FILE or --json has all of them.")


def place(one: "Movement", zone: tzinfo) -> str:
    """Where a document came from: workbook, sheet and the cell of its sum."""
    return spot(one.origin.document, zone)
