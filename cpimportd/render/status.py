"""Shows the daemon's status, and its progress while a verb waits for a run."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from cpimportd.core.formatting import moment, span
from cpimportd.render.layout import (
    FEW_ROWS,
    Column,
    Weight,
    clean_cell,
    make_console,
    print_heading,
    print_line,
    print_rest,
    print_table,
    shorten,
)

_FILES: Final = (
    Column("Workbook"),
    Column("Kind"),
    Column("Uploaded"),
    Column("Age", number=True),
    Column("Last good"),
    Column("Status"),
)
_ALL: Final = "cpimportd status --json"
_SCHEDULES: Final = (Column("Schedule"), Column("At"), Column("Next"), Column("In", number=True))


def render_status(status: Mapping[str, Any], wrong: Sequence[str], console: Console) -> None:
    """Print what the daemon does, and what needs attention."""
    now, zone = datetime.now(UTC), ZoneInfo(status["timezone"])
    since = datetime.fromisoformat(status["since"])
    running = (
        f"Running since {moment(since, zone)} ({span(now - since)}), PID {status['pid']}, version {status['version']}"
    )
    print_line(console, running, style="bold green" if not wrong else "bold yellow")
    print_line(console, status["status"])
    print_line(console, f"Configuration: {status['configuration']}; state: {status['state_directory']}", style="dim")
    for sentence in wrong[:FEW_ROWS]:
        print_line(console, f"Look: {sentence}", style="bold red")
    print_rest(console, ("to look at" for _ in wrong[FEW_ROWS:]), _ALL)
    for found in (status.get("refused") or {"problems": ()})["problems"]:
        print_line(console, f"{found['message']} [{found['code']}]", indent=2)
        print_line(console, f"→ {found['way_out']}", indent=2)
    last = status["last"]
    if last is not None and not last["good"] and last["way_out"]:
        print_line(console, f"→ {last['way_out']}", indent=2)
    for one in status.get("outstanding", ()):
        print_line(console, f"→ {one['way_out']}", indent=2)
    _schedules(status["schedules"], now, zone, console)
    _runs(status, zone, console)
    _files(status["files"], now, zone, console)


def _schedules(schedules: Sequence[Mapping[str, Any]], now: datetime, zone: ZoneInfo, console: Console) -> None:
    if not schedules:
        print_line(console, "No schedule is enabled; `cpimportd trigger` imports now.")
        return
    rows: list[tuple[str | Text, ...]] = []
    for one in schedules:
        at = one["at"] + (" (until the next start)" if one["rescheduled"] else "")
        slot = None if one["next"] is None else datetime.fromisoformat(one["next"])
        when = ("never again", "") if slot is None else (moment(slot, zone), span(slot - now))
        rows.append((one["name"], clean_cell(at), *when))
    console.print()
    print_table(console, _SCHEDULES, rows)
    for one in schedules:
        if one["waiting"] is not None:
            print_line(console, f"{one['name']}: {_waits(one['waiting'], zone)}", style="yellow")


def _waits(waiting: Mapping[str, Any], zone: ZoneInfo) -> str:
    sentence = f"slot {moment(datetime.fromisoformat(waiting['slot']), zone)} waits for {waiting['why']}"
    for name, words in (("next", "; next try"), ("until", ", gives up")):
        if waiting.get(name) is not None:  # an older daemon does not say until when
            sentence += f"{words} {moment(datetime.fromisoformat(waiting[name]), zone)}"
    return sentence


def _runs(status: Mapping[str, Any], zone: ZoneInfo, console: Console) -> None:
    console.print()
    for title, run in (("Last run", status["last"]), ("Last good run", status["last_good"])):
        if run is None:
            print_line(console, f"{title}: none yet")
            continue
        number = "" if run["run"] is None else f" (run {run['run']})"
        why = f" for {run['schedule']}" if run["schedule"] else " by request"
        print_line(
            console, f"{title}: {moment(datetime.fromisoformat(run['ended']), zone)}{why}{number}: {run['summary']}"
        )
    for unit in status["held"][:FEW_ROWS]:
        print_line(console, f"Held: {unit}", style="bold red")
    print_rest(console, ("held" for _ in status["held"][FEW_ROWS:]), _ALL)
    if status.get("held_unasked") is not None:
        why = status["held_unasked"]
        print_line(
            console, f"What is held is what the daemon remembers: {why['message']} [{why['code']}]", style="yellow"
        )


def _files(files: Sequence[Mapping[str, Any]], now: datetime, zone: ZoneInfo, console: Console) -> None:
    if not files:
        return
    print_heading(console, "Workbooks as they were last seen")
    rows: list[tuple[str | Text, ...]] = []
    shown, left = shorten(files, lambda one: Weight(one["stale"] or one["status"] == "held"))
    for one in shown:
        modified = None if one["modified"] is None else datetime.fromisoformat(one["modified"])
        when = ("unknown", "") if modified is None else (moment(modified, zone), span(now - modified))
        style = "bold red" if one["stale"] or one["status"] == "held" else ""
        good = "never" if one["good"] is None else f"{span(now - datetime.fromisoformat(one['good']))} ago"
        fared = one["status"] + (", stale" if one["stale"] else "")
        rows.append((clean_cell(one["name"]), one["kind"] or "", *when, good, Text(fared, style=style)))
    print_table(console, _FILES, rows)
    print_rest(
        console, (one["status"] + (", stale" if one["stale"] else "") for one in left), "cpimportd status --json"
    )


@contextmanager
def live_line() -> Iterator[Callable[[str], None]]:
    """A line that changes: updated in place in a terminal, a new line for each change elsewhere."""
    console = make_console(sys.stderr)
    if console.is_terminal:
        with console.status("Waiting for the daemon") as status:
            yield lambda line: status.update(Text(line))
        return
    shown: list[str] = []

    def show(line: str) -> None:
        if shown[-1:] != [line]:
            shown[:] = [line]
            print_line(console, line)

    yield show
