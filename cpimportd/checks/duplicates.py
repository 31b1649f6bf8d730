"""The same thing twice: whole files under two names, and documents in two rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from cpimportd.checks.attribution import AttributedFile
from cpimportd.checks.listing import capped
from cpimportd.model import Kind
from cpimportd.problems import Problem, problem


class _Place(NamedTuple):
    name: str
    row: int
    file_no: int


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

    Either file may be the wrong one, so both are told. Details have no key of their own: several lines of one
    document are what they are.
    """
    found: dict[int, list[Problem]] = {}
    for kind in (Kind.RECEIPTS, Kind.EXPENSES):
        for operation_id, places in _places(file for file in files if file.kind is kind).items():
            for file_no, duplicate in _told(operation_id, places):
                found.setdefault(file_no, []).append(duplicate)
    return {file_no: capped(problems) for file_no, problems in found.items()}


def _places(files: Iterable[AttributedFile]) -> dict[str, list[_Place]]:
    """Where each document stands that stands in more than one row.

    Hardly any does: only of these the places are looked up, as those of all would take much memory.
    """
    every = list(files)
    once: set[str] = set()
    found: dict[str, list[_Place]] = {}
    for file in every:
        for document in file.snapshot.documents:
            if document.operation_id in once:
                found[document.operation_id] = []
            once.add(document.operation_id)
    for file in every if found else ():
        for document in file.snapshot.documents:
            if document.operation_id in found:
                found[document.operation_id].append(_Place(file.name, document.row, file.file_no))
    return {operation_id: sorted(places) for operation_id, places in found.items()}


def _told(operation_id: str, places: Sequence[_Place]) -> Iterable[tuple[int, Problem]]:
    first, *others = places
    told = {first.file_no}
    for place in others:
        if place.file_no not in told:
            told.add(place.file_no)
            yield first.file_no, _duplicate(operation_id, first, place)
        yield place.file_no, _duplicate(operation_id, place, first)


def _duplicate(operation_id: str, here: _Place, there: _Place) -> Problem:
    other = f"row {there.row}" if there.file_no == here.file_no else f"row {there.row} of «{there.name}»"
    return problem("duplicate-document", file=here.name, row=here.row, value=operation_id, other=other)
