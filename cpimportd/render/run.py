"""Shows the report of a run: the result, each file and unit, the problems, and the remedies."""

from collections.abc import Collection, Sequence
from datetime import UTC, tzinfo
from decimal import Decimal

from rich.console import Console
from rich.text import Text

from cpimportd.core.catalog import Effect
from cpimportd.core.formatting import amount, command, count, moment
from cpimportd.core.model import Kind
from cpimportd.core.problems import Problem
from cpimportd.core.report import FileReport, FileStatus, KindTotal, RunReport, RunStatus, UnitReport, UnitStatus
from cpimportd.render.bridge import render_bridge
from cpimportd.render.journal import summary_line
from cpimportd.render.layout import (
    FEW_ROWS,
    MAX_PROBLEMS,
    Column,
    Weight,
    clean,
    clean_cell,
    print_heading,
    print_line,
    print_rest,
    print_table,
    shorten,
)

_RUN_STYLES = {
    RunStatus.PUBLISHED: "bold green",
    RunStatus.UNCHANGED: "bold green",
    RunStatus.DRY_RUN: "bold cyan",
    RunStatus.PARTIAL: "bold yellow",
    RunStatus.HELD: "bold red",
    RunStatus.FAILED: "bold red",
}
_STYLES = {"published": "green", "unchanged": "dim", "ignored": "dim", "held": "bold red"}
_EFFECTS = {
    Effect.FAILS: ("failed", "bold red"),
    Effect.INTEGRITY: ("held", "bold red"),
    Effect.PLAUSIBILITY: ("held until accepted", "bold yellow"),
    Effect.WARNS: ("warning", "yellow"),
}
_FILE_COLUMNS = (
    Column("File"),
    Column("Kind"),
    Column("Organizations"),
    Column("Rows", number=True),
    Column("Итого", number=True),
    Column("Status"),
)
_INDENT = 2


def render(report: RunReport, console: Console, *, whole: bool = False, zone: tzinfo | None = None) -> None:
    """Print the report: the outcome in a sentence first, then files, units, problems and what to do; the bridge last.

    In a terminal it is coloured and fits its width; in a pipe it is plain aligned text whose lines are never wrapped.
    Texts of files and servers are shown literally, control characters escaped. Long tables are shortened to what
    deserves a look (``shortening``).

    Args:
        report: of one run, dry or not.
        console: where to; :func:`~cpimportd.render.layout.make_console` makes a fitting one.
        whole: every row, however many there are.
        zone: in which instants are told: that of ``timezone``; None: that of the report's own instant.
    """
    where = "--json" if report.run is None else f"cpimportd show {report.run} --whole"
    sentence = summary_line(report, count)
    print_line(console, sentence[:1].upper() + sentence[1:] + ".", style=_RUN_STYLES[report.status])
    number = f"Run {report.run}, began" if report.run is not None else "Began"
    print_line(console, f"{number} {moment(report.started_at, zone or report.started_at.tzinfo or UTC)}", style="dim")
    if report.files:
        shown, left = shorten(report.files, _file_weight, whole=whole)
        _files(shown, console)
        print_rest(console, (file.status.value for file in left), where)
    if report.units:
        units, rest = shorten(report.units, _unit_weight, whole=whole)
        _units(units, console)
        print_rest(console, (unit.status.value for unit in rest), where)
    if problems := report.all_problems:
        most = len(problems) if whole else MAX_PROBLEMS
        accepted = {found for unit in report.units for found in unit.problems if found.code in unit.accepted}
        print_heading(console, "Problems")
        render_problems(problems[:most], accepted, console)
        print_rest(console, (found.code for found in problems[most:]), where)
    _what_next(report, console)
    if report.totals:
        _totals(report, console)
    render_bridge(report.units, console, where=None if whole else where)


def _file_weight(file: FileReport) -> Weight:
    return Weight(file.status in {FileStatus.HELD, FileStatus.IGNORED} or bool(file.problems))


def _unit_weight(unit: UnitReport) -> Weight:
    moved = unit.inserted + unit.updated + unit.removed + unit.retimed + unit.moved_out
    return Weight(unit.status is UnitStatus.HELD or bool(unit.problems or unit.accepted), Decimal(moved))


def _files(files: Sequence[FileReport], console: Console) -> None:
    print_heading(console, "Files")
    rows = [
        (
            clean_cell(file.name),
            file.kind.value if file.kind else "",
            clean_cell(", ".join(file.organizations)),
            count(file.rows),
            "" if file.control_total is None else amount(file.control_total),
            _status(file.status.value),
        )
        for file in files
    ]
    print_table(console, _FILE_COLUMNS, rows)


