"""Lists of the other verbs: check, summary, next, config show."""

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Final, Literal, Protocol

from rich.console import Console
from rich.text import Text

from cpimportd.core.formatting import amount, count, document_day, moment
from cpimportd.render.layout import Column, clean, clean_cell, print_heading, print_line, print_table

if TYPE_CHECKING:
    from cpimportd.books.journal.memory import Period
    from cpimportd.books.reports.overview import Summary
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpimportd.config.show import ComparedSchedule, YearOfSlots
    from cpimportd.core.rehearsed import Rehearsal, RehearsedRun

_STYLES: Final = {"OK": "", "WARNING": "yellow", "FAILED": "bold red"}


class Checked(Protocol):
    """One line of ``check``."""

    @property
    def name(self) -> str:
        """What was tried."""

    @property
    def status(self) -> Literal["OK", "WARNING", "FAILED"]:
        """How it went."""

    @property
    def text(self) -> str:
        """What was found."""

    @property
    def way_out(self) -> str | None:
        """What the reader can do about it."""


def render_summary(found: "Summary", department_id: int, zone: tzinfo, console: Console) -> None:
    """Print what a department's books say in a few figures; instants in the given zone."""
    print_line(console, f"The books of department {department_id}{_of(found.period)}", style="bold")
    rows = [(kind.value, count(total.rows), amount(total.sum)) for kind, total in found.documents.items()]
    rows += [
        ("details: principal", "", amount(found.principal)),
        ("details: interest", "", amount(found.interest)),
        ("details: other", "", amount(found.other)),
        ("expenses not confirmed by the bank", count(found.unconfirmed.rows), amount(found.unconfirmed.sum)),
        ("receipts less expenses", "", amount(found.net_balance)),
        ("active contracts", count(found.active_contracts), ""),
    ]
    print_table(console, (Column("What"), Column("Rows", number=True), Column("Sum", number=True)), rows)
    if len(found.currencies) > 1:
        print_heading(console, "By currency: the sums above add unlike currencies")
        columns = (Column("Currency"), Column("Receipts", number=True), Column("Expenses", number=True))
        sums = [(clean_cell(c.currency or "?"), amount(c.receipts), amount(c.expenses)) for c in found.currencies]
        print_table(console, columns, sums)
    for title, run in (("Last run", found.last_run), ("Last published", found.last_published)):
        outcome = "none yet" if run is None else f"run {run.run}, {run.status}, began {moment(run.started_at, zone)}"
        print_line(console, f"{title}: {outcome}")


def _of(period: "Period") -> str:
    bounds = (("from", period.first), ("to", period.last))
    days = " ".join(f"{word} {document_day(day)}" for word, day in bounds if day is not None)
    return f", documents dated {days}" if days else ""


def render_config(rows: Iterable[Sequence[str]], notes: Iterable[str], console: Console) -> None:
    """Print key, value and origin of everything that is set, then what is set in vain; secrets are hidden already."""
    cells = [[Text(clean(part)) for part in row] for row in rows]
    print_table(console, (Column("Key"), Column("Value"), Column("From")), cells)
    for note in notes:
        print_line(console, f"Note: {note}")


def render_checks(lines: Iterable[Checked], console: Console) -> None:
    """Print one line for each thing that was tried, with the way out where it did not go well."""
    for line in lines:
        render_check(line, console)


def render_check(line: Checked, console: Console) -> None:
    """Print one line of ``check`` as soon as it is known."""
    text = f"{line.name}: {line.status}" + (f" ({line.text})" if line.text else "")
    print_line(console, text, style=_STYLES[line.status])
    if line.way_out and line.status != "OK":
        print_line(console, line.way_out, indent=4)


