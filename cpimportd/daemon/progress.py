"""How far a run is, in a few words, from the stages that it tells of, and what it waits for."""

from collections.abc import Mapping
from typing import Final

from cpimportd.core.waiting import Wait
from cpimportd.daemon.messages import Begun, Stage, Waits

_DOING: Final = {
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
    """Follows one run.

    Attributes:
        run: its number, once it has one.
        reached_commit: whether it has begun to commit.
        waits: what it waits for now, what is trouble first.
    """

    def __init__(self) -> None:
        self.run: int | None = None
        self.reached_commit = False
        self.waits: tuple[Wait, ...] = ()
        self._stage = "fetch"
        self._files: dict[str, dict[str, Stage]] = {"fetch": {}, "read": {}}
        self._whole: dict[str, Stage] = {}

    @property
    def committing(self) -> bool:
        """Whether the run may be past COMMIT, so that a stop has to wait for it."""
        return self._stage in {"commit", "tell"}

    def take(self, heard: Begun | Stage | Waits) -> None:
        """Hear of one more step, or of what it waits for."""
        match heard:
            case Begun():
                self.run = heard.run
            case Waits():
                self.waits = heard.waits
            case Stage():
                self._take_stage(heard)

    def _take_stage(self, stage: Stage) -> None:
        self._stage = stage.stage
        self.reached_commit |= self.committing
        if stage.stage not in _BY_FILE:
            return
        if stage.file is not None:
            self._files[stage.stage][stage.file] = stage
            return
        before = self._whole.get(stage.stage)
        if before is not None and stage.done < before.done:
            self._files[stage.stage].clear()  # the server is looked at anew, or more has to be read
        self._whole[stage.stage] = stage

    def __str__(self) -> str:
        doing = _DOING.get(self._stage, self._stage)
        files = self._files.get(self._stage, {})
        of = self._how_many(files)
        if not of:
            return doing
        whole = min(1.0, sum(_share(stage) for stage in files.values()) / of)
        through = min(of, sum(stage.finished for stage in files.values()))
        return f"{doing} {through}/{of} files, {whole:.0%}".replace("%", " %")

    def _how_many(self, files: Mapping[str, Stage]) -> int:
        """Of how many files: as the run says or, where it is older than this daemon, as many as were seen."""
        whole = self._whole.get(self._stage)
        if whole is not None and whole.total is not None:
            return whole.total
        return max(len(files), len(self._files["fetch"])) if files else 0


def _share(stage: Stage) -> float:
    if stage.finished:
        return 1.0
    return min(1.0, stage.done / stage.total) if stage.total else 0.0
