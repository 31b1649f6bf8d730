"""A run's progress in a few words, from its messages, and its current waits."""

from collections.abc import Mapping
from typing import Final

from cpimportd.core.waiting import Wait
from cpimportd.daemon.messages import CurrentWaits, RunStarted, Stage

STAGE_TEXTS: Final = {
    "fetch": "fetching",
    "read": "reading",
    "check": "checking",
    "publish": "publishing",
    "commit": "committing",
    "tell": "telling readers",
    "ask": "asking the database whether it published",
}
_BY_FILE: Final = frozenset({"fetch", "read"})


class Progress:
    """The progress of one run.

    Attributes:
        run: its number, once it has one.
        reached_commit: whether COMMIT has begun.
        waits: its current waits, those that need attention first.
    """

    def __init__(self) -> None:
        self.run: int | None = None
        self.reached_commit = False
        self.waits: tuple[Wait, ...] = ()
        self._stage = "fetch"
        self._files: dict[str, dict[str, Stage]] = {"fetch": {}, "read": {}}
        self._totals: dict[str, Stage] = {}

    @property
    def committing(self) -> bool:
        """Whether the run may be past COMMIT, so that a stop has to wait for it."""
        return self._stage in {"commit", "tell"}

    def update(self, message: RunStarted | Stage | CurrentWaits) -> None:
        """Apply a message of the run."""
        match message:
            case RunStarted():
                self.run = message.run
            case CurrentWaits():
                self.waits = message.waits
            case Stage():
                self._update_stage(message)

    def _update_stage(self, stage: Stage) -> None:
        self._stage = stage.stage
        self.reached_commit |= self.committing
        if stage.stage not in _BY_FILE:
            return
        if stage.file is not None:
            self._files[stage.stage][stage.file] = stage
            return
        before = self._totals.get(stage.stage)
        if before is not None and stage.done < before.done:
            self._files[stage.stage].clear()  # the server is listed again, or more has to be read
        self._totals[stage.stage] = stage

    def __str__(self) -> str:
        text = STAGE_TEXTS.get(self._stage, self._stage)
        files = self._files.get(self._stage, {})
        total = self._file_count(files)
        if not total:
            return text
        fraction = min(1.0, sum(_fraction_done(stage) for stage in files.values()) / total)
        finished_files = min(total, sum(stage.finished for stage in files.values()))
        return f"{text} {finished_files}/{total} files, {fraction:.0%}".replace("%", " %")

    def _file_count(self, files: Mapping[str, Stage]) -> int:
        """The number of files: as reported or, for a run of an older version, as many as were seen."""
        fraction = self._totals.get(self._stage)
        if fraction is not None and fraction.total is not None:
            return fraction.total
        return max(len(files), len(self._files["fetch"])) if files else 0


def _fraction_done(stage: Stage) -> float:
    if stage.finished:
        return 1.0
    return min(1.0, stage.done / stage.total) if stage.total else 0.0
