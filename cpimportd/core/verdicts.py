"""The decisions of the checks about each file, each unit, and the whole run."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from cpimportd.core.catalog import Effect
from cpimportd.core.model import Kind, Unit
from cpimportd.core.problems import Problem, printable, problem
from cpimportd.core.workbooks import Served, Snapshot

LIMIT = 20
"""As many of one kind are listed one by one; a file left on the server under its old name doubles thousands."""


def capped(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """The first :data:`LIMIT` problems of a list of one code, and a line that counts the rest."""
    if (more := len(problems) - LIMIT) <= 0:
        return tuple(problems)
    first = problems[0]
    rows = [one.row for one in problems[LIMIT:] if one.file == first.file and one.row is not None]
    rest = problem(
        "and-more",
        file=first.file,
        organization=first.organization,
        value=first.code,
        count=more,
        every_row=rows,
    )
    return (*problems[:LIMIT], rest)


def stops(found: Problem) -> bool:
    """Whether a problem holds what it concerns and nobody can override it."""
    return found.effect in (Effect.INTEGRITY, Effect.FAILS)


def name_of(missed: Problem) -> str:
    """The name of a workbook that was not fetched; one whose name was refused stands in no file's place."""
    return missed.file or missed.value or ""


def holds(problems: Sequence[Problem], accepted: Sequence[str] = ()) -> bool:
    """Whether any of these problems holds what they concern.

    Args:
        problems: what was found.
        accepted: codes of plausibility problems that a human overrode.
    """
    return any(
        stops(found) or (found.effect is Effect.PLAUSIBILITY and found.code not in accepted) for found in problems
    )


EXPORT_HOURS = frozenset({"orphan-detail", "details-sum", "totals-disagree"})
"""What goes wrong where 1C wrote expenses and details at different hours, each file being right in itself."""


def overridden(unit: Unit, problems: Iterable[Problem], accepted: Collection[str]) -> tuple[str, ...]:
    """Codes of a unit's plausibility problems, where a human accepts it.

    Args:
        unit: which.
        problems: all that was found.
        accepted: names of units, or as problems show them, with invisible characters escaped.
    """
    if unit.name not in accepted and printable(unit.name) not in accepted:
        return ()
    return tuple(sorted({found.code for found in problems if found.effect is Effect.PLAUSIBILITY}))


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What is thought of one workbook.

    Attributes:
        snapshot: what was read of it.
        kind: which documents it holds; None where neither name, header nor memory says.
        organizations: whose documents it holds, sorted; of a file that names nobody, whose it held last time.
        ignored: it takes no part: a copy of another file, of a kind that was not asked for, or without any document and
            of nobody.
        problems: everything that was noticed about the file, by its reader and here.
    """

    snapshot: Snapshot
    kind: Kind | None
    organizations: tuple[str, ...] = ()
    ignored: bool = False
    problems: tuple[Problem, ...] = ()

    @property
    def held(self) -> bool:
        """Whether the file is wrong, and so holds every unit that depends on it."""
        return not self.ignored and any(stops(found) for found in self.problems)

    @property
    def found_by_checks(self) -> tuple[Problem, ...]:
        """Its problems less those that its reader noticed, which stand in the snapshot."""
        read = frozenset(self.snapshot.problems)
        return tuple(found for found in self.problems if found not in read)


@dataclass(frozen=True, slots=True)
class UnitVerdict:
    """Whether a unit's files can be trusted.

    Attributes:
        file_nos: the files that it is made of.
        problems: why it is held, and warnings; of a wrong file the first problem of each code (the rest stand with
            the file).
        unchanged: all its files are those of last time: there is nothing to publish.
        accepted: codes of plausibility problems that a human overrode.
        gone: workbooks that served it and came no more, while others of their kind came: the books say whether any
            document is gone with them.
    """

    unit: Unit
    file_nos: frozenset[int]
    problems: tuple[Problem, ...] = ()
    unchanged: bool = False
    accepted: tuple[str, ...] = ()
    gone: tuple[Served, ...] = ()

    @property
    def held(self) -> bool:
        """Whether nothing of this unit is published today."""
        return holds(self.problems, self.accepted)

    @property
    def has_file(self) -> bool:
        """Whether a file brings it today, or would, could it be fetched: whom none brings may have been renamed."""
        return bool(self.file_nos) or any(stops(found) for found in self.problems)

    @property
    def closed(self) -> bool:
        """No file names the organization any more and a human accepted that: its documents are to be removed."""
        return not self.file_nos and not self.held

    @property
    def exports_disagree(self) -> bool:
        """Held only because expenses and details do not match: exported at different hours, they may in a while."""
        why = {found.code for found in self.problems if found.effect is not Effect.WARNS} - {"partner-held"}
        return bool(why) and why <= EXPORT_HOURS


Judged = TypeVar("Judged", UnitVerdict, "Judgement")


def held_by_others(unit: Unit, judged: Judged) -> Judged:
    """The same, held: with ``strict``, one held unit or file holds all."""
    if judged.held:
        return judged
    return replace(judged, problems=(*judged.problems, problem("strict", organization=unit.organization)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be published of today's files, before they are compared with the books.

    Attributes:
        units: by unit, in the units' order.
        files: by ``Snapshot.file_no``.
        problems: of the run as a whole: files that could not be fetched, accepts that name no unit.
    """

    units: Mapping[Unit, UnitVerdict]
    files: Mapping[int, FileVerdict]
    problems: tuple[Problem, ...] = ()

    @property
    def anything_held(self) -> bool:
        """Whether a unit or a file is held, one that was listed and not fetched included."""
        units, files = self.units.values(), self.files.values()
        return any(unit.held for unit in units) or any(file.held for file in files) or holds(self.problems)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a unit's difference to the books can be believed, or a human should look before it is published.

    Attributes:
        problems: what is remarkable, whether accepted or not.
        accepted: codes that a human overrode.
        rekeyed: old ``operation_id`` to new, where all documents come under new names with equal sums.
        retimed: old ``operation_id`` to new, where a document of the same number and year went and came.
        renamed_from: the organization without a file under which the books hold most of these documents. Its own rest
            takes part where it is named: the guards are asked once more, and what they say of it is said of its unit.
        stuck: rows that somebody else wrote to the unit could not be corrected, which holds it whatever else is found.
    """

    problems: tuple[Problem, ...] = ()
    accepted: tuple[str, ...] = ()
    rekeyed: Mapping[str, str] = field(default_factory=dict)
    retimed: Mapping[str, str] = field(default_factory=dict)
    renamed_from: str | None = None
    stuck: bool = False

    @property
    def held(self) -> bool:
        """Whether nothing of this unit is published today."""
        return self.stuck or holds(self.problems, self.accepted)
