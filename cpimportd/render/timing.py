"""What ``next`` shows: the coming slots, and the dates on which one is missing or would come twice."""

from collections.abc import Sequence

from rich.console import Console

from cpimportd.render.layout import Column, foreign, print_line, print_table


def render_coming(
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
        cells = [(foreign(when), foreign(schedule), foreign(until)) for when, schedule, until in rows]
        shown = [0, 1, 2] if named else [0, 2]
        print_table(console, [columns[place] for place in shown], [[row[place] for place in shown] for row in cells])
    for note in notes:
        print_line(console, note)
