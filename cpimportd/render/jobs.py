"""Shows the weekly summary, the reconciliation and the alerts."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from cpimportd.core.formatting import amount, count, moment
from cpimportd.core.model import Kind
from cpimportd.render.bridge import terms
from cpimportd.render.layout import (
    Cell,
    Column,
    Weight,
    clean_cell,
    print_heading,
    print_line,
    print_rest,
    print_table,
    shorten,
)

if TYPE_CHECKING:
    from cpimportd.books.reports.alerts import QueuedAlert, StoredCondition
    from cpimportd.books.reports.reconciliation import Reconciliation
    from cpimportd.books.reports.weekly import PeriodChange, Weekly

_MOVED: Final = (
    *(Column("Organization"), Column("Kind")),
    *(Column(title, number=True) for title in ("Inserted", "Updated", "Removed", "Re-timed")),
    *(Column(title, number=True) for title in ("Opening", "+ added", "- removed", "± changed", "= closing")),
)
_MONTHS: Final = (Column("Month"), *(Column(t, number=True) for t in ("Receipts", "Expenses", "Principal", "Interest")))
_UPLOADS: Final = (Column("File"), Column("Kind"), Column("Uploaded"), Column("Status"))
_ACCOUNTS: Final = (
    *(Column("Organization"), Column("Kind")),
    *(Column(title, number=True) for title in ("Rows", "Books", "Итого", "Journal")),
    Column("Equal"),
)
_WRONG: Final = (Column("What"), Column("How"), Column("Since"), Column("Told"))
_ALERTS: Final = (
    *(Column("Alert", number=True), Column("Made"), Column("Why"), Column("Title"), Column("Sent")),
    *(Column("Tries", number=True), Column("Error")),
)


def render_weekly(found: "Weekly", zone: tzinfo, console: Console) -> None:
    """Print what a period brought; instants in the given zone."""
    ended = ", ".join(f"{number} {status}" for status, number in found.outcomes.items()) or "none"
    print_line(console, f"Runs since {moment(found.since, zone)}: {ended}")
    for run in found.runs:
        if run.status in {"failed", "abandoned"}:
            print_line(console, f"run {run.run} of {moment(run.started_at, zone)}: {run.status}", indent=2)
    render_wrong(found.wrong, zone, console)
    if found.moved:
        print_heading(console, "What changed, per organization")
        moved, left = shorten(
            found.moved,
            lambda one: Weight(False, abs(one.bridge.added) + abs(one.bridge.removed) + abs(one.bridge.changed)),
        )
        rows: list[Sequence[Cell]] = [
            (clean_cell(one.organization), one.bridge.kind.value, *_documents(one), *terms(one.bridge)) for one in moved
        ]
        print_table(console, _MOVED, rows)
        print_rest(console, (one.bridge.kind.value for one in left), "cpimportd report --json")
    if found.months:
        print_heading(console, "Sums by month")
        print_table(
            console,
            _MONTHS,
            [(m.month, *map(amount, (m.receipts, m.expenses, m.principal, m.interest))) for m in found.months],
        )
    if found.uploads:
        print_heading(console, "Workbooks")
        uploads, rest = shorten(found.uploads, lambda one: Weight(one.status not in {"published", "unchanged"}))
        rows = [
            (clean_cell(u.name), u.kind or "", "" if u.modified is None else moment(u.modified, zone), u.status.value)
            for u in uploads
        ]
        print_table(console, _UPLOADS, rows)
        print_rest(console, (one.status for one in rest), "cpimportd report --json")


def _documents(one: "PeriodChange") -> tuple[str, ...]:
    """Documents are counted in the rows of receipts and expenses; the others are sums of lines."""
    if one.bridge.kind.kind is Kind.DETAILS:
        return ("",) * 4
    return tuple(count(number) for number in (one.inserted, one.updated, one.removed, one.retimed))


def render_wrong(wrong: "Sequence[StoredCondition]", zone: tzinfo, console: Console) -> None:
    """Print what is wrong now, and since when."""
    if not wrong:
        print_line(console, "Nothing is wrong.", style="green")
        return
    print_heading(console, "Wrong now")
    rows = [
        (
            *(clean_cell(one.subject), clean_cell(one.state), moment(one.since, zone)),
            "not yet" if one.told_at is None else moment(one.told_at, zone),
        )
        for one in wrong
    ]
    print_table(console, _WRONG, rows)


def render_reconciliation(found: "Reconciliation", console: Console) -> None:
    """Print the accounts side by side, then where they differ and what to do."""
    if not found.accounts:
        print_line(console, "The books were never filled from a workbook: there is nothing to compare.")
        return
    shown, left = shorten(found.accounts, lambda one: Weight(bool(one.problems)))
    rows: list[Sequence[Cell]] = [
        (
            *(clean_cell(one.organization), one.kind.value, count(one.rows), amount(one.books)),
            *("" if value is None else amount(value) for value in (one.control_total, one.journal)),
            Text("NO", style="bold red") if one.problems else Text("yes", style="green"),
        )
        for one in shown
    ]
    print_table(console, _ACCOUNTS, rows)
    print_rest(console, ("that differ" if one.problems else "equal" for one in left), "cpimportd reconcile --json")
    if not found.problems:
        print_line(console, "Books, control totals and journal agree.", style="green")
        return
    print_heading(console, "Differences")
    for one in found.problems:
        print_line(console, str(one), style="bold red")
        print_line(console, f"→ {one.way_out}", indent=4)


def render_alerts(alerts: "Sequence[QueuedAlert]", zone: tzinfo, console: Console) -> None:
    """Print the queue: what waits, then what was sent last."""
    if not alerts:
        print_line(console, "No alert was ever made.")
        return
    print_heading(console, "Alerts")
    rows = [
        (
            *(str(one.id), moment(one.created_at, zone), one.occasion, clean_cell(one.title)),
            "waits" if one.sent_at is None else moment(one.sent_at, zone),
            *(count(one.tries), clean_cell(one.error or "")),
        )
        for one in alerts
    ]
    print_table(console, _ALERTS, rows)
