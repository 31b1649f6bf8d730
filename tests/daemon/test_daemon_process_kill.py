"""``kill -9`` in each phase of a run, of the daemon or of the run: the books are whole, the slot is done exactly once."""

import os
import signal
from datetime import datetime

import pytest

from tests.support.faults.table import Chapter
from tests.support.polling import alive, until

NOBODY_LEFT = """SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid())"""


def done_once(place, daemon, slot, *, by_another_run: bool) -> None:
    """The slot is done and remembered, one run published it, and the books are right."""
    daemon.wait_slot(slot, status="done-elsewhere" if by_another_run else "published")
    assert datetime.fromisoformat(daemon.remembered["import"]["last_done"]) == slot
    assert [status for status in place.outcomes(slot) if status != "abandoned"] == ["published"]
    assert place.books == place.truth("day1")
    assert daemon.status["last"]["good"]


@pytest.mark.parametrize("phase", ["fetch", "read", "merge", "commit"])
def test_a_daemon_killed_with_its_run_catches_its_slot_up_once(place, phase, faults):
    place.sample("day1")
    slot = place.due_slot()
    with place.standing(phase) as stand:
        daemon = place.start()
        release = stand(daemon)
        daemon.kill(with_runs=True)  # as systemd does with what is left of a unit
        assert place.books == (place.truth("day1") if phase == "commit" else place.truth(None))
        release()
        done_once(place, place.start(), slot, by_another_run=phase == "commit")
    faults.tell(
        Chapter.MACHINE,
        f"`kill -9` of the daemon with its run at: {phase}",
        "books as after; slot done once" if phase == "commit" else "books as before; the next start runs the slot once",
    )


def test_a_daemon_killed_alone_waits_for_the_run_that_it_left_behind_and_does_not_repeat_it(place):
    place.sample("day1")
    slot = place.due_slot()
    with place.standing("merge") as stand:
        daemon = place.start()
        release = stand(daemon)
        daemon.kill()
        daemon = place.start()
        assert "another run is under way" in daemon.wait_event("retry")["message"]
        release()
        done_once(place, daemon, slot, by_another_run=True)
    assert place.outcomes(slot) == ["published"]


def test_a_daemon_killed_between_commit_and_its_memory_does_not_repeat_the_slot(place, faults):
    place.sample("day1")
    slot = place.due_slot()
    with place.standing("commit") as stand:
        daemon = place.start()
        release = stand(daemon)
        run = daemon.run_pid()
        daemon.send(signal.SIGSTOP)
        release()
        until(lambda: not alive(run), "end of the run")
        daemon.kill()
        assert daemon.remembered["import"]["last_done"] is None
        done_once(place, place.start(), slot, by_another_run=True)
    assert place.outcomes(slot) == ["published"]
    faults.tell(
        Chapter.MACHINE,
        "`kill -9` or power cut between COMMIT and the daemon's memory",
        "the next start asks the database: slot done once, `done-elsewhere`",
    )


@pytest.mark.parametrize("phase", ["read", "commit"])
def test_a_run_that_is_killed_is_retried_and_the_daemon_lives(place, phase):
    place.sample("day1")
    slot = place.due_slot()
    with place.standing(phase) as stand:
        daemon = place.start()
        release = stand(daemon)
        os.kill(daemon.run_pid(), signal.SIGKILL)
        assert "was killed by signal 9" in daemon.wait_event("retry")["message"]
        release()
        done_once(place, daemon, slot, by_another_run=phase == "commit")
    assert daemon.process.poll() is None


def test_a_run_that_was_triggered_and_that_is_killed_is_reported_and_not_retried(place):
    place.sample("day1")
    with place.standing("merge") as stand:
        daemon = place.start()
        waiting = place.begin("trigger", "--wait")
        release = stand(daemon)
        os.kill(daemon.run_pid(), signal.SIGKILL)
        said, why = waiting.communicate(timeout=120)
        release()
        assert waiting.returncode == 1
        assert "was killed by signal 9" in said
        assert "→" in why
        assert daemon.wait_problem("run-crashed")["priority"] == 3
        assert place.command("status").returncode == 1
        until(lambda: place.sql(NOBODY_LEFT), "end of the run's connection")
        assert daemon.trigger(2)[-1]["status"] == "published"
    assert place.outcomes() == ["abandoned", "published"]


def test_a_slot_that_another_host_did_is_not_done_again(place):
    place.sample("day1")
    slot = place.due_slot()
    other = ("--schedule", "import", "--slot", slot.isoformat())
    assert place.command("run", *other).returncode == 0
    daemon = place.start()
    done_once(place, daemon, slot, by_another_run=True)
    assert place.outcomes(slot) == ["published"]
