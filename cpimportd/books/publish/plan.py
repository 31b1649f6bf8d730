"""The request and the result of a publication: the types between the pipeline and the books."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cpimportd.core.model import Group, Kind, Unit
from cpimportd.core.problems import Problem
from cpimportd.core.report import FileStatus, RunStatus, UnitReport
from cpimportd.core.unit_facts import UnitFacts
from cpimportd.core.verdicts import FileVerdict, Judgement, UnitVerdict
from cpimportd.core.workbooks import Content

Judge = Callable[[Sequence[UnitFacts]], Mapping[Unit, Judgement]]
JudgeIfAccepted = Callable[[Sequence[UnitFacts], Collection[Unit]], Mapping[Unit, Judgement]]


class NewName(NamedTuple):
    """A workbook that serves as before and is called otherwise today."""

    kind: Kind
    organization: str
    before: str
    now: str
    content: Content


@dataclass(frozen=True, slots=True)
class Today:
    """What a run saw of units, whether it publishes them or not.

    Attributes:
        groups: that it looked for: of others it says nothing.
        file_nos: the workbooks of each unit that takes part, also of those that are held or did not change.
        contents: what is in them.
        whole: every workbook was fetched and says whose it is, so that a unit which is not here is nowhere.
        new_names: of workbooks that did not change.
    """

    groups: frozenset[Group] = frozenset()
    file_nos: Mapping[Unit, frozenset[int]] = field(default_factory=dict)
    contents: Mapping[Unit, tuple[Content, ...]] = field(default_factory=dict)
    whole: bool = False
    new_names: tuple[NewName, ...] = ()


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
        judge_if_accepted: decides the same as if a human had accepted some units; None: what held units would change is
            not found out.
        channel: of the NOTIFY.
        readers: who is to be told after COMMIT, by :data:`cpimportd.books.publish.notices.Target`.
        seconds: how long the run has lasted so far, for the backend's import log.
        closed_before: documents of earlier days are in a closed period; None: nothing is closed.
        today: what the run saw of all units.
        older: units with a workbook that was published before and superseded: whether it differs is asked.
        problems: of the run as a whole: files that could not be fetched among them.
        put_right: units whose files did not change since the last publication, so that what differs was written by
            somebody else; it counts only where the books do not remember how they were published.
    """

    run_id: int | None
    department_id: int
    zone: ZoneInfo
    files: Mapping[int, FileVerdict]
    units: Mapping[Unit, UnitVerdict]
    held: Mapping[Unit, tuple[Problem, ...]]
    judge: Judge
    channel: str
    judge_if_accepted: JudgeIfAccepted | None = None
    readers: tuple[str, ...] = ()
    seconds: Callable[[], float] = lambda: 0.0
    closed_before: date | None = None
    today: Today = field(default_factory=Today)
    older: frozenset[Unit] = frozenset()
    problems: tuple[Problem, ...] = ()
    put_right: frozenset[Unit] = frozenset()


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did.

    Attributes:
        units: every unit that took part or was held.
        files: how each file fared, by ``file_no``.
        logs: the lines that it wrote into the backend's import log.
    """

    status: RunStatus
    units: tuple[UnitReport, ...]
    files: Mapping[int, FileStatus]
    logs: tuple[int, ...] = ()

    @property
    def changed_books(self) -> bool:
        """Whether readers have to be told; a run that holds everything may still have corrected what others wrote."""
        published = self.status in {RunStatus.PUBLISHED, RunStatus.PARTIAL}
        return published or any(unit.put_right for unit in self.units)
