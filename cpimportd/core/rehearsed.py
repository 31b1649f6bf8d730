"""The result of a rehearsal: for each run, the differences from the past run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from cpimportd.core.model import Kind
from cpimportd.core.problems import Problem
from cpimportd.core.typed import json_keys


@dataclass(frozen=True, slots=True)
class SumDiffers:
    """What the books held then of an organization and kind, and what they would hold."""

    organization: str
    kind: Kind
    then: Decimal
    now: Decimal


@json_keys(now_held="units_held", now_held_files="files_held", no_longer_held="units_freed")
@dataclass(frozen=True, slots=True)
class RehearsedRun:
    """One archived run, repeated.

    Attributes:
        day: on which it took place, in the configuration's time zone.
        now: how it would end.
        first: nothing was in the books before, so that no guard could speak.
        now_held: units that were not held then, and why they would be.
        no_longer_held: units that were held then, and the codes of what held them.
        sums: what the books would hold differently afterwards, of units that are held neither then nor now.
        problems: why it would fail as a whole.
        now_held_files: workbooks of unknown organization that were not held then, and why they would be.
    """

    run: int
    day: date
    then: str
    now: str
    first: bool
    now_held: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    no_longer_held: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sums: tuple[SumDiffers, ...] = ()
    problems: tuple[Problem, ...] = ()
    now_held_files: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)

    @property
    def units_held(self) -> list[dict[str, object]]:
        """``now_held`` as scripts get it."""
        return [{"unit": unit, "problems": found} for unit, found in self.now_held.items()]

    @property
    def files_held(self) -> list[dict[str, object]]:
        """``now_held_files`` as scripts get it."""
        return [{"file": file, "problems": found} for file, found in self.now_held_files.items()]

    @property
    def units_freed(self) -> list[dict[str, object]]:
        """``no_longer_held`` as scripts get it."""
        return [{"unit": unit, "codes": codes} for unit, codes in self.no_longer_held.items()]

    @property
    def differs(self) -> bool:
        """Whether anything would be other than it was."""
        return bool(self.now_held or self.now_held_files or self.no_longer_held or self.sums or self.problems)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of it: the runs in the order of time, and where they were played."""

    runs: tuple[RehearsedRun, ...]
    place: str | None

    @property
    def code(self) -> int:
        """The command's exit code: 1 a run would fail, 3 a unit or workbook would now be held, else 0."""
        if any(run.problems for run in self.runs):
            return 1
        return 3 if any(run.now_held or run.now_held_files for run in self.runs) else 0
