"""Delivery of queued alerts, as one message to each address; unsent alerts stay in the queue.

Alerts sent while the database is unreachable are recorded in a small file, so that a retried slot does not repeat them.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncpg

from cpimportd.books.database.connection import opened
from cpimportd.books.reports import alerts as queue
from cpimportd.config.settings import Settings
from cpimportd.core.files import write_whole
from cpimportd.core.phrases import Phrase, Reason, phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.texts.translation import say_in
from cpimportd.notify.sending import labelled_urls, send
from cpimportd.notify.texts import coalesced

NOTIFIED_FILE: Final = "alerts.json"
"""In the state folder."""


def read_notified(folder: Path) -> dict[str, queue.StoredCondition]:
    """Conditions reported without the database, by subject; a damaged file counts as none."""
    try:
        found = json.loads((folder / NOTIFIED_FILE).read_text("utf-8"))
        return {
            subject: queue.StoredCondition(
                subject,
                one["state"],
                datetime.fromisoformat(one["since"]),
                datetime.fromisoformat(one["told_at"]),
                None,
            )
            for subject, one in found.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_notified(folder: Path, reported: Iterable[queue.StoredCondition]) -> None:
    """Record reported conditions; none removes the file.

    Raises:
        OSError: it could not be written.
    """
    tree = {
        one.subject: {"state": one.state, "since": one.since.isoformat(), "told_at": one.told_at.isoformat()}
        for one in reported
        if one.told_at is not None
    }
    if not tree:
        (folder / NOTIFIED_FILE).unlink(missing_ok=True)
        return
    write_whole(folder / NOTIFIED_FILE, json.dumps(tree, ensure_ascii=False), lasting=False)


DATABASE_ERRORS: Final = (ProblemError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)
"""Raised if the database is unreachable or not ready."""

DATABASE_TIMEOUT: Final = 15.0
"""Seconds that the database may take in total, beside the sending."""


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection that is closed if the database takes too long: an alert is not worth a longer wait.

    Raises:
        ProblemError: the database cannot be reached.
    """
    limit = DATABASE_TIMEOUT + 2 * settings.alerts.timeout.total_seconds()
    async with opened(settings.database) as connection:
        cutoff = asyncio.get_running_loop().call_later(limit, connection.terminate)
        try:
            yield connection
        finally:
            cutoff.cancel()


async def deliver(connection: asyncpg.Connection, settings: Settings) -> tuple[Problem, ...]:
    """Send the queued alerts, as one message to each address; unsent ones stay queued.

    Returns:
        ``alert-unsent`` if something was not sent.
    """
    urls = labelled_urls([url.get_secret_value() for url in settings.alerts.urls])
    if not urls:
        return ()
    try:
        async with queue.claimed_alerts(connection, settings.department_id) as waiting:
            if not waiting:
                return ()
            failed = await _send_all(settings, urls, waiting)
            sent = [one.id for one in waiting if not failed[one.id]]
            await queue.mark_sent(connection, settings.department_id, sent)
            for one in waiting:
                if failed[one.id]:
                    await queue.mark_unsent(connection, one.id, list_failures(failed[one.id]))
    except ProblemError as error:
        return error.problems
    except DATABASE_ERRORS as error:
        return (
            problem(
                "alert-unsent", count=phrase("some"), reason=phrase("the-database-said", kind=type(error).__name__)
            ),
        )
    reasons = {name: reason for errors in failed.values() for name, reason in errors.items()}
    unsent = sum(bool(errors) for errors in failed.values())
    return (problem("alert-unsent", count=unsent, reason=untold(reasons)),) if unsent else ()


async def _send_all(
    settings: Settings, urls: Mapping[str, str], waiting: Sequence[queue.UnsentAlert]
) -> dict[int, dict[str, Reason]]:
    """Send to each address its outstanding alerts; returns, by alert, the failed addresses with their reasons."""
    seconds, say = settings.alerts.timeout.total_seconds(), say_in(settings.alerts.language)
    missing = {one.id: _not_reached(one.error, urls) for one in waiting}

    async def send_to(name: str) -> Reason | None:
        due = [one for one in waiting if name in missing[one.id]]
        if not due:
            return None
        message = coalesced([(one.created_at, one.title, one.body) for one in due], say=say, zone=settings.zone)
        failed = await send({name: urls[name]}, message, due[-1].occasion, seconds)
        return failed.get(name)

    reasons = dict(zip(urls, await asyncio.gather(*(send_to(name) for name in urls)), strict=True))
    return {
        one.id: {name: reason for name, reason in reasons.items() if reason is not None and name in missing[one.id]}
        for one in waiting
    }


def _not_reached(error: str | None, urls: Mapping[str, str]) -> frozenset[str]:
    """Addresses without the alert: those in its error, a line each; all if there is none, or if the urls changed."""
    named = frozenset(match[1] for match in re.finditer(r"^(\d+ [a-z0-9+.-]+):", error or "", re.MULTILINE))
    return named if named and named <= urls.keys() else frozenset(urls)


def list_failures(failed: Mapping[str, Reason]) -> str:
    """The failed addresses, with their reasons, a line each."""
    return "\n".join(f"{name}: {reason}" for name, reason in failed.items())


def untold(failed: Mapping[str, Reason]) -> Phrase:
    """The same as a fact of a problem."""
    return phrase("several", all=[phrase("answer-to", command=name, answer=why) for name, why in failed.items()])
