"""A configuration that was refused: remembered until another is accepted, or the file is again as it was loaded.

The daemon goes on by what it has; only a restart would meet the file on the disk, at the worst of times. So it is shown
wherever somebody looks, and not only in the answer to the reload.
"""

import hashlib
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from cpimportd.core.problems import Problem
from cpimportd.core.time import clock
from cpimportd.daemon.plan import Plan

_BLOCK: Final = 64 * 1024


class Refusal(msgspec.Struct, frozen=True):
    """What was refused.

    Attributes:
        at: when, in UTC; of several refusals of one text, the first.
        problems: why.
        file: the digest of the file then; None where it could not be read.
        differed: whether that was another file than the one in force; else something beside the file was wrong.
        changed: whether the file was written anew since: then nobody knows whether it is right.
    """

    at: datetime
    problems: tuple[Problem, ...]
    file: bytes | None
    differed: bool
    changed: bool = False

    def told(self, zone: tzinfo, now: datetime) -> str:
        """One sentence, without a full stop."""
        at = clock(self.at.replace(second=0), zone, now)
        if self.changed:
            return f"the file on the disk was refused at {at}, and changed since: have it read by `cpimportd reload`"
        what = "the file on the disk" if self.differed else "the configuration"
        return f"{what} was refused at {at}; a restart would fail"


def refused(before: Refusal | None, problems: tuple[Problem, ...], in_force: Plan, now: datetime) -> Refusal:
    """A reload was refused.

    Args:
        before: what was refused before, and not corrected since.
        problems: why.
        in_force: the plan that stays.
        now: the wall clock, in UTC.
    """
    file = _digest(Path(in_force.source))
    at = before.at if before is not None and before.file == file else now
    return Refusal(at, problems, file, file != _digest(in_force.copy))


def look_again(refusal: Refusal, in_force: Plan) -> Refusal | None:
    """What is left of a refusal: nothing where the file is as it was loaded."""
    file = _digest(Path(in_force.source))
    if refusal.differed and file is not None and file == _digest(in_force.copy):
        return None
    return replace(refusal, changed=file != refusal.file)


def _digest(path: Path) -> bytes | None:
    """What a file says, but for how its lines end; of its secrets nothing stays in memory."""
    found, block = hashlib.sha256(), bytearray(_BLOCK)
    try:
        with path.open("rb", buffering=0) as stream, memoryview(block) as view:
            while length := stream.readinto(view):
                begin = 0
                while (end := block.find(b"\r", begin, length)) >= 0:  # the copy of what was loaded has none
                    found.update(view[begin:end])
                    begin = end + 1
                found.update(view[begin:length])
    except OSError:
        return None
    finally:
        block[:] = bytes(_BLOCK)
    return found.digest()
