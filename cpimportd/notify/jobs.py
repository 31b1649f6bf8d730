"""The scheduled jobs other than imports: the weekly summary and the monthly reconciliation."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from rich.console import Console

from cpimportd.books.database.connection import opened
from cpimportd.books.reports import alerts as queue
from cpimportd.books.reports.reconciliation import Reconciliation, reconcile
from cpimportd.books.reports.weekly import Weekly, weekly
from cpimportd.books.schema.upgrade import require_current
from cpimportd.config.settings import Settings
from cpimportd.core.formatting import day
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.texts.translation import say_in, spoken
from cpimportd.core.typed import to_json
from cpimportd.notify.delivery import deliver
from cpimportd.notify.texts import place, shortened
from cpimportd.render.jobs import render_reconciliation, render_weekly
from cpimportd.render.layout import unwrapped

JobName = Literal["report", "reconcile"]

WEEK: Final = timedelta(days=7)
LOOK_BACK: Final = timedelta(days=40)
"""The period of the journal that a monthly reconciliation checks: a month, and a late slot."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """The result of a job.

    Attributes:
        status: ``reported``, ``equal`` or ``different``.
        summary: one sentence without a full stop.
        document: the whole as JSON.
        render: prints it for people.
        problems: differences of the accounts, and failed notifications.
    """

    status: str
    summary: str
    document: dict[str, object]
    render: Callable[[Console], None]
    problems: tuple[Problem, ...] = ()

    @property
    def code(self) -> int:
        """The exit code: 3 where the accounts differ."""
        return 3 if self.status == "different" else 0


async def run_job(settings: Settings, job: JobName, since: datetime | None = None, *, send: bool = False) -> JobResult:
    """Run a job.

    Args:
        settings: the effective settings.
        job: its name.
        since: start of the period; None for the default.
        send: whether to send the result as an alert; if that fails it stays queued.

    Raises:
        ProblemError: the database is unreachable or not ready; ``alerts.urls`` is not set.
    """
    if send:
        require_urls(settings)
    now = datetime.now(UTC)
    async with opened(settings.database) as connection:
        await require_current(connection)
        number = settings.department_id
        if job == "report":
            done = _summary_result(settings, await weekly(connection, number, since or now - WEEK, now))
        else:
            done = _reconciliation_result(await reconcile(connection, number, since or now - LOOK_BACK, settings.zone))
        if not send:
            return done
        async with queue.locked_conditions(connection, number) as notes:
            occasion = "report" if job == "report" else "reconciliation"
            await notes.queue(occasion, job, _title(settings, done), _body(settings, done), None)
        unsent = await deliver(connection, settings)
        return JobResult(done.status, done.summary, done.document, done.render, (*done.problems, *unsent))


def require_urls(settings: Settings) -> None:
    """Require ``alerts.urls``.

    Raises:
        ProblemError: ``config-incomplete``.
    """
    if not settings.alerts.urls:
        key, variable = "alerts.urls", "CPIMPORTD_ALERTS__URLS"
        raise ProblemError(problem("config-incomplete", key=key, place=phrase("the-configuration"), variable=variable))


def _summary_result(settings: Settings, found: Weekly) -> JobResult:
    runs = f"{len(found.runs)} runs since {day(found.since, settings.zone)}"
    summary = f"{runs}, {len(found.wrong)} things wrong now"
    return JobResult("reported", summary, to_json(found), lambda console: render_weekly(found, settings.zone, console))


def _reconciliation_result(found: Reconciliation) -> JobResult:
    differ = len(found.problems)
    summary = f"{differ} differences" if differ else f"{len(found.accounts)} accounts agree"
    status = "different" if differ else "equal"
    return JobResult(
        status, summary, to_json(found), lambda console: render_reconciliation(found, console), found.problems
    )


def _title(settings: Settings, done: JobResult) -> str:
    say, found = say_in(settings.alerts.language), done.document
    if done.status == "equal":
        text = say("alert", "reconciled: books, workbooks and journal agree")
    elif done.status == "different":
        text = say("alert", "NOT reconciled: {wrong} differences").format(wrong=len(done.problems))
    else:
        since = day(datetime.fromisoformat(str(found["since"])), settings.zone)
        runs, wrong = found["runs"], found["wrong"]
        assert isinstance(runs, dict)  # noqa: S101  as Weekly has it
        assert isinstance(wrong, list)  # noqa: S101
        summary = say("alert", "summary since {since}: {runs} runs, {wrong} things wrong")
        text = summary.format(since=since, runs=sum(runs.values()), wrong=len(wrong))
    return place(say, settings.department_id) + text


def _body(settings: Settings, done: JobResult) -> str:
    stream = io.StringIO()
    console = Console(file=stream, highlight=False, markup=False, emoji=False, force_terminal=False, no_color=True)
    with unwrapped(console):
        done.render(console)
    lines = [*_ways_out(settings, done.problems), stream.getvalue().strip()]
    return shortened("\n".join(lines), say_in(settings.alerts.language))


def _ways_out(settings: Settings, problems: tuple[Problem, ...]) -> Iterator[str]:
    for sentence, way_out in dict.fromkeys(tuple(spoken(found, settings.alerts.language)) for found in problems):
        yield f"{sentence}\n  → {way_out}\n"
