"""``run``: imports today's workbooks; with the parts that every verb that starts a run needs."""

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cpimportd.cli.arguments import INSTANT, NAME, SECONDS, FilePath, require_schedule
from cpimportd.cli.common import Call, config_option, current_user, json_option, verb
from cpimportd.cli.connect import run_async
from cpimportd.cli.output import Answer, confirm, print_problems, require_terminal

if TYPE_CHECKING:
    from rich.console import Console

    from cpimportd.config.load import Loaded
    from cpimportd.config.settings import Settings
    from cpimportd.core.problems import ProblemError
    from cpimportd.core.report import RunReport
    from cpimportd.run.request import RunRequest

_HELD = 3
_KINDS = ("receipts", "expenses", "details")


@click.command()
@config_option
@click.argument("files", nargs=-1, type=FilePath(exists=True, dir_okay=False), metavar="[FILE]...")
@click.option("--from", "folder", type=FilePath(exists=True, file_okay=False), metavar="FOLDER",
              help="Take the workbooks from this folder instead of the configured source.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Do everything but COMMIT, and show what would change.")
@click.option("--yes", is_flag=True, help="With FILEs: publish them without asking.")
@click.option("--only", multiple=True, type=click.Choice(_KINDS),
              help="Import this kind only (repeatable). Expenses and details go together.")  # fmt: skip
@click.option("--strict", is_flag=True, default=None, help="One held unit holds all.")
@click.option("--accept", "accepted", multiple=True, type=NAME, metavar="UNIT",
              help='Publish this unit although its difference is implausible, e.g. "ЛОТОС ООО/expenses" (repeatable). '
                   "Integrity checks cannot be overridden.")  # fmt: skip
@click.option("--wait", is_flag=True,
              help="Wait for the other half of an upload within retry.within, as the daemon's slots do.")  # fmt: skip
@click.option("--schedule", type=NAME, metavar="NAME", help="The schedule whose slot this run is for.")
@click.option(
    "--slot",
    type=INSTANT,
    metavar="INSTANT",
    help="The slot: an ISO instant with offset. Done slots are not done again.",
)
@click.option("--uploaded-after", type=INSTANT, metavar="INSTANT",
              help="Leave the slot due if nothing is new and no workbook was uploaded after this.")  # fmt: skip
@click.option("--again-within", type=SECONDS, metavar="SECONDS",
              help="The daemon retries a transient failure that comes this soon; no alert is sent for it.")  # fmt: skip
@click.option("--known-upload", type=INSTANT, metavar="INSTANT",
              help="Upload time of the newest known workbook; an alert is sent if none is newer.")  # fmt: skip
@click.option("--progress", "progress_form", type=click.Choice(["auto", "json", "none"]), default="auto",
              show_default=True, help="How progress is shown on stderr.")  # fmt: skip
@json_option
@verb(changes_something=True)
def run(
    call: Call,
    files: tuple[Path, ...],
    folder: Path | None,
    dry_run: bool,
    yes: bool,
    only: tuple[str, ...],
    strict: bool | None,
    accepted: tuple[str, ...],
    wait: bool,
    schedule: str | None,
    slot: datetime | None,
    uploaded_after: datetime | None,
    again_within: timedelta | None,
    known_upload: datetime | None,
    progress_form: str,
) -> Answer:
    """Import today's workbooks now.

    Fetches, reads and checks every workbook, and publishes the units that pass in one transaction. The others are held:
    nothing of them is published, and the report gives the reason. Running it again changes nothing. Expenses and
    details that do not match yet because 1C is still uploading are held at once; with --wait the run waits for the
    rest.

    With FILEs, workbooks that somebody has on his disk: shows what they would change, and asks. Other organizations are
    not concerned; of these, the files of the next night are taken as always. The history keeps who did it.

    Examples: `cpimportd run --dry-run` shows what would change; `cpimportd run --from /srv/1c-exports` reads a folder.
    Afterwards: `cpimportd summary`, `cpimportd diff RUN`. With a daemon you can also use `cpimportd trigger --wait`.
    """
    from cpimportd.core.model import Kind
    from cpimportd.core.problems import ProblemError
    from cpimportd.run.request import RunRequest

    if (slot is None) != (schedule is None):
        raise click.UsageError("--schedule and --slot go together")
    _require_one_source(files, folder, schedule, yes=yes)
    request = RunRequest(
        from_folder=folder,
        dry_run=dry_run,
        only=frozenset(Kind(name) for name in only) or frozenset(Kind),
        strict=strict,
        accepted=accepted,
        requested_by=None if schedule else current_user(),
        schedule=schedule,
        slot=slot,
        uploaded_after=uploaded_after,
        wait=wait,
    )
    try:
        settings = _usable_settings(call, schedule, needs_source=folder is None and not files)
    except ProblemError as error:
        if not call.as_json:
            raise
        return answer_of(_refused(error, progress_form), UTC)  # the zone is not used: this report is printed as JSON
    if files:
        return _import_files(call, files, replace(request, alone=True), progress_form, yes=yes)
    report = run_async(do_run(settings, request, progress_form, again_within, known_upload))
    if not dry_run and progress_form != "json":  # the daemon is notified by these messages
        notify_daemon(call.loaded, report, elsewhere=folder is not None, only=only)
    return answer_of(report, settings.zone)


