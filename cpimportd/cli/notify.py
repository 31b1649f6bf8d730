"""``alerts``, ``notify`` and ``metrics``: messages to people, caches, views and Prometheus."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cpimportd.cli.arguments import FilePath
from cpimportd.cli.common import Call, config_option, json_option, verb
from cpimportd.cli.connect import run_async
from cpimportd.cli.output import Answer, print_json, print_problems, send_messages

if TYPE_CHECKING:
    import asyncpg
    from rich.console import Console

    from cpimportd.books.publish.notices import Outstanding
    from cpimportd.books.reports.alerts import QueuedAlert, StoredCondition
    from cpimportd.config.settings import Settings
    from cpimportd.core.problems import Problem

    NotifyOutcome = tuple[Sequence[Outstanding], Mapping[str, tuple[Problem, ...]]]

_CRASH_CODES: Final = ("run-crashed", "run-broken-off", "run-timeout", "job-died")
_RUN_IN_PROGRESS: Final = 4


@click.command()
@config_option
@click.option("--test", is_flag=True, help="Send a test message to every url, and print the result for each.")
@click.option("--send", is_flag=True, help="Send what is queued.")
@click.option("--died", type=(click.Choice(_CRASH_CODES), str), metavar="CODE TEXT",
              hidden=True, help="Tell of a run that can do so no more; the daemon says this.")  # fmt: skip
@click.option("--facts", metavar="JSON", default="{}", hidden=True, help="What is known of its end.")
@click.option("--job", type=click.Choice(["import", "report", "reconcile"]), default="import", hidden=True,
              help="What the one that died was to do.")  # fmt: skip
@json_option
@verb(changes_something=("test", "send", "died"))
def alerts(call: Call, test: bool, send: bool, died: tuple[str, str] | None, facts: str, job: str) -> Answer | int:
    """What is wrong now, and the queue of alerts: unsent ones, and those sent last.

    Alerts are sent to alerts.urls when something becomes wrong, changes, or is over, and once a day while it lasts.
    After a change of alerts.urls run `cpimportd alerts --test`. Exit code 1 if an alert could not be sent.
    """
    if test and send:
        raise click.UsageError("give --test or --send, not both")
    if died is not None:
        return _report_crash(call.settings, *died, facts, job)
    if test:
        return _test(call.settings)
    return _queue(call, send=send)


def _report_crash(settings: "Settings", code: str, text: str, facts: str, job: str) -> int:
    from datetime import UTC, datetime

    from cpimportd.core.catalog import CATALOG
    from cpimportd.core.formatting import span
    from cpimportd.core.phrases import received_facts
    from cpimportd.core.problems import Problem, printable
    from cpimportd.core.report import RunReport, RunStatus
    from cpimportd.notify.after_run import Occasion, notify_after_job, notify_after_run

    limit = span(settings.daemon.run_time_limit) if code == "run-timeout" else None
    value, known = limit if job == "import" else job, received_facts(json.loads(facts))
    found = Problem(code, printable(text), CATALOG[code].way_out, value=value, facts=known)
    if job == "import":
        crashed_run = RunReport(None, RunStatus.FAILED, datetime.now(UTC), 0, problems=(found,))
        untold = run_async(notify_after_run(settings, Occasion(), crashed_run)).problems[1:]
    else:
        untold = run_async(notify_after_job(settings, job, (found,)))
    print_problems(untold)
    return 1 if untold else 0


def _test(settings: "Settings") -> Answer:
    from cpimportd.core.texts.translation import say_in
    from cpimportd.notify.jobs import require_urls
    from cpimportd.notify.sending import labelled_urls
    from cpimportd.notify.sending import send as send_to
    from cpimportd.notify.texts import test_title

    require_urls(settings)
    urls = labelled_urls([url.get_secret_value() for url in settings.alerts.urls])
    title = test_title(say_in(settings.alerts.language), settings.department_id)
    failed = run_async(send_to(urls, (title, title), "test", settings.alerts.timeout.total_seconds()))
    return Answer(
        lambda: {"urls": [{"url": name, "sent": name not in failed, "error": failed.get(name)} for name in urls]},
        "\n".join(f"{name}: {failed[name]}" if name in failed else f"{name}: sent" for name in urls),
        code=1 if failed else 0,
    )


def _queue(call: Call, *, send: bool) -> Answer:
    from cpimportd.books.reports.alerts import latest, wrong_now
    from cpimportd.notify.delivery import deliver
    from cpimportd.notify.jobs import require_urls
    from cpimportd.render.jobs import render_alerts, render_wrong

    settings = call.settings
    if send:
        require_urls(settings)
    number = settings.department_id

    async def read(
        connection: "asyncpg.Connection",
    ) -> "tuple[Sequence[Problem], Sequence[StoredCondition], Sequence[QueuedAlert]]":
        unsent = await deliver(connection, settings) if send else ()
        return unsent, await wrong_now(connection, number), await latest(connection, number)

    unsent, wrong, queued = call.read(read)

    def show(console: "Console") -> None:
        render_wrong(wrong, settings.zone, console)
        render_alerts(queued, settings.zone, console)
        print_problems(unsent)

    return Answer(
        lambda: {
            "wrong": wrong,
            "alerts": queued,
            "problems": unsent,
        },
        show,
        code=1 if unsent else 0,
    )


@click.command()
@config_option
@click.option("--progress", "form", type=click.Choice(["json", "none"]), default="none", hidden=True,
              help="How the daemon is told.")  # fmt: skip
@json_option
@verb(changes_something=True)
def notify(call: Call, form: str) -> int:
    """Clear caches and refresh views for runs that could not do it.

    Every run does that itself after its COMMIT. If its process crashed before, or the cache was unreachable, it is
    outstanding: `cpimportd status` and `cpimportd check` report that. The daemon and the next run retry by themselves;
    this does it now. Exit code 1 if something is still outstanding, 4 if a run is in progress, which does it.

    Example: `cpimportd notify`, after Redis was started again.
    """
    from cpimportd.core.problems import ProblemError

    _ = call.loaded  # a configuration that cannot be used ends it as it ends every verb
    try:
        found, problems = run_async(_notify(call))
    except ProblemError as error:
        if form == "json":
            # The next run reports a database that is away; a run that is under way notifies the readers itself.
            silent = error.passing or error.exit_code == _RUN_IN_PROGRESS
            _report_to_daemon(error.exit_code, "", () if silent else error.problems)
        if form == "json" or call.as_json:
            print_json({"told": [], "problems": error.problems})
            return error.exit_code
        raise
    untold = tuple(dict.fromkeys(every for why in problems.values() for every in why))
    notified = [one for one in found if not problems[one.target]]
    summary = "; ".join(one.done for one in notified)
    if form == "json":
        known = {every for one in found for every in one.problems}  # the journal has them already
        _report_to_daemon(1 if untold else 0, summary, tuple(new for new in untold if new not in known))
    if call.as_json:
        print_json({
            "told": [{"target": one.target, "runs": one.runs} for one in notified],
            "problems": untold,
        })  # fmt: skip
    elif form == "none":
        click.echo(summary or ("nothing was outstanding" if not found else "nothing could be done"))
        print_problems(untold)
    return 1 if untold else 0


async def _notify(call: Call) -> "NotifyOutcome":
    from cpimportd.run.notifying import notify_outstanding

    return await notify_outstanding(call.require_database())


def _report_to_daemon(code: int, summary: str, problems: "Sequence[Problem]") -> None:
    """Send the daemon the lines for its journal, and how it ended."""
    import logging

    from cpimportd.daemon.messages import LogLine, RunResult, problem_line

    lines = [LogLine(logging.INFO, summary)] if summary else []
    lines += [problem_line(found, found.effect.level) for found in problems]
    result = RunResult(None, "failed" if code else "done", code, summary, untold=bool(code))
    send_messages(*lines, result)


@click.command()
@click.option("--textfile", type=FilePath(dir_okay=False), metavar="PATH",
              help="Write them there in one step, for node_exporter's textfile collector; print nothing.")  # fmt: skip
@config_option
@verb(changes_something=("textfile",))
def metrics(call: Call, textfile: Path | None) -> None:
    """Print what Prometheus can watch: last success, durations, rows and sums, held units, freshness, missed slots.

    Needs the extra `metrics`. `cpimportd web` serves the same at /metrics. Sums are floats here; only the books
    are exact to the kopeck (`cpimportd summary`).

    Example: `cpimportd metrics --textfile /var/lib/prometheus/node-exporter/cpimportd.prom`. With the key
    metrics.textfile every run does that at its end.
    """
    from cpimportd.books.publish.notices import readers
    from cpimportd.core.problems import ProblemError, problem
    from cpimportd.notify.metrics import daemon_status, metrics_text, write_textfile

    settings = call.settings
    daemon, notified = daemon_status(settings.state_directory), readers(settings)
    text = call.read(lambda connection: metrics_text(connection, settings.department_id, daemon, notified))
    if textfile is None:
        click.echo(text, nl=False)
        return
    try:
        write_textfile(textfile, text)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ProblemError(problem("disk", path=str(textfile), reason=reason)) from error
