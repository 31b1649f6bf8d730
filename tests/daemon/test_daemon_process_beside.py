"""What somebody does to the books beside the daemon, and that ``status`` knows of it at once."""

import json
import signal
from datetime import UTC, datetime

import pytest

from cpimportd.daemon.run_notice import FILE
from tests.support.daemon.living_daemon import LivingDaemon
from tests.support.daemon.other_user import NOBODY
from tests.support.polling import until

RECEIPTS, EXPENSES = "ЛОТОС ООО/receipts", "ЛОТОС ООО/expenses"


def status(place):
    return place.command("status")


def undo(place) -> tuple[LivingDaemon, list[str]]:
    """The daemon imports two days, and a human undoes the second; gives the units that are held after it."""
    daemon = place.start()
    place.sample("day1")
    daemon.trigger()
    place.sample("day2")
    run = daemon.trigger(2)[-1]["run"]
    done = place.command("undo", str(run), "--yes")
    assert done.returncode == 0, done.stderr
    undone = json.loads(place.command("accept", "--json").stdout)["held"]
    assert undone
    assert all(f"held until 1C uploads other files: {unit}" in done.stderr for unit in undone)
    return daemon, undone


def test_an_undone_unit_stays_held_until_a_different_file_comes_and_status_reports_it(place):
    daemon, undone = undo(place)
    daemon.wait_status(lambda found: found["held"] == undone, "knows what is undone")
    told = status(place)
    assert all(f"Held: {unit}" in told.stdout for unit in undone)
    assert all(f"{unit} is held" in told.stderr + told.stdout for unit in undone)
    assert told.returncode == 1
    assert place.books == place.truth("day1")
    daemon.trigger(3)  # the same files once more
    assert daemon.status["held"] == undone
    assert place.books == place.truth("day1")
    place.sample("day1")
    daemon.trigger(4)
    assert daemon.status["held"] == []
    assert "Held" not in status(place).stdout


def test_what_was_undone_can_be_accepted_at_once_and_status_knows_it(place):
    daemon, undone = undo(place)
    done = place.command("accept", *undone, "--yes")
    assert done.returncode == 0, done.stderr
    assert place.books == place.truth("day2")
    daemon.wait_status(lambda found: found["held"] == [], "knows what was accepted")
    assert daemon.status["last"]["run"] == place.runs[-1]["id"]
    assert status(place).returncode == 0


def test_an_undone_unit_whose_files_are_others_by_now_cannot_be_accepted_blindly(place):
    _, undone = undo(place)
    place.sample("day1")
    done = place.command("accept", *undone, "--yes")
    assert done.returncode == 1
    assert "accept-outdated" in done.stdout + done.stderr
    assert place.books == place.truth("day1")


def test_monitoring_and_the_page_for_people_know_of_an_undone_unit_before_the_next_run(place):
    _, undone = undo(place)
    answer = place.command("check", "--nagios")
    assert answer.returncode == 1
    assert all(unit in answer.stdout for unit in undone)


def test_a_run_by_hand_is_reported_by_status_and_in_the_journal(place):
    daemon = place.start()
    place.sample("day1")
    assert place.command("run").returncode == 0
    event = daemon.wait_event("elsewhere")
    assert event["CPIMPORTD_STATUS"] == "published"
    found = daemon.status
    assert (found["last"]["run"], found["last"]["job"], len(found["files"])) == (1, 0, 3)
    assert "published" in found["status"]
    assert "(run 1)" in status(place).stdout


@pytest.mark.parametrize("by_hand", [True, False], ids=["by hand", "by a schedule"])
def test_a_run_of_some_kinds_leaves_what_is_held_and_known_of_others(place, by_hand):
    place.sample("day1")
    daemon = place.start()
    daemon.trigger()
    place.workbook("Spisanie kredity").write_bytes(b"no workbook")
    daemon.trigger(2)
    before = daemon.status
    assert (before["held"], len(before["files"])) == ([EXPENSES], 3)
    if by_hand:
        assert place.command("run", "--only", "receipts").returncode == 0
        daemon.wait_event("elsewhere")
        daemon.turn()
    else:
        assert daemon.stop() == 0
        slot = place.slot_in(-20, "receipts")
        place.configure({"schedules.receipts.only": ["receipts"]})
        daemon = place.start()
        daemon.wait_slot(slot)
    after = daemon.status
    assert after["last"]["status"] == "unchanged"
    assert (after["held"], len(after["files"])) == ([EXPENSES], 3)
    assert status(place).returncode == 1


def test_a_daemon_that_starts_later_knows_of_the_run_too(place):
    daemon = place.start()
    place.sample("day1")
    daemon.trigger()
    place.workbook("Postuplenie").write_bytes(b"")
    daemon.trigger(2)
    assert daemon.status["held"] == [RECEIPTS]
    assert daemon.stop() == 0
    place.sample("day1")
    assert place.command("run").returncode == 0
    later = place.start()
    later.wait_status(lambda found: found["held"] == [], "knows of the run")
    assert not (place.state / FILE).exists()


def test_where_no_daemon_ever_was_no_notice_is_left(place):
    place.sample("day1")
    assert place.command("run").returncode == 0
    assert not (place.state / FILE).exists()


def test_a_notice_of_an_earlier_run_says_nothing_new(place):
    daemon = place.start()
    place.sample("day1")
    daemon.trigger()
    last = daemon.status["last"]
    word = {"began": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:00:01+00:00"}
    (place.state / FILE).write_text(f"{json.dumps(word)}\n{_result()}")
    daemon.send(signal.SIGCONT)
    until(lambda: not (place.state / FILE).exists(), "taken word")
    daemon.turn()
    assert daemon.status["last"] == last
    assert daemon.status["held"] == []


def _result() -> str:
    result = {"run": 7, "status": "held", "code": 3, "summary": "held", "held": [RECEIPTS], "codes": [],
              "passing": False, "problem": None, "way_out": None}  # fmt: skip
    return json.dumps({"result": result})


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"\xff", b'{"began": 1, "ended": 2}', json.dumps({"began": "x", "ended": "y"}).encode(),
     json.dumps(dict.fromkeys(("began", "ended"), datetime.now(UTC).isoformat())).encode()],
    ids=["empty", "nothing", "no-text", "numbers", "no-moments", "no-result"],
)  # fmt: skip
def test_a_notice_that_cannot_be_understood_is_reported_once_and_the_daemon_continues(place, content):
    daemon = place.start()
    (place.state / FILE).write_bytes(content)
    daemon.send(signal.SIGCONT)
    daemon.wait_problem("daemon-untold")
    assert not (place.state / FILE).exists()
    daemon.turn()
    assert len(daemon.having(code="daemon-untold")) == 1
    place.sample("day1")
    assert daemon.trigger()[-1]["status"] == "published"


def test_a_notice_that_cannot_be_left_is_a_warning_and_the_run_counts(place):
    daemon = place.start()
    place.sample("day1")
    (place.state / FILE).mkdir()
    done = place.command("run")
    assert done.returncode == 0
    assert "daemon-untold" in done.stderr
    daemon.send(signal.SIGCONT)
    daemon.wait_problem("daemon-untold")
    assert place.books == place.truth("day1")


@pytest.mark.usefixtures("as_nobody")
def test_the_daemon_of_another_user_is_notified_of_runs_by_root(place):
    place.give_to(NOBODY)
    daemon, undone = undo(place)
    daemon.wait_status(lambda found: found["held"] == undone, "knows what is undone")
