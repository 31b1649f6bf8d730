"""``alerts``, ``report`` and ``reconcile``: the verbs that tell people, at a terminal or by alerts."""

import time
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cpimportd.cli.arguments import DAY, SECONDS, require_past
from cpimportd.cli.common import (
    config_option,
    guarded_deed_with,
    json_option,
    load,
    print_json,
    run_async,
    say,
    send_messages,
)

if TYPE_CHECKING:
    from cpimportd.config.load import Loaded
    from cpimportd.config.settings import Settings
    from cpimportd.core.problems import Problem
    from cpimportd.core.waiting import Wait
    from cpimportd.notify.jobs import Done, JobName

_DEATHS = ("run-crashed", "run-broken-off", "run-timeout", "job-died")
_since_option = click.option("--since", type=DAY, metavar="DATE", help="How far to look back, such as 2026-11-01.")
_send_option = click.option("--send", is_flag=True, help="Send it to alerts.urls, too; what does not go stays queued.")
_progress_option = click.option(
    "--progress", "form", type=click.Choice(["json", "none"]), default="none", hidden=True,
    help="json: tell the daemon how it ended.",
)  # fmt: skip
_again_option = click.option(
    "--again-within", type=SECONDS, metavar="SECONDS", hidden=True,
    help="A failure that may pass is tried again by the daemon if it comes so soon: no alert is sent of it.",
)  # fmt: skip


@click.command()
@config_option
@_since_option
@_send_option
@_progress_option
@_again_option
@json_option
@guarded_deed_with("send")
def report(
    config_file: Path | None,
    since: datetime | None,
    send: bool,
    form: str,
    again_within: timedelta | None,
    as_json: bool,
) -> int:
    """What the last week brought: runs, what changed per organization, what is wrong, sums by month, workbooks.

    For a month: `cpimportd report --since 2026-11-01`. Every Monday, sent by the daemon: a section [schedules.weekly]
    with job = "report" and at = "Mon 08:00".
    """
    return _do("report", config_file, since, send=send, form=form, again_within=again_within, as_json=as_json)


@click.command()
@config_option
@_since_option
@_send_option
@_progress_option
@_again_option
@json_option
@guarded_deed_with("send")
def reconcile(
    config_file: Path | None,
    since: datetime | None,
    send: bool,
    form: str,
    again_within: timedelta | None,
    as_json: bool,
) -> int:
    """Compare the books with the control totals of their workbooks and with the journal, per organization.

    Says where they differ, after which run it broke, and what to do. Breaks of the journal are told for the last 40
    days, or from --since on. Exit codes: 0 all agree · 3 they differ.

    Example: `cpimportd reconcile --since 2026-11-01`. On the first of every month, sent by the daemon: a section
    [schedules.monthly] with job = "reconcile" and at = "*-*-01 08:00".
    """
    return _do("reconcile", config_file, since, send=send, form=form, again_within=again_within, as_json=as_json)


def _do(
    job: "JobName",
    config_file: Path | None,
    since: datetime | None,
    *,
    send: bool,
    form: str,
    again_within: timedelta | None,
    as_json: bool,
) -> int:
    from cpimportd.core.problems import ProblemError
    from cpimportd.notify.alerting import tell_of_job
    from cpimportd.render.layout import stdout_console

    began, loaded = time.monotonic(), None
    try:
        loaded = load(config_file)
        begin = None if since is None else since.replace(tzinfo=loaded.settings.zone)
        require_past(begin, datetime.now(UTC))
        done = run_async(_job(loaded, job, begin, send=send, form=form))
    except ProblemError as error:
        if form != "json":  # whoever asked for it by hand reads why at the terminal
            raise
        untold: tuple[Problem, ...] = ()
        if loaded is not None:
            seconds = time.monotonic() - began
            untold = run_async(
                tell_of_job(loaded.settings, job, error.problems, seconds=seconds, again_within=again_within)
            )
        _tell_daemon(job, error.exit_code, None, error.problems, untold)
        return error.exit_code
    if send:
        done = replace(done, problems=(*done.problems, *run_async(tell_of_job(loaded.settings, job, ()))))
    if form == "json":
        _tell_daemon(job, done.code, done, done.problems)
    if as_json:
        unsent = [found for found in done.problems if found.code.startswith("alert")]
        print_json({**done.document, **({"unsent": unsent} if unsent else {})})
    elif form == "none":
        done.render(stdout_console())
        say(tuple(found for found in done.problems if found.code.startswith("alert")))
    return done.code


async def _job(loaded: "Loaded", job: "JobName", since: datetime | None, *, send: bool, form: str) -> "Done":
    import asyncpg

    from cpimportd.books.database.failures import translate
    from cpimportd.config.load import require_database
    from cpimportd.core.problems import ProblemError
    from cpimportd.core.waiting import told_to
    from cpimportd.notify.jobs import do

    require_database(loaded.settings, loaded.path)
    try:
        with told_to(_tell_waits) if form == "json" else nullcontext():
            return await do(loaded.settings, job, since, send=send)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise ProblemError(translate(error)) from error


