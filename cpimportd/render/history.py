"""Shows earlier runs: the list, a stored report, and the journal of changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.text import Text

from cpimportd.core.catalog import CATALOG
from cpimportd.core.formatting import amount, count, moment
from cpimportd.core.model import Kind, Unit
from cpimportd.core.problems import Problem
from cpimportd.core.report import FileReport, RunReport, UnitReport
from cpimportd.core.typed import from_tree, to_json
from cpimportd.render import fields
from cpimportd.render.layout import (
    ALL_OF_A_RUN,
    Column,
    clean_cell,
    print_heading,
    print_line,
    print_more,
    print_table,
)
from cpimportd.render.run import render

if TYPE_CHECKING:
    from cpimportd.books.reports.history import Change, Inserted, RunLine, Shown

_HISTORY: Final = (
    Column("Run", number=True),
    Column("Began"),
    Column("Seconds", number=True),
    Column("Why"),
    Column("Inserted", number=True),
    Column("Updated", number=True),
    Column("Removed", number=True),
    Column("Re-timed", number=True),
    Column("Held", number=True),
    Column("Status"),
)
_INSERTED: Final = (
    Column("Kind"),
    Column("Organization"),
    Column("Document"),
    Column("File"),
    Column("Row", number=True),
)
_STYLES: Final = {"published": "green", "unchanged": "dim", "partial": "yellow", "running": "cyan"}
_DONE: Final = {
    "update": "changed",
    "delete": "removed",
    "rekey": "re-keyed",
    "reference": "changed",
    "insert": "brought back",
}
_NUMBERS_OF_ROWS: Final = frozenset({"organization_id", "bank_account_id", "contract_id", "created_at", "updated_at"})
"""What the database numbers and stamps: a document's organization, account and contract are shown by their names."""


def render_history(runs: "Sequence[RunLine]", zone: tzinfo, console: Console) -> None:
    """Print past runs, the newest first; instants in the given zone."""
    if not runs:
        print_line(console, "No run yet.")
        return
    rows: list[tuple[str | Text, ...]] = [
        (
            str(line.run),
            moment(line.started_at, zone),
            "" if line.seconds is None else f"{line.seconds:.1f}",
            clean_cell(_why(line, zone)),
            *(count(number) for number in (line.inserted, line.updated, line.removed, line.retimed, line.held)),
            Text(line.status, style=_STYLES.get(line.status, "bold red")),
        )
        for line in runs
    ]
    print_table(console, _HISTORY, rows)


def _why(line: "RunLine", zone: tzinfo) -> str:
    slot = f" {moment(line.slot, zone)}" if line.slot else ""
    if line.undoes:
        return f"undo of {', '.join(str(run) for run in sorted(line.undoes))}"
    return f"{line.schedule}{slot}" if line.schedule else line.trigger


def render_stored(shown: "Shown", zone: tzinfo, console: Console, *, whole: bool = False) -> None:
    """Print an earlier run as it was printed when it ended, or every row of it, and who started it where."""
    line = shown.line
    by = f"Run {line.run}: {_why(line, zone)}, on {line.host or 'an unknown host'}, version {line.version or 'unknown'}"
    print_line(console, by, style="dim")
    if line.requested_by:
        of = f", who accepted {', '.join(line.accepted)}" if line.accepted else ""
        print_line(console, f"Asked for by {line.requested_by}{of}", style="dim")
    if shown.report is None:
        print_line(console, f"{line.status}, began {moment(line.started_at, zone)}; it left no report")
        return
    render(stored_report(shown.report), console, whole=whole, zone=zone)


def stored_report(stored: Mapping[str, Any]) -> RunReport:
    """A report from the JSON that its run left in the database; an earlier version told less."""
    parts = {"files": (), "units": (), "problems": (), "held_now": None}  # each is read below
    return replace(
        from_tree({**stored, **parts}, RunReport, lax=True),
        files=tuple(FileReport.of_stored(file, _problems(file["problems"])) for file in stored["files"]),
        units=tuple(map(_unit, stored["units"])),
        problems=_problems(stored["problems"]),
    )


def _unit(stored: Mapping[str, Any]) -> UnitReport:
    unit = Unit(stored["organization"], Kind(stored["kinds"][0]).group)
    tree = {**stored, "unit": to_json(unit), "bridges": stored["bridge"], "problems": (), "foreign": {}}
    return replace(from_tree(tree, UnitReport), problems=_problems(stored["problems"]))


def _problems(stored: Sequence[Mapping[str, Any]]) -> tuple[Problem, ...]:
    """Problems as they were; a code that this version does not know keeps its text under ``internal``."""
    names = {field.name for field in fields_of(Problem)}
    found = []
    for one in stored:
        facts = {name: fact for name, fact in one.items() if name in names}
        if facts["code"] not in CATALOG:
            facts |= {"code": "internal", "message": f"{facts['message']} ({facts['code']})"}
        found.append(Problem(**facts))
    return tuple(found)


def render_changes(
    changes: "Sequence[Change]", inserted: "Sequence[Inserted]", console: Console, *, headed: bool = True, more: int = 0
) -> None:
    """Print a run's journal: each document that was changed or removed, with what was before; then what it brought.

    Args:
        changes: what was changed and removed.
        inserted: what it brought.
        console: where to.
        headed: whether headings stand above; not where it goes on with a list.
        more: how many follow that are not shown.
    """
    if changes and headed:
        print_heading(console, "Changed and removed")
    for change in changes:
        style = {"delete": "red", "update": "yellow"}.get(change.op, "")
        print_line(console, _sentence(change), style=style)
        for line in _differences(change):
            print_line(console, line, indent=4)
    if inserted:
        if headed:
            print_heading(console, "Inserted, and still in the books")
        rows: list[tuple[str | Text, ...]] = [
            (one.kind, *(clean_cell(text) for text in (one.organization, one.operation_id, one.file)), str(one.row))
            for one in inserted
        ]
        print_table(console, _INSERTED, rows)
    print_more(console, more, ALL_OF_A_RUN)
    if not changes and not inserted:
        print_line(console, "It changed nothing.")


def _sentence(change: "Change") -> str:
    what = "re-timed" if change.op == "delete" and change.paired_with else _DONE.get(change.op, change.op)
    of = f", {change.organization}" if change.organization else ""
    sums = ""
    if change.amount_before is None and change.amount_after is not None:
        sums = f", {amount(change.amount_after)}"
    if change.amount_before is not None:
        sums = f", {amount(change.amount_before)}"
        if change.amount_after is not None and change.amount_after != change.amount_before:
            sums += f" → {amount(change.amount_after)}"
    paired = f", now {change.paired_with}" if change.paired_with else ""
    why = f" ({change.why})" if change.why else ""
    return f"{what}: {change.kind}{of}: {change.operation_id}{sums}{paired}{why}"


def _differences(change: "Change") -> Iterator[str]:
    """What differs, as ``diff`` has it, by the titles of 1C; of what went or came back `show --json` has the whole."""
    kind = Kind(change.kind) if change.kind in set(Kind) else None
    shown = [one for one in change.differences if kind is None or one.field not in _NUMBERS_OF_ROWS]
    return fields.differences(kind, shown, *(((), ()) if change.op in {"delete", "insert"} else change.lines))
