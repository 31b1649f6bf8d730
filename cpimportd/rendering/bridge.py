"""The bridge from yesterday's sums to today's: what an accountant reads first."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from cpimportd.rendering.layout import Column, foreign, print_heading, print_line, print_table
from cpimportd.rendering.numbers import amount, signed
from cpimportd.report import Bridge, UnitReport

COLUMNS: Final = (
    Column("Organization"),
    Column("Kind"),
    Column("Opening", number=True),
    Column("+ added", number=True),
    Column("- removed", number=True),
    Column("± changed", number=True),
    Column("= closing", number=True),
)
"""Of a bridge: opening + added - removed ± changed = closing."""
_CHECKED = (*COLUMNS, Column("Итого", number=True), Column("Unexplained", number=True))


def render_bridge(units: Sequence[UnitReport], console: Console) -> None:
    """Print opening + added - removed ± changed = closing = Итого, a row per organization and kind.

    ``Unexplained`` is 0,00; anything else is a defect, or somebody else's write, and is said once more below.
    """
    rows = [_row(unit, bridge) for unit in units for bridge in unit.bridges]
    if not rows:
        return
    print_heading(console, "The bridge")
    print_table(console, _CHECKED, rows)
    for sentence in unexplained(units):
        print_line(console, sentence, style="bold red")


def unexplained(units: Sequence[UnitReport]) -> Iterator[str]:
    """A sentence for each bridge that does not close: there should be none."""
    for unit in units:
        for bridge in unit.bridges:
            if bridge.unexplained:
                yield (
                    f"NOT EXPLAINED: {amount(bridge.unexplained)} in {bridge.kind.value} of {unit.unit.organization}. "
                    "Do not rely on this sum; compare it with 1C and report it as a defect."
                )


def _row(unit: UnitReport, bridge: Bridge) -> tuple[str | Text, ...]:
    gap = bridge.unexplained
    return (
        foreign(unit.unit.organization),
        bridge.kind.value,
        amount(bridge.opening),
        amount(bridge.added),
        amount(bridge.removed),
        signed(bridge.changed),
        amount(bridge.closing),
        "" if bridge.control_total is None else amount(bridge.control_total),
        Text(f"{amount(gap)} (!)", style="bold red") if gap else amount(gap),
    )