def _usable_settings(call: Call, schedule: str | None, *, needs_source: bool) -> "Settings":
    from cpimportd.config.load import require_source

    settings = call.require_database()
    if needs_source:
        require_source(settings, call.loaded.path)
    if schedule is not None:
        require_schedule(settings, schedule, "run", enabled=False)
    return settings


def _require_one_source(files: tuple[Path, ...], folder: Path | None, schedule: str | None, *, yes: bool) -> None:
    if files and (folder is not None or schedule is not None):
        raise click.UsageError("FILEs are a source of their own: without --from, --schedule and --slot")
    if yes and not files:
        raise click.UsageError("--yes goes with FILEs")


def _import_files(
    call: Call, files: tuple[Path, ...], request: "RunRequest", progress_form: str, *, yes: bool
) -> Answer:
    """Show what somebody's files would change, ask, and publish them."""
    from cpimportd.render.layout import make_console
    from cpimportd.render.run import render
    from cpimportd.run.uploaded import laid_out

    settings = call.settings
    with laid_out(files) as folder:
        request = replace(request, from_folder=folder)
        if not yes and not request.dry_run:
            require_terminal()
            tried = run_async(do_run(settings, replace(request, dry_run=True), progress_form, None, None))
            render(tried, make_console(sys.stderr), zone=settings.zone)
            if tried.code not in {0, _HELD}:
                return Answer(lambda: tried, code=tried.code)
            confirm("Publish this?", "Nothing was published.")
        report = run_async(do_run(settings, request, progress_form, None, None))
    if not request.dry_run:
        notify_daemon(call.loaded, report, elsewhere=True)
    return answer_of(report, settings.zone)


def _refused(error: "ProblemError", progress_form: str) -> "RunReport":
    """The report of a run that the configuration did not let begin."""
    from cpimportd.core.report import RunReport, RunStatus
    from cpimportd.render.progress import choose_progress

    report = RunReport(None, RunStatus.FAILED, datetime.now(UTC), 0, problems=error.problems)
    choose_progress(progress_form).end(report)
    return report


async def do_run(
    settings: "Settings",
    request: "RunRequest",
    progress_form: str,
    again_within: timedelta | None,
    known_upload: datetime | None,
) -> "RunReport":
    """Do a run: show its progress, send heartbeats and alerts."""
    from cpimportd.notify.after_run import Occasion, run_with_notifications
    from cpimportd.render.progress import choose_progress
    from cpimportd.run.pipeline import run_once

    occasion = Occasion(
        dry_run=request.dry_run,
        elsewhere=request.from_folder is not None,
        kinds=request.only,
        schedule=request.schedule,
        slot=request.slot,
        again_within=again_within,
        known_upload=known_upload,
    )
    with choose_progress(progress_form, zone=settings.zone) as progress:
        report = await run_with_notifications(settings, occasion, run_once(settings, request, progress))
        progress.end(report)
        return report


def answer_of(report: "RunReport", zone: tzinfo) -> Answer:
    """The report as people or scripts want it; instants for people in the given zone."""

    def show(console: "Console") -> None:
        from cpimportd.render.run import render

        render(report, console, zone=zone)

    if report.run is None and not report.files:
        return Answer(lambda: report, lambda _: print_problems(report.problems), code=report.code)
    return Answer(lambda: report, show, code=report.code)


def notify_daemon(
    loaded: "Loaded", report: "RunReport", *, elsewhere: bool = False, only: tuple[str, ...] = ()
) -> None:
    """Leave the daemon a notice of a run that judged or changed the books; if it cannot be left, print why.

    Args:
        loaded: the configuration.
        report: of the run.
        elsewhere: its workbooks were not those on the server.
        only: the kinds that it was to import; empty means all.
    """
    from cpimportd.core.model import JUDGED
    from cpimportd.core.problems import ProblemError
    from cpimportd.core.workbooks import SeenWorkbook
    from cpimportd.daemon.client import Client
    from cpimportd.daemon.messages import RunResult
    from cpimportd.daemon.run_notice import RunNotice
    from cpimportd.render.progress import messages_of_report

    if report.status.value not in JUDGED:
        return
    told = list(messages_of_report(report))
    (result,) = (one for one in told if isinstance(one, RunResult))
    seen = () if elsewhere else tuple(one for one in told if isinstance(one, SeenWorkbook))
    ended = report.started_at + timedelta(seconds=report.seconds)
    try:
        word = RunNotice(report.started_at, ended, result, seen, only)
        Client(loaded.settings.state_directory).leave_notice(word)
    except ProblemError as error:
        print_problems(error.problems)
