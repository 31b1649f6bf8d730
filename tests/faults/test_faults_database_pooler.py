"""A connection pooler in transaction mode before the database."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import asyncpg
import pytest

from cpimportd.books.schema.upgrade import upgrade
from cpimportd.config.settings import Database
from cpimportd.core.report import RunStatus
from tests.support.faults.books import codes
from tests.support.faults.poolers import pooled
from tests.support.faults.table import Chapter

_ADVISORY = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"


@pytest.mark.asyncio
@pytest.mark.parametrize("direct", [False, True], ids=["without direct_url", "with direct_url"])
async def test_a_run_through_a_pooler_publishes_and_leaves_no_lock_behind(books, sql, faults, direct):
    with pooled(books.url) as url:
        settings = books.settings(url, **({"direct_url": books.url} if direct else {}))
        async with asyncio.timeout(120):
            report = await books.run(settings)
        assert report.status is RunStatus.PUBLISHED
        books.assert_right()
        if not direct:  # the pooler keeps its server processes, and with them a lock that nobody would give back
            assert not sql(books.root, _ADVISORY)
        async with asyncio.timeout(120):
            again = await books.run()
    outcome = f"{codes(report)}, books as after an undisturbed run, no lock is left with the pooler; next run past it: {codes(again)}"
    which = "with" if direct else "without"
    faults.tell(Chapter.DATABASE, f"A pooler in transaction mode, {which} database.direct_url", outcome)


@pytest.mark.asyncio
async def test_a_second_run_through_a_pooler_is_answered_at_once(books, faults):
    with pooled(books.url) as url:
        others = []

        async def ask():
            others.append(await books.run(books.settings(url)))

        def second(progress):
            if progress.stage == "publish" and not progress.finished and not others:
                with ThreadPoolExecutor(max_workers=1) as pool:
                    pool.submit(asyncio.run, ask()).result(timeout=120)

        async with asyncio.timeout(240):
            report = await books.run(books.settings(url), second)
    assert report.status is RunStatus.PUBLISHED
    books.assert_right()
    (other,) = others
    faults.tell(
        Chapter.DATABASE,
        "A second run through a pooler in transaction mode during another run",
        f"{codes(other)} (exit {other.code}); the first: {codes(report)}, books as after an undisturbed run",
    )


@pytest.mark.asyncio
async def test_migrations_go_through_a_pooler(make_database, faults):
    url = make_database()
    with pooled(url) as through_it:
        async with asyncio.timeout(120):
            first = await upgrade(Database(url=through_it))
            second = await upgrade(Database(url=through_it))
    assert (first.changed, second.changed) == (True, False)
    faults.tell(
        Chapter.DATABASE,
        "`cpimportd db upgrade` through a pooler in transaction mode",
        "done; the second time nothing to do",
    )


@asynccontextmanager
async def _noise(url, clients):
    """Clients of the same pooler that ask without end, so that server processes change hands at every statement."""

    async def asking(number):
        connection = await asyncpg.connect(url, statement_cache_size=0)
        try:
            while True:
                await connection.fetchval("SELECT $1::integer", number)
        finally:
            connection.terminate()

    asked = [asyncio.ensure_future(asking(number)) for number in range(clients)]
    try:
        yield
    finally:
        for task in asked:
            task.cancel()
        await asyncio.wait(asked)
    assert all(task.cancelled() for task in asked), [task.exception() for task in asked if not task.cancelled()]


@pytest.mark.asyncio
async def test_a_run_shares_a_pooler_with_busy_clients(books, faults):
    with pooled(books.url, default_pool_size="3") as url:
        async with _noise(url, 8), asyncio.timeout(120):
            report = await books.run(books.settings(url))
    assert report.status is RunStatus.PUBLISHED
    books.assert_right()
    faults.tell(
        Chapter.DATABASE,
        "A pooler in transaction mode whose three server processes alternate at every statement",
        f"{codes(report)}, books as after an undisturbed run",
    )


@pytest.mark.asyncio
async def test_a_run_does_not_wait_for_itself_in_a_pool_of_one(books, faults):
    with pooled(books.url, default_pool_size="1") as url:
        async with asyncio.timeout(60):
            report = await books.run(books.settings(url, connect_timeout="1s"))
            with_direct = await books.run(books.settings(url, direct_url=books.url))
    assert report.problems[0].code == "database-pool-small"
    assert with_direct.status is RunStatus.PUBLISHED
    books.assert_right()
    faults.tell(
        Chapter.DATABASE,
        "A pooler in transaction mode with one server process",
        f"{codes(report)}, nothing written; with database.direct_url: {codes(with_direct)}",
    )
