"""What can be asked of the daemon, by signals and by verbs, and who may ask."""

import json
import os
import re
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest

from cpimportd.core.formatting import moment
from cpimportd.daemon.plan import RESCHEDULED
from cpimportd.demo.ftp import LoopbackFtpServer
from tests.support.daemon.other_user import NOBODY
from tests.support.daemon.place import MOSCOW, time_of_day
from tests.support.polling import until
from tests.support.secrets import FTP

ELSEWHERE = time_of_day(datetime.now(UTC) + timedelta(hours=9))


def truncate(workbook) -> None:
    modified = workbook.stat().st_mtime
    workbook.write_bytes(workbook.read_bytes()[:5000])
    os.utime(workbook, (modified, modified))


def test_sigusr1_imports_to_the_kopeck(place):
    place.sample("day1", organization="")
    (run,) = place.start().trigger()
    assert (run["status"], run["code"], run["schedule"], run["slot"]) == ("published", 0, None, None)
    assert place.books == place.truth("day1")


def test_sigusr1_imports_from_an_ftp_server_whose_password_only_the_run_knows(place):
    place.sample("day1")
    with LoopbackFtpServer(place.upload, password=FTP) as server:
        keys = {"source.url": server.url, "source.user": server.user, "source.password": server.password}
        place.configure({**keys, "source.stable_for": 0})
        daemon = place.start()
        (run,) = daemon.trigger()
    assert run["status"] == "published", daemon.last_words
    assert place.books == place.truth("day1")


def test_who_waits_for_a_run_is_answered_though_others_continue_asking(place):
    place.sample("day1")
    daemon = place.start()
    waiting = place.begin("trigger", "--wait")
    deadline = time.monotonic() + 20
    while waiting.poll() is None and time.monotonic() < deadline:
        daemon.send(signal.SIGUSR1)
        time.sleep(0.02)
    assert waiting.poll() == 0


def test_however_often_a_run_is_asked_for_while_one_is_under_way_one_more_follows(place):
    place.sample("day1")
    with place.database_gate(b"LOCK TABLE") as gate:
        daemon = place.start()
        daemon.send(signal.SIGUSR1)
        assert gate.reached.wait(100)
        for count in range(2, 12):
            daemon.send(signal.SIGUSR1)
            daemon.wait_status(lambda found, n=count: found["answers"]["triggers_asked"] == n, f"counts {count}")
        gate.open()
        daemon.wait_runs(2)
    assert daemon.status["answers"]["triggers_served"] == 11
    assert daemon.stop() == 0
    assert place.outcomes() == ["published", "unchanged"]


def test_trigger_returns_at_once_and_trigger_wait_with_the_sentence_and_code_of_its_own_run(place):
    place.sample("day1")
    with place.database_gate(b"LOCK TABLE") as gate:
        daemon = place.start()
        asked = place.command("trigger")
        assert (asked.returncode, asked.stdout) == (0, "")
        assert gate.reached.wait(100)
        waiting = place.begin("trigger", "--wait")
        daemon.wait_status(lambda found: found["answers"]["triggers_asked"] == 2, "counts 2")
        gate.open()
        said, shown = waiting.communicate(timeout=120)
    assert waiting.returncode == 0
    assert re.fullmatch(r"nothing new in 3 files, looked at in \d+\.\d s\n", said)
    assert "Importing: " in shown


def test_trigger_wait_ends_with_3_and_names_what_is_held(place):
    place.sample("day1")
    truncate(place.workbook("Lotos - Spisanie kredity"))
    place.start()
    done = place.command("trigger", "--wait")
    assert done.returncode == 3
    assert "files held: Lotos - Spisanie kredity XLSX.xlsx (file-damaged)" in done.stdout
    assert "Lotos - Spisanie kredity XLSX.xlsx" in done.stderr
    assert "→" in done.stderr
    assert place.outcomes() == ["partial"]


def test_trigger_wait_ends_with_1_where_the_database_is_unreachable_and_the_daemon_continues(place):
    url = "postgresql://cpimportd@127.0.0.1:1/books"
    place.configure({"database.url": url})
    daemon = place.start()
    done = place.command("trigger", "--wait")
    assert done.returncode == 1
    assert "database-unreachable" in done.stdout
    assert "→" in done.stderr
    status = place.command("status")
    assert status.returncode == 1
    assert "database-unreachable" in status.stdout
    assert daemon.stop() == 0


