"""Reloads the configuration: a valid one is put in force, an invalid one is refused and the old one stays."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from msgspec.structs import replace

from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.daemon import plan
from cpimportd.daemon.log import log_event, log_problem, set_log_timezone
from cpimportd.daemon.plan import Plan, remove_copy
from cpimportd.daemon.state import State
from cpimportd.timetable.calendar import clear_rule_cache


class Reloader:
    """Reads the plan again on request, and puts it in force between two runs.

    Args:
        state: the daemon's state; this class maintains ``plan``, ``refusal`` and the reloads of ``answers``.
        read_plan: reads the configuration.
    """

    def __init__(self, state: State, read_plan: Callable[[], Awaitable[Plan]]) -> None:
        self._state = state
        self._read_plan = read_plan
        self._accepted: Plan | None = None

    def request(self) -> bool:
        """Count a requested reload; returns whether :meth:`reload` has to be started for it."""
        is_first = self._state.answers.reloads_asked == self._state.answers.reloads_answered
        self._state.answers = replace(self._state.answers, reloads_asked=self._state.answers.reloads_asked + 1)
        return is_first

    async def reload(
        self, on_start: Callable[[], None], on_answer: Callable[[], None], now: Callable[[], datetime]
    ) -> None:
        """Read the configuration until every requested reload is answered by one that started after the request.

        Args:
            on_start: called before each reading.
            on_answer: called after each, accepted or refused.
            now: the wall clock, in UTC.
        """
        while (answers := self._state.answers).reloads_answered < answers.reloads_asked:
            on_start()
            refused: tuple[Problem, ...] = ()
            try:
                self._accept(await self._read_plan())
                self._state.refusal = None
            except ProblemError as error:
                refused = error.problems
                self._log_refusal(refused)
                self._state.refusal = plan.record_refusal(self._state.refusal, refused, self._last_accepted, now())
            self._state.answers = replace(self._state.answers, reloads_answered=answers.reloads_asked, refused=refused)
            on_answer()

    def _accept(self, plan: Plan) -> None:
        for found in plan.warnings:
            log_problem(found)
        now = self._state.plan
        if plan.state_directory != now.state_directory:
            log_problem(problem("config-restart", key="state_directory"))
            # Without systemd the runtime folder lies in it, and clients look for the status where the lock says.
            plan = replace(plan, state_directory=now.state_directory, runtime_directory=now.runtime_directory)
        if self._accepted is not None:
            self._state.copies.supersede(self._accepted)
        self._accepted = plan
        later = "" if self._state.running is None else "; it takes effect when this run is over"
        log_event(logging.INFO, "reloaded", f"the configuration was read again and is right{later}")

    @property
    def _last_accepted(self) -> Plan:
        """The last accepted plan, whether in force yet or not."""
        return self._accepted or self._state.plan

    def recheck_refusal(self) -> None:
        """Drop the refusal if the refused file was restored."""
        found = self._state.refusal
        if found is None:
            return
        self._state.refusal = plan.recheck(found, self._last_accepted)
        if self._state.refusal is None:
            log_event(logging.INFO, "refusal-over", "the configuration file is again as it was loaded")

    @staticmethod
    def _log_refusal(why: tuple[Problem, ...]) -> None:
        for found in why:
            log_problem(found)
        log_problem(problem("config-refused"), logging.ERROR)

    def put_in_force(self, now: datetime) -> bool:
        """Put the accepted plan in force, unless a run is in progress; returns whether the state has to be saved."""
        if self._accepted is None or self._state.running is not None:
            return False
        self._state.copies.supersede(self._state.plan)
        clear_rule_cache()  # the planner used the time zone rules that are on the disk now
        self._state.plan, self._accepted = self._accepted.with_reloaded_zones(), None
        set_log_timezone(self._state.plan.zone)
        self._state.slots.apply_plan(self._state.plan, now)
        return True

    def remove_copies(self) -> None:
        """Remove the copies of the configurations, at the daemon's end."""
        for accepted in (self._state.plan, self._accepted):
            if accepted is not None:
                remove_copy(accepted)
