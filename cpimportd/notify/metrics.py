"""Metrics from the database and the daemon, for `cpimportd metrics`, a run's end, and /metrics.

The module of the metrics and prometheus_client are imported when they are needed: a run without ``metrics.textfile``
does not load them.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from cpimportd.books.database.connection import reconnect_if_closed
from cpimportd.books.database.queries import at_one_moment
from cpimportd.books.publish.notices import Target, readers
from cpimportd.config.settings import Settings
from cpimportd.core.files import replacing
from cpimportd.core.phrases import Phrase, exception
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.system import require_replaceable
from cpimportd.daemon.lock import holder
from cpimportd.daemon.status import read_status

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


async def measure(
    connection: asyncpg.Connection,
    department_id: int,
    daemon: Mapping[str, Any] | None,
    notified: Collection[str] = frozenset(Target),
) -> "CollectorRegistry":
    """A registry with everything that is measured, of one moment; it is made anew for every scrape.

    Args:
        connection: any; outside a transaction one is opened.
        department_id: whose books.
        daemon: its status, see :func:`daemon_status`; None leaves its metrics out.
        notified: who is notified after COMMIT, see :func:`cpimportd.run.notifying.readers`.

    Raises:
        ProblemError: ``metrics-not-installed``.
        asyncpg.PostgresError: the database refuses.
    """
    try:
        from cpimportd.notify.prometheus import registry_of  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("cpimportd"):
            raise
        raise ProblemError(problem("metrics-not-installed", reason=str(error))) from error
    from cpimportd.books.reports.health import figures  # noqa: PLC0415

    async with at_one_moment(connection):
        return registry_of(department_id, await figures(connection, department_id, notified), daemon)


async def metrics_text(
    connection: asyncpg.Connection,
    department_id: int,
    daemon: Mapping[str, Any] | None,
    notified: Collection[str] = frozenset(Target),
) -> str:
    """The same in Prometheus' text format.

    Raises:
        ProblemError: as :func:`measure`.
        asyncpg.PostgresError: as :func:`measure`.
    """
    registry = await measure(connection, department_id, daemon, notified)
    from cpimportd.notify.prometheus import text_of  # noqa: PLC0415

    return text_of(registry)


def daemon_status(state_directory: Path) -> Mapping[str, Any] | None:
    """The daemon's status; None if it does not run, or if this user may not read it."""
    try:
        found = holder(state_directory)
        status = None if found is None else read_status(found.runtime)
    except (ProblemError, OSError, ValueError):
        return None
    return status if found is not None and status is not None and status["pid"] == found.pid else None


def write_textfile(path: Path, text: str) -> None:
    """Replace a file in one step, so that node_exporter never reads half of it; everybody may read it.

    Raises:
        OSError: it could not be written; what was there before still is.
    """
    require_replaceable(path)
    # The collector reads *.prom only, and so never what is not finished.
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
        beside.chmod(0o644)


async def leave_metrics(connection: asyncpg.Connection, settings: Settings) -> tuple[Problem, ...]:
    """Write ``metrics.textfile`` at the end of a run, if it is set.

    Args:
        connection: the run's; another one is opened where it was lost.
        settings: the effective settings.

    Returns:
        Why it could not be written; a run never fails of it.
    """
    path = settings.metrics.textfile
    if path is None:
        return ()
    try:
        daemon = daemon_status(settings.state_directory)
        async with reconnect_if_closed(connection, settings.database) as usable:
            text = await metrics_text(usable, settings.department_id, daemon, readers(settings))
        write_textfile(path, text)
    except ProblemError as error:
        return tuple(_unwritten(path, found) for found in error.problems)
    except Exception as error:  # noqa: BLE001 - the import is done; what becomes of its metrics is reported, and no more
        return (_unwritten(path, exception(error)),)
    return ()


def _unwritten(path: Path, reason: Problem | Phrase) -> Problem:
    return problem("metrics-unwritten", path=str(path), reason=reason)
