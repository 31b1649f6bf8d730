"""Finds today's files of each unit, its missing files, and the unchanged files that must be read nevertheless."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import takewhile
from types import MappingProxyType

from cpimportd.checks.attribution import AttributedFile, Claim, Memory, attribute
from cpimportd.checks.files import copies
from cpimportd.core.folding import fold
from cpimportd.core.model import Group, Kind, Unit
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import Problem, printable, problem
from cpimportd.core.verdicts import EXPORT_HOURS, name_of, stops
from cpimportd.core.workbooks import Served, Snapshot

_NAMED = 3
"""Further files that a unit's problem names."""

KIND_NAMES = {Kind.RECEIPTS: "receipts", Kind.EXPENSES: "expenses", Kind.DETAILS: "expense details"}


@dataclass(slots=True)
class UnitParts:
    """A unit's files of today.

    Attributes:
        right: files that name the organization and have nothing wrong.
        wrong: files that are wrong and name it, or brought it last time.
        unfetched: why files could not be fetched that brought it last time.
        gone: what it was made of last time and nothing today accounts for.
        kinds: the kinds that its files, right, wrong or unfetched, are there for.
    """

    unit: Unit
    right: list[AttributedFile] = field(default_factory=list)
    wrong: list[AttributedFile] = field(default_factory=list)
    unfetched: list[Problem] = field(default_factory=list)
    gone: list[Served] = field(default_factory=list)
    kinds: set[Kind] = field(default_factory=set)

    @property
    def files(self) -> list[AttributedFile]:
        """All its files that lie in the spool."""
        return [*self.right, *self.wrong]

    def of_kind(self, kind: Kind) -> list[AttributedFile]:
        """Its files of one kind."""
        return [file for file in self.files if file.kind is kind]


def gather(
    files: Sequence[AttributedFile],
    wrong: Collection[int],
    served: Sequence[Served],
    unfetched: Sequence[Problem] = (),
) -> Mapping[Unit, UnitParts]:
    """Put the files together, unit by unit.

    Args:
        files: those that take part, in the order of their names.
        wrong: the ``file_no`` of those that are wrong. A file is the atom of integrity, for its ``Итого`` covers all
            its rows: each of the organizations that it names, and that its name brought last time, depends on it.
        served: what the books serve.
        unfetched: files that could not be fetched; only their names speak for them.
    """
    memory = Memory(served)
    units: dict[Unit, UnitParts] = {}

    def parts(unit: Unit) -> UnitParts:
        return units.setdefault(unit, UnitParts(unit))

    for file in files:
        is_wrong = file.file_no in wrong
        claims = file.every if is_wrong else file.today
        for claim in claims:
            parts(claim.unit).kinds.add(claim.kind)
        for unit in {claim.unit for claim in claims}:
            (parts(unit).wrong if is_wrong else parts(unit).right).append(file)
    for failure in unfetched:
        claims = memory.of_name(name_of(failure))
        for claim in claims:
            parts(claim.unit).kinds.add(claim.kind)
        for unit in {claim.unit for claim in claims}:
            parts(unit).unfetched.append(failure)
    for entry in _gone(files, wrong, served, set(map(name_of, unfetched))):
        parts(Claim(entry.organization, entry.kind).unit).gone.append(entry)
    return units


def _gone(
    files: Sequence[AttributedFile], wrong: Collection[int], served: Sequence[Served], unfetched: Collection[str]
) -> list[Served]:
    """What served an organization last time and neither came today nor was replaced, one for one.

    Names mean little: where as many workbooks come under new names as are gone, each takes the place of an old one.
    Where fewer do, it is to be seen whether they hold the documents of all: see :func:`merged`. A file that is there
    under its old name and right, but names the organization no more, is gone.
    """
    by_name = {file.name: file for file in files}
    came = {(Claim(entry.organization, entry.kind), entry.file) for entry in served}
    new = Counter(claim for file in files for claim in file.today if (claim, file.name) not in came)

    def there(entry: Served) -> bool:
        file = by_name.get(entry.file)
        if file is None:
            return printable(entry.file) in unfetched
        return file.file_no in wrong or Claim(entry.organization, entry.kind) in file.today

    ordered = sorted(served, key=lambda entry: (entry.organization, entry.kind, entry.file))
    gone = [entry for entry in ordered if not there(entry)]
    lost = Counter(Claim(entry.organization, entry.kind) for entry in gone)
    return [entry for entry in gone if new[claim := Claim(entry.organization, entry.kind)] < lost[claim]]


def merged(parts: UnitParts) -> list[Served]:
    """Workbooks that are gone, and whose documents the unit's others of their kind may hold, all of which are right."""
    if parts.wrong or parts.unfetched:
        return []
    kinds = {file.kind for file in parts.right}
    return [entry for entry in parts.gone if entry.kind in kinds]


def file_problems(parts: UnitParts, found_in: Mapping[int, Sequence[Problem]]) -> tuple[Problem, ...]:
    """Why a unit is held because of its files: what could not be fetched, what is absent, and what is wrong."""
    found: list[Problem] = list(parts.unfetched)
    perhaps_merged = merged(parts)
    found.extend(file_missing(entry) for entry in parts.gone if entry not in perhaps_merged)
    if parts.right and (parts.unfetched or parts.wrong):
        found.append(_partner_held(parts.unit.organization, _to_blame(parts, found_in)))
    return tuple(found)


