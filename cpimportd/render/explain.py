"""Shows an explained document, contract or sum: newest first, each value with its cell."""

from collections.abc import Sequence
from datetime import date, tzinfo
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from cpimportd.core.formatting import amount, count, day, document_day, moment
from cpimportd.core.model import Kind
from cpimportd.render import fields
from cpimportd.render.bridge import COLUMNS, terms
from cpimportd.render.fields import line_text, title_of
from cpimportd.render.layout import Column, clean, clean_cell, print_heading, print_line, print_more, print_table

if TYPE_CHECKING:
    from cpimportd.books.journal.contracts import Beginning, ExplainedContract
    from cpimportd.books.journal.explain import Explained, Version
    from cpimportd.books.journal.origins import Place
    from cpimportd.books.journal.summed import ExplainedFigure

_HOW: Final = {
    "added": "it came",
    "changed": "it changed",
    "retimed": "1C gave it another time",
    "rekeyed": "1C calls it otherwise",
    "removed": "it went",
    "brought back": "it was brought back",
}
_PARTS: Final = (
    Column("Date"),
    Column("Organization"),
    Column("Document"),
    Column("Payment type"),
    Column("Sum", number=True),
    Column("Came in"),
)
_CONTRACT: Final = (
    Column("Date"),
    Column("Kind"),
    Column("Document"),
    Column("Sum", number=True),
    Column("Principal", number=True),
    Column("Interest", number=True),
    Column("Other", number=True),
    Column("Came in"),
)
_ALL: Final = "--json has all of them"
_BRIDGES: Final = (Column("Run", number=True), Column("When"), *COLUMNS)


def render_explained(found: "Explained", zone: tzinfo, console: Console) -> None:
    """Print a document with its present values, then every earlier version."""
    print_line(console, found.key.operation_id, style="bold")
    for version in found.versions:
        print_heading(console, _since(version, zone))
        if version.state is None:
            print_line(console, "Not in the books.", style="red")
            continue
        if version.state.key != found.key:
            print_line(console, f"Its name was: {version.state.key.operation_id}")
        _version(version, zone, console, whole=version is found.versions[0] or found.versions[0].state is None)
    print_line(console)
    print_line(console, "Earlier values are not known." if _adopted(found) else "There is nothing before that.")


def _adopted(found: "Explained") -> bool:
    return not found.versions[-1].since


def _since(version: "Version", zone: tzinfo) -> str:
    when = "" if version.since_at is None else f", {moment(version.since_at, zone)}"
    why = f" ({version.why})" if version.why not in {None, "snapshot"} else ""
    until = "Now" if version.until is None else f"Until run {version.until}"
    if version.how == "foreign":
        return f"{until}: somebody else had written this into the books"
    if version.since is None:
        return f"{until}; nobody knows since when"
    since = f"run {version.since}{when}: {_HOW[version.how]}{why}"
    return f"{until}, since {since}" if version.since else f"{until}, since before our first run"


def _version(version: "Version", zone: tzinfo, console: Console, *, whole: bool) -> None:
    state, kind = version.state, version.state.key.kind if version.state else Kind.RECEIPTS
    if state is None:
        return
    origin = version.origin
    print_line(console, f"{title_of(kind, 'amount')}: {amount(state.amount)}{_from(origin.document, zone, 'amount')}")
    if whole:
        for name, value in state.fields.items():
            if name not in {"amount", "is_active"} and value not in {None, ""}:
                cell = origin.document.cell(name) if origin.document else None
                where = f" ({cell})" if cell else ""
                print_line(console, f"{title_of(kind, name)}: {fields.value(name, value)}{where}", indent=2)
    places: Sequence[Place | None] = (
        origin.lines if len(origin.lines) == len(state.lines) else (None,) * len(state.lines)
    )
    for line, place in zip(state.lines, places, strict=True):
        print_line(console, f"· {line_text(line, fields.value)}{_from(place, zone, 'payment_amount')}", indent=2)
    if version.change is not None:
        change = version.change
        for text in fields.differences(kind, change.differences, change.lines_gone, change.lines_new):
            print_line(console, text, indent=4, style="yellow")


