"""How far a run is, in a few words, from the stages that it tells of, and what it waits for."""

from typing import Final

from cpimportd.messages import Begun, Stage, Waits
from cpimportd.waiting import Wait

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
        if stage.file is not None and stage.stage in _BY_FILE:
            self._files[stage.stage][stage.file] = stage

    def __str__(self) -> str:
        doing = _DOING.get(self._stage, self._stage)
        files = self._files.get(self._stage)
        if not files:
            return doing
        of = max(len(files), len(self._files["fetch"]))
        whole = sum(_share(stage) for stage in files.values()) / of
        return f"{doing} {sum(stage.finished for stage in files.values())}/{of} files, {whole:.0%}".replace("%", " %")


def _share(stage: Stage) -> float:
    if stage.finished:
        return 1.0
    return min(1.0, stage.done / stage.total) if stage.total else 0.0
