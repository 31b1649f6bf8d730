"""What outlives the daemon, and what becomes of it when its disk or its file is not what it was."""

import json
import signal
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.daemon.other_user import NOBODY
from tests.support.daemon.place import time_of_day


def waits_for_tomorrow(daemon) -> None:
    """No slot was due, and none waits."""
    (schedule,) = daemon.status["schedules"]
    away = datetime.fromisoformat(schedule["next"]) - datetime.now(UTC)
    assert timedelta(hours=23) < away <= timedelta(days=1)
    daemon.turn()
    assert daemon.having(event="slot-due") == []
    assert daemon.place.runs == []


def test_the_first_start_ever_imports_nothing_by_surprise(place):
    place.sample("day1")
    place.configure({"schedules.import.at": time_of_day(datetime.now(UTC) - timedelta(minutes=1))})
    waits_for_tomorrow(place.start())


def test_a_changed_expression_counts_from_the_moment_it_was_loaded(place):
    place.sample("day1")
    daemon = place.start()
    place.configure({"schedules.import.at": time_of_day(datetime.now(UTC) - timedelta(minutes=1))})
    daemon.send(signal.SIGHUP)
    daemon.wait_status(lambda found: found["answers"]["reloads_answered"] == 1, "answers the reload")
    waits_for_tomorrow(daemon)


def test_an_expression_that_was_changed_while_no_daemon_was_there_counts_from_its_start(place):
    place.sample("day1")
    place.start().stop()
    place.configure({"schedules.import.at": time_of_day(datetime.now(UTC) - timedelta(minutes=1))})
    waits_for_tomorrow(place.start())


@pytest.mark.parametrize(
    "damaged",
    [b"", b'{"version": 1, "schedules": {"import": {"at": "*-*-* 06', b"\xff\x00\x1b[31m", b'{"version": 99}', b"[]"],
    ids=["empty", "half", "binary", "another version", "other JSON"],
)
def test_a_damaged_memory_is_set_aside_and_reported_and_the_daemon_continues(place, damaged):
    place.sample("day1")
    place.due_slot()
    (place.state / "daemon.json").write_bytes(damaged)
    daemon = place.start()
    said = daemon.wait_problem("state-damaged")
    assert said["priority"] == 4
    (aside,) = place.state.glob("daemon.json.damaged-*")
    assert aside.name in said["message"]
    assert aside.read_bytes() == damaged
    assert not any(ord(letter) < 32 for letter in said["message"])
    waits_for_tomorrow(daemon)
    assert set(daemon.remembered) == {"import"}


def test_a_memory_that_cannot_be_read_keeps_the_daemon_from_starting(place):
    (place.state / "daemon.json").mkdir()
    daemon = place.start(ready=False)
    assert daemon.wait() == 1
    assert str(place.state / "daemon.json") in daemon.wait_problem("disk")["message"]
    assert place.notify.times("READY") == []


def test_a_memory_that_cannot_be_written_is_reported_once_and_again_when_it_can(place):
    place.sample("day1")
    daemon = place.start()
    memory = place.state / "daemon.json"
    memory.unlink()
    (memory / "in the way").mkdir(parents=True)
    daemon.trigger()
    said = daemon.wait_problem("state-unsaved")
    assert said["priority"] == 3
    assert str(place.state) in said["message"]
    assert daemon.trigger(2)[-1]["status"] == "unchanged"
    assert len(daemon.having(code="state-unsaved")) == 1
    (memory / "in the way").rmdir()
    memory.rmdir()
    daemon.trigger(3)
    daemon.wait_event("state-saved")
    assert json.loads(memory.read_text())["last"]["job"] == 3
    assert list(place.state.glob(".daemon.json-*")) == []


def test_an_ordinary_users_folder_that_is_closed_to_it_meanwhile_is_reported_and_lived_with(place, as_nobody):
    place.sample("day1")
    place.give_to(NOBODY)
    daemon = place.start()
    daemon.trigger()
    place.state.chmod(0o500)
    daemon.trigger(2)
    assert "Permission denied" in daemon.wait_problem("state-unsaved")["message"]
    place.state.chmod(0o700)
    assert daemon.stop() == 0
    assert daemon.having(event="state-saved")
    assert json.loads((place.state / "daemon.json").read_text())["last"]["job"] == 2


def test_what_it_knew_before_a_restart_it_tells_after_it(place):
    place.sample("day1")
    daemon = place.start()
    daemon.trigger()
    before = daemon.status
    assert daemon.stop() == 0
    daemon = place.start()
    after = daemon.status
    assert {name: after[name] for name in ("last", "last_good", "files", "held")} == {
        name: before[name] for name in ("last", "last_good", "files", "held")
    }
    assert "; last " in place.notify.statuses()[-1]
    assert after["jobs"] == []


def test_state_and_runtime_folders_are_private_and_hold_no_litter(place):
    place.sample("day1")
    place.state.rmdir()
    daemon = place.start()
    daemon.trigger()
    for folder in (place.state, place.runtime):
        assert folder.stat().st_mode & 0o777 == 0o700
    for file in (place.state / "daemon.json", place.state / "daemon.lock", place.runtime / "status.json"):
        assert file.stat().st_mode & 0o777 == 0o600
    assert daemon.stop() == 0
    assert [path.name for path in place.runtime.iterdir()] == ["status.json"]
    assert {path.name for path in place.state.iterdir()} == {"daemon.json", "daemon.lock", "run", "spool"}
