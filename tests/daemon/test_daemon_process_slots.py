"""Slots in real time: on time, tried again, waited for, absorbed, missed, too long."""

import signal
from datetime import UTC, datetime, timedelta

from tests.support.polling import alive, children, until


def slot_after_day1(place, seconds_ago: float) -> datetime:
    """A slot is due, and the first day was published by an earlier one."""
    place.sample("day1")
    assert place.command("run").returncode == 0
    newest = max(path.stat().st_mtime for path in place.upload.iterdir())
    return place.slot_in(-seconds_ago, newest_upload=datetime.fromtimestamp(newest, UTC))


def test_a_slot_begins_on_time(place):
    place.sample("day1")
    slot = place.slot_in(2)
    daemon = place.start()
    begins = daemon.wait_event("run-begins", slot=slot.isoformat())
    began, started = (datetime.fromisoformat(line["time"]) for line in (begins, daemon.wait_event("started")))
    assert timedelta(0) <= began - max(slot, started) < timedelta(seconds=1) + daemon.kept_waiting
    daemon.wait_slot(slot, status="published")
    assert place.outcomes(slot) == ["published"]
    assert place.books == place.truth("day1")


def test_a_database_that_is_unreachable_at_the_slot_is_retried_until_it_is_back(place):
    place.sample("day1")
    slot = place.due_slot()
    place.behind_the_gate()
    daemon = place.start()
    assert "database-unreachable" in daemon.wait_event("retry", 2)["message"]
    assert "waits for " in place.notify.wait_status("Slot ")
    daemon.wait_status(lambda found: found["schedules"][0]["waiting"], "tells of the slot that waits")
    with place.database_gate(b"nothing is held"):
        daemon.wait_slot(slot, status="published")
    assert place.outcomes(slot) == ["published"]
    assert place.books == place.truth("day1")


def test_a_fault_that_lasts_longer_than_retry_within_makes_the_slot_failed_for_good(place):
    place.sample("day1")
    slot = place.due_slot()
    place.behind_the_gate()
    place.configure({"retry.within": 3, "retry.wait_first": 0.1})
    daemon = place.start()
    daemon.wait_slot(slot, status="failed")
    assert daemon.having(event="retry")
    assert "database-unreachable" in daemon.status["last"]["problem"]
    assert daemon.stop() == 0
    with place.database_gate(b"nothing is held"):
        daemon = place.start()
        daemon.turn()
        assert daemon.having(event="slot-due") == []


def test_waiting_for_an_upload_is_no_error(place):
    slot_after_day1(place, 5)
    place.configure({"schedules.import.wait_for_upload": "1h", "daemon.look_again": 30})
    daemon = place.start()
    daemon.wait_event("retry")
    assert [line["message"] for line in daemon.events if line["priority"] <= 3] == []


def test_an_upload_that_comes_late_is_waited_for_and_published(place):
    slot = slot_after_day1(place, 5)
    place.configure({"schedules.import.wait_for_upload": "1h", "daemon.look_again": 0.3})
    daemon = place.start()
    assert "waits for 1C's upload" in daemon.wait_event("retry", 2)["message"]
    place.sample("day2", hours_ago=1)
    daemon.wait_slot(slot, status="published")
    assert place.outcomes(slot) == ["published"]
    assert place.books == place.truth("day2")
    assert place.command("status").returncode == 0


def test_the_first_upload_ever_is_waited_for_too(place):
    slot = place.due_slot()
    place.configure({"schedules.import.wait_for_upload": "1h", "daemon.look_again": 0.3})
    daemon = place.start()
    assert "waits for 1C's upload" in daemon.wait_event("retry")["message"]
    place.sample("day1")
    daemon.wait_slot(slot, status="published")
    assert [status for status in place.outcomes(slot) if status != "failed"] == ["published"]


def test_no_upload_until_the_deadline_is_an_outcome_of_its_own(place):
    slot = slot_after_day1(place, 2)
    place.configure({"schedules.import.wait_for_upload": 3, "daemon.look_again": 0.5})
    daemon = place.start()
    daemon.wait_slot(slot, status="no-upload")
    said = daemon.having(code="upload-missing")[-1]
    assert said["priority"] == 4
    assert "1C has not uploaded since" in said["message"]
    assert place.outcomes(slot) == ["unchanged"]
    assert place.books == place.truth("day1")
    status = place.command("status")
    assert status.returncode == 1
    assert "1C has not uploaded since" in status.stdout


def test_a_run_that_takes_too_long_is_stopped_and_its_processes_are_gone(place):
    place.sample("day1")
    slot = place.due_slot()
    place.configure({"daemon.run_time_limit": 10})
    daemon = place.start()
    readers = daemon.frozen_readers()
    run = daemon.run_pid()
    said = daemon.wait_problem("run-timeout")
    assert "daemon.run_time_limit (10 s)" in said["message"]
    assert said["CPIMPORTD_SLOT"] == slot.isoformat()
    daemon.wait_slot(slot)
    assert not any(map(alive, (run, *readers)))
    assert place.books == place.truth(None)
    assert place.command("status").returncode == 1
    assert daemon.trigger(2)[-1]["status"] == "published"