def _to_blame(parts: UnitParts, found_in: Mapping[int, Sequence[Problem]]) -> list[str]:
    """Names of the files to correct: those with a fault of their own, or that never came.

    A file that is wrong only because another one lacks its documents is right in itself.
    """
    own = {
        file.name
        for file in parts.wrong
        if any(stops(one) and one.code not in EXPORT_HOURS | {"expense-unseen"} for one in found_in[file.file_no])
    }
    names = [name_of(failure) for failure in parts.unfetched]
    names += [entry.file for entry in parts.gone] + [file.name for file in parts.wrong if file.name in own]
    return list(dict.fromkeys(names)) or [file.name for file in parts.wrong]


def _partner_held(organization: str, names: Sequence[str]) -> Problem:
    """Held because of other files: the first of them, and a few more by name."""
    first, *rest = names
    more = len(rest) - _NAMED
    listed = ", ".join(f"«{printable(name)}»" for name in rest[:_NAMED])
    others: Phrase | str = ""
    if more > 0:
        others = phrase("and-so-are-more", names=listed, more=more)
    elif rest:
        others = phrase("and-so-is" if len(rest) == 1 else "and-so-are", names=listed)
    return problem("partner-held", file=first, organization=organization, others=others)


def first_of_each_code(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """The first of those problems that hold, per code."""
    first: dict[str, Problem] = {}
    for found in problems:
        if stops(found):
            first.setdefault(found.code, found)
    return tuple(first.values())


def partner_problems(
    parts: UnitParts, ever_served: Collection[Claim], unattributed: Sequence[str]
) -> tuple[Problem, ...]:
    """What follows where one of expenses and details is there without the other.

    Details alone cannot be published: their expenses would be those of another day. Expenses alone can only where
    nobody ever exported details for the organization, which is said; but not while a file lies there that nobody can
    read or attribute and that may hold them.

    Args:
        parts: the unit.
        ever_served: what the books serve, from whatever file.
        unattributed: names of wrong files that may hold details of anybody; of which the one is named first whose
            name begins most like the unit's own.
    """
    if parts.unit.group is not Group.EXPENSES or not parts.files or len(parts.kinds) != 1:
        return ()
    organization = parts.unit.organization
    (present,) = parts.kinds
    absent = Kind.DETAILS if present is Kind.EXPENSES else Kind.EXPENSES
    if present is Kind.EXPENSES and Claim(organization, Kind.DETAILS) not in ever_served:
        if unattributed:
            return (_partner_held(organization, _most_alike_first(unattributed, parts.files)),)
        return (problem("details-never", organization=organization),)
    name = parts.files[0].name
    return (problem("partner-missing", file=name, organization=organization, missing=KIND_NAMES[absent]),)


def _most_alike_first(names: Sequence[str], files: Sequence[AttributedFile]) -> list[str]:
    def alike(name: str) -> int:
        return max(_same_beginning(fold(name), fold(file.name)) for file in files)

    return sorted(names, key=alike, reverse=True)


def _same_beginning(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def file_missing(entry: Served) -> Problem:
    """The problem of a workbook that is gone with its documents."""
    unit = Unit(entry.organization, entry.kind.group).name
    return problem("file-missing", file=entry.file, organization=entry.organization, unit=unit)


NOTHING_KNOWN: Mapping[str, tuple[str, Decimal]] = MappingProxyType({})


def files_to_parse(
    snapshots: Sequence[Snapshot],
    served: Sequence[Served],
    foreign_writes: frozenset[Unit] = frozenset(),
    *,
    known_expenses: Mapping[str, tuple[str, Decimal]] = NOTHING_KNOWN,
) -> frozenset[int]:
    """Say which of the files that were left unread as unchanged must be read in full after all.

    A unit is compared with the books as a whole: where one of its files changed, came or went, or somebody else wrote
    into its books, its other files are needed too, and with them the other units that those hold, until nothing
    more is needed. Details name their organizations through their expenses, which may lie in files not read yet: read
    what this gives and ask again, until it gives nothing.

    Args:
        snapshots: today's files, the changed ones read in full.
        served: what the books serve.
        foreign_writes: units whose books were changed by somebody else since.
        known_expenses: what the books know of the ids that :func:`unknown_expenses` names.
    """
    files = attribute(snapshots, Memory(served), known_expenses)
    copied = copies(files)
    files = tuple(file for file in files if file.file_no not in copied)
    changed = set(foreign_writes)
    changed |= {unit for unit, parts in gather(files, (), served).items() if parts.gone}
    # An unread file that the books know nothing of stands for nobody: it cannot be left unread.
    needed = {file.file_no for file in files if not file.snapshot.unchanged or not file.today}
    while True:
        changed |= {unit for file in files if file.file_no in needed for unit in _units(file)}
        further = {file.file_no for file in files if _units(file) & changed} - needed
        if not further:
            return frozenset(file.file_no for file in files if file.file_no in needed and file.snapshot.unchanged)
        needed |= further


def _units(file: AttributedFile) -> frozenset[Unit]:
    """The units that a file belongs to; one that changed also those that it brought last time."""
    claims = file.today if file.snapshot.unchanged else file.every
    return frozenset(claim.unit for claim in claims)
