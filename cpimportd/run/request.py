"""The request for one run, and the function that carries it out."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cpimportd.config.settings import Settings
from cpimportd.core.model import Group, Kind, Progress
from cpimportd.core.report import RunReport, RunStatus
from cpimportd.core.workbooks import Content
from cpimportd.documents.header import kind_by_name


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What one run is asked to do.

    Attributes:
        from_folder: take the workbooks from this folder instead of the configured source.
        dry_run: do everything but COMMIT.
        only: the kinds to import; a group is taken whole.
        strict: one held unit holds all; None for what the settings say.
        accepted: names of units whose plausibility problems a human accepts.
        accepted_files: per such unit, what is in the workbooks that the human has seen; others are not taken for them.
        requested_by: the human who asks for the run, for the history.
        schedule: whose slot this is; None for a run by hand.
        slot: the instant that was due.
        uploaded_after: where nothing is new and no workbook was uploaded after this instant, the run fails with
            ``upload-missing`` and leaves no trace in ``runs``: the daemon looks again later.
        alone: these workbooks are all that the run is about, as where somebody uploads some by hand: of units that none
            of them brings it says nothing.
        wait: the other half of an upload is waited for, as it is for a slot; without it the run is reported at once.
    """

    from_folder: Path | None = None
    dry_run: bool = False
    only: frozenset[Kind] = frozenset(Kind)
    strict: bool | None = None
    accepted: tuple[str, ...] = ()
    accepted_files: Mapping[str, tuple[Content, ...]] = field(default_factory=dict)
    requested_by: str | None = None
    schedule: str | None = None
    slot: datetime | None = None
    uploaded_after: datetime | None = None
    alone: bool = False
    wait: bool = False

    @property
    def groups(self) -> frozenset[Group]:
        """The groups of the kinds that it asks for."""
        return frozenset(kind.group for kind in self.only)

    @property
    def waits(self) -> bool:
        """Whether the other half of an upload is waited for."""
        return self.wait or self.slot is not None

    def wants(self, name: str) -> bool:
        """Whether a workbook of this name is fetched: it may hold a kind that is asked for."""
        kind = kind_by_name(name)
        return kind is None or kind.group in self.groups

    def is_strict(self, settings: Settings) -> bool:
        """Whether one held unit holds all."""
        return settings.guards.strict if self.strict is None else self.strict


class StageTimes:
    """Passes a run's progress on and keeps the time; a stage lasts until another one begins.

    Args:
        notify: called with how far the run is.
        clock: seconds on a clock that is never set back.
    """

    def __init__(self, notify: Callable[[Progress], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._notify = notify
        self._clock = clock
        self._spent: dict[str, float] = {}
        self._stage: str | None = None
        self._since = clock()

    def __call__(self, progress: Progress) -> None:
        """The run is so far."""
        if progress.stage != self._stage:
            self._spent = self.seconds
            self._stage, self._since = progress.stage, self._clock()
        self._notify(progress)

    @property
    def seconds(self) -> dict[str, float]:
        """Per stage, in the order in which they began; a stage that was entered again counts in all."""
        if self._stage is None:
            return {}
        return {**self._spent, self._stage: self._spent.get(self._stage, 0.0) + self._clock() - self._since}


@dataclass(slots=True)
class Run:
    """One run under way.

    Attributes:
        progress: called with how far it is.
        started_at: when it began, in UTC.
        run_id: its number, once it has one; a dry run has none.
        logs: the lines of the backend's import log that it wrote.
    """

    settings: Settings
    request: RunRequest
    progress: StageTimes
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.monotonic)
    run_id: int | None = None
    logs: tuple[int, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return time.monotonic() - self.began

    def report(self, status: RunStatus, **parts: object) -> RunReport:
        """Its report, with what else is known of it."""
        stages = self.progress.seconds
        return RunReport(self.run_id, status, self.started_at, self.seconds, stages=stages, **parts)  # type: ignore[arg-type]