def test_trigger_wait_reports_it_where_the_daemon_ends_meanwhile(place, locked):
    place.sample("day1")
    with locked():
        daemon = place.start()
        waiting = place.begin("trigger", "--wait")
        place.wait_for_lock()
        daemon.send(signal.SIGTERM)
        _, said = waiting.communicate(timeout=120)
    assert waiting.returncode == 1
    assert "daemon-not-running" in said


def test_trigger_wait_reports_it_where_another_daemon_took_the_place_of_the_one_that_it_asked(place, locked):
    place.sample("day1")
    with locked():
        daemon = place.start()
        waiting = place.begin("trigger", "--wait")
        place.wait_for_lock()
        daemon.wait_status(lambda found: found["answers"]["triggers_asked"] == 1, "counts 1")
        waiting.send_signal(signal.SIGSTOP)
        daemon.kill(with_runs=True)
    place.start()
    waiting.send_signal(signal.SIGCONT)
    try:
        _, said = waiting.communicate(timeout=120)
    finally:
        waiting.kill()
    assert waiting.returncode == 1
    assert "daemon-not-running" in said


def test_status_tells_monitoring_by_its_code_whether_all_is_well(place):
    place.sample("day1")
    before = place.command("status", "--json")
    assert before.returncode == 3
    assert json.loads(before.stdout)["problems"][0]["code"] == "daemon-not-running"
    daemon = place.start()
    daemon.trigger()
    well = place.command("status", "--json")
    found = json.loads(well.stdout)
    assert (well.returncode, found["well"], found["pid"]) == (0, True, daemon.pid)
    assert found["last"]["status"] == found["last_good"]["status"] == "published"
    assert {file["name"] for file in found["files"]} == {path.name for path in place.upload.iterdir()}
    truncate(place.workbook("Lotos - Spisanie kredity"))
    daemon.trigger(2)
    held = place.command("status", "--json")
    found = json.loads(held.stdout)
    assert (held.returncode, found["held"]) == (1, ["ЛОТОС ООО/expenses"])
    assert (found["last"]["status"], found["last_good"]["status"]) == ("held", "published")
    assert daemon.stop() == 0
    assert place.command("status").returncode == 3


def test_a_workbook_that_is_not_uploaded_is_reported_once_and_by_status(place):
    place.configure({"source.stale_after": "1h"})
    place.sample("day1")
    daemon = place.start()
    daemon.trigger()
    daemon.trigger(2)
    assert len(daemon.having(code="file-stale")) == 3
    status = place.command("status", "--json")
    assert status.returncode == 1
    assert all(file["stale"] for file in json.loads(status.stdout)["files"])


def test_reschedule_counts_until_it_is_reset_or_the_daemon_starts_anew(place):
    daemon = place.start()
    usual = place.keys["schedules.import.at"]

    def at() -> tuple[str, bool]:
        (schedule,) = daemon.status["schedules"]
        return schedule["at"], schedule["rescheduled"]

    changed = place.command("reschedule", "import", ELSEWHERE)
    assert changed.returncode == 0, changed.stderr
    assert at() == (ELSEWHERE, True)
    slot = datetime.fromisoformat(daemon.status["schedules"][0]["next"])
    assert changed.stderr == f"import is due next at {moment(slot, MOSCOW)}\n"
    assert place.command("reschedule", "import", "--reset").returncode == 0
    assert at() == (usual, False)
    assert place.command("reschedule", "import", ELSEWHERE).returncode == 0
    assert daemon.stop() == 0
    daemon = place.start()
    assert at() == (usual, False)


