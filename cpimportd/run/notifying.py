"""Notifies the cache and the views after COMMIT, also on behalf of runs that could not do it themselves.

A run's own transaction records its notifications (:mod:`cpimportd.books.publish.notices`). If the process dies after
COMMIT, or the cache is unreachable, they stay outstanding. The next process sends them: a run, however it ends, an
undo, or `cpimportd notify`, which the daemon starts after a run that died.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg

from cpimportd.books.database.connection import connect, reconnect_if_closed
from cpimportd.books.publish import notices, runs
from cpimportd.books.publish.notices import Outstanding, Target, readers
from cpimportd.config.settings import Settings
from cpimportd.core.model import Progress
from cpimportd.core.problems import Problem
from cpimportd.notify.cache import clear_cache
from cpimportd.notify.views import ALL_VIEWS, refresh_views
from cpimportd.run.session import UNREAD, open_books

logger = logging.getLogger(__name__)


async def notify_readers(
    connection: asyncpg.Connection,
    settings: Settings,
    *,
    run: int | None,
    changed: bool,
    progress: Callable[[Progress], None] = lambda _: None,
) -> tuple[Problem, ...]:
    """Notify readers of every run that they have not been notified of, the caller's own included; all at the same time.

    What fails stays outstanding. If two processes do this at the same time, it is done twice, which does no harm.

    Args:
        connection: the run's own; where it was lost, another one is opened.
        settings: the effective settings.
        run: the caller's run, if it has one.
        changed: whether it changed the books: then readers are notified even where the database cannot be asked.
        progress: called when there is somebody to notify, and when it is done.

    Returns:
        ``cache-stale``, ``views-stale``; never raises for them, nor for a database that is away.
    """
    try:
        async with reconnect_if_closed(connection, settings.database) as usable:
            found = await _look(usable, settings)
    except UNREAD as error:
        logger.warning("what is outstanding of cache and views could not be read: %s", error)
        now = datetime.now(UTC)
        found = [Outstanding(target, (), now) for target in readers(settings)] if changed else []
    if not found:
        return ()
    progress(Progress("tell"))
    problems = await notify_targets(settings, found)
    progress(Progress("tell", finished=True))
    try:
        async with reconnect_if_closed(connection, settings.database) as usable:
            await _record(usable, settings.department_id, found, problems)
    except UNREAD as error:
        logger.warning("that cache and views are up to date could not be noted, so it is done again: %s", error)
    for one in found:
        late = [number for number in one.runs if number != run]
        if late and not problems[one.target]:
            logger.info("%s", replace(one, runs=tuple(late)).done)
    return tuple(dict.fromkeys(every for found in problems.values() for every in found))


async def _look(connection: asyncpg.Connection, settings: Settings) -> list[Outstanding]:
    """What is outstanding by the configuration; what it does not name any more is dropped."""
    wanted, department = readers(settings), settings.department_id
    every = await notices.outstanding(connection, department)
    if unwanted := [one for one in every if one.target not in wanted]:
        await notices.drop(connection, department, unwanted)
    return [one for one in every if one.target in wanted]


async def notify_targets(settings: Settings, found: Sequence[Outstanding]) -> dict[str, tuple[Problem, ...]]:
    """Notify these readers, all at the same time.

    Returns:
        By target, why it failed; empty where it did not.
    """

    async def notify_one(one: Outstanding) -> tuple[Problem, ...]:
        if one.target == Target.CACHE:
            return await clear_cache(settings.cache)
        only = None if one.views is None else frozenset(one.views)
        return await refresh_views(lambda: connect(settings.database, direct=True), settings.tell, only)

    outcomes = await asyncio.gather(*map(notify_one, found))
    return {one.target: problems for one, problems in zip(found, outcomes, strict=True)}


async def _record(
    connection: asyncpg.Connection,
    department_id: int,
    found: Sequence[Outstanding],
    problems: Mapping[str, tuple[Problem, ...]],
) -> None:
    """Record of which runs readers are notified now, and of which they are not."""
    for one in found:
        if not problems[one.target]:
            await notices.settle(connection, department_id, one)
            continue
        left = tuple(bad.value for bad in problems[one.target] if bad.value is not None)
        views = None if one.target != Target.VIEWS or ALL_VIEWS in left else left
        await notices.fail(connection, department_id, replace(one, views=views), problems[one.target])


async def notify_outstanding(
    settings: Settings,
) -> tuple[Sequence[Outstanding], Mapping[str, tuple[Problem, ...]]]:
    """Notify readers now of what they have not been notified of, holding the department's lock as a run does.

    A run whose process died is noted as such: monitors and the history would show it as under way until the next one.

    Returns:
        What was outstanding, and by target why it still is.

    Raises:
        ProblemError: the database is away or not ready; ``run-under-way``: that run will do it.
    """
    async with open_books(settings) as connection:
        found = await _look(connection, settings)
        problems = await notify_targets(settings, found)
        async with reconnect_if_closed(connection, settings.database) as usable:
            await _record(usable, settings.department_id, found, problems)
            await runs.abandon(usable, settings.department_id)
    return found, problems
