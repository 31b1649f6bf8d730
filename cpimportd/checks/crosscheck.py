"""Compares expenses with their details: every line has its expense, and both have the same sum."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cpimportd.checks.attribution import AttributedFile, KnownExpenses
from cpimportd.core.folding import describe_differences, fold, with_code_points
from cpimportd.core.formatting import money
from cpimportd.core.model import Document, Kind, amount_of_kopecks
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, problem
from cpimportd.core.verdicts import capped


@dataclass(frozen=True, slots=True)
class ExpensesToday:
    """What today's expenses files say, and how far that can be relied on.

    Attributes:
        organizations: per ``operation_id``, whose it is.
        complete: organizations all of whose expenses were read, from files that are right.
        doubtful: names of files that are wrong and may hold expenses.
    """

    organizations: Mapping[str, str]
    complete: frozenset[str]
    doubtful: tuple[str, ...]


def orphan_details(
    file: AttributedFile, today: ExpensesToday, known_expenses: KnownExpenses, similar: Collection[str] = ()
) -> tuple[Problem, ...]:
    """Documents that have details in this file, but no expense.

    An expense that only the books know is good enough to say whose its details are. But where the organization's
    expenses are all there today and this one is not among them, publishing would remove it: an orphan like one that
    nobody knows. Where an expenses file is wrong, its expenses may be the missing ones: said once, with its name. One
    whose name only looks like an expense's is none of these: no other export mends it.

    Args:
        file: with details.
        today: what today's expenses files say.
        known_expenses: what the books know of ids that today's expenses lack.
        similar: ids of expenses in the books that one of the others may only look like.
    """
    orphans: dict[str, Document] = {}
    unseen: dict[str, Document] = {}
    for document in file.snapshot.documents:
        operation_id = document.operation_id
        if operation_id in today.organizations:
            continue
        if operation_id in known_expenses:
            if known_expenses[operation_id][0] in today.complete:
                orphans.setdefault(operation_id, document)
        elif today.doubtful:
            unseen.setdefault(operation_id, document)
        else:
            orphans.setdefault(operation_id, document)
    lookalikes = _lookalikes(orphans.keys() | unseen.keys(), today, similar)
    alike = [
        _looks_like(file, document, *lookalikes[key])
        for key, document in (orphans | unseen).items()
        if key in lookalikes
    ]
    absent = [
        problem("orphan-detail", file=file.name, row=document.row, value=key)
        for key, document in orphans.items()
        if key not in lookalikes
    ]
    found = (*capped(alike), *capped(absent))
    left = {key: document for key, document in unseen.items() if key not in lookalikes}
    if left:
        key, first = next(iter(left.items()))
        other = ", ".join(f"«{name}»" for name in today.doubtful)
        rows = [document.row for document in left.values()]
        unread = problem(
            "expense-unseen",
            file=file.name,
            row=first.row,
            value=key,
            count=len(left),
            other=other,
            every_row=rows,
        )
        found = (*found, unread)
    return found


def _lookalikes(
    orphans: Collection[str], today: ExpensesToday, similar: Collection[str]
) -> Mapping[str, tuple[str, str]]:
    """Per document without an expense, the expense whose name folds like its own, and where that is."""
    if not orphans:
        return {}
    expenses = {fold(name): (name, "in-books") for name in similar}
    expenses |= {fold(name): (name, "in-todays-expenses") for name in today.organizations}
    return {name: expenses[fold(name)] for name in orphans if fold(name) in expenses}


def _looks_like(file: AttributedFile, document: Document, twin: str, place: str) -> Problem:
    name = document.operation_id
    return problem(
        "orphan-lookalike",
        file=file.name,
        row=document.row,
        value=with_code_points(name, twin),
        twin=twin,
        other=phrase(place),
        characters=describe_differences(name, twin),
    )


class Expense(NamedTuple):
    """An expense, and the workbook that it stands in."""

    file: str
    document: Document


class _Place(NamedTuple):
    file: AttributedFile
    row: int


class DetailSums:
    """The details of today, summed by document in kopecks; made once and asked for every organization."""

    def __init__(self, files: Iterable[AttributedFile]) -> None:
        self._files = [file for file in files if file.kind is Kind.DETAILS]
        self._sums: dict[str, int] = {}
        for file in self._files:
            for document in file.snapshot.documents:
                self._sums[document.operation_id] = self._sums.get(document.operation_id, 0) + document.kopecks
        self._lines: dict[str, list[_Place]] = {}

    def compare(self, organization: str, expenses: Sequence[Expense]) -> tuple[Problem, ...]:
        """Compare an organization's expenses with their details, document by document and in total.

        Once every document that has details agrees with them, the totals can only differ by expenses that have none.
        A single one that explains the whole difference is a warning: it was entered and its details were not. Several
        look the same as a details file that was cut off or exported for a shorter period, whose own ``Итого`` is right
        all the same: the totals decide, as they do where 1C exports both in one go.
        """
        details, bare, wrong = 0, [], []
        for expense in expenses:
            document = expense.document
            lines = self._sums.get(document.operation_id)
            if lines is not None:
                details += lines
                if lines != document.kopecks:
                    wrong.append(_details_sum(organization, expense, lines, self._places(document)))
            elif document.kopecks:
                bare.append(expense)
        total = sum(expense.document.kopecks for expense in expenses)
        without = sum(expense.document.kopecks for expense in bare)
        found = capped(wrong)
        if total != details and (len(bare) != 1 or total - details != without):
            disagree = problem("totals-disagree", organization=organization, total=_money(total), sum=_money(details))
            found = (disagree, *found)
        return (*found, *_details_absent(organization, bare))

    def _places(self, expense: Document) -> Sequence[_Place]:
        """Where its lines stand; the places are looked for when the first ones are asked for."""
        if not self._lines:
            for file in self._files:
                for document in file.snapshot.documents:
                    self._lines.setdefault(document.operation_id, []).append(_Place(file, document.row))
        return self._lines[expense.operation_id]


def _details_sum(organization: str, expense: Expense, lines: int, places: Sequence[_Place]) -> Problem:
    file, document = places[0].file, expense.document
    return problem(
        "details-sum",
        file=file.name,
        row=places[0].row,
        column=file.snapshot.main_title,
        value=document.operation_id,
        organization=organization,
        sum=_money(lines),
        total=_money(document.kopecks),
        other=phrase("row-of-file", row=document.row, file=expense.file),
        every_row=[place.row for place in places if place.file is file],
    )


def _details_absent(organization: str, bare: Sequence[Expense]) -> Iterator[Problem]:
    """Expenses without details, told once for each workbook that they stand in."""
    by_file: dict[str, list[Document]] = {}
    for expense in bare:
        by_file.setdefault(expense.file, []).append(expense.document)
    for file, documents in by_file.items():
        yield problem(
            "details-absent",
            file=file,
            row=documents[0].row,
            organization=organization,
            value=documents[0].operation_id,
            count=len(documents),
            sum=_money(sum(document.kopecks for document in documents)),
            every_row=[document.row for document in documents],
        )


def _money(kopecks: int) -> str:
    return money(amount_of_kopecks(kopecks))
