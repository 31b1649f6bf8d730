"""What ``rehearse`` shows: day by day what would be other than it was, then the coming year's slots."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Console

from cpimportd.core.figures import amount, count
from cpimportd.core.time import moment
from cpimportd.render.layout import Column, print_heading, print_line, print_table

if TYPE_CHECKING:
    from cpimportd.config.yearslots import ComparedSchedule, YearOfSlots
    from cpimportd.core.rehearsed import Rehearsal, RehearsedRun

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
