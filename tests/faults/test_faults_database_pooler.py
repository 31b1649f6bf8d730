"""A connection pooler in transaction mode before the database."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from cpimportd.books import upgrade
from cpimportd.report import RunStatus
from cpimportd.settings import Database
from tests.faults.books import codes
from tests.faults.poolers import pooled
from tests.faults.table import Chapter

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
        "A second run through a pooler in transaction mode while one is under way",
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
        Chapter.DATABASE, "`cpimportd db upgrade` through a pooler in transaction mode", "done, and again nothing to do"
    )
