"""From a command to a living daemon: configuration, lock, memory, signals, loop."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE
from datetime import timedelta
from pathlib import Path
from typing import Final

from cpimportd.core.files import unfinished
from cpimportd.core.leftovers import remove_abandoned
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, ProblemError, printable, problem
from cpimportd.core.system import exhausted, unusable
from cpimportd.daemon import journal, planning, run_notice
from cpimportd.daemon import status as document
from cpimportd.daemon.beginning import ours
from cpimportd.daemon.copies import forget_copy
from cpimportd.daemon.exhaustion import Exhaustion
from cpimportd.daemon.journal import tell, tell_problem
from cpimportd.daemon.lock import locked
from cpimportd.daemon.plan import COPY_PREFIX, RESCHEDULED, Plan, env_copy
from cpimportd.daemon.process import accepted_environment, launch, run_to_completion
from cpimportd.daemon.run_notice import RunNotices
from cpimportd.daemon.service import Daemon
from cpimportd.daemon.store import FILE, Store
from cpimportd.daemon.supervisor import Supervisor

_ALERTS: Final = "alerts.json"
_SPOOL: Final = "spool"
"""In the state folder, written by runs: see ``notify/delivery.py`` and ``config/settings.py``, never loaded here."""

PRUNING_WITHIN: Final = 600.0
"""Seconds that removing old files and journal entries may take."""

CRASH_REPORT_WITHIN: Final = 120.0
"""Seconds that telling of a run that died may take."""


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
        journal.tell_in(plan.zone)
        try:
            if no_journal is not None:
                raise ProblemError(no_journal)
            with locked(plan.state_directory, plan.runtime_directory):
                _tidy(plan)
                _wait_without_threads()
                asyncio.run(_serve(plan, configuration, supervisor))
        finally:
            forget_copy(plan)
    except ProblemError as error:
        return _not_started(error, supervisor)
    except Exception as error:
        found = exhausted(error)
        if found is None:
            raise
        return _not_started(ProblemError(found), supervisor)
    return 0


def _not_started(error: ProblemError, supervisor: Supervisor) -> int:
    for found in error.problems:
        tell_problem(found)
    supervisor.say(f"Not started: {error.problems[0]}")
    return error.exit_code


def _set_up_log(form: journal.Form) -> Problem | None:
    """Decide where log lines go; what is wrong with that is said as text."""
    try:
        journal.set_up(form, sys.stdout)
    except OSError as error:
        journal.set_up("text", sys.stdout)
        return problem("wrong-use", reason=phrase("no-journal", said=error.strerror), verb="daemon")
    return None


def _tidy(plan: Plan) -> None:
    """Remove what an earlier daemon left behind: what was rescheduled holds until the next start.

    One that was killed while it wrote a file leaves what it had begun, and runs that were killed leave their rows.
    """
    runtime, state = plan.runtime_directory, plan.state_directory
    ours_now = {plan.copy, env_copy(plan.copy)}
    copies = [path for path in runtime.glob(f"{COPY_PREFIX}*") if path not in ours_now]
    begun = [path for name in (document.FILE, RESCHEDULED) for path in unfinished(runtime / name)]
    for path in (
        *copies,
        *begun,
        *unfinished(state / FILE),
        *unfinished(state / run_notice.FILE),
        *unfinished(state / _ALERTS),
        runtime / RESCHEDULED,
    ):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ProblemError(unusable(path, error)) from error
    if left := remove_abandoned(state / _SPOOL):
        tell(logging.INFO, "tidied", f"removed what {left} runs left in the spool that were killed")


def _wait_without_threads() -> None:
    """Let asyncio wait for children by pidfd_open(2), as it does from Python 3.12 on: a thread may not be to be had."""
    if sys.version_info < (3, 12) and hasattr(os, "pidfd_open"):
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())


async def _serve(plan: Plan, configuration: Path | None, supervisor: Supervisor) -> None:
    try:
        daemon = Daemon(
            plan,
            Store(plan.state_directory),
            supervisor,
            launch,
            read_plan=lambda: planning.read_plan(configuration),
            prune=_prune,
            report_crashed_run=_report_crashed_run,
            elsewhere=RunNotices(plan.state_directory).take,
        )
    except OSError as error:
        raise ProblemError(unusable(error.filename or plan.state_directory, error)) from error
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(Exhaustion())
    for number, asked in (
        (signal.SIGTERM, daemon.stop),
        (signal.SIGINT, daemon.stop),
        (signal.SIGHUP, daemon.reload),
        (signal.SIGUSR1, daemon.trigger),
        (signal.SIGUSR2, daemon.tell_status),
        (signal.SIGCONT, daemon.look),
    ):
        loop.add_signal_handler(number, asked)
    await daemon.serve()


async def _prune(plan: Plan) -> None:
    """Remove what is older than its retention."""
    await _apart("pruned", PRUNING_WITHIN, "prune", "--config", str(plan.copy))


async def _report_crashed_run(plan: Plan, found: Problem, job: str) -> None:
    """Tell people of a run whose process can do it no more; whether anybody wants to know, the configuration says."""
    facts = json.dumps(found.facts, ensure_ascii=False)
    died = ("--died", found.code, found.message, "--facts", facts, "--job", job)
    await _apart("mourned", CRASH_REPORT_WITHIN, "alerts", "--config", str(plan.copy), *died)


async def _apart(event: str, within: float, *arguments: str) -> None:
    """Do something in a process of its own; what it complains of is logged."""
    argv = ours("cpimportd", *arguments)
    try:
        code, said = await run_to_completion(argv, within, stdout=DEVNULL, stderr=PIPE, environ=accepted_environment())
    except TimeoutError:
        raise ProblemError(problem("run-timeout", value=timedelta(seconds=within), known="")) from None
    except (OSError, RuntimeError) as error:
        raise ProblemError(
            exhausted(error) or problem("internal", reason=phrase("file-said", file=argv[0], said=str(error)))
        ) from error
    level = logging.WARNING if code else logging.INFO
    for line in said.decode(errors="replace").splitlines():
        journal.tell(level, event, printable(line))
