"""``report`` and ``reconcile``: the jobs that a schedule can run, shown at a terminal or sent as alerts."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from cpimportd.cli.arguments import DAY, SECONDS, require_past
from cpimportd.cli.common import Call, config_option, json_option, verb
from cpimportd.cli.connect import run_async
from cpimportd.cli.output import Answer, print_problems, send_messages

if TYPE_CHECKING:
    from rich.console import Console

    from cpimportd.core.problems import Problem
    from cpimportd.core.waiting import Wait
    from cpimportd.notify.jobs import JobName, JobResult

_OPTIONS: Final = (
    config_option,
    click.option("--since", type=DAY, metavar="DATE", help="How far to look back, such as 2026-11-01."),
    click.option("--send", is_flag=True, help="Also send it to alerts.urls; if that fails it stays queued."),
    click.option(
        "--progress", "form", type=click.Choice(["json", "none"]), default="none", hidden=True,
        help="json: tell the daemon how it ended.",
    ),
    click.option(
        "--again-within", type=SECONDS, metavar="SECONDS", hidden=True,
        help="The daemon retries a transient failure that comes this soon; no alert is sent for it.",
    ),
    json_option,
)  # fmt: skip
"""Of both verbs."""


def _job_verb(work: Callable[..., int]) -> click.Command:
    """Make a function the verb of a job."""
    made: Callable[..., object] = verb(changes_something=("send",))(work)
    for option in reversed(_OPTIONS):
        made = option(made)
    return click.command()(made)


@_job_verb
def report(call: Call, **options: Any) -> int:  # noqa: ANN401 - those of _OPTIONS
    """What the last week brought: runs, what changed per organization, what is wrong, sums by month, workbooks.

    For a month: `cpimportd report --since 2026-11-01`. Every Monday, sent by the daemon: a section [schedules.weekly]
    with job = "report" and at = "Mon 08:00".
    """
    return _run_job_verb(call, "report", **options)


@_job_verb
def reconcile(call: Call, **options: Any) -> int:  # noqa: ANN401 - those of _OPTIONS
    """Compare the books with the control totals of their workbooks and with the journal, per organization.

    Names the differences, the run after which they appeared, and the remedy. Checks the journal of the last 40 days, or
    from --since on. Exit codes: 0 all agree · 3 they differ.

    Example: `cpimportd reconcile --since 2026-11-01`. On the first of every month, sent by the daemon: a section
    [schedules.monthly] with job = "reconcile" and at = "*-*-01 08:00".
    """
    return _run_job_verb(call, "reconcile", **options)


def _run_job_verb(
    call: Call, job: "JobName", *, since: datetime | None, send: bool, form: str, again_within: timedelta | None
) -> int:
    from cpimportd.core.problems import ProblemError
    from cpimportd.notify.after_run import notify_after_job

    began, loaded = time.monotonic(), None
    try:
        loaded = call.loaded
        begin = None if since is None else since.replace(tzinfo=loaded.settings.zone)
        require_past(begin, datetime.now(UTC))
        done = run_async(_run_job(call, job, begin, send=send, form=form))
    except ProblemError as error:
        if form != "json":  # a person reads the reason at the terminal
            raise
        untold: tuple[Problem, ...] = ()
        if loaded is not None:
            seconds = time.monotonic() - began
            untold = run_async(
                notify_after_job(loaded.settings, job, error.problems, seconds=seconds, again_within=again_within)
            )
        _report_to_daemon(job, error.exit_code, None, error.problems, untold)
        return error.exit_code
    if send:
        done = replace(done, problems=(*done.problems, *run_async(notify_after_job(loaded.settings, job, ()))))
    if form == "json":
        _report_to_daemon(job, done.code, done, done.problems)
    unsent = tuple(found for found in done.problems if found.code.startswith("alert"))

    def show(console: "Console") -> None:
        done.render(console)
        print_problems(unsent)

    if call.as_json or form == "none":
        more = {"unsent": unsent} if unsent else {}
        call.print(Answer(lambda: {**done.document, **more}, show))
    return done.code


async def _run_job(call: Call, job: "JobName", since: datetime | None, *, send: bool, form: str) -> "JobResult":
    import asyncpg

    from cpimportd.books.database.failures import translate
    from cpimportd.core.problems import ProblemError
    from cpimportd.core.waiting import report_waits_to
    from cpimportd.notify.jobs import run_job

    settings = call.require_database()
    try:
        with report_waits_to(_send_waits) if form == "json" else nullcontext():
            return await run_job(settings, job, since, send=send)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise ProblemError(translate(error)) from error


def _send_waits(waits: "tuple[Wait, ...]") -> None:
    """Send the daemon what a job waits for."""
    from cpimportd.daemon.messages import CurrentWaits

    send_messages(CurrentWaits(waits))


def _report_to_daemon(
    job: str, code: int, done: "JobResult | None", problems: "tuple[Problem, ...]", untold: "tuple[Problem, ...]" = ()
) -> None:
    """Send the daemon a job's lines for the journal, and how it ended."""
    import logging

    from cpimportd.daemon.messages import LogLine, RunResult, problem_line

    failed = problems if done is None else ()
    first = problems[0] if problems else None
    summary = f"{job}: {done.summary}" if done else f"{job} failed: {first}"
    level = logging.ERROR if failed else logging.WARNING
    lines = [LogLine(level if problems else logging.INFO, summary)]
    lines += [problem_line(found, level) for found in problems]
    lines += [problem_line(found, logging.WARNING) for found in untold]
    result = RunResult(
        None,
        done.status if done else "failed",
        code,
        summary,
        passing=bool(failed) and all(found.kind.passing for found in failed),
        codes=tuple(found.code for found in failed),
        problem=None if first is None else str(first),
        way_out=None if first is None else first.way_out,
    )
    send_messages(*lines, result)
