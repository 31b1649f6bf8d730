"""The bridge per contract."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cpimportd.render.bridge import COLUMNS, terms
from cpimportd.render.layout import Column, foreign, print_heading, print_table
from cpimportd.render.shortening import print_more

if TYPE_CHECKING:
    from cpimportd.books.journal.contracts import ContractBridge


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
        (
            foreign(one.organization),
            foreign(one.contract or "(without a contract)"),
            one.kind.value,
            *terms(one),
        )
        for one in contracts
    ]
    print_table(console, columns, rows)
    print_more(console, more)
