"""Whether the daemon does in time what it does: looks at the clock, notices a slot, writes again to a disk that works."""

from datetime import datetime, timedelta

A_MINUTE = 60.0
MOMENT = 0.001
"""Seconds: the roundness of clocks."""


class Punctuality:
    """Follows one life after the other, look by look.

    Args:
        longest_sleep: seconds; the longest sleep between two looks at the clock.
        busy_slice: seconds; the same while a run is under way.
    """

    def __init__(self, longest_sleep: float, busy_slice: float) -> None:
        self._slices = (longest_sleep, busy_slice)
        self._last: tuple[datetime, float, bool] | None = None
        self._unsaved_from = 0.0
        self.disturbed = True
        """Whether somebody moved the clock since the last look."""

    def begin(self) -> None:
        """Another life begins."""
        self._last, self.disturbed = None, True

    def looked(self, wall: datetime, monotonic: float, *, running: bool, unsaved: bool) -> None:
        """The daemon looked at the clock; what follows is measured from here."""
        if self.disturbed or not unsaved:
            self._unsaved_from = monotonic
        elif monotonic - self._unsaved_from > A_MINUTE + self._slices[0] + MOMENT:
            raise AssertionError(f"nothing was saved for {monotonic - self._unsaved_from} s, though the disk works")
        self._last, self.disturbed = (wall, monotonic, running), False

    def could_not_save(self, monotonic: float) -> None:
        """The disk failed."""
        self._unsaved_from = monotonic

    def has_not_overslept(self, monotonic: float) -> None:
        """Assert that the last look is no longer ago than a slice."""
        if self._last is not None:
            _, before, running = self._last
            limit = self._slices[1] if running else self._slices[0]
            assert monotonic - before <= limit + MOMENT, f"no look at the clock for {monotonic - before} s"

    def noticed(self, slot: datetime, wall: datetime) -> None:
        """Assert that a slot to which the clock came by itself, with nothing under way, is noticed on the second."""
        if self.disturbed or self._last is None:
            return
        before, _, running = self._last
        if before < slot and not running:
            assert wall - slot <= timedelta(seconds=MOMENT), f"{slot} was noticed only at {wall}"
