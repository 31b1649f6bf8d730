"""SIGTERM at awkward moments: before COMMIT a run is rolled back and its slot stays due, from COMMIT on it is finished."""

import signal
import time
from datetime import UTC, datetime

import pytest

from tests.support.polling import children, until


def caught_up(place, slot) -> None:
    """Another daemon does the slot, exactly once, and nothing else."""
    daemon = place.start()
    daemon.wait_slot(slot, status="published")
    assert len(daemon.having(event="slot-due")) == 1
    assert daemon.stop() == 0
    assert [run for run in place.outcomes(slot) if run != "failed"] == ["published"]
    assert place.books == place.truth("day1")


@pytest.mark.parametrize("phase", ["fetch", "read", "merge"])
def test_before_commit_the_run_is_rolled_back_and_its_slot_is_caught_up_once_by_the_next_start(place, phase):
    place.sample("day1")
    slot = place.due_slot()
    with place.standing(phase) as stand:
        daemon = place.start()
        release = stand(daemon)
        run = daemon.run_pid()
        began = time.monotonic()
        daemon.send(signal.SIGTERM)
        if phase == "merge":  # a database that says nothing; here it answers after a while
            place.notify.wait("STOPPING", "1")
            release()
        assert daemon.wait() == 0
        assert time.monotonic() - began < 10
        assert place.notify.times("EXTEND_TIMEOUT_USEC") == []
        (said,) = daemon.having(event="run-stopped")
        assert said["CPIMPORTD_SLOT"] == slot.isoformat()
        assert children(run, "") == []
        assert place.books == place.truth(None)
        assert place.outcomes() == ["failed"]
        assert daemon.remembered["import"]["last_done"] is None
        release()
        caught_up(place, slot)


def test_a_slot_that_waits_for_1c_continues_after_a_restart_though_grace_is_over(place):
    slot = place.due_slot()
    place.configure({"schedules.import.wait_for_upload": "2h"})
    daemon = place.start()
    daemon.wait_event("retry", slot=slot.isoformat())
    assert daemon.remembered["import"]["started"] == slot.isoformat()
    assert daemon.stop() == 0
    place.sample("day1")
    place.configure({"schedules.import.grace": 1, "schedules.import.catch_up": False})
    caught_up(place, slot)


def test_from_commit_on_the_run_is_finished_recorded_and_not_repeated(place):
    place.sample("day1")
    slot = place.due_slot()
    with place.standing("commit") as stand:
        daemon = place.start()
        release = stand(daemon)
        daemon.send(signal.SIGTERM)
        place.notify.wait("EXTEND_TIMEOUT_USEC")
        daemon.send(signal.SIGTERM)  # whoever is impatient changes nothing
        release()
        assert daemon.wait() == 0
        assert daemon.having(event="slot-done", status="published", slot=slot.isoformat())
        assert datetime.fromisoformat(daemon.remembered["import"]["last_done"]) == slot
        daemon = place.start()
        assert daemon.status["last"]["status"] == "published"
        daemon.turn()
        assert daemon.having(event="slot-due") == []
    assert place.outcomes(slot) == ["published"]
    assert place.books == place.truth("day1")


def test_a_slot_on_time_that_a_stop_interrupts_is_caught_up_by_the_next_start(place, locked):
    place.sample("day1")
    slot = place.slot_in(2)
    daemon = place.start()
    with locked():
        daemon.wait_event("slot-due", slot=slot.isoformat())
        assert datetime.now(UTC) >= slot
        place.wait_for_lock()
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 5  # the run is rolled back at once, whoever holds the lock
        assert place.books == place.truth(None)
    caught_up(place, slot)


def test_a_slot_that_comes_while_no_daemon_is_there_is_caught_up_and_a_later_start_repeats_nothing(place):
    place.sample("day1")
    slot = place.slot_in(8)
    daemon = place.start()
    assert daemon.stop() == 0
    assert daemon.having(event="slot-due") == []
    until(lambda: datetime.now(UTC) > slot, "slot")
    caught_up(place, slot)
    daemon = place.start()
    daemon.turn()
    assert daemon.having(event="slot-due") == []
    assert place.outcomes(slot) == ["published"]


def test_a_stop_while_a_slot_waits_for_another_try_leaves_it_due(place):
    place.sample("day1")
    right = place.url
    slot = place.due_slot()
    place.configure({"database.url": "postgresql://cpimportd@127.0.0.1:1/books", "retry.wait_first": 60})
    place.configure({"retry.within": 600, "retry.wait_longest": 60})
    daemon = place.start()
    daemon.wait_event("retry")
    assert daemon.stop() == 0
    place.configure({"database.url": right})
    caught_up(place, slot)
