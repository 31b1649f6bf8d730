"""The backend's cached answers, deleted from Redis so that reports show what was just published."""

import asyncio
import logging
import re
import ssl
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import tenacity

from cpimportd.config.sections import Cache
from cpimportd.core.phrases import Phrase, Reason, phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.waiting import Wait, report_slow, waiting

if TYPE_CHECKING:
    from redis.asyncio import Redis

logger = logging.getLogger(__name__)

_TRIES: Final = 3
_BATCH: Final = 500
_MASK: Final = "********"


@dataclass(frozen=True, slots=True)
class Cleared:
    """The result of one deletion.

    Attributes:
        deleted: the number of deleted keys.
        problems: why it failed; empty if it succeeded, or if no cache is configured.
    """

    deleted: int = 0
    problems: tuple[Problem, ...] = ()


async def clear_cache(cache: Cache) -> tuple[Problem, ...]:
    """Delete the cached answers at once, and again after ``cache.again_after``.

    The second deletion is needed because a request that read the books before COMMIT may write its answer after the
    first. Only the last deletion counts: if it succeeds, no old answer is left, even if the first failed.

    Without ``cache.url`` nothing is deleted: the backend then keeps answers in its own processes for 5 minutes.

    Returns:
        ``cache-stale`` if the cache could not be cleared; never raises for that.
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

    A transient failure is retried, at most twice and within ``cache.timeout``. Never raises for a failure.
    """
    if cache.url is None:
        return Cleared()
    deleted = 0
    try:
        async with report_slow("cache", limit=cache.timeout.total_seconds()) as on_answer:
            async for attempt in _attempts(cache):
                with attempt:
                    async with _client(cache) as client:
                        async for batch in _batches(client, cache.pattern):
                            deleted += await client.unlink(*batch)
                            on_answer()
    except Exception as error:  # noqa: BLE001 - the import has been published
        return Cleared(deleted, (problem("cache-stale", reason=_reason(error, cache), way=way_out(error, cache)),))
    return Cleared(deleted)


def url_problem(cache: Cache) -> Phrase | None:
    """Why redis-py cannot use ``cache.url``, such as an unknown option; nothing is sent."""
    try:
        pool: Any = _client(cache).connection_pool
        pool.make_connection()
    except (TypeError, ValueError, AttributeError) as error:
        named = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        return phrase("no-client-option", name=named[1]) if named else phrase("option-value-wrong")
    return None


async def count_cached(cache: Cache) -> int:
    """The number of cached answers in Redis that we may delete; 0 if no cache is configured.

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
            await client.unlink(unused_key(cache.pattern))
    except Exception as error:  # noqa: BLE001 - `check` reports any failure
        raise ProblemError(
            problem("cache-unreachable", reason=_reason(error, cache), way=way_out(error, cache))
        ) from None
    return count


def _attempts(cache: Cache) -> tenacity.AsyncRetrying:
    from redis import exceptions  # noqa: PLC0415 - a run without a cache does not need the client

    def is_transient(error: BaseException) -> bool:
        # A refused login is a ConnectionError to redis-py, yet no second try will cure it.
        refused = isinstance(error, exceptions.AuthenticationError)
        return isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError) and not refused

    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(is_transient),
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
        # Options in the url override these.
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


def _reason(error: Exception, cache: Cache) -> Reason:
    """The reason, without any password: servers and clients may repeat one in their texts."""
    if isinstance(error, ValueError):
        return phrase("cache-url-unreadable")
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


_WAYS: Final[tuple[tuple[str, str], ...]] = (
    (r"permissions? to run the '", "way-redis-commands"),
    (r"NOPERM|NoPermission|permissions? to access", "way-redis-keys"),
    (r"NOAUTH|Authentication required|HELLO must be called", "way-redis-set-password"),
    (r"WRONGPASS|invalid username-password|invalid password|AuthenticationError", "way-redis-password"),
    (r"LOADING|loading the dataset", "way-redis-loading"),
    (r"READONLY|read only replica", "way-redis-replica"),
    (r"DB index|out of range", "way-redis-database"),
    (r"max number of clients", "way-redis-clients"),
    (r"MISCONF", "way-redis-misconf"),
    (r"MOVED|CLUSTERDOWN", "way-redis-cluster"),
    (r"CERTIFICATE_VERIFY_FAILED|certificate verify failed", "way-redis-certificate"),
    (r"(?i)wrong.version.number|record.layer.failure", "way-redis-no-tls"),
    (r"Timeout connecting.* rediss:", "way-redis-maybe-no-tls"),
    (r"closed by server|reset by peer|Timeout reading|Protocol Error|InvalidResponse", "way-redis-maybe-tls"),
    (r"cannot be read", "way-redis-url"),
)
"""What Redis or its client says, and the phrase that is the way out."""

# https://redis.io/docs/latest/commands/keys/
_SPECIAL: Final = re.compile(r"\\(.)|\[(.)[^]]*\]|(\?)|\*+")


def way_out(error: Exception, cache: Cache) -> Phrase:
    """What mends it that Redis refuses, by its own words."""
    url = "" if cache.url is None else cache.url.get_secret_value()
    message = f"{type(error).__name__}: {error} {url.partition('/')[0]}"
    if isinstance(error, ValueError):
        message = "cannot be read"
    elif isinstance(error.__cause__, ssl.SSLError):
        message += f" {error.__cause__}"
    for pattern, way in _WAYS:
        if re.search(pattern, message):
            user = "" if isinstance(error, ValueError) else unquote(urlsplit(url).username or "")
            return phrase(way, user=user or "default", pattern=cache.pattern)
    return phrase("way-redis")


def unused_key(pattern: str) -> str:
    """An unused key that matches a pattern of Redis: deleting it changes nothing.

    A pattern without a star fits few keys, any of which may be somebody's: then the key is its beginning and more.
    """
    unique = f"cpimportd-check-{uuid.uuid4().hex}"
    found = _SPECIAL.sub(lambda one: one[1] or one[2] or (one[3] and "x") or unique, pattern)
    return found if unique in found else f"{found}{unique}"
