"""Shows the bridge from yesterday's sums to today's, which an accountant reads first."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from cpimportd.core.formatting import amount, count, signed
from cpimportd.core.model import Figure
from cpimportd.core.report import TERMS, Bridge, UnitReport
from cpimportd.render.layout import (
    ALL_OF_A_RUN,
    Column,
    Weight,
    clean_cell,
    print_heading,
    print_line,
    print_more,
    print_rest,
    print_table,
    shorten,
)

if TYPE_CHECKING:
    from cpimportd.books.journal.contracts import ContractBridge

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


def render_bridge(units: Sequence[UnitReport], console: Console, *, where: str | None = None) -> None:
    """Print opening + added - removed ± changed = closing = Итого, a row per organization and kind.

    ``Unexplained`` is 0,00; anything else is a defect, or somebody else's write, and is said once more below.

    Args:
        units: of one run.
        console: where to.
        where: what has all rows, where a long bridge is to be shortened: then its sum comes first, and what moved most.
    """
    spans = [(unit, bridge) for unit in units for bridge in unit.bridges]
    if not spans:
        return
    print_heading(console, "The bridge")
    shown, left = shorten(spans, _weight, whole=where is None)
    total = [_sums(f"{count(number)} organizations", bridge) for bridge, number in added_up(units)] if left else []
    rows = (_sums(unit.unit.organization, bridge) for unit, bridge in shown)
    print_table(console, _CHECKED, [*total, *rows])
    print_rest(console, (bridge.kind.value for _, bridge in left), where or "")
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


def added_up(units: Sequence[UnitReport]) -> Iterator[tuple[Bridge, int]]:
    """The bridges of each kind as one, with how many they are; without a control total where one of them has none."""
    for figure in Figure:
        every = [bridge for unit in units for bridge in unit.bridges if bridge.kind == figure]
        if not every:
            continue
        totals = [bridge.control_total for bridge in every if bridge.control_total is not None]
        whole = Bridge(
            kind=figure,
            rows_before=sum(bridge.rows_before for bridge in every),
            rows_after=sum(bridge.rows_after for bridge in every),
            **{name: sum((getattr(bridge, name) for bridge in every), Decimal(0)) for name in TERMS},
            control_total=sum(totals, Decimal(0)) if len(totals) == len(every) else None,
        )
        yield whole, len(every)


def _weight(span: tuple[UnitReport, Bridge]) -> Weight:
    _, bridge = span
    return Weight(bool(bridge.unexplained), abs(bridge.added) + abs(bridge.removed) + abs(bridge.changed))


def _sums(whose: str, bridge: Bridge) -> tuple[str | Text, ...]:
    gap = bridge.unexplained
    return (
        clean_cell(whose),
        bridge.kind.value,
        *terms(bridge),
        "" if bridge.control_total is None else amount(bridge.control_total),
        Text(f"{amount(gap)} (!)", style="bold red") if gap else amount(gap),
    )


def terms(bridge: Bridge) -> tuple[str, ...]:
    """Opening, added, removed, changed, closing."""
    sums = (bridge.opening, bridge.added, bridge.removed)
    return (*map(amount, sums), signed(bridge.changed), amount(bridge.closing))


def render_contracts(
    contracts: "Sequence[ContractBridge]", console: Console, *, headed: bool = True, more: int = 0
) -> None:
    """Print opening + added - removed ± changed = closing, a row per contract whose sum moved.

    Args:
        contracts: the rows, at least one.
        console: where to.
        headed: whether a heading stands above; not where it goes on with a list.
        more: how many follow that are not shown.
    """
    if headed:
        print_heading(console, "The bridge per contract, of those whose sum moved")
    columns = (COLUMNS[0], Column("Contract"), *COLUMNS[1:])
    rows: list[tuple[str | Text, ...]] = [
        (clean_cell(one.organization), clean_cell(one.contract or "(without a contract)"), one.kind.value, *terms(one))
        for one in contracts
    ]
    print_table(console, columns, rows)
    print_more(console, more, ALL_OF_A_RUN)
