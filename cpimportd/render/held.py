"""Shows a held unit before a decision: why it is held, what was not read, what it would change."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING

from rich.console import Console

from cpimportd.core.formatting import moment
from cpimportd.render.diff import render_difference
from cpimportd.render.layout import MAX_PROBLEMS, clean, print_heading, print_line, print_rest
from cpimportd.render.run import render_problems

if TYPE_CHECKING:
    from cpimportd.books.journal.movements import Movement, What
    from cpimportd.books.reports.decisions import Decision


def render_decision(
    one: "Decision", documents: "Mapping[What, Sequence[Movement]]", zone: tzinfo, console: Console
) -> None:
    """Print what there is to be decided about one unit.

    Args:
        one: the unit.
        documents: of each kind the first that it would change.
        zone: in which instants are told.
        console: where to.
    """
    held = one.held
    since = f"held since run {held.since_run}, {moment(held.since, zone)}"
    last = f"; last by run {held.run}" if held.run != held.since_run else ""
    print_heading(console, f"{clean(held.unit.name)}: {since}{last}")
    render_problems(held.problems, (), console)
    if one.rows:
        print_heading(console, "Rows of its workbooks")
        render_problems(one.rows[:MAX_PROBLEMS], (), console)
        rest = [found.code for found in one.rows[MAX_PROBLEMS:]]
        print_rest(console, rest, f"cpimportd diff {held.run} --held --json")
    if one.difference is not None:
        render_difference(one.difference, documents, one.kept, zone, console)
    elif held.final:
        print_line(console, "Nobody can accept it: correct what is named above and export again.")
    elif held.undone_run is not None:
        print_line(
            console,
            f"It would change again what the undo of run {held.undone_run} took back: cpimportd diff {held.run}",
        )
    else:
        print_line(console, "What it would change is not known: the next run determines it.")
