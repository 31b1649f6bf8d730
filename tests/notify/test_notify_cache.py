"""The cache is really cleared, twice, and a cache that is away never raises and never tells a password."""

import asyncio
import socket
import threading
import time

import pytest
from pydantic import ValidationError

from cpimportd.config.sections import Cache
from cpimportd.core.problems import ProblemError
from cpimportd.core.typed import to_json
from cpimportd.notify.cache import clear_cache, clear_once, count_cached
from tests.support.secrets import REDIS, REDIS_WRONG, leaked

PATTERN = "itbudget:cache:credit_portfolio:*"
OURS = "itbudget:cache:credit_portfolio:"


def cache(url, **changes):
    return Cache(**{"url": url, "again_after": 0.3, "timeout": 1, **changes})


@pytest.mark.asyncio
async def test_matching_keys_go_and_others_stay(redis_server, redis_client):
    redis_client.mset({f"{OURS}{n}": "old" for n in range(2_345)})
    redis_client.mset({"itbudget:cache:other:1": "x", "session:7": "y"})
    assert await count_cached(cache(redis_server.url)) == 2_345

    assert await clear_cache(cache(redis_server.url)) == ()

    assert sorted(redis_client.keys()) == [b"itbudget:cache:other:1", b"session:7"]


@pytest.mark.asyncio
async def test_an_answer_written_between_the_two_deletions_goes_too(redis_server, redis_client):
    redis_client.set(f"{OURS}summary", "old")
    clearing = asyncio.create_task(clear_cache(cache(redis_server.url, again_after=1)))
    await asyncio.sleep(0.5)
    assert not redis_client.exists(f"{OURS}summary")
    redis_client.set(f"{OURS}summary", "computed before COMMIT, written after it")

    assert await clearing == ()

    assert redis_client.keys() == []


@pytest.mark.asyncio
async def test_a_deletion_counts_what_it_deleted(redis_server, redis_client):
    redis_client.mset({f"{OURS}{n}": "old" for n in range(7)})
    assert (await clear_once(cache(redis_server.url))).deleted == 7


@pytest.mark.asyncio
async def test_without_a_url_nothing_is_done_and_it_is_reported(caplog):
    caplog.set_level("INFO")
    began = time.monotonic()
    assert await clear_cache(Cache()) == ()
    assert time.monotonic() - began < 0.5
    assert "up to 5 minutes old" in caplog.text


@pytest.mark.asyncio
async def test_a_redis_that_is_unreachable_is_a_warning(make_redis):
    server = make_redis(started=False)
    (found,) = await clear_cache(cache(server.url))
    assert found.code == "cache-stale"
    assert str(server.port) in found.message


@pytest.mark.asyncio
async def test_a_redis_that_comes_back_in_time_is_cleared(make_redis):
    server = make_redis(started=False)
    threading.Timer(0.3, server.start).start()
    assert (await clear_once(cache(server.url, timeout=5))).problems == ()


@pytest.mark.asyncio
async def test_a_failed_first_deletion_is_mended_by_the_second(make_redis):
    server = make_redis(started=False)
    clearing = asyncio.create_task(clear_cache(cache(server.url, again_after=2, timeout=1)))
    await asyncio.sleep(1.6)  # by now the first has given up
    server.start()
    assert await clearing == ()


@pytest.mark.asyncio
async def test_a_silent_server_is_given_up_after_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        began = time.monotonic()
        cleared = await clear_once(cache(url, timeout=0.5))
    assert [p.code for p in cleared.problems] == ["cache-stale"]
    assert time.monotonic() - began < 2


@pytest.mark.asyncio
async def test_a_password_of_its_own_logs_in(make_redis):
    server = make_redis("--requirepass", REDIS)
    assert await clear_cache(cache(server.url, password=REDIS)) == ()


@pytest.mark.parametrize(
    "changes",
    [{"password": REDIS_WRONG}, {"url": "redis://:hunter2-wrong@127.0.0.1:{port}/0"}],
    ids=["own key", "in the url"],
)
@pytest.mark.asyncio
async def test_a_refused_login_is_not_retried_and_shows_no_password(make_redis, changes, caplog):
    caplog.set_level("DEBUG")
    server = make_redis("--requirepass", "right")
    given = {"url": server.url, **changes}
    settings = cache(given.pop("url").format(port=server.port), **given)
    began = time.monotonic()

    (found,) = (await clear_once(settings)).problems

    assert time.monotonic() - began < 0.5
    assert leaked(str(to_json(found)) + caplog.text) == []


def test_a_broken_url_is_refused_and_shows_no_password():
    for url in ("redis://:hunter2/x@host:6379/0", "http://:hunter2@host", "redis://user:hunter2@host:port"):
        with pytest.raises(ValidationError) as caught:
            cache(url)
        assert "hunter2" not in str(caught.value)


@pytest.mark.asyncio
async def test_counting_a_cache_that_is_unreachable_raises_a_coded_problem(make_redis):
    with pytest.raises(ProblemError) as caught:
        await count_cached(cache(make_redis(started=False).url))
    assert caught.value.problems[0].code == "cache-unreachable"
