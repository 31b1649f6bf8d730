"""A run dies between COMMIT and the end of telling readers: whoever comes next tells them, and everybody says so.

Readers are answers in a real Redis and a materialized view. The right value of both is what the books hold.
"""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from cpimportd.books.database.connection import connect
from cpimportd.config.sections import Cache, Tell
from cpimportd.run.notifying import notify_outstanding
from tests.support import launcher
from tests.support.daemon.living_daemon import environment
from tests.support.faults.machine import begin, configuration
from tests.support.faults.table import Chapter
from tests.support.polling import until

KEY = "itbudget:cache:credit_portfolio:summary"
VIEW = "CREATE MATERIALIZED VIEW mv_total AS SELECT 1 AS one, sum(amount) AS total FROM fin_expenses"
RIGHT = "SELECT (SELECT total FROM mv_total) = (SELECT sum(amount) FROM fin_expenses) AS right"
OUTCOMES = "SELECT run_id, target, outcome, tries FROM cpimportd.notice ORDER BY run_id, target"


class Readers:
    """Who reads the books of a test: a cached answer and a view, both of the first day."""

    def __init__(self, books, redis, url, **keys):
        self.books, self.redis = books, redis
        books.sql(books.url, VIEW, "CREATE UNIQUE INDEX ON mv_total (one)")
        redis.set(KEY, "of the first day")
        self.file = configuration(books, cache__url=url, cache__again_after=30, **keys)

    def hurry(self, **keys):
        """From now on the second deletion comes soon."""
        self.file = configuration(self.books, **{"cache__url": self.url, "cache__again_after": 0.1, **keys})

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.redis.connection_pool.connection_kwargs['port']}/0"

    @property
    def told(self):
        """Whether both show what is in the books."""
        return not self.redis.exists(KEY) and self.books.sql(self.books.url, RIGHT)[0]["right"]

    @property
    def outcomes(self):
        return [tuple(row) for row in self.books.sql(self.books.url, OUTCOMES)]

    @property
    def outstanding(self):
        return [row for row in self.outcomes if row[2] is None]

    def verb(self, *arguments):
        return launcher.run(*arguments, "--config", str(self.file), env=environment())


@pytest.fixture
def readers(make_books, redis_server, redis_client):
    return Readers(make_books(), redis_client, redis_server.url)


def kill_while_telling(readers, *, first_deletion_done=False):
    """Kill a run, by nobody's leave, once it is behind its COMMIT: before it told anybody, or halfway."""
    lock = readers.books.sql  # a lock on the view keeps it from being refreshed before the kill
    process = begin(readers.file, *())
    committed = "SELECT 1 FROM cpimportd.notice WHERE outcome IS NULL"
    until(lambda: lock(readers.books.url, committed), "COMMIT")
    if first_deletion_done:
        until(lambda: not readers.redis.exists(KEY), "first deletion")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    # A request that had read the books before COMMIT writes its answer now; nothing else would ever delete it.
    readers.redis.set(KEY, "of the first day")
    until(lambda: not working(readers), "end of the session")
    assert readers.outstanding
    readers.hurry()


def working(readers):
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return readers.books.sql(readers.books.root, query)


def unchanged(readers):
    done = readers.verb("run", "--json")
    assert json.loads(done.stdout)["status"] == "unchanged", done.stdout
    assert done.returncode == 0


def done_elsewhere(readers):
    slot = "2026-11-24T06:00:00+03:00"
    readers.books.sql(
        readers.books.url, f"UPDATE cpimportd.runs SET schedule = 'import', slot = '{slot}' WHERE status = 'published'"
        " AND id = (SELECT max(id) FROM cpimportd.runs)",
    )  # fmt: skip
    assert readers.verb("run", "--schedule", "import", "--slot", slot).returncode == 5


def failed(readers):
    for path in readers.books.upload.iterdir():
        path.unlink()
    done = readers.verb("run", "--json")
    assert (done.returncode, json.loads(done.stdout)["status"]) == (1, "failed")


def looked_too_early(readers):
    done = readers.verb("run", "--json", "--uploaded-after", "2099-01-01T00:00:00+03:00")
    assert [found["code"] for found in json.loads(done.stdout)["problems"]] == ["upload-missing"]


def undone(readers):
    done = readers.verb("undo", "2", "--yes", "--json")
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "published"), done.stderr


def notified(readers):
    done = readers.verb("notify")
    assert (done.returncode, done.stdout) == (0, "cache: cleared for run 2; views: refreshed for run 2\n"), done.stderr


def dry(readers):
    assert readers.verb("run", "--dry-run").returncode == 0


NEXT = {f.__name__: f for f in (unchanged, done_elsewhere, failed, looked_too_early, undone, notified)}


