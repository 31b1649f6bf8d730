"""What ``cpimportd status`` and every other verb reads: the status file, written where something has changed."""

from datetime import datetime
from pathlib import Path

from cpimportd.core.files import write_whole
from cpimportd.core.system import unusable
from cpimportd.daemon import status as document
from cpimportd.daemon.journal import tell_problem
from cpimportd.daemon.state import State


class Showing:
    """Writes the status; a disk that fails is told of once, and tried again at every turn of the loop.

    Args:
        state: what the daemon knows.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._shown = ""
        self._failing = False

    def show(self, line: str, now: datetime, monotonic: float) -> None:
        """Write the status if it is not what was written last."""
        text = document.document(self._state, line, now, monotonic)
        if text == self._shown:
            return
        path: Path = self._state.plan.runtime_directory / document.FILE
        try:
            write_whole(path, text, lasting=False)
        except OSError as error:
            if not self._failing:
                tell_problem(unusable(path, error))
            self._failing = True
        else:
            self._shown, self._failing = text, False
