"""Checks each file alone: whether it adds up, and whether anything is in it twice, in two rows or under two names."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from cpimportd.checks.attribution import AttributedFile
from cpimportd.core.folding import describe_differences, fold, with_code_points
from cpimportd.core.formatting import money
from cpimportd.core.identity import are_same_document, numbered, parse_identity
from cpimportd.core.model import KOPECK, Document, Kind, amount_of_kopecks
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import Problem, problem
from cpimportd.core.verdicts import capped, stops
from cpimportd.core.workbooks import Snapshot


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
        problem(
            "control-total",
            file=name,
            row=snapshot.total_row,
            column=column,
            sum=_exact(wrong),
            total=_exact(total),
            difference=_exact(gap),
        )
        for column, total in snapshot.control_totals.items()
        for wrong, gap in _differences(snapshot, column, total, main)
    )


def _exact(amount: Decimal) -> str:
    """A sum of any column, rates included: kopecks always, fractions of them where there are any."""
    return money(amount) if amount == amount.quantize(KOPECK) else f"{amount.normalize():f}"


def _differences(snapshot: Snapshot, column: str, total: Decimal, main: str) -> list[tuple[Decimal, Decimal]]:
    sums = [snapshot.sums.get(column, Decimal(0))]
    if column == main:
        # The reader's own sum and the documents that are going to be published must both agree with Итого: a slip
        # between the two would otherwise pass unseen.
        sums.append(amount_of_kopecks(sum(document.kopecks for document in snapshot.documents)))
    wrong = [(value, value - total) for value in sums if (value - total).quantize(KOPECK)]
    return wrong[:1]


_Why = Callable[[Document, Document], str | None]
"""The code of why two documents are one; None where they are two."""

_Key = tuple[_Why, *tuple[Hashable, ...]]
"""By what a document is found again, led by how it is decided whether two with one key are one."""

_NUMBERS_COMPARED: Final = 5
"""With as many documents of its number a document is compared: there are hardly ever two."""


class _Place(NamedTuple):
    name: str
    row: int
    file_no: int
    document: Document


def copies(files: Sequence[AttributedFile]) -> Mapping[int, Problem]:
    """Files that have the same content and kind as one before them by name: per ``file_no``, the warning.

    They are ignored. An old name left on the server would otherwise double everything.
    """
    first: dict[tuple[str, Kind | None], str] = {}
    found: dict[int, Problem] = {}
    for file in files:
        digest = file.snapshot.digest
        if not digest:
            continue
        original = first.setdefault((digest, file.kind), file.name)
        if original != file.name:
            found[file.file_no] = problem("same-content", file=file.name, other=original)
    return found


def duplicate_documents(files: Sequence[AttributedFile]) -> Mapping[int, tuple[Problem, ...]]:
    """Documents that stand in two rows, of one file or of two files of one kind: per ``file_no``, the problems.

    Two documents are one if their names fold alike, or if they have one number and year in one organization
    (`core.identity`). Either file may be the wrong one, so both are reported. Details have no key of their
    own: several lines of one document are allowed.
    """
    found: dict[int, dict[str, list[Problem]]] = {}
    for kind in (Kind.RECEIPTS, Kind.EXPENSES):
        for (why, *_), places in _repeated([file for file in files if file.kind is kind]).items():
            for file_no, duplicate in _pairs_of(sorted(places), why):
                found.setdefault(file_no, {}).setdefault(duplicate.code, []).append(duplicate)
    return {
        file_no: tuple(one for problems in by_code.values() for one in capped(problems))
        for file_no, by_code in found.items()
    }


def _repeated(files: Sequence[AttributedFile]) -> Mapping[_Key, list[_Place]]:
    """Per key that more than one document has, the places of its documents.

    Hardly any is: only of these the places are looked up, as those of all would take much memory. For the same reason
    it is the keys' hashes that are remembered.
    """
    once: set[int] = set()
    again: set[int] = set()
    for file in files:
        for document in file.snapshot.documents:
            for mark in map(hash, _keys(document)):
                (again if mark in once else once).add(mark)
    found: dict[_Key, list[_Place]] = {}
    for file in files if again else ():
        for document in file.snapshot.documents:
            for key in _keys(document):
                if hash(key) in again:
                    found.setdefault(key, []).append(_Place(file.name, document.row, file.file_no, document))
    return found


def _keys(document: Document) -> tuple[_Key, ...]:
    """Its folded name; its number; its number, whatever the letters, and its amount."""
    name = numbered(document.operation_id)
    if name is None:
        return ((_one_name, fold(document.operation_id)),)
    by_name: _Key = (_one_name, name.words, name.number, name.moment)
    if document.organization is None:
        return (by_name,)
    number = name.of_year(document.organization)
    return by_name, (_one_number, number, name.words, name.written), (_one_amount, number, document.kopecks)


def _one_name(here: Document, there: Document) -> str | None:
    if here.operation_id == there.operation_id:
        return "duplicate-document"
    return "document-lookalike" if fold(here.operation_id) == fold(there.operation_id) else None


def _one_number(here: Document, there: Document) -> str | None:
    return None if _one_name(here, there) else "number-twice"


def _one_amount(here: Document, there: Document) -> str | None:
    name, other = numbered(here.operation_id), numbered(there.operation_id)
    if name is None or other is None or (name.words, name.written) == (other.words, other.written):
        return None  # found by their number
    return _one_number(here, there) if are_same_document(name, here.kopecks, other, there.kopecks) else None


def _pairs_of(places: Sequence[_Place], why: _Why) -> Iterable[tuple[int, Problem]]:
    """Every place whose document stands in an earlier one, too; and of that one, once for each other file."""
    reported: set[tuple[_Place, int]] = set()
    for at, place in enumerate(places):
        earlier = places[: min(at, _NUMBERS_COMPARED)]
        found = next(((other, code) for other in earlier if (code := why(place.document, other.document))), None)
        if found is None:
            continue
        other, code = found
        if place.file_no != other.file_no and (other, place.file_no) not in reported:
            reported.add((other, place.file_no))
            yield other.file_no, _duplicate(code, other, place)
        yield place.file_no, _duplicate(code, place, other)


def _duplicate(code: str, here: _Place, there: _Place) -> Problem:
    same = there.file_no == here.file_no
    other = phrase("row", row=there.row) if same else phrase("row-of-file", row=there.row, file=there.name)
    name, twin = here.document.operation_id, there.document.operation_id
    if code == "document-lookalike":
        return problem(
            "document-lookalike",
            file=here.name,
            row=here.row,
            value=with_code_points(name, twin),
            twin=twin,
            other=other,
            characters=describe_differences(name, twin),
        )
    if code == "number-twice":
        letters = _letters(name, twin)
        return problem(
            "number-twice", file=here.name, row=here.row, value=name, twin=twin, other=other, letters=letters
        )
    return problem("duplicate-document", file=here.name, row=here.row, value=name, other=other)


def _letters(name: str, twin: str) -> Phrase | str:
    """How the numbers differ, where they only look the same."""
    number, other = parse_identity(name).number or "", parse_identity(twin).number or ""
    return phrase("numbers-differ", characters=describe_differences(number, other)) if number != other else ""
