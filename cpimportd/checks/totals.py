"""Does a file add up: the sums of its rows against the control totals in its ``Итого`` row."""

from decimal import Decimal

from cpimportd.checks.listing import stops
from cpimportd.model import KOPECK, Kind, Snapshot, amount_of_kopecks
from cpimportd.problems import Problem, problem

MAIN_COLUMN = {Kind.RECEIPTS: "Сумма", Kind.EXPENSES: "Сумма", Kind.DETAILS: "Сумма платежа"}
"""The one column per kind that must have a control total."""


def control_total_problems(snapshot: Snapshot) -> tuple[Problem, ...]:
    """What does not add up in a file that was read whole.

    The main amount column must have a control total. 1C leaves the totals of other columns empty or fills them: an
    empty one is none, a filled one must match, to the kopeck. A file whose reader already refused something is left
    out: rows are missing from its sums, so that a difference says nothing further.
    """
    if snapshot.unchanged or any(stops(found) for found in snapshot.problems):
        return ()
    name = snapshot.file.name
    if snapshot.kind is None:
        return (problem("kind-unknown", file=name),)
    main = _main_title(snapshot)
    if main not in snapshot.control_totals:
        return (problem("control-total-missing", file=name, column=main),)
    return tuple(
        problem("control-total", file=name, column=column, sum=money(wrong), total=money(total), difference=money(gap))
        for column, total in snapshot.control_totals.items()
        for wrong, gap in _differences(snapshot, column, total, main)
    )


def main_control_total(snapshot: Snapshot) -> Decimal | None:
    """``Итого`` of the main amount column; None where it is missing or the kind is unknown."""
    return None if snapshot.kind is None else snapshot.control_totals.get(_main_title(snapshot))


def money(amount: Decimal) -> str:
    """A sum as people read it: kopecks always, fractions of them only where there are any."""
    exact = amount.quantize(KOPECK)
    return f"{exact if exact == amount else amount.normalize():f}"


def _differences(snapshot: Snapshot, column: str, total: Decimal, main: str) -> list[tuple[Decimal, Decimal]]:
    sums = [snapshot.sums.get(column, Decimal(0))]
    if column == main:
        # The reader's own sum and the documents that are going to be published must both agree with Итого: a slip
        # between the two would otherwise pass unseen.
        sums.append(amount_of_kopecks(sum(document.kopecks for document in snapshot.documents)))
    wrong = [(value, value - total) for value in sums if (value - total).quantize(KOPECK)]
    return wrong[:1]


def _main_title(snapshot: Snapshot) -> str:
    """The main column's title as this workbook writes it: case, ``ё`` and spaces vary between exports."""
    if snapshot.kind is None:
        raise ValueError("a file of unknown kind has no main column")
    expected = MAIN_COLUMN[snapshot.kind]
    return next((title for title in snapshot.control_totals if _folded(title) == _folded(expected)), expected)


def _folded(title: str) -> str:
    return " ".join(title.split()).casefold().replace("ё", "е")