def test_reschedule_tells_the_new_slot_while_a_run_is_under_way(place):
    """The status has the old one until that run is over."""
    place.sample("day1")
    with place.database_gate(b"LOCK TABLE") as gate:
        daemon = place.start()
        daemon.send(signal.SIGUSR1)
        assert gate.reached.wait(100)
        changed = place.command("reschedule", "import", ELSEWHERE)
        old = daemon.status["schedules"][0]["next"]
        back = place.command("reschedule", "import", "--reset")
        again = place.command("reschedule", "import", ELSEWHERE)
        gate.open()
        daemon.wait_runs(1)
    daemon.wait_status(lambda found: found["schedules"][0]["rescheduled"], "goes by the new expression")
    new = daemon.status["schedules"][0]["next"]
    later = "; this takes effect when the run under way is over\n"
    told = {text: f"import is due next at {moment(datetime.fromisoformat(text), MOSCOW)}{later}" for text in (old, new)}
    assert old != new
    assert (changed.stderr, back.stderr, again.stderr) == (told[new], told[old], told[new])


@pytest.mark.parametrize("left", ["", '{"import": "*-*-*'], ids=["empty", "cut off"])
def test_what_a_power_cut_left_of_a_rescheduled_expression_keeps_no_daemon_from_starting(place, left):
    place.runtime.mkdir(mode=0o700)
    (place.runtime / RESCHEDULED).write_text(left)
    daemon = place.start()
    assert daemon.status["schedules"][0]["at"] == place.keys["schedules.import.at"]
    assert not (place.runtime / RESCHEDULED).exists()
    assert place.command("reload").returncode == 0


def test_reschedule_refuses_what_it_does_not_understand_and_changes_nothing(place):
    daemon = place.start()
    for arguments, message in (
        (("import", "half past six"), "config-value"),
        (("weekly", ELSEWHERE), "no schedule weekly is enabled; enabled: import"),
        (("import", ELSEWHERE, "--reset"), "not both"),
    ):
        refused = place.command("reschedule", *arguments)
        assert refused.returncode == 2
        assert message in refused.stderr
    assert daemon.status["schedules"][0]["at"] == place.keys["schedules.import.at"]


@pytest.mark.parametrize("verb", [("trigger", "--wait"), ("reload",), ("reschedule", "import", ELSEWHERE)])
def test_a_verb_without_a_daemon_reports_it_and_how_to_start_one(place, verb):
    done = place.command(*verb)
    assert done.returncode == 1
    assert "daemon-not-running" in done.stderr
    assert "systemctl start cpimportd" in done.stderr


def test_a_second_daemon_is_refused_by_name_and_disturbs_nothing(place):
    place.sample("day1")
    first = place.start()
    second = place.start(ready=False)
    assert second.wait() == 4
    (said,) = second.having(code="daemon-running")
    assert f"PID {first.pid}" in said["message"]
    assert place.notify.statuses()[-1].startswith(f"Not started: another cpimportd daemon, PID {first.pid}")
    assert first.status["pid"] == first.pid
    assert len(list(place.runtime.glob("configuration-*"))) == 1
    assert first.trigger()[0]["status"] == "published"


def test_another_user_is_told_the_owner_of_the_daemon(place, as_nobody):
    place.start()
    place.file.chmod(0o644)
    for verb in (("trigger",), ("status",), ("reload",), ("reschedule", "import", ELSEWHERE)):
        done = place.command(*verb, **as_nobody)
        assert done.returncode == 1
        assert "daemon-permission" in done.stderr
        assert "Traceback" not in done.stderr


def test_an_ordinary_user_starts_a_daemon_by_hand_and_asks_it_and_so_does_root(place, as_nobody):
    place.sample("day1")
    place.give_to(NOBODY)
    daemon = place.start()
    done = place.command("trigger", "--wait", **as_nobody)
    assert done.returncode == 0, done.stderr
    assert place.books == place.truth("day1")
    assert place.command("reschedule", "import", ELSEWHERE).returncode == 0  # root, whose file the daemon has to read
    assert place.command("status", **as_nobody).returncode == 0
    assert daemon.status["schedules"][0]["rescheduled"]
    assert place.command("reschedule", "import", "--reset", **as_nobody).returncode == 0
    assert daemon.stop() == 0
    owners = {path.stat().st_uid for path in place.state.rglob("*")}
    assert owners == {NOBODY}


def test_sigint_stops_it_as_sigterm_does(place):
    daemon = place.start()
    daemon.send(signal.SIGINT)
    assert daemon.wait() == 0
    until(lambda: daemon.having(event="stopped"), "last word")
