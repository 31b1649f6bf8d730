"""Does a file add up: the sums of its rows against the control totals in its ``Итого`` row."""

from decimal import Decimal

from cpimportd.core.model import KOPECK, Snapshot, amount_of_kopecks
from cpimportd.core.problems import Problem, problem
from cpimportd.core.verdicts import stops


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
    main = snapshot.main_title
    if main not in snapshot.control_totals:
        return (problem("control-total-missing", file=name, column=main),)
    return tuple(
        problem("control-total", file=name, column=column, sum=money(wrong), total=money(total), difference=money(gap))
        for column, total in snapshot.control_totals.items()
        for wrong, gap in _differences(snapshot, column, total, main)
    )


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