def _units(units: Sequence[UnitReport], console: Console) -> None:
    print_heading(console, "Units, in documents")
    # What hardly ever happens gets a column only where it did.
    rare = {
        "Normalised": [unit.normalised for unit in units],
        "Put right": [unit.put_right for unit in units],
        "Moved in": [unit.moved_in for unit in units],
        "Moved out": [unit.moved_out for unit in units],
    }
    shown = [title for title, numbers in rare.items() if any(numbers)]
    titles = ("Inserted", "Updated", "Removed", "Re-timed", "Unchanged", *shown)
    columns = (Column("Unit"), *(Column(title, number=True) for title in titles), Column("Status"))
    rows: list[tuple[str | Text, ...]] = [
        (
            clean_cell(unit.unit.name),
            *(count(n) for n in (unit.inserted, unit.updated, unit.removed, unit.retimed, unit.unchanged)),
            *(count(rare[title][place]) for title in shown),
            _status(unit.status.value, unit.accepted),
        )
        for place, unit in enumerate(units)
    ]
    print_table(console, columns, rows)


def _status(status: str, accepted: Sequence[str] = ()) -> Text:
    suffix = f", accepted: {', '.join(accepted)}" if accepted else ""
    return Text(status + suffix, style=_STYLES.get(status, ""))


def render_problems(problems: Sequence[Problem], accepted: Collection[Problem], console: Console) -> None:
    """Print each problem with its way out.

    Args:
        problems: what is wrong.
        accepted: those that somebody has accepted: they need no way out.
        console: where to.
    """
    for found in problems:
        label, style = ("accepted", "yellow") if found in accepted else _EFFECTS[found.effect]
        of = found.organization
        place = f"{of}: " if of and found.file is None and clean(of) not in found.message else ""
        print_line(console, f"{label}: {place}{found}", style=style)
        if found not in accepted:
            print_line(console, found.way_out, indent=_INDENT)


def _totals(report: RunReport, console: Console) -> None:
    print_heading(console, "In the books now")
    columns = (Column("Kind"), Column("Rows", number=True), Column("Sum", number=True))
    rows = []
    for kind in Kind:
        total = report.totals.get(kind, KindTotal())
        rows.append((kind.value, count(total.rows), amount(total.sum)))
    parts = (("principal", report.principal), ("interest", report.interest), ("other", report.other))
    rows += [(f"details: {name}", "", amount(value)) for name, value in parts if value is not None]
    print_table(console, columns, rows)


def _what_next(report: RunReport, console: Console) -> None:
    """What the reader can do now, where something is held."""
    units = [unit for unit in report.units if unit.status is UnitStatus.HELD]
    files = [file for file in report.files if file.status is FileStatus.HELD]
    if not units and not files:
        return
    print_heading(console, "What next")
    if units and report.status is not RunStatus.DRY_RUN:
        print_line(console, _books_of_held(units), indent=_INDENT)
    acceptable = [unit for unit in units if _can_be_accepted(unit)]
    stuck = [unit for unit in units if not _can_be_accepted(unit)]
    if acceptable:
        if report.run is not None:
            print_line(console, f"To see what they would change: cpimportd diff {report.run} --held", indent=_INDENT)
        print_line(console, "Look at the problems above. If the new files are right, accept them:", indent=_INDENT)
        paste = command("accept", *(clean(unit.unit.name) for unit in acceptable))
        # One line, whatever the width: it is there to be copied.
        console.print(Text(f"    {paste}", style="bold"), soft_wrap=True)
    if stuck or not units:
        names_of_stuck = [unit.unit.name for unit in stuck] or [file.name for file in files]
        more = len(names_of_stuck) - FEW_ROWS
        named = ", ".join(names_of_stuck[:FEW_ROWS]) + (f" and {more} more" if more > 0 else "")
        sentence = f"Nobody can accept {named}: correct what is named above, export again, then: cpimportd run"
        print_line(console, sentence, indent=_INDENT)


def _books_of_held(units: Sequence[UnitReport]) -> str:
    """What the books hold of units that are held: what was published last, whatever others have written."""
    written = [unit for unit in units if any(found.code == "foreign-writes" for found in unit.problems)]
    if any(not unit.put_right or any(p.code == "foreign-stays" for p in unit.problems) for unit in written):
        return "Of the held units the books are NOT as they were published: what somebody else wrote is still there."
    if written:
        return "Of the held units the books are again as they were published: what somebody else wrote was put right."
    return "Nothing of the held units was published: their books stay as they were."


def _can_be_accepted(unit: UnitReport) -> bool:
    holding = {found.effect for found in unit.problems} - {Effect.WARNS}
    return holding == {Effect.PLAUSIBILITY}
