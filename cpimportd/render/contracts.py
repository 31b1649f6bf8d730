"""The bridge per contract."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cpimportd.render.bridge import COLUMNS
from cpimportd.render.layout import Column, foreign, print_heading, print_table
from cpimportd.render.numbers import amount, signed

if TYPE_CHECKING:
    from cpimportd.books.journal.bycontract import ContractBridge


def render_contracts(contracts: "Sequence[ContractBridge]", console: Console) -> None:
    """Print opening + added - removed ± changed = closing, a row per contract whose sum moved."""
    if not contracts:
        return
    print_heading(console, "The bridge per contract, of those whose sum moved")
    columns = (COLUMNS[0], Column("Contract"), *COLUMNS[1:])
    rows: list[tuple[str | Text, ...]] = [
        (
            foreign(one.organization),
            foreign(one.contract or "(without a contract)"),
            one.kind.value,
            *(amount(sum_) for sum_ in (one.opening, one.added, one.removed)),
            signed(one.changed),
            amount(one.closing),
        )
        for one in contracts
    ]
    print_table(console, columns, rows)
