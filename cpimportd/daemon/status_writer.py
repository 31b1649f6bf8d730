"""The status file, which ``cpimportd status`` and other verbs read; written when something has changed."""

from datetime import datetime
from pathlib import Path

from cpimportd.core.files import write_whole
from cpimportd.core.system import unusable
from cpimportd.daemon import status as document
from cpimportd.daemon.log import log_problem
from cpimportd.daemon.state import State


class StatusWriter:
    """Writes the status file; a failing disk is reported once, and retried at every turn of the loop.

    Args:
        state: the daemon's state.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._written = ""
        self._failing = False

    def write(self, line: str, now: datetime, monotonic: float) -> None:
        """Write the status if it has changed."""
        text = document.status_document(self._state, line, now, monotonic)
        if text == self._written:
            return
        path: Path = self._state.plan.runtime_directory / document.FILE
        try:
            write_whole(path, text, lasting=False)
        except OSError as error:
            if not self._failing:
                log_problem(unusable(path, error))
            self._failing = True
        else:
            self._written, self._failing = text, False
