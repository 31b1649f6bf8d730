"""What a publication is asked to do, and what it answers: the door between the pipeline and the books."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from cpimportd.model import Kind, Snapshot, Unit, UnitFacts
from cpimportd.problems import Problem
from cpimportd.report import FileStatus, RunStatus, UnitReport


@dataclass(frozen=True, slots=True)
class FilePlan:
    """One workbook of today.

    Attributes:
        snapshot: what was read.
        kind: of its documents; None where nobody can tell.
        organizations: whose documents it holds, or held last time where it can say nothing today.
        problems: what the checks found; they hold the file.
        ignored: its content came twice.
    """

    snapshot: Snapshot
    kind: Kind | None
    organizations: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """One unit that may be published.

    Attributes:
        unit: which.
        file_nos: the files it comes from; none where a human accepted that it has come to an end.
        put_right: the files did not change since the last publication, so what differs was written by somebody else;
            it counts only where the books do not remember how they were published (a version before 0005 did).
        problems: warnings to be told.
        accepted: codes of problems that a human accepted.
    """

    unit: Unit
    file_nos: frozenset[int]
    put_right: bool = False
    problems: tuple[Problem, ...] = ()
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a human or a guard says of one unit's difference to the books.

    Attributes:
        held: whether it stays out.
        problems: why, or warnings.
        accepted: codes that a human overrode.
        retimed: removed operation id → added one, where the two are one document.
        rekeyed: the same where every document came under a new id, and a human accepted it.
        renamed_from: the organization without a file under which the books hold most of these documents. Its own rest
            takes part where it is named: the guards are asked once more, and what they say of it is said of its unit.
    """

    held: bool = False
    problems: tuple[Problem, ...] = ()
    accepted: tuple[str, ...] = ()
    retimed: Mapping[str, str] = field(default_factory=dict)
    rekeyed: Mapping[str, str] = field(default_factory=dict)
    renamed_from: str | None = None


Judge = Callable[[Sequence[UnitFacts]], Mapping[Unit, Judgement]]


@dataclass(frozen=True, slots=True)
class Publication:
    """Everything that one publishing transaction is to do.

    Attributes:
        run_id: the run's number; None for a dry run, which is rolled back.
        department_id: the scope of every statement.
        zone: in which 1C writes its moments.
        files: today's workbooks by ``file_no``, less those that did not change.
        units: those that may be published.
        held: those that the integrity checks hold, to be recorded.
        judge: decides, from how the snapshot stands to the books, which units stay out after all.
        channel: of the NOTIFY.
        seconds: how long the run has lasted so far, for the backend's import log.
        closed_before: documents of earlier days are in a closed period; None: nothing is closed.
    """

    run_id: int | None
    department_id: int
    zone: ZoneInfo
    files: Mapping[int, FilePlan]
    units: Mapping[Unit, UnitPlan]
    held: Mapping[Unit, tuple[Problem, ...]]
    judge: Judge
    channel: str
    seconds: Callable[[], float] = lambda: 0.0
    closed_before: date | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did.

    Attributes:
        status: of the run.
        units: every unit that took part or was held.
        files: how each file fared, by ``file_no``.
    """

    status: RunStatus
    units: tuple[UnitReport, ...]
    files: Mapping[int, FileStatus]
