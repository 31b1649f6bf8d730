"""From a command to a living daemon: configuration, lock, memory, signals, loop."""

import asyncio
import logging
import signal
import subprocess
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Final

from cpimportd.daemon import journal, planning
from cpimportd.daemon.beginning import begin, ours
from cpimportd.daemon.journal import tell_problem
from cpimportd.daemon.lock import locked
from cpimportd.daemon.process import hear_out, launch
from cpimportd.daemon.reloading import forget_copy
from cpimportd.daemon.service import Daemon
from cpimportd.daemon.store import Store
from cpimportd.daemon.supervisor import Supervisor
from cpimportd.plan import COPY_PREFIX, RESCHEDULED, Plan
from cpimportd.problems import Problem, ProblemError, printable, problem

PRUNING_WITHIN: Final = 600.0
"""Seconds that removing old files and journal entries may take."""


def main(configuration: Path | None, form: journal.Form, child: "subprocess.Popen[str]") -> int:
    """Live until SIGTERM.

    Args:
        configuration: the file that ``--config`` names; None means the usual one.
        form: of log lines.
        child: reads the configuration already, while this module was imported.

    Returns:
        0 after an orderly stop; the exit code of what kept it from starting.
    """
    no_journal = _set_up_log(form)
    supervisor = Supervisor()
    try:
        plan = planning.finish(child)
        try:
            if no_journal is not None:
                raise ProblemError(no_journal)
            with locked(plan.state_directory, plan.runtime_directory):
                _tidy(plan)
                if any(schedule.rescheduled for schedule in plan.schedules):
                    forget_copy(plan)  # it was made before the file was gone that holds until this start
                    plan = planning.finish(begin(configuration))
                asyncio.run(_serve(plan, configuration, supervisor))
        finally:
            forget_copy(plan)
    except ProblemError as error:
        for found in error.problems:
            tell_problem(found)
        supervisor.say(f"Not started: {error.problems[0]}")
        return error.exit_code
    return 0


def _set_up_log(form: journal.Form) -> Problem | None:
    """Decide where log lines go; what is wrong with that is said as text."""
    try:
        journal.set_up(form)
    except OSError as error:
        journal.set_up("text")
        return problem("wrong-use", reason=f"there is no journal to write to: {error.strerror}", verb="daemon")
    return None


def _tidy(plan: Plan) -> None:
    """Remove what an earlier daemon left in the runtime folder: what was rescheduled holds until the next start."""
    left = [path for path in plan.runtime_directory.glob(f"{COPY_PREFIX}*") if path != plan.copy]
    for path in (*left, plan.runtime_directory / RESCHEDULED):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ProblemError(problem("disk", path=str(path), reason=error.strerror)) from error


async def _serve(plan: Plan, configuration: Path | None, supervisor: Supervisor) -> None:
    try:
        daemon = Daemon(
            plan,
            Store(plan.state_directory),
            supervisor,
            launch,
            read_plan=lambda: planning.read_plan(configuration),
            prune=_prune,
        )
    except OSError as error:
        raise ProblemError(problem("disk", path=str(error.filename), reason=error.strerror)) from error
    loop = asyncio.get_running_loop()
    for number, asked in (
        (signal.SIGTERM, daemon.stop),
        (signal.SIGINT, daemon.stop),
        (signal.SIGHUP, daemon.reload),
        (signal.SIGUSR1, daemon.trigger),
        (signal.SIGUSR2, daemon.tell_status),
    ):
        loop.add_signal_handler(number, asked)
    await daemon.serve()


async def _prune(plan: Plan) -> None:
    """Remove what is older than its retention, in a process of its own; what it complains of is logged."""
    argv = ours("cpimportd", "prune", "--config", str(plan.copy))
    try:
        code, said = await hear_out(argv, PRUNING_WITHIN, stdout=DEVNULL, stderr=PIPE)
    except TimeoutError:
        raise ProblemError(problem("run-timeout", value=f"{PRUNING_WITHIN:g} s")) from None
    level = logging.WARNING if code else logging.INFO
    for line in said.decode(errors="replace").splitlines():
        journal.tell(level, "pruned", printable(line))
