"""Decides for each of today's files and units whether it may be trusted, before the comparison with the books."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cpimportd.checks.attribution import AttributedFile, Claim, KnownExpenses, Memory, attribute, expense_index
from cpimportd.checks.crosscheck import DetailSums, Expense, ExpensesToday, orphan_details
from cpimportd.checks.files import control_total_problems, copies, duplicate_documents
from cpimportd.checks.units import (
    UnitParts,
    file_missing,
    file_problems,
    first_of_each_code,
    gather,
    merged,
    partner_problems,
)
from cpimportd.core.folding import near_hint
from cpimportd.core.model import Group, Kind
from cpimportd.core.problems import Problem, printable, problem
from cpimportd.core.verdicts import FileVerdict, UnitVerdict, Verdict, held_by_others, name_of, overridden, stops
from cpimportd.core.workbooks import Served, Snapshot

FileProblems = Mapping[int, tuple[Problem, ...]]


def integrity(
    snapshots: Sequence[Snapshot],
    served: Sequence[Served],
    *,
    known_expenses: KnownExpenses,
    similar_expenses: Collection[str] = (),
    fetch_problems: Sequence[Problem] = (),
    only: frozenset[Kind] = frozenset(Kind),
    strict: bool = False,
    accepted: frozenset[str] = frozenset(),
) -> Verdict:
    """Decide which files and units can be trusted.

    Args:
        snapshots: today's files. Those left unread as unchanged stand for what the books serve of the same content.
        served: what the books serve today.
        known_expenses: what the books know of the ids that :func:`unknown_expenses` names.
        similar_expenses: ids of expenses in the books that one of those that they do not know may only look like.
        fetch_problems: files that were listed and not fetched (:func:`name_of` them): they count as unreadable.
        only: the kinds that were asked for. Expenses and details are published together, so either asks for both.
        strict: one held unit, or file, holds all.
        accepted: names of units whose plausibility problems a human overrode; integrity cannot be overridden.

    Raises:
        ValueError: a unit is to be published, but one of its files was left unread though another changed; see
            :func:`files_to_parse`. A defect of the caller.
    """
    groups = frozenset(kind.group for kind in only)
    served = [entry for entry in served if entry.kind.group in groups]
    every = attribute(snapshots, Memory(served), known_expenses)
    asked_for = [file for file in every if _asked_for(file, groups)]
    copied = copies(asked_for)
    files = [file for file in asked_for if file.file_no not in copied]
    unfetched = [failure for failure in fetch_problems if stops(failure)]
    found = _problems_by_file(files, served, unfetched, (known_expenses, similar_expenses))
    wrong = _wrong(found)
    gathered = gather(files, wrong, served, unfetched)
    judge = _Judge(
        found=found,
        details=DetailSums(files),
        served=frozenset(Claim(entry.organization, entry.kind) for entry in served),
        unattributed=_may_hold_details(files, wrong, served, unfetched),
        accepted=accepted,
    )
    units = {unit: judge.unit(gathered[unit]) for unit in sorted(gathered)}
    names = [unit.name for unit in units]
    unknown = [
        problem("accept-unknown", value=name, near=near_hint(name, names))
        for name in sorted(accepted.difference(names, map(printable, names)))
    ]
    verdict = Verdict(
        units=units,
        files={file.file_no: _file_verdict(file, found, copied) for file in every},
        problems=(*fetch_problems, *unknown),
    )
    return _apply_strict(verdict) if strict else verdict


def _apply_strict(verdict: Verdict) -> Verdict:
    """Hold every unit that has something to publish, if any unit or file is held."""
    if not verdict.anything_held:
        return verdict
    units = {unit: one if one.unchanged else held_by_others(unit, one) for unit, one in verdict.units.items()}
    return replace(verdict, units=units)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Decides about one unit after the other."""

    found: FileProblems
    details: DetailSums
    served: frozenset[Claim]
    unattributed: tuple[str, ...]
    accepted: frozenset[str]

    def unit(self, parts: UnitParts) -> UnitVerdict:
        crosscheck = self._crosscheck(parts)
        problems = [
            *(found for file in parts.wrong for found in first_of_each_code(self.found[file.file_no])),
            *file_problems(parts, self.found),
            *partner_problems(parts, self.served, self.unattributed),
            *_lost_details(parts, crosscheck),
            *crosscheck,
        ]
        verdict = UnitVerdict(
            unit=parts.unit,
            file_nos=frozenset(file.file_no for file in parts.files),
            problems=tuple(problems),
            unchanged=bool(parts.files) and all(file.snapshot.unchanged for file in parts.files),
            accepted=overridden(parts.unit, problems, self.accepted),
            gone=tuple(entry for entry in merged(parts) if entry.kind is not Kind.DETAILS),
        )
        if verdict.held:
            return replace(verdict, unchanged=False)
        unread = [file.name for file in parts.files if file.snapshot.unchanged]
        if unread and (parts.gone or not verdict.unchanged):
            raise ValueError(f"{parts.unit.name} is to be published, but {unread} was not read")
        return verdict

    def _crosscheck(self, parts: UnitParts) -> tuple[Problem, ...]:
        """Compare expenses and details, where all rows of both are at hand."""
        both = [parts.of_kind(kind) for kind in Group.EXPENSES.kinds]
        if not all(both) or parts.unfetched or any(_rows_missing(file) for files in both for file in files):
            return ()
        organization = parts.unit.organization
        expenses = [
            Expense(file.name, document)
            for file in both[0]
            for document in file.snapshot.documents
            if document.organization == organization
        ]
        return self.details.compare(organization, expenses)


