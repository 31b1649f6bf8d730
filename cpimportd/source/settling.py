"""Whether a file is written to the end, as far as that can be seen from outside.

FTP has no word for "done". A file that was last written at least ``stable_for`` ago, by the server's clock against
ours, is taken to be whole at once: usual mornings cost no waiting. Any other is looked at again:

- younger: until it is old enough and two looks agree;
- no time known (a server without MLSD and MDTM), or one that cannot be (before 2000, or more than a minute ahead of our
  clock: a server that tells local time east of Greenwich): until two looks ``stable_for`` apart agree;
- seen to change, or to be held by another program, though it seemed old (a clock that is wrong, local time west of
  Greenwich): likewise, whatever its time says.

All this only saves work: whether a file is whole is decided by its size before and after the transfer, and by the
workbook in it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.waiting import Wait, waiting
from cpimportd.source.contract import Entry, Look
from cpimportd.source.patience import Patience

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(minutes=1)
_SHORTEST_PAUSE = 0.05
_YOUNG = "it is younger than source.stable_for"


def age(look: Look, now: datetime) -> float | None:
    """Seconds since the file was last written; None where the server does not tell, or what it tells cannot be."""
    if look.modified is None or not _EARLIEST <= look.modified <= now + _AHEAD:
        return None
    return max(0.0, (now - look.modified).total_seconds())


async def settle(
    entry: Entry,
    look: Callable[[], Awaitable[Look]],
    stable_for: float,
    patience: Patience,
    *,
    doubt: str | None = None,
) -> Entry:
    """Wait until a file seems to be written to the end.

    Args:
        entry: the file as it was last seen.
        look: looks at it anew.
        stable_for: seconds without a change that count as the end.
        patience: how long to wait at most.
        doubt: why its modification time is not to be believed; None if nothing speaks against it.

    Returns:
        The file as it was seen at the end.

    Raises:
        ProblemError: still-uploading, and whatever ``look`` raises.
    """
    if doubt is None and _old_enough(entry.look, stable_for):
        return entry
    clock = asyncio.get_running_loop().time
    # The listing may have told another time than MDTM does; only looks of the same kind are compared.
    seen, since = await look(), clock()
    why = doubt or _YOUNG
    while True:
        pause = stable_for - (clock() - since)
        aged = age(seen, datetime.now(UTC)) if doubt is None else None
        if aged is not None:
            pause = stable_for - aged
        if pause <= 0:
            return replace(entry, look=Look(seen.size, seen.modified or entry.look.modified))
        pause = max(pause, _SHORTEST_PAUSE)
        if not patience.lasts(pause):
            raise ProblemError(problem("still-uploading", file=entry.name, reason=why))
        await _pause(pause, f"{entry.name}: {why}", patience, trouble=why != _YOUNG)
        now = await look()
        if now != seen:
            why = what_changed(seen, now)
            seen, since = now, clock()


async def _pause(seconds: float, why: str, patience: Patience, *, trouble: bool) -> None:
    """Wait, and say so; that a file is young is a usual morning, that it changes or is held somebody should know."""
    again = datetime.now(UTC) + timedelta(seconds=seconds)
    with waiting(Wait("upload", why, again, patience.ends, trouble=trouble)):
        await asyncio.sleep(seconds)


def what_changed(before: Look, after: Look) -> str:
    """In words, what two looks at one file differ in."""
    if before.size != after.size:
        return f"it had {before.size} bytes, then {after.size}"
    return "it was written anew"


def _old_enough(look: Look, stable_for: float) -> bool:
    aged = age(look, datetime.now(UTC))
    return stable_for == 0 or (aged is not None and aged >= stable_for)
