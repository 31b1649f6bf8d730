"""How an import ended, and what that means: defined once, for reports, daemon, monitoring and queries.

The words are those of :class:`cpimportd.core.report.RunStatus`, as the database and the daemon's memory keep them.
"""

from collections.abc import Collection
from typing import Final

WELL: Final = frozenset({"published", "unchanged"})
"""Nothing was held: nothing needs attention."""

SUCCEEDED: Final = WELL | {"partial"}
"""The books are those of that day, except for held units, which are reported separately."""

JUDGED: Final = SUCCEEDED | {"held"}
"""It came so far as to say what is held; another try would change nothing, so that its slot is done."""

PUBLISHED: Final = ("published", "partial")
"""It published something."""

ENDED: Final = ("published", "unchanged", "partial", "held", "failed", "abandoned")
"""All that a run's row may say once the run is over, in the order in which they are listed."""

JOB: Final = "job:"
"""What the subject of a scheduled job that was not done begins with, among what is wrong; its name follows."""


def held_alone(status: str, organizations: Collection[str]) -> bool:
    """Whether a workbook of unknown organization is held: it belongs to no unit, so it is reported separately.

    Args:
        status: of the file, see :class:`cpimportd.core.report.FileStatus`.
        organizations: whose documents it holds.
    """
    return status == "held" and not organizations