def _from(place: "Place | None", zone: tzinfo, field: str) -> str:
    return f"  ← {spot(place, zone, field)}" if place is not None else ""


def spot(place: "Place | None", zone: tzinfo, field: str = "amount") -> str:
    """Workbook, sheet and cell, and which day's: 1C sends one of that name every day.

    The row stands for the cell where the column is not known; the day is that of the run that read it, in the zone.
    """
    if place is None:
        return ""
    sheet = f", {clean(place.workbook.sheet)}" if place.workbook.sheet else ""
    where = f"{clean(place.workbook.file)}{sheet}, {place.cell(field) or f'row {place.row}'}"
    return f"{where} (run {place.workbook.run} of {day(place.workbook.at, zone)})"


def _day(value: date | None) -> str:
    return "" if value is None else document_day(value)


def render_figure(found: "ExplainedFigure", zone: tzinfo, console: Console) -> None:
    """Print what a sum counts, and the sum below it."""
    of = f", {found.organization}" if found.organization else ""
    when = f", {found.month}" if found.month else ""
    print_line(console, f"{found.figure.value}{of}{when}: {amount(found.total)}", style="bold")
    if not found.parts:
        print_line(console, "No document counts towards it.")
        return
    with_type = any(part.payment_type for part in found.parts)
    rows: list[tuple[str | Text, ...]] = [
        (
            _day(part.document_date),
            *(clean_cell(text or "") for text in (part.organization, part.operation_id, part.payment_type)),
            amount(part.amount),
            clean_cell(spot(part.place, zone)),
        )
        for part in found.parts
    ]
    rows.append(("", "", Text(f"{count(found.count)} in all", style="bold"), "", amount(found.total), ""))
    shown = [place for place in range(len(_PARTS)) if with_type or _PARTS[place].title != "Payment type"]
    print_table(console, [_PARTS[place] for place in shown], [[row[place] for place in shown] for row in rows])
    print_more(console, found.count - len(found.parts), f"{_ALL}, --organization and --month a part.")


def render_contract(found: "ExplainedContract", shown: "Beginning", zone: tzinfo, console: Console) -> None:
    """Print a contract's documents, what left it, and how its sums moved; of each list what it begins with."""
    print_line(console, f"{found.number} ({'active' if found.active else 'not active'})", style="bold")
    for kind in (Kind.RECEIPTS, Kind.EXPENSES):
        print_line(console, f"{kind.value}: {amount(found.totals[kind].amount)}", indent=2)
    expenses = found.totals[Kind.EXPENSES]
    parts = (f"{name} {amount(getattr(expenses, name))}" for name in ("principal", "interest", "other"))
    print_line(console, f"of the expenses: {', '.join(parts)}", indent=2)
    if shown.documents:
        documents = sum(one.documents for one in found.totals.values())
        print_heading(console, f"Documents: {count(documents)}")
        rows: list[tuple[str | Text, ...]] = []
        for one in shown.documents:
            sums = (one.principal, one.interest, one.other) if one.kind is Kind.EXPENSES else ()
            payments = [amount(value) for value in sums] or [""] * 3
            head = (_day(one.document_date), one.kind.value, clean_cell(one.operation_id), amount(one.amount))
            rows.append((*head, *payments, clean_cell(spot(one.place, zone))))
        print_table(console, _CONTRACT, rows)
        print_more(console, documents - len(shown.documents), f"{_ALL}.")
    if shown.left:
        print_heading(console, "Once its own")
        for gone in shown.left:
            how = (f"is {gone.now} now" if gone.now else "went") if gone.went else "names another contract"
            print_line(console, f"run {gone.run}: {gone.operation_id}, {amount(gone.amount)}: {how}")
        print_more(console, shown.all_left - len(shown.left), f"{_ALL}.")
    if shown.bridges:
        print_heading(console, "How its sums moved")
        bridges: list[tuple[str | Text, ...]] = [
            (str(one.run), moment(one.at, zone), clean_cell(one.organization), one.kind.value, *terms(one))
            for one in shown.bridges
        ]
        print_table(console, _BRIDGES, bridges)
        print_more(console, shown.all_bridges - len(shown.bridges), f"{_ALL}.")