def _lost_details(parts: UnitParts, crosscheck: Sequence[Problem]) -> Iterator[Problem]:
    """Workbooks with details that are gone; where every expense has its details all the same, others hold theirs."""
    if any(found.code == "details-absent" for found in crosscheck):
        yield from (file_missing(entry) for entry in merged(parts) if entry.kind is Kind.DETAILS)


def _problems_by_file(
    files: Sequence[AttributedFile],
    served: Sequence[Served],
    unfetched: Sequence[Problem],
    of_books: tuple[KnownExpenses, Collection[str]],
) -> FileProblems:
    """Everything that is wrong with each file: what its reader found, its totals, duplicates, then orphans.

    Orphans come last: only what is wrong with the expenses says whether a missing one can be blamed on its file.
    """
    duplicates = duplicate_documents(files)
    found = {
        file.file_no: (
            *file.snapshot.problems,
            *control_total_problems(file.snapshot),
            *duplicates.get(file.file_no, ()),
        )
        for file in files
    }
    today = _expenses_today(files, _wrong(found), served, unfetched)
    for file in files:
        if file.kind is Kind.DETAILS:
            found[file.file_no] += orphan_details(file, today, *of_books)
    return found


def _expenses_today(
    files: Sequence[AttributedFile], wrong: Collection[int], served: Sequence[Served], unfetched: Sequence[Problem]
) -> ExpensesToday:
    gathered = gather([file for file in files if file.kind in (Kind.EXPENSES, None)], wrong, served, unfetched)
    complete = {
        unit.organization
        for unit, parts in gathered.items()
        if parts.right
        and not parts.wrong
        and not parts.unfetched
        and not any(file.snapshot.unchanged for file in parts.right)
    }
    doubtful = [file.name for file in files if file.file_no in wrong and file.kind in (Kind.EXPENSES, None)]
    memory = Memory(served)
    for name in map(name_of, unfetched):
        kinds = {claim.kind for claim in memory.of_name(name)}
        if not kinds or Kind.EXPENSES in kinds:
            doubtful.append(name)
    return ExpensesToday(expense_index(file.snapshot for file in files), frozenset(complete), tuple(sorted(doubtful)))


def _may_hold_details(
    files: Sequence[AttributedFile], wrong: Collection[int], served: Sequence[Served], unfetched: Sequence[Problem]
) -> tuple[str, ...]:
    """Names of wrong files of which neither content nor memory says whose they are, and that may hold details."""
    memory = Memory(served)
    unread = {
        file.name for file in files if file.file_no in wrong and not file.every and file.kind in (Kind.DETAILS, None)
    }
    unread |= {name for name in map(name_of, unfetched) if not memory.of_name(name)}
    return tuple(sorted(unread))


def _asked_for(file: AttributedFile, groups: Collection[Group]) -> bool:
    return file.kind is None or file.kind.group in groups


def _wrong(found: FileProblems) -> frozenset[int]:
    return frozenset(file_no for file_no, problems in found.items() if any(stops(one) for one in problems))


def _rows_missing(file: AttributedFile) -> bool:
    """Whether its reader left rows out, so that its sums say nothing about single documents."""
    return file.snapshot.unchanged or any(stops(found) for found in file.snapshot.problems)


def _file_verdict(file: AttributedFile, found: FileProblems, copied: Mapping[int, Problem]) -> FileVerdict:
    if file.file_no in found:
        problems = found[file.file_no]
        ignored = not file.every and not file.snapshot.documents and not any(map(stops, problems))
        if ignored:
            problems = (*problems, problem("file-without-documents", file=file.name))
    else:
        ignored, problems = True, (copied[file.file_no],) if file.file_no in copied else ()
    return FileVerdict(file.snapshot, file.kind, file.organizations, ignored, problems)