def test_a_run_that_took_too_long_and_was_past_commit_is_what_it_is_published(place):
    place.sample("day1")
    slot = place.due_slot()
    place.configure({"daemon.run_time_limit": 10})
    with place.standing("commit") as stand:
        daemon = place.start()
        began = datetime.fromisoformat(daemon.wait_event("run-begins")["time"])
        release = stand(daemon)
        # Nothing tells from outside that the limit is over, and the daemon has asked the run to stop.
        until(lambda: datetime.now(UTC) > began + timedelta(seconds=10.3), "end of the limit")
        release()
        assert daemon.wait_slot(slot)["CPIMPORTD_STATUS"] == "published"
    assert daemon.status["last"]["good"]
    assert place.books == place.truth("day1")


def test_a_slot_that_waits_continues_as_the_next_one(place):
    place.sample("day1")
    place.behind_the_gate()
    place.configure({"schedules.import.at": "*-*-* *:*:0/2", "retry.wait_first": 3, "retry.wait_longest": 3})
    daemon = place.start()
    first = daemon.wait_event("slot-due")
    absorbed = daemon.wait_event("slot-due", 2)
    assert "goes on as this one" in absorbed["message"]
    assert absorbed["CPIMPORTD_SLOT"] > first["CPIMPORTD_SLOT"]
    with place.database_gate(b"nothing is held"):
        published = daemon.wait_event("slot-done", status="published")
        assert daemon.stop() == 0
    assert published["CPIMPORTD_SLOT"] > first["CPIMPORTD_SLOT"]
    assert place.outcomes(datetime.fromisoformat(first["CPIMPORTD_SLOT"])) == []
    slots = [run["slot"] for run in place.runs if run["status"] in {"published", "unchanged"}]
    assert len(slots) == len(set(slots))
    assert place.books == place.truth("day1")


def test_slots_that_come_while_a_run_is_under_way_become_one(place):
    place.sample("day1")
    place.configure({"schedules.import.at": "*-*-* *:*:*"})
    with place.standing("merge") as stand:
        daemon = place.start()
        release = stand(daemon)
        (first,) = {line["CPIMPORTD_SLOT"] for line in daemon.having(event="slot-due")}
        began = datetime.fromisoformat(first)
        until(lambda: datetime.now(UTC) > began + timedelta(seconds=2.5), "few slots")
        release()
        second = daemon.wait_event("slot-due", 2)
        daemon.wait_event("slot-done", 2)
        assert daemon.stop() == 0
    assert "older slots, which were missed" in second["message"]
    assert second["priority"] == 4
    assert [run["status"] for run in place.runs[:2]] == ["published", "unchanged"]


def test_two_schedules_that_are_due_at_once_run_one_after_the_other(place):
    place.sample("day1")
    slot = place.slot_in(1.5, "import", "weekly")
    place.configure({"schedules.weekly.only": ["receipts"]})
    daemon = place.start()
    daemon.wait_event("slot-done", slot=slot.isoformat(), schedule="import")
    daemon.wait_slot(slot, schedule="weekly")
    turns = [
        line["CPIMPORTD_EVENT"] for line in daemon.events if line.get("CPIMPORTD_EVENT") in {"run-begins", "slot-done"}
    ]
    assert turns == ["run-begins", "slot-done"] * 2
    assert {(run["schedule"], run["status"]) for run in place.runs} == {
        ("import", "published"),
        ("weekly", "unchanged"),
    }
    assert "weekly" in place.command("status").stdout


def test_a_slot_older_than_grace_is_reported_as_missed_and_not_run(place):
    place.sample("day1")
    slot = place.due_slot()
    place.configure({"schedules.import.grace": 10})
    daemon = place.start()
    said = daemon.wait_problem("misfired")
    assert (said["priority"], said["CPIMPORTD_SLOT"]) == (4, slot.isoformat())
    daemon.turn()
    assert place.outcomes(slot) == []
    assert datetime.fromisoformat(daemon.remembered["import"]["last_done"]) == slot
    assert daemon.stop() == 0
    assert place.start().having(code="misfired") == []


def test_a_missed_slot_is_not_made_up_for_where_catch_up_is_off(place):
    place.sample("day1")
    place.slot_in(-90)
    place.configure({"schedules.import.catch_up": False})
    daemon = place.start()
    assert "catch_up" in daemon.wait_problem("misfired")["message"]
    daemon.turn()
    assert place.runs == []


def test_a_slot_that_waits_is_given_up_when_its_schedule_is_switched_off(place):
    place.due_slot()
    place.behind_the_gate()
    place.configure({"retry.wait_first": 30, "retry.wait_longest": 30})
    daemon = place.start()
    daemon.wait_event("retry")
    place.configure({"schedules.import.enabled": False})
    daemon.send(signal.SIGHUP)
    daemon.wait_event("slot-given-up")
    assert place.notify.wait_status("No schedule is enabled")
    assert children(daemon.pid, " run --config ") == []
    assert daemon.stop() == 0
