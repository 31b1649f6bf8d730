"""The backend's cached answers, deleted from Redis so that reports show what was just published."""

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote, urlsplit

import tenacity

from cpimportd.problems import Problem, problem
from cpimportd.settings import Cache

if TYPE_CHECKING:
    from redis.asyncio import Redis

logger = logging.getLogger(__name__)

_TRIES: Final = 3
_BATCH: Final = 500
_MASK: Final = "********"


@dataclass(frozen=True, slots=True)
class Cleared:
    """What one deletion did.

    Attributes:
        deleted: how many keys are gone by it.
        problems: why it did not go through; empty where it did, or where no cache is configured.
    """

    deleted: int = 0
    problems: tuple[Problem, ...] = ()


async def clear_cache(cache: Cache) -> tuple[Problem, ...]:
    """Delete the cached answers at once, and again after ``cache.again_after``.

    The second time because a request that read the books before COMMIT may write its answer after the first. What
    counts is therefore the last deletion: where it went through, nothing old is left, whatever befell the first.

    Without ``cache.url`` nothing is deleted: the backend then keeps answers in its own processes, 5 minutes long.

    Returns:
        ``cache-stale`` where the cache could not be cleared; never raises for that.
    """
    if cache.url is None:
        logger.info("no cache.url is set, so nothing was deleted: reports may be up to 5 minutes old")
        return ()
    cleared = await clear_once(cache)
    if cache.again_after:
        await asyncio.sleep(cache.again_after.total_seconds())
        again = await clear_once(cache)
        cleared = Cleared(cleared.deleted + again.deleted, again.problems)
    logger.info("deleted %d cached answers", cleared.deleted)
    return cleared.problems


async def clear_once(cache: Cache) -> Cleared:
    """Delete the keys that match ``cache.pattern``, batch by batch, without stopping Redis for others.

    A passing fault is tried again, at most twice and within ``cache.timeout``. Never raises for a failure.
    """
    if cache.url is None:
        return Cleared()
    deleted = 0
    try:
        async for attempt in _attempts(cache):
            with attempt:
                async with _client(cache) as client:
                    async for batch in _batches(client, cache.pattern):
                        deleted += await client.unlink(*batch)
    except Exception as error:  # noqa: BLE001 - whatever it is, the import has taken place and stands
        return Cleared(deleted, (problem("cache-stale", reason=_reason(error, cache)),))
    return Cleared(deleted)


async def count_keys(cache: Cache) -> int:
    """How many cached answers there are, with one try: for ``check``.

    Raises:
        ProblemError: never; a failure is raised as the driver's exception. Use :func:`probe_cache`.
    """
    raise NotImplementedError
