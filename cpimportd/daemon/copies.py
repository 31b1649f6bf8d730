"""The copies of accepted configurations: each lives as long as anything that was started with it.

A run, an alert of one that died, and pruning are processes that read their configuration when they get to it. Where
another one is accepted meanwhile, theirs must still be there.
"""

from collections import Counter
from contextlib import suppress
from pathlib import Path

from cpimportd.daemon.plan import Plan, env_copy


class Copies:
    """Counts who uses which copy, and removes one that is in force no more when the last of them has ended."""

    def __init__(self) -> None:
        self._users: Counter[Path] = Counter()
        self._superseded: set[Path] = set()

    def take(self, plan: Plan) -> None:
        """Something is about to be started with this plan; told at once, before another one can be put in force."""
        self._users[plan.copy] += 1

    def release(self, plan: Plan) -> None:
        """It has ended."""
        self._users[plan.copy] -= 1
        self._tidy(plan)

    def supersede(self, plan: Plan) -> None:
        """The plan is in force no more, or never was; nothing more is started with it."""
        self._superseded.add(plan.copy)
        self._tidy(plan)

    def _tidy(self, plan: Plan) -> None:
        if plan.copy in self._superseded and self._users[plan.copy] <= 0:
            forget_copy(plan)
            self._superseded.discard(plan.copy)
            del self._users[plan.copy]


def forget_copy(plan: Plan) -> None:
    """Remove a plan's copy of the configuration, which may hold a password."""
    with suppress(OSError):
        plan.copy.unlink(missing_ok=True)
        env_copy(plan.copy).unlink(missing_ok=True)
