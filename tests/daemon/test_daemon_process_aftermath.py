"""A run that dies is told with what is known of its publication: by the database, and never by a guess."""

import json
import os
import signal
from collections.abc import Callable

import pytest

from cpimportd.core.catalog import CATALOG
from tests.support.daemon.living_daemon import LivingDaemon
from tests.support.polling import until


def kill_at(place, phase: str, after: Callable[[], None] = lambda: None) -> tuple[LivingDaemon, int, str, str]:
    """A run that somebody asked for is killed where it stands; gives how `trigger --wait` ended and what it said."""
    place.sample("day1")
    with place.standing(phase) as stand:
        daemon = place.start()
        waiting = place.begin("trigger", "--wait")
        release = stand(daemon)
        os.kill(daemon.run_pid(), signal.SIGKILL)
        after()
        release()
        said, why = waiting.communicate(timeout=120)
    return daemon, waiting.returncode, said, why


def test_a_run_killed_after_commit_is_reported_to_be_in_the_books(place):
    daemon, code, said, why = kill_at(place, "commit")
    assert place.books == place.truth("day1")
    assert code == 0
    assert "run 1 is in the books, but its process was killed by signal 9 before it was through" in said
    assert "failed" not in said
    assert "nothing was published" not in said + why
    assert "tried again" not in said + why
    last = daemon.status["last"]
    assert (last["status"], last["run"], last["code"], last["good"]) == ("crashed", 1, 0, False)
    shown = place.command("status")
    assert shown.returncode == 1
    assert "is in the books" in " ".join(shown.stdout.split())
    assert "run-broken-off" in {line.get("CPIMPORTD_CODE") for line in daemon.events}


@pytest.mark.parametrize("phase", ["fetch", "read", "merge"])
def test_a_run_killed_before_commit_has_published_nothing_and_reports_it(place, phase):
    daemon, code, said, why = kill_at(place, phase)
    assert place.books == place.truth(None)
    assert code == 1
    assert "was killed by signal 9; nothing was published" in said
    assert "tried again" not in said + why
    assert daemon.status["last"]["status"] == "crashed"


def test_where_the_database_cannot_be_queried_the_outcome_is_reported_as_unknown(place):
    _, code, said, why = kill_at(place, "commit", after=(place.folder / "gate" / ".s.PGSQL.5432").unlink)
    assert code == 1
    assert "whether run 1 published is not known: " in said
    assert "database-unreachable" in said
    assert "nothing was published" not in said + why


def test_a_run_killed_while_the_server_still_holds_its_commit_back_is_not_guessed_at(place, sql):
    """The row of the run is locked as long as its transaction lives, whatever became of the client."""
    place.sample("day1")
    with place.standing("commit") as stand:
        place.configure({"database.lock_timeout": 1})
        place.sql("CREATE TABLE slow (); CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
                  "$$ BEGIN PERFORM pg_sleep(4); RETURN NULL; END $$")  # fmt: skip
        place.sql("CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON fin_import_logs DEFERRABLE INITIALLY DEFERRED "
                  "FOR EACH ROW EXECUTE FUNCTION wait()")  # fmt: skip
        daemon = place.start()
        waiting = place.begin("trigger", "--wait")
        release = stand(daemon)
        os.kill(daemon.run_pid(), signal.SIGKILL)
        release()
        said, _ = waiting.communicate(timeout=120)
        assert waiting.returncode in {0, 1}
        until(lambda: "running" not in said, "answer")
        committed = place.books == place.truth("day1")
    assert ("is in the books" in said) == committed or "is not known" in said


def test_a_run_that_took_too_long_after_commit_is_no_failure(place):
    place.sample("day1")
    place.configure({"cache.url": "redis://127.0.0.1:9/0", "cache.again_after": "10min"})
    place.configure({"daemon.run_time_limit": 6})
    daemon = place.start()
    waiting = place.begin("trigger", "--wait")
    until(lambda: place.outcomes() == ["published"], "publication")
    os.kill(daemon.run_pid(), signal.SIGKILL)
    said, _ = waiting.communicate(timeout=120)
    assert waiting.returncode == 0
    assert "run 1 is in the books" in said


def test_a_daemon_that_is_stopped_does_not_call_a_run_rolled_back_that_had_begun_to_commit(place):
    place.sample("day1")
    with place.standing("commit") as stand:
        daemon = place.start()
        assert place.command("trigger").returncode == 0
        release = stand(daemon)
        run = daemon.run_pid()
        daemon.send(signal.SIGTERM)
        daemon.wait_event("stopping")
        os.kill(run, signal.SIGKILL)
        assert daemon.wait() == 0
        release()
    (said,) = daemon.having(event="run-stopped")
    assert "before COMMIT" not in said["message"]
    assert "killed after it had begun to commit" in said["message"]


def test_no_way_out_promises_another_try():
    promised = [code for code, kind in CATALOG.items() if "tried again" in kind.way_out.lower()]
    assert promised == []


def test_a_lock_that_a_run_by_hand_met_is_not_reported_as_retried(place, locked):
    place.sample("day1")
    place.configure({"database.lock_timeout": "300ms"})
    with locked():
        daemon = place.start()
        told = place.command("trigger", "--wait")
        by_hand = place.command("run", "--json")
    assert told.returncode == by_hand.returncode == 1
    assert "database-locked" in told.stdout
    assert "tried again" not in told.stdout + told.stderr
    assert "again" not in json.loads(by_hand.stdout)["problems"][0]["way_out"]
    assert daemon.having(event="retry") == []
