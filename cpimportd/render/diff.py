"""Shows the changes of a run: the sums first, then document by document."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from cpimportd.core.formatting import amount, count, moment, signed
from cpimportd.render.bridge import COLUMNS
from cpimportd.render.explain import spot
from cpimportd.render.fields import differences
from cpimportd.render.layout import Column, clean_cell, print_heading, print_line, print_more, print_table

if TYPE_CHECKING:
    from cpimportd.books.journal.diff import Diff
    from cpimportd.books.journal.movements import Movement, What

MAX_ROWS: Final = 500
"""Documents of one table that are shown; a first import brings all of them."""

_TITLES: Final = {
    "added": "Added",
    "removed": "Removed",
    "changed": "Changed",
    "retimed": "Re-timed",
    "rekeyed": "Re-keyed",
}
_WOULD: Final = {
    "added": "Would be added",
    "removed": "Would be removed",
    "changed": "Would be changed",
    "retimed": "Would be re-timed",
    "rekeyed": "Would be re-keyed",
}
_DOCUMENTS: Final = (
    Column("Organization"),
    Column("Document"),
    Column("Counterparty"),
    Column("Contract"),
    Column("Sum", number=True),
    Column("Came in"),
)


def render_diff(found: "Diff", documents: "Mapping[What, Sequence[Movement]]", zone: tzinfo, console: Console) -> None:
    """Print what a run made different.

    Args:
        found: the diff.
        documents: of each kind the first ``MAX_ROWS``.
        zone: in which instants are told.
        console: where to.
    """
    title = f"Run {found.run}, {found.status}, began {moment(found.started_at, zone)}"
    verb = "undid" if found.status == "published" else "was to undo"
    undone = f"; it {verb} run {', '.join(map(str, found.undoes))}" if found.undoes else ""
    print_line(console, title + undone, style="bold")
    if not found.total:
        print_line(console, "It added, removed and changed no document.")
        return
    _sums(found, console)
    _tables(found, documents, _TITLES, zone, console, where="--xlsx FILE or --json has all of them.")


def render_difference(
    found: "Diff", documents: "Mapping[What, Sequence[Movement]]", kept: int, zone: tzinfo, console: Console
) -> None:
    """Print what a held unit would change, if somebody accepted it.

    Args:
        found: its counts and sums.
        documents: of each kind the first.
        kept: how many of its documents are kept at all.
        zone: in which instants are told.
        console: where to.
    """
    if not found.total:
        print_line(console, "It would add, remove and change no document.")
        return
    _sums(found, console)
    where = (
        "--xlsx FILE or --json has all of them."
        if kept == found.total
        else (f"--xlsx FILE or --json has the first {count(kept)} of all {count(found.total)}; no more are kept.")
    )
    _tables(found, documents, _WOULD, zone, console, where=where)


def _tables(
    found: "Diff",
    documents: "Mapping[What, Sequence[Movement]]",
    titles: Mapping[str, str],
    zone: tzinfo,
    console: Console,
    *,
    where: str,
) -> None:
    for what, movements in documents.items():
        if not movements:
            continue
        print_heading(console, f"{titles[what.value]}: {count(found.movements[what])}")
        show = _documents if what.value in {"added", "removed"} else _changes
        show(movements, zone, console)
        print_more(console, found.movements[what] - len(movements), where)


def _sums(found: "Diff", console: Console) -> None:
    print_heading(console, "Sums")
    rows: list[tuple[str | Text, ...]] = []
    for one in found.sums:
        bridge = one.bridge
        rows.append(
            (
                clean_cell(one.organization),
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


def _documents(movements: "Sequence[Movement]", zone: tzinfo, console: Console) -> None:
    rows: list[tuple[str | Text, ...]] = []
    for one in movements:
        counterparty = one.fields.get("payer") or one.fields.get("recipient") or ""
        total = one.amount_after if one.amount_after is not None else one.amount_before
        rows.append(
            (
                *(clean_cell(text) for text in (one.organization, one.key.operation_id, counterparty)),
                clean_cell(one.fields.get("contract") or ""),
                "" if total is None else amount(total),
                clean_cell(spot(one.origin.document, zone)),
            )
        )
    print_table(console, _DOCUMENTS, rows)


def _changes(movements: "Sequence[Movement]", zone: tzinfo, console: Console) -> None:
    for one in movements:
        why = f" ({one.why})" if one.why not in {None, "snapshot"} else ""
        print_line(console, f"{one.organization}: {one.key.operation_id}: {amounts(one)}{why}", style="yellow")
        if one.was is not None:
            print_line(console, f"it was: {one.was}", indent=4)
        for text in differences(one.key.kind, one.differences, one.lines_gone, one.lines_new):
            print_line(console, text, indent=4)
        if came := spot(one.origin.document, zone):
            print_line(console, f"came in {came}", indent=4, style="dim")


def amounts(one: "Movement") -> str:
    """A document's sum; where it changes, the old and the new one."""
    return " → ".join(dict.fromkeys(amount(s) for s in (one.amount_before, one.amount_after) if s is not None))


async def first_of_each(
    found: "Diff", moved: "Callable[..., AsyncGenerator[Movement, None]]"
) -> "dict[What, Sequence[Movement]]":
    """Of each kind of movement the first ``MAX_ROWS`` documents.

    Args:
        found: which kinds there are.
        moved: reads those of a kind, at most ``limit``.
    """
    return {
        what: [one async for one in moved(what, limit=MAX_ROWS)] for what in found.counts if what in found.movements
    }