def render_slots(
    rows: Sequence[tuple[str, str, str]], notes: Sequence[str], console: Console, *, named: bool, countdown: str
) -> None:
    """Print the coming slots, then what is remarkable about them.

    Args:
        rows: when, of which schedule, and how long until then, in the order of time.
        notes: whole sentences.
        console: where to.
        named: whether the schedules' names are shown.
        countdown: the title of the last column.
    """
    if rows:
        columns = (Column("Slot"), Column("Schedule"), Column(countdown))
        cells = [(clean_cell(when), clean_cell(schedule), clean_cell(until)) for when, schedule, until in rows]
        shown = [0, 1, 2] if named else [0, 2]
        print_table(console, [columns[place] for place in shown], [[row[place] for place in shown] for row in cells])
    for note in notes:
        print_line(console, note)


_RUNS: Final = (Column("Day"), Column("Run", number=True), Column("Was"), Column("Would be"), Column("Different"))
_TOLD: Final = 3
"""Problems of one unit that are shown in full."""


def render_rehearsal(found: "Rehearsal", schedules: Sequence["ComparedSchedule"], console: Console) -> None:
    """Print what came of a rehearsal, and the coming year's slots."""
    if not found.runs:
        print_line(console, "The spool holds no day yet: days are kept from now on, for spool.keep.")
    else:
        print_line(console, f"{count(len(found.runs))} runs, gone through once more in {found.place}", style="bold")
        rows = [
            (
                str(run.day),
                str(run.run),
                run.then,
                run.now,
                _difference(run) + ("; the first: no guard could speak" if run.first else ""),
            )
            for run in found.runs
        ]
        print_table(console, _RUNS, rows)
        for run in found.runs:
            if run.differs:
                _details(run, console)
        if not any(run.differs for run in found.runs):
            print_line(console, "Nothing would be held, published or summed differently.", style="green")
    print_heading(console, "The coming year")
    for schedule in schedules:
        _schedule(schedule, console)


def _difference(run: "RehearsedRun") -> str:
    parts = (
        ("fails", len(run.problems)),
        ("held now", len(run.now_held) + len(run.now_held_files)),
        ("no longer held", len(run.no_longer_held)),
        ("sums", len(run.sums)),
    )
    return ", ".join(f"{number} {what}" for what, number in parts if number) or "nothing"


def _details(run: "RehearsedRun", console: Console) -> None:
    print_heading(console, f"{run.day}, run {run.run}")
    for found in run.problems:
        print_line(console, f"would fail: {found}", style="bold red")
        print_line(console, f"→ {found.way_out}", indent=2)
    for unit, problems in (*run.now_held.items(), *run.now_held_files.items()):
        print_line(console, f"{unit} would be held", style="bold red")
        for found in problems[:_TOLD]:
            print_line(console, str(found), indent=2)
        if len(problems) > _TOLD:
            print_line(console, f"and {count(len(problems) - _TOLD)} more", indent=2)
    for unit, codes in run.no_longer_held.items():
        print_line(
            console, f"{unit} would be published; it was held ({', '.join(dict.fromkeys(codes))})", style="yellow"
        )
    for one in run.sums:
        text = f"{one.organization}, {one.kind.value}: {amount(one.now)} instead of {amount(one.then)}"
        print_line(console, text, style="yellow")


def _schedule(schedule: "ComparedSchedule", console: Console) -> None:
    print_line(console, f"{schedule.name}: {schedule.change}", style="" if schedule.change == "same" else "bold yellow")
    if schedule.present is not None and schedule.change != "same":
        _year("is", schedule.present, console)
    if schedule.proposed is not None:
        _year("would be", schedule.proposed, console)


def _year(title: str, year: "YearOfSlots", console: Console) -> None:
    number = f"more than {count(year.count)}" if year.many else count(year.count)
    print_line(console, f"{title}: {year.at} in {year.zone.key}, {number} slots in a year ({year.job})", indent=2)
    if year.slots:
        first = ", ".join(f"{slot.astimezone(year.zone):%a} {moment(slot, year.zone)}" for slot in year.slots)
        print_line(console, f"first: {first}", indent=4)
    for one in year.irregular:
        print_line(console, f"{one.day}: {one.describe(year.zone.key)}", indent=4, style="yellow")
