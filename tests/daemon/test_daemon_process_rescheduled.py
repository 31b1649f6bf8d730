"""What `reschedule` gave a schedule is what everybody shows who shows the next slots, until the daemon's next start."""

import json
import signal
from datetime import UTC, datetime, timedelta

from tests.support.daemon.place import time_of_day, whole_second
from tests.support.polling import until

ELSEWHERE = time_of_day(datetime.now(UTC) + timedelta(hours=9))


def told(place, *arguments: str) -> dict:
    found = json.loads(place.command("next", "--count", "1", "--json", *arguments).stdout)["schedules"]["import"]
    return found | {"next": datetime.fromisoformat(found["slots"][0])}


def test_next_shows_rescheduled_slots_until_the_next_start_and_reports_it(place):
    daemon = place.start()
    configured = place.keys["schedules.import.at"]
    assert (told(place)["at"], told(place)["rescheduled"]) == (configured, False)
    assert place.command("reschedule", "import", ELSEWHERE).returncode == 0
    found = told(place)
    assert (found["at"], found["rescheduled"]) == (ELSEWHERE, True)
    assert found["next"] == datetime.fromisoformat(daemon.status["schedules"][0]["next"])
    shown = " ".join(place.command("next").stdout.split())
    assert f"import: rescheduled to {ELSEWHERE} until the daemon's next start, then {configured}" in shown
    assert json.loads(place.command("next", "--schedule", "06:00", "--json").stdout)["expression"] == "06:00"
    assert daemon.stop() == 0
    assert (told(place)["at"], told(place)["rescheduled"]) == (
        configured,
        False,
    )  # the file is there, and holds no more
    place.start()
    assert told(place)["rescheduled"] is False


def test_next_shows_what_comes_after_the_run_under_way_and_after_a_reset(place):
    place.sample("day1")
    place.due_slot()
    configured = place.keys["schedules.import.at"]
    with place.standing("merge") as stand:
        daemon = place.start()
        release = stand(daemon)
        assert place.command("reschedule", "import", ELSEWHERE).returncode == 0
        assert told(place)["at"] == ELSEWHERE
        assert place.command("reschedule", "import", "--reset").returncode == 0
        assert told(place)["at"] == configured
        release()
        daemon.wait_runs(1)


def test_a_slot_that_was_moved_to_a_later_hour_is_not_missed_to_a_monitor(place):
    place.sample("day1")
    assert place.command("run").returncode == 0
    slot = whole_second(8)
    place.configure({"schedules.import.at": time_of_day(slot), "retry.within": 1, "schedules.import.grace": 1})
    daemon = place.start()
    assert place.command("reschedule", "import", ELSEWHERE).returncode == 0
    until(lambda: datetime.now(UTC) > slot + timedelta(seconds=2.5), "end of the slot that was")
    nagios = place.command("check", "--nagios")
    assert "is not done" not in nagios.stdout, nagios.stdout
    assert nagios.returncode == 0, nagios.stdout
    daemon.send(signal.SIGTERM)


def test_a_rescheduled_slot_that_was_the_last_one_is_reported_by_check_and_monitors(place):
    daemon = place.start()
    once = whole_second(4)
    assert place.command("reschedule", "import", f"{once:%Y-%m-%d %H:%M:%S} UTC").returncode == 0
    daemon.wait_status(lambda found: found["schedules"][0]["next"] is None, "has no slot any more")
    assert "slot-none" in place.command("check", "--json").stdout
    assert "has no slot any more" in place.command("check", "--nagios").stdout
