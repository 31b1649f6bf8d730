"""What is meant for the daemon reaches every process of its unit by `systemctl kill`: only the daemon minds it."""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.support.faults.table import Chapter
from tests.support.polling import until

MEANT_FOR_THE_DAEMON = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def offspring(pid):
    """The processes below one, their readers' too, as the kernel has them at this moment."""
    found = []
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            for child in (thread / "children").read_text().split():
                found += [int(child), *offspring(int(child))]
    return found


def signal_offspring(daemon, numbers=MEANT_FOR_THE_DAEMON):
    below = offspring(daemon.pid)
    for pid in below:
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
    return below


@contextlib.contextmanager
def hail(daemon):
    """Everything that the daemon starts is hit by all three signals, again and again, from its fork on."""
    over, hit = threading.Event(), set()

    def throw():
        while not over.is_set():
            hit.update(signal_offspring(daemon))

    thread = threading.Thread(target=throw)
    thread.start()
    try:
        yield hit
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("phase", ["fetch", "read", "merge", "commit"])
def test_signals_that_are_meant_for_the_daemon_do_no_harm_to_its_run(place, phase, faults):
    place.sample("day1")
    slot = place.due_slot()
    with place.standing(phase) as stand:
        daemon = place.start()
        release = stand(daemon)
        below = signal_offspring(daemon)
        assert daemon.run_pid() in below
        if phase == "read":
            assert len(below) > 1  # the process that forks readers, and maybe readers
        time.sleep(0.2)
        release()
        daemon.wait_slot(slot, status="published")
    assert daemon.having(code="run-crashed") == []
    assert place.outcomes() == ["published"]
    assert place.books == place.truth("day1")
    faults.tell(
        Chapter.MACHINE,
        "SIGUSR1, SIGUSR2 and SIGHUP to every process of a unit, as `systemctl kill` sends them",
        "only the daemon reacts to them: the run and its readers continue, books as after",
    )


def test_a_run_is_hit_by_no_signal_between_its_fork_and_its_first_instruction(place):
    place.sample("day1")
    daemon = place.start()
    with hail(daemon) as hit:
        for number in range(1, 5):
            daemon.send(signal.SIGUSR1)
            daemon.wait_runs(number)
    assert len(hit) >= 4
    assert daemon.having(code="run-crashed") == []
    assert [run["status"] for run in daemon.status["jobs"]] == ["published", *["unchanged"] * 3]
    assert daemon.status["answers"]["triggers_asked"] == 4  # a child hit behind its fork asks nothing of its parent


def test_the_readers_of_the_configuration_are_no_defect_when_they_are_hit(place):
    daemon = place.start()
    with hail(daemon) as hit:
        for number in range(1, 6):
            daemon.send(signal.SIGHUP)
            daemon.wait_status(lambda found, number=number: found["answers"]["reloads_answered"] >= number, "answers")
    assert hit
    assert daemon.having(code="internal") == []
    assert daemon.having(code="config-refused") == []


def test_a_job_and_what_is_started_now_and_then_ignore_them_as_well(place):
    place.configure(
        {
            "schedules.weekly.job": "reconcile",
            "schedules.weekly.at": "*-*-* 00:00:00",
            "alerts.urls": "json://127.0.0.1:9",
        }
    )
    slot = place.slot_in(-20, "weekly")
    daemon = place.start(ready=False)
    with hail(daemon):
        daemon.wait_ready()
        daemon.wait_event("slot-done", slot=slot.isoformat())
    assert daemon.having(code="job-died") == []


def test_a_verb_by_hand_dies_of_its_terminals_end_as_usual(place):
    place.sample("day1")
    with place.standing("fetch"):
        verb = place.begin("run")
        until(lambda: place.sql("SELECT 1 FROM cpimportd.runs WHERE status = 'running'"), "run by hand")
        verb.send_signal(signal.SIGHUP)
        assert verb.wait(10) == -signal.SIGHUP