def _tell_waits(waits: "tuple[Wait, ...]") -> None:
    """Let the daemon know what a job waits for."""
    from cpimportd.daemon.messages import Waits

    send_messages(Waits(waits))


def _tell_daemon(
    job: str, code: int, done: "Done | None", problems: "tuple[Problem, ...]", untold: "tuple[Problem, ...]" = ()
) -> None:
    """What the daemon hears of a job: a line for its journal each, and how it ended."""
    import logging

    from cpimportd.daemon.messages import Result, Said, said

    failed = problems if done is None else ()
    first = problems[0] if problems else None
    summary = f"{job}: {done.summary}" if done else f"{job} failed: {first}"
    level = logging.ERROR if failed else logging.WARNING
    lines = [Said(level if problems else logging.INFO, summary)]
    lines += [said(found, level) for found in problems]
    lines += [said(found, logging.WARNING) for found in untold]
    result = Result(
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


@click.command()
@config_option
@click.option("--test", is_flag=True, help="Send a test message to every url, and say for each whether it went.")
@click.option("--send", is_flag=True, help="Send what is queued.")
@click.option("--died", type=(click.Choice(_DEATHS), str), metavar="CODE TEXT",
              hidden=True, help="Tell of a run that can do so no more; the daemon says this.")  # fmt: skip
@click.option("--job", type=click.Choice(["import", "report", "reconcile"]), default="import", hidden=True,
              help="What the one that died was to do.")  # fmt: skip
@json_option
@guarded_deed_with("test", "send", "died")
def alerts(
    config_file: Path | None, test: bool, send: bool, died: tuple[str, str] | None, job: str, as_json: bool
) -> int:
    """What is wrong now, and the queue of alerts: what waits, and what was sent last.

    Alerts go to alerts.urls when something becomes wrong, changes, or is well again, and once a day while it lasts.
    After a change of alerts.urls try `cpimportd alerts --test`. Exit code 1 where a test, or something queued, did not
    go.
    """
    if test and send:
        raise click.UsageError("give --test or --send, not both")
    loaded = load(config_file)
    if died is not None:
        return _died(loaded.settings, *died, job)
    if test:
        return _test(loaded.settings, as_json=as_json)
    return _queue(loaded, as_json=as_json, send=send)


def _died(settings: "Settings", code: str, text: str, job: str) -> int:
    from datetime import UTC

    from cpimportd.core.problems import CATALOG, Problem, printable
    from cpimportd.core.report import RunReport, RunStatus
    from cpimportd.core.time import span
    from cpimportd.notify.alerting import Occasion, tell, tell_of_job

    limit = span(settings.daemon.run_time_limit) if code == "run-timeout" else None
    found = Problem(code, printable(text), CATALOG[code].way_out, value=limit if job == "import" else job)
    if job == "import":
        dead = RunReport(None, RunStatus.FAILED, datetime.now(UTC), 0, problems=(found,))
        untold = run_async(tell(settings, Occasion(), dead)).problems[1:]
    else:
        untold = run_async(tell_of_job(settings, job, (found,)))
    say(untold)
    return 1 if untold else 0


def _test(settings: "Settings", *, as_json: bool) -> int:
    from cpimportd.notify.jobs import require_urls
    from cpimportd.notify.sending import names_of
    from cpimportd.notify.sending import send as send_to
    from cpimportd.notify.texts import test_title

    require_urls(settings)
    urls = names_of([url.get_secret_value() for url in settings.alerts.urls])
    title = test_title(settings.alerts.language, settings.department_id)
    failed = run_async(send_to(urls, (title, title), "test", settings.alerts.timeout.total_seconds()))
    if as_json:
        print_json({"urls": [{"url": name, "sent": name not in failed, "error": failed.get(name)} for name in urls]})
    else:
        for name in urls:
            click.echo(f"{name}: {failed[name]}" if name in failed else f"{name}: sent")
    return 1 if failed else 0


def _queue(loaded: "Loaded", *, as_json: bool, send: bool) -> int:
    from cpimportd.books.reports.alerts import latest, wrong_now
    from cpimportd.cli.looking import reading
    from cpimportd.notify.delivery import deliver
    from cpimportd.notify.jobs import require_urls
    from cpimportd.render.jobs import render_alerts, render_wrong
    from cpimportd.render.layout import stdout_console

    settings = loaded.settings
    if send:
        require_urls(settings)
    number = settings.department_id
    unsent = run_async(reading(loaded, lambda connection: deliver(connection, settings))) if send else ()
    wrong = run_async(reading(loaded, lambda connection: wrong_now(connection, number)))
    queued = run_async(reading(loaded, lambda connection: latest(connection, number)))
    if as_json:
        found = {"wrong": wrong, "alerts": queued}
        print_json({**found, "problems": unsent})
    else:
        console = stdout_console()
        render_wrong(wrong, settings.zone, console)
        render_alerts(queued, settings.zone, console)
        say(unsent)
    return 1 if unsent else 0
