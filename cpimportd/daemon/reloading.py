"""The configuration is read again: accepted and put in force, or refused, and the old one stays."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from msgspec.structs import replace

from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.daemon import refusal
from cpimportd.daemon.copies import forget_copy
from cpimportd.daemon.journal import tell, tell_in, tell_problem
from cpimportd.daemon.plan import Plan
from cpimportd.daemon.state import State
from cpimportd.timetable.calendar import forget_rules


class Reloading:
    """Reads the plan again when asked, and puts it in force between two runs.

    Args:
        state: what the daemon knows; ``plan`` and ``answers`` are kept up here.
        read_plan: reads the configuration.
    """

    def __init__(self, state: State, read_plan: Callable[[], Awaitable[Plan]]) -> None:
        self._state = state
        self._read_plan = read_plan
        self._accepted: Plan | None = None

    def ask(self) -> bool:
        """Note that a reload is asked for; whether :meth:`reload` has to be started for it."""
        idle = self._state.answers.reloads_asked == self._state.answers.reloads_answered
        self._state.answers = replace(self._state.answers, reloads_asked=self._state.answers.reloads_asked + 1)
        return idle

    async def reload(
        self, begun: Callable[[], None], answered: Callable[[], None], now: Callable[[], datetime]
    ) -> None:
        """Read the configuration until every reload that was asked for is answered by one that began after it.

        Args:
            begun: called before each reading.
            answered: called after each, whatever came of it.
            now: the wall clock, in UTC.
        """
        while (answers := self._state.answers).reloads_answered < answers.reloads_asked:
            begun()
            refused: tuple[Problem, ...] = ()
            try:
                self._accept(await self._read_plan())
                self._state.refusal = None
            except ProblemError as error:
                refused = error.problems
                self._refuse(refused)
                self._state.refusal = refusal.refused(self._state.refusal, refused, self._latest, now())
            self._state.answers = replace(self._state.answers, reloads_answered=answers.reloads_asked, refused=refused)
            answered()

    def _accept(self, plan: Plan) -> None:
        for found in plan.warnings:
            tell_problem(found)
        now = self._state.plan
        if plan.state_directory != now.state_directory:
            tell_problem(problem("config-restart", key="state_directory"))
            # Off systemd the runtime folder lies in it; whoever asks for the status looks where the lock says.
            plan = replace(plan, state_directory=now.state_directory, runtime_directory=now.runtime_directory)
        if self._accepted is not None:
            self._state.copies.supersede(self._accepted)
        self._accepted = plan
        later = "" if self._state.running is None else "; it takes effect when this run is over"
        tell(logging.INFO, "reloaded", f"the configuration was read again and is right{later}")

    @property
    def _latest(self) -> Plan:
        """The plan that was accepted last, be it in force yet or not."""
        return self._accepted or self._state.plan

    def look_again(self) -> None:
        """Whether what was refused is still on the disk."""
        found = self._state.refusal
        if found is None:
            return
        self._state.refusal = refusal.look_again(found, self._latest)
        if self._state.refusal is None:
            tell(logging.INFO, "refusal-over", "the configuration file is again as it was loaded")

    @staticmethod
    def _refuse(why: tuple[Problem, ...]) -> None:
        for found in why:
            tell_problem(found)
        tell_problem(problem("config-refused"), logging.ERROR)

    def put_in_force(self, now: datetime) -> bool:
        """Put the plan that was accepted in force, unless a run is under way; whether anything is to be saved."""
        if self._accepted is None or self._state.running is not None:
            return False
        self._state.copies.supersede(self._state.plan)
        forget_rules()  # the child read the plan by the rules that are on the disk now
        self._state.plan, self._accepted = self._accepted.with_zones_read_anew(), None
        tell_in(self._state.plan.zone)
        self._state.slots.enforce(self._state.plan, now)
        return True

    def forget_copies(self) -> None:
        """Remove what was kept of the configurations: the daemon ends."""
        for plan in (self._state.plan, self._accepted):
            if plan is not None:
                forget_copy(plan)
