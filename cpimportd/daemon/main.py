"""The daemon's start: configuration, lock, record, signals, loop."""

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
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, ProblemError, printable, problem
from cpimportd.core.spool_locks import remove_abandoned
from cpimportd.core.system import exhausted, unusable
from cpimportd.daemon import log, planner_process, run_notice
from cpimportd.daemon import status as document
from cpimportd.daemon.command_lines import module_command
from cpimportd.daemon.lock import locked
from cpimportd.daemon.log import LoopExceptionHandler, log_event, log_problem
from cpimportd.daemon.plan import COPY_PREFIX, RESCHEDULED, Plan, env_copy, remove_copy
from cpimportd.daemon.process import launch, run_environment, run_to_completion
from cpimportd.daemon.run_notice import RunNotices
from cpimportd.daemon.service import Daemon
from cpimportd.daemon.store import FILE, Store
from cpimportd.daemon.supervisor import Supervisor

_ALERTS: Final = "alerts.json"
_SPOOL: Final = "spool"
"""In the state folder, written by runs: see ``notify/delivery.py`` and ``config/settings.py``, never loaded here."""

PRUNE_TIMEOUT: Final = 600.0
"""Seconds that removing old files and journal entries may take."""

CRASH_REPORT_TIMEOUT: Final = 120.0
"""Seconds that reporting a crashed run may take."""


def main(configuration: Path | None, form: log.Form, planner: "subprocess.Popen[str]") -> int:
    """Run the daemon until SIGTERM.

    Args:
        configuration: the file of ``--config``; None means the usual one.
        form: of log lines.
        planner: the child process that reads the configuration; it was started before this module was imported.

    Returns:
        0 after an orderly stop; otherwise the exit code of the problem that prevented the start.
    """
    logging_problem = _set_up_log(form)
    supervisor = Supervisor()
    try:
        plan = planner_process.wait_for_plan(planner)
        log.set_log_timezone(plan.zone)
        try:
            if logging_problem is not None:
                raise ProblemError(logging_problem)
            with locked(plan.state_directory, plan.runtime_directory):
                _remove_leftovers(plan)
                _watch_children_by_pidfd()
                asyncio.run(_serve(plan, configuration, supervisor))
        finally:
            remove_copy(plan)
    except ProblemError as error:
        return _report_start_failure(error, supervisor)
    except Exception as error:
        found = exhausted(error)
        if found is None:
            raise
        return _report_start_failure(ProblemError(found), supervisor)
    return 0


def _report_start_failure(error: ProblemError, supervisor: Supervisor) -> int:
    for found in error.problems:
        log_problem(found)
    supervisor.set_status(f"Not started: {error.problems[0]}")
    return error.exit_code


def _set_up_log(form: log.Form) -> Problem | None:
    """Choose the destination of log lines; if there is none, return the problem and log as text."""
    try:
        log.set_up_logging(form, sys.stdout)
    except OSError as error:
        log.set_up_logging("text", sys.stdout)
        return problem("wrong-use", reason=phrase("no-journal", said=error.strerror), verb="daemon")
    return None


def _remove_leftovers(plan: Plan) -> None:
    """Remove what an earlier daemon left behind, and rescheduled expressions, which expire at the start.

    A daemon that was killed leaves unfinished files, and killed runs leave their extracted rows in the spool.
    """
    runtime, state = plan.runtime_directory, plan.state_directory
    current_copies = {plan.copy, env_copy(plan.copy)}
    copies = [path for path in runtime.glob(f"{COPY_PREFIX}*") if path not in current_copies]
    unfinished_files = [path for name in (document.FILE, RESCHEDULED) for path in unfinished(runtime / name)]
    for path in (
        *copies,
        *unfinished_files,
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
        log_event(logging.INFO, "tidied", f"removed what {left} runs left in the spool that were killed")


def _watch_children_by_pidfd() -> None:
    """Have asyncio wait for children by pidfd_open(2), as from Python 3.12 on: starting a thread may fail."""
    if sys.version_info < (3, 12) and hasattr(os, "pidfd_open"):
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())


async def _serve(plan: Plan, configuration: Path | None, supervisor: Supervisor) -> None:
    try:
        daemon = Daemon(
            plan,
            Store(plan.state_directory),
            supervisor,
            launch,
            read_plan=lambda: planner_process.read_plan(configuration),
            prune=_prune,
            report_crashed_run=_report_crashed_run,
            take_notice=RunNotices(plan.state_directory).take,
        )
    except OSError as error:
        raise ProblemError(unusable(error.filename or plan.state_directory, error)) from error
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(LoopExceptionHandler())
    for number, handler in (
        (signal.SIGTERM, daemon.stop),
        (signal.SIGINT, daemon.stop),
        (signal.SIGHUP, daemon.reload),
        (signal.SIGUSR1, daemon.trigger),
        (signal.SIGUSR2, daemon.log_status),
        (signal.SIGCONT, daemon.wake),
    ):
        loop.add_signal_handler(number, handler)
    await daemon.serve()


async def _prune(plan: Plan) -> None:
    """Remove what is older than its retention."""
    await _run_subcommand("pruned", PRUNE_TIMEOUT, "prune", "--config", str(plan.copy))


async def _report_crashed_run(plan: Plan, found: Problem, job: str) -> None:
    """Send the alert of a crashed run, if alerts are configured."""
    facts = json.dumps(found.facts, ensure_ascii=False)
    crash_arguments = ("--died", found.code, found.message, "--facts", facts, "--job", job)
    await _run_subcommand("mourned", CRASH_REPORT_TIMEOUT, "alerts", "--config", str(plan.copy), *crash_arguments)


async def _run_subcommand(event: str, time_limit: float, *arguments: str) -> None:
    """Run one of cpimportd's commands as a process; its standard error is logged."""
    argv = module_command("cpimportd", *arguments)
    try:
        code, said = await run_to_completion(argv, time_limit, stdout=DEVNULL, stderr=PIPE, environ=run_environment())
    except TimeoutError:
        raise ProblemError(problem("run-timeout", value=timedelta(seconds=time_limit), known="")) from None
    except (OSError, RuntimeError) as error:
        raise ProblemError(
            exhausted(error) or problem("internal", reason=phrase("file-said", file=argv[0], said=str(error)))
        ) from error
    level = logging.WARNING if code else logging.INFO
    for line in said.decode(errors="replace").splitlines():
        log.log_event(level, event, printable(line))
