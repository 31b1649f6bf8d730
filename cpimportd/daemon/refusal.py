"""A refused configuration, remembered until another is accepted or the file is restored.

The daemon keeps the configuration in force, but a restart would fail on the file, at the worst of times. So the refusal
is shown in every status, not only in the answer to the reload.
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
        at: when, in UTC; the first of several refusals of the same text.
        problems: the reasons.
        file: the digest of the refused file; None if it could not be read.
        differed: whether the file differed from the one in force; otherwise the problem lies outside the file.
        changed: whether the file was written since, so that its validity is unknown.
    """

    at: datetime
    problems: tuple[Problem, ...]
    file: bytes | None
    differed: bool
    changed: bool = False

    def describe(self, zone: tzinfo, now: datetime) -> str:
        """One sentence, without a full stop."""
        at = clock(self.at.replace(second=0), zone, now)
        if self.changed:
            return f"the file on the disk was refused at {at}, and changed since: have it read by `cpimportd reload`"
        what = "the file on the disk" if self.differed else "the configuration"
        return f"{what} was refused at {at}; a restart would fail"


def record_refusal(before: Refusal | None, problems: tuple[Problem, ...], in_force: Plan, now: datetime) -> Refusal:
    """The refusal of a reload.

    Args:
        before: an earlier refusal that was not corrected since.
        problems: the reasons.
        in_force: the plan that stays.
        now: the wall clock, in UTC.
    """
    file = _digest(Path(in_force.source))
    at = before.at if before is not None and before.file == file else now
    return Refusal(at, problems, file, file != _digest(in_force.copy))


def recheck(refusal: Refusal, in_force: Plan) -> Refusal | None:
    """The refusal after another look at the file; None if the file is again the one in force."""
    file = _digest(Path(in_force.source))
    if refusal.differed and file is not None and file == _digest(in_force.copy):
        return None
    return replace(refusal, changed=file != refusal.file)


def _digest(path: Path) -> bytes | None:
    """The digest of a file without its carriage returns; its secrets do not stay in memory."""
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
