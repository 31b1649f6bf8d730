"""The backend's cached answers, deleted from Redis so that reports show what was just published."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import tenacity

from cpimportd.config.settings import Cache
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.waiting import Wait, silence, waiting
from cpimportd.notify.refusals import nobodys_key, way_out

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
        again_at = datetime.now(UTC) + cache.again_after
        with waiting(Wait("cache", "it is cleared once more", again_at, trouble=False)):
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
        async with silence("cache", limit=cache.timeout.total_seconds()) as heard:
            async for attempt in _attempts(cache):
                with attempt:
                    async with _client(cache) as client:
                        async for batch in _batches(client, cache.pattern):
                            deleted += await client.unlink(*batch)
                            heard()
    except Exception as error:  # noqa: BLE001 - whatever it is, the import has taken place and stands
        return Cleared(deleted, (problem("cache-stale", reason=_reason(error, cache), way=way_out(error, cache)),))
    return Cleared(deleted)


def misread(cache: Cache) -> str | None:
    """Why redis-py cannot do what ``cache.url`` says, such as an option that it does not know; nobody is spoken to."""
    try:
        pool: Any = _client(cache).connection_pool
        pool.make_connection()
    except (TypeError, ValueError, AttributeError) as error:
        named = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        return f"its client knows no option {named[1]}" if named else "an option behind the ? has a wrong value"
    return None


async def count_cached(cache: Cache) -> int:
    """How many cached answers lie in Redis now, of which we may delete any; 0 where no cache is configured.

    Whether we may is known by deleting a key that is nobody's: its name fits the pattern and was never used.

    Raises:
        ProblemError: ``cache-unreachable``.
    """
    if cache.url is None:
        return 0
    count = 0
    try:
        async with _client(cache) as client:
            async for batch in _batches(client, cache.pattern):
                count += len(batch)
            await client.unlink(nobodys_key(cache.pattern))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what `check` has to say
        raise ProblemError(
            problem("cache-unreachable", reason=_reason(error, cache), way=way_out(error, cache))
        ) from None
    return count


def _attempts(cache: Cache) -> tenacity.AsyncRetrying:
    from redis import exceptions  # noqa: PLC0415 - a run without a cache does not need the client

    def passing(error: BaseException) -> bool:
        # A refused login is a ConnectionError to redis-py, yet no second try will cure it.
        refused = isinstance(error, exceptions.AuthenticationError)
        return isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError) and not refused

    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(passing),
        stop=tenacity.stop_after_attempt(_TRIES) | tenacity.stop_after_delay(cache.timeout),
        wait=tenacity.wait_exponential(multiplier=0.2, max=1),
        reraise=True,
    )


def _client(cache: Cache) -> "Redis":
    from redis.asyncio import Redis  # noqa: PLC0415
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    if cache.url is None:
        raise ValueError("no cache is configured")
    seconds = cache.timeout.total_seconds()
    return Redis.from_url(
        cache.url.get_secret_value(),
        # What stands in the url is stronger than these.
        password=None if cache.password is None else cache.password.get_secret_value(),
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
    )


async def _batches(client: "Redis", pattern: str) -> AsyncIterator[list[bytes]]:
    """The matching keys, some hundreds at a time; SCAN may name a key twice, which does no harm to UNLINK."""
    batch: list[bytes] = []
    async for key in client.scan_iter(match=pattern, count=_BATCH):
        batch.append(key)
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _reason(error: Exception, cache: Cache) -> str:
    """What went wrong, without any password: servers and clients may repeat one in their texts."""
    if isinstance(error, ValueError):
        return "cache.url cannot be read; it begins with redis://, rediss:// or unix://"
    text = str(error) or type(error).__name__
    for secret in sorted(_secrets(cache), key=len, reverse=True):
        text = text.replace(secret, _MASK)
    return text


def _secrets(cache: Cache) -> set[str]:
    found = {cache.password.get_secret_value()} if cache.password else set()
    if cache.url is not None:
        parts = urlsplit(cache.url.get_secret_value())
        written = [parts.password or "", *parse_qs(parts.query).get("password", [])]
        found.update(written, map(unquote, written))
    return found - {""}
