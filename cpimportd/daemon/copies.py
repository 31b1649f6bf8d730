"""Copies of accepted configurations. Each is kept as long as a process that was started with it.

A run, the alert of a crashed one, and pruning are processes that read their configuration some time after their
start. If another configuration is accepted meanwhile, theirs must still exist.
"""

from collections import Counter
from contextlib import suppress
from pathlib import Path

from cpimportd.daemon.plan import Plan, env_copy


class ConfigCopies:
    """Counts the users of each copy, and removes a superseded copy when its last user has ended."""

    def __init__(self) -> None:
        self._users: Counter[Path] = Counter()
        self._superseded: set[Path] = set()

    def acquire(self, plan: Plan) -> None:
        """Count a user, before it starts: no other plan can come into force in between."""
        self._users[plan.copy] += 1

    def release(self, plan: Plan) -> None:
        """Count a user off."""
        self._users[plan.copy] -= 1
        self._remove_if_unused(plan)

    def supersede(self, plan: Plan) -> None:
        """Mark a plan with which nothing more will be started."""
        self._superseded.add(plan.copy)
        self._remove_if_unused(plan)

    def _remove_if_unused(self, plan: Plan) -> None:
        if plan.copy in self._superseded and self._users[plan.copy] <= 0:
            remove_copy(plan)
            self._superseded.discard(plan.copy)
            del self._users[plan.copy]


def remove_copy(plan: Plan) -> None:
    """Remove a plan's copy of the configuration, which may hold a password."""
    with suppress(OSError):
        plan.copy.unlink(missing_ok=True)
        env_copy(plan.copy).unlink(missing_ok=True)