@pytest.mark.parametrize("come", NEXT.values(), ids=NEXT)
def test_readers_of_a_run_killed_behind_commit_are_told_by_whoever_comes_next(readers, come, faults):
    kill_while_telling(readers)
    assert not readers.told

    come(readers)

    assert readers.told
    assert readers.outstanding == []
    faults.tell(
        Chapter.MACHINE,
        "`kill -9` of a run between COMMIT and notifying readers",
        "books as after; the next process notifies readers: any run, also unchanged, failed or of a slot done, an undo, "
        "`notify`",
    )


def test_a_run_killed_between_the_two_deletions_leaves_the_cache_outstanding(readers):
    kill_while_telling(readers, first_deletion_done=True)
    unchanged(readers)
    assert readers.told
    assert readers.outstanding == []


def test_a_dry_run_tells_nobody(readers):
    kill_while_telling(readers)
    dry(readers)
    assert readers.redis.exists(KEY)
    assert readers.outstanding


def test_what_is_outstanding_is_said_with_since_when_and_the_way_out(readers):
    kill_while_telling(readers)

    check = json.loads(readers.verb("check", "--json").stdout)
    lines = {line["code"]: line for line in check["checks"] if line["name"] == "readers"}
    assert set(lines) == {"cache-outstanding", "views-outstanding"}
    assert all(line["status"] == "WARNING" and "`cpimportd notify`" in line["way_out"] for line in lines.values())
    assert all("since run 2 changed the books at 20" in line["text"] for line in lines.values())

    nagios = readers.verb("check", "--nagios")
    assert "cached answers have not been deleted since run 2" in nagios.stdout
    assert "`cpimportd notify`" in nagios.stdout

    metrics = readers.verb("metrics").stdout
    assert 'cpimportd_outstanding_since_timestamp_seconds{department="8",target="cache"} 1' in metrics
    assert 'cpimportd_outstanding_since_timestamp_seconds{department="8",target="views"} 1' in metrics

    notified(readers)
    assert [line["text"] for line in json.loads(readers.verb("check", "--json").stdout)["checks"]
            if line["name"] == "readers"] == ["cache and views are up to date with every run that changed the books"]  # fmt: skip
    assert "cached answers" not in readers.verb("check", "--nagios").stdout
    assert "outstanding_since_timestamp_seconds{" not in readers.verb("metrics").stdout


def test_a_cache_that_is_away_is_outstanding_until_the_next_run_finds_it_back(make_books, make_redis, redis_client):
    away = make_redis(started=False)
    readers = Readers(make_books(), redis_client, away.url, cache__timeout=0.3)
    readers.hurry(cache__url=away.url, cache__timeout=0.3)
    published = json.loads(readers.verb("run", "--json").stdout)
    assert published["status"] == "published"
    assert [found["code"] for found in published["problems"]] == ["cache-stale"]
    assert readers.outstanding == [(2, "cache", None, 1)]
    (line,) = [one for one in json.loads(readers.verb("check", "--json").stdout)["checks"] if one["name"] == "readers"]
    assert "Connection refused" in line["text"] or "connecting" in line["text"]

    failing = readers.verb("notify")
    assert (failing.returncode, failing.stdout) == (1, "nothing could be done\n")
    assert "cache-stale" in failing.stderr

    readers.hurry()  # it listens elsewhere now
    unchanged(readers)
    assert readers.told
    assert readers.outcomes[-2:] == [(2, "cache", "done", 3), (2, "views", "done", 1)]


def test_what_the_configuration_names_no_more_is_not_outstanding(readers):
    kill_while_telling(readers)
    readers.file = configuration(readers.books, tell__refresh_views=False)
    assert [line["status"] for line in json.loads(readers.verb("check", "--json").stdout)["checks"]
            if line["name"] == "readers"] == ["OK"]  # fmt: skip
    assert readers.verb("notify").stdout == "nothing was outstanding\n"
    assert [row[2] for row in readers.outcomes if row[0] == 2] == ["dropped", "dropped"]


def test_several_runs_are_told_once_and_an_undo_counts_among_them(readers):
    kill_while_telling(readers)
    readers.hurry(cache__again_after=30)
    argv = [sys.executable, "-m", "cpimportd", "undo", "2", "--yes", "--config", str(readers.file)]
    process = subprocess.Popen(argv, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: [row for row in readers.outstanding if row[0] == 3], "COMMIT of the undo")
    process.kill()
    process.wait()
    readers.redis.set(KEY, "of the second day")
    until(lambda: not working(readers), "end of the session")
    readers.hurry()

    done = readers.verb("notify")

    assert "cache: cleared for run 2, 3" in done.stdout
    assert readers.told
    assert {(row[0], row[1]): row[3] for row in readers.outcomes if row[1] == "cache"} == {
        (2, "cache"): 1, (3, "cache"): 1,
    }  # fmt: skip


