"""What systemd is told, by the real daemon over a real socket."""

import itertools
import re
import signal
import time

import pytest

from tests.support.polling import until

IDLE = re.compile(r"Next import \d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? MSK in (6 h|5 h 59 min)")
LAST = re.compile(
    r"; last \d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? MSK published 240 documents and 282 detail lines of 3 files in \d+\.\d s \(240 new\)(; \d warnings?)?"
)
IMPORTING = re.compile(r"Importing: (fetching|reading|checking|publishing|telling readers)( \d/3 files, \d+ %)?")


def test_ready_comes_once_and_from_the_daemon_itself_when_the_first_slot_is_known(place):
    daemon = place.start()
    ready = place.notify.wait("READY", "1")
    assert ready.pid == daemon.pid
    assert IDLE.fullmatch(ready.lines["STATUS"])
    assert (place.state / "daemon.json").exists()
    assert daemon.status["schedules"][0]["next"]
    daemon.trigger()  # a run, and the processes of a run, have nothing to tell systemd
    assert daemon.stop() == 0
    assert {notice.pid for notice in place.notify.notices} == {daemon.pid}
    assert len(place.notify.times("READY")) == 1


def test_a_database_and_a_server_that_are_unreachable_are_no_reason_not_to_be_ready(place):
    place.configure({"database.url": "postgresql://cpimportd@127.0.0.1:1/books", "source.url": "ftp://127.0.0.1:1/"})
    daemon = place.start()
    assert IDLE.fullmatch(place.notify.wait("READY").lines["STATUS"])
    assert daemon.stop() == 0


def test_status_is_one_true_line_before_during_and_after_a_run(place):
    place.sample("day1")
    with place.database_gate(b"LOCK TABLE") as gate:
        daemon = place.start()
        daemon.send(signal.SIGUSR1)
        assert gate.reached.wait(100)
        place.notify.wait_status("Importing: publishing")
        gate.open()
        daemon.wait_runs(1)
    place.notify.wait_status("Next import", after=len(place.notify.notices) - 1)
    first, *during, last = place.notify.statuses()
    assert IDLE.fullmatch(first)
    assert all(map(IMPORTING.fullmatch, during)), during
    idle, _, rest = last.partition(";")
    assert IDLE.fullmatch(idle)
    assert LAST.fullmatch(f";{rest}")


def test_the_watchdog_hears_the_loop_also_during_a_run_and_no_more_when_it_stands_still(place):
    place.sample("day1")
    with place.database_gate(b"LOCK TABLE") as gate:
        daemon = place.start(WATCHDOG_USEC="1500000")
        daemon.send(signal.SIGUSR1)
        assert gate.reached.wait(100)
        until(lambda: len(place.notify.times("WATCHDOG")) > 4, "beats")
        gate.open()
        daemon.wait_runs(1)
    beats = place.notify.times("WATCHDOG")
    assert max(later - earlier for earlier, later in itertools.pairwise(beats)) < 1.5
    daemon.send(signal.SIGSTOP)
    before = len(place.notify.notices)
    time.sleep(1)  # silence cannot be waited for in another way
    assert len(place.notify.notices) - before <= 1  # one may have been on its way
    daemon.send(signal.SIGCONT)
    place.notify.wait("WATCHDOG", "1", after=before + 1)


def test_a_watchdog_that_is_meant_for_another_process_hears_nothing(place):
    place.configure()
    daemon = place.start(WATCHDOG_USEC="300000", WATCHDOG_PID="1")
    daemon.turn()
    assert place.notify.times("WATCHDOG") == []


@pytest.mark.parametrize("broken", [False, True], ids=["accepted", "refused"])
def test_a_reload_is_distinguished_from_its_beginning_to_its_end_also_when_it_is_refused(place, broken):
    daemon = place.start()
    if broken:
        place.configure({"source.stable_for": "soon"})
    before, asked = len(place.notify.notices), time.monotonic_ns() // 1000
    daemon.send(signal.SIGHUP)
    place.notify.wait("READY", "1", after=before)
    reloading, *_, ready = place.notify.notices[before:]
    assert reloading.lines["RELOADING"] == "1"
    # sd_notify(3): systemd takes it only for an answer to its own signal if it is not older than that
    assert asked <= int(reloading.lines["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    idle, _, refused = ready.lines["STATUS"].partition("; ")
    assert IDLE.fullmatch(idle)
    assert refused.endswith("a restart would fail") == broken
    assert len(daemon.having(event="reloaded")) == (not broken)
    assert len(daemon.having(code="config-refused")) == broken


def test_a_stop_is_reported_at_once_and_nothing_after_it_claims_to_be_ready(place):
    daemon = place.start()
    before = len(place.notify.notices)
    assert daemon.stop() == 0
    (stopping,) = place.notify.notices[before:]
    assert stopping.lines == {"STOPPING": "1", "STATUS": "Stopping"}


def test_the_stop_is_extended_while_a_run_past_commit_is_waited_for(place):
    place.sample("day1")
    with place.database_gate(b"COMMIT;", answer=True) as gate:
        daemon = place.start()
        daemon.send(signal.SIGUSR1)
        assert gate.reached.wait(100)
        daemon.send(signal.SIGTERM)
        place.notify.wait("STOPPING", "1")
        until(lambda: len(place.notify.times("EXTEND_TIMEOUT_USEC")) > 2, "extensions")
        assert int(place.notify.wait("EXTEND_TIMEOUT_USEC").lines["EXTEND_TIMEOUT_USEC"]) >= 10_000_000
        assert place.notify.statuses()[-1].startswith("Stopping; the run under way is committing")
        gate.open()
        assert daemon.wait() == 0
    assert place.outcomes() == ["published"]


@pytest.mark.parametrize("wrong", ["key", "syntax", "nothing there"])
def test_a_broken_configuration_ends_with_2_and_is_named_with_its_place_and_way_out(place, wrong):
    place.configure()
    text = place.file.read_text()
    if wrong == "key":
        place.file.write_text(f"{text}[daemon]\nrun_time_limt = 5\n")
        number = len(text.splitlines()) + 2
        message = f"unknown key daemon.run_time_limt in {place.file}, line {number}"
        way_out = "Remove the key or correct its name or section."
    elif wrong == "syntax":
        place.file.write_text(f"{text}at = \n")
        message = f"line {len(text.splitlines()) + 1}"
        way_out = ""
    else:
        place.file.unlink()
        message, way_out = str(place.file), ""
    daemon = place.start(ready=False)
    assert daemon.wait() == 2
    assert place.notify.times("READY") == []
    (said,) = [line["message"] for line in daemon.events if line["priority"] == 3]
    assert message in said
    assert way_out in said
    status = place.notify.statuses()[-1]
    assert status.startswith("Not started: ")
    assert message in status
