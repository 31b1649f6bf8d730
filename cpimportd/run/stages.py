"""How long each stage of a run took, told from what it says of its progress."""

import time
from collections.abc import Callable

from cpimportd.core.model import Progress


class Stages:
    """Passes a run's progress on and keeps the time; a stage lasts until another one begins.

    Args:
        tell: who is told how far the run is.
        clock: seconds on a clock that is never set back.
    """

    def __init__(self, tell: Callable[[Progress], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._spent: dict[str, float] = {}
        self._stage: str | None = None
        self._since = clock()

    def __call__(self, progress: Progress) -> None:
        """The run is so far."""
        if progress.stage != self._stage:
            self._spent = self.seconds
            self._stage, self._since = progress.stage, self._clock()
        self._tell(progress)

    @property
    def seconds(self) -> dict[str, float]:
        """Per stage, in the order in which they began; a stage that was entered again counts in all."""
        if self._stage is None:
            return {}
        return {**self._spent, self._stage: self._spent.get(self._stage, 0.0) + self._clock() - self._since}