def test_two_that_come_at_one_time_leave_nothing_outstanding(readers):
    kill_while_telling(readers)
    with ThreadPoolExecutor(2) as pool:
        codes = sorted(done.returncode for done in pool.map(lambda _: readers.verb("notify"), range(2)))
    assert codes in ([0, 0], [0, 4])
    assert readers.told
    assert readers.outstanding == []


@pytest.mark.asyncio
async def test_of_views_only_those_that_are_left_are_refreshed_again(books, sql):
    settings = books.settings().model_copy(update={"tell": Tell(), "cache": Cache()})
    sql(
        books.url,
        "CREATE MATERIALIZED VIEW good AS SELECT 1 AS one, clock_timestamp() AS at FROM fin_expenses LIMIT 1",
        "CREATE UNIQUE INDEX ON good (one)",
        "CREATE MATERIALIZED VIEW without_key AS SELECT 1 AS one, clock_timestamp() AS at FROM fin_expenses LIMIT 1",
    )
    report = await books.run(settings)
    assert [found.code for found in report.problems] == ["views-stale"]
    connection = await connect(settings.database)
    before = await connection.fetchval("SELECT at FROM good")
    found, problems = await notify_outstanding(settings)
    assert (found[0].views, [one.value for one in problems["views"]]) == (
        ("cpimportd.without_key",),
        ["cpimportd.without_key"],
    )
    assert await connection.fetchval("SELECT at FROM good") == before
    await connection.execute("CREATE UNIQUE INDEX ON without_key (one)")
    stale = await connection.fetchval("SELECT at FROM without_key")
    await notify_outstanding(settings)
    assert await connection.fetchval("SELECT at FROM without_key") > stale
    assert await connection.fetchval("SELECT count(*) FROM cpimportd.notice WHERE outcome IS NULL") == 0
    await connection.close()


def test_a_daemon_whose_run_was_killed_behind_commit_tells_readers_at_once(place, redis_server, redis_client, faults):
    place.sample("day1")
    place.sql(VIEW, "CREATE UNIQUE INDEX ON mv_total (one)")
    redis_client.set(KEY, "of nothing")
    far = {"cache.url": redis_server.url, "cache.again_after": 30, "retry.wait_first": 3600, "retry.wait_longest": 3600}
    place.configure({**far, "retry.within": 7200})
    daemon = place.start()
    daemon.send(signal.SIGUSR1)
    until(lambda: place.sql("SELECT 1 FROM cpimportd.notice"), "COMMIT")
    place.configure({"cache.again_after": 0.1})
    run = daemon.run_pid()
    daemon.send(signal.SIGHUP)
    daemon.wait_status(lambda found: found["answers"]["reloads_answered"] == 1, "answers")
    os.kill(run, signal.SIGKILL)
    redis_client.set(KEY, "of nothing")

    daemon.wait_problem("run-broken-off")
    until(lambda: not place.sql("SELECT 1 FROM cpimportd.notice WHERE outcome IS NULL"), "readers that are told")

    assert not redis_client.exists(KEY)
    assert place.sql(RIGHT)[0]["right"]
    faults.tell(
        Chapter.MACHINE,
        "`kill -9` of a daemon's run between COMMIT and notifying readers",
        "`run-broken-off`; a separate process notifies readers at once",
    )


def test_a_daemon_that_starts_tells_readers_of_a_run_that_died_with_its_predecessor(place, redis_server, redis_client):
    place.sample("day1")
    redis_client.set(KEY, "of nothing")
    place.configure({"cache.url": redis_server.url, "cache.again_after": 30})
    daemon = place.start()
    daemon.send(signal.SIGUSR1)
    until(lambda: place.sql("SELECT 1 FROM cpimportd.notice"), "COMMIT")
    daemon.kill(with_runs=True)
    redis_client.set(KEY, "of nothing")
    place.configure({"cache.again_after": 0.1})
    place.start()
    until(lambda: not place.sql("SELECT 1 FROM cpimportd.notice WHERE outcome IS NULL"), "readers that are told")
    assert not redis_client.exists(KEY)


def test_status_says_it_of_a_daemon_whose_cache_is_away(place, make_redis):
    place.sample("day1")
    away = make_redis(started=False)
    place.configure({"cache.url": away.url, "cache.again_after": 0.1, "cache.timeout": 0.3})
    daemon = place.start()
    assert daemon.trigger()[-1]["status"] == "published"
    shown = place.command("status")
    assert shown.returncode == 1
    assert "cached answers have not been deleted since run 1 changed the books at 20" in shown.stdout.replace("\n", " ")
    assert "cpimportd notify" in shown.stdout
    away.start()
    assert place.command("notify").returncode == 0
    told = json.loads(place.command("status", "--json").stdout)
    assert (told["well"], told["outstanding"]) == (True, [])
