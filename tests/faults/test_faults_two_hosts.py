"""Two daemons on two hosts over one database: each slot is done once, whoever dies when, and the standby takes over."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.daemon.place import time_of_day
from tests.support.faults.hosts import Hosts, how_done, two_hosts
from tests.support.faults.table import Chapter
from tests.support.polling import alive, until

RIGHT_ONCE = "books right, published once"

BACKEND_OF_THE_RUN = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'cpimportd%' AND state = 'idle in transaction'
"""


@pytest.fixture
def hosts(database: str, sql: Callable[..., list[Any]]) -> Iterator[Hosts]:
    with two_hosts(database, sql) as both:
        yield both


@contextmanager
def a_standby_that_waits(hosts: Hosts) -> Iterator[tuple[Any, Any, Callable[[], None]]]:
    """The first host stands before its transaction, the standby waits for it; calling the third lets the first go on."""
    with hosts.first.standing("merge") as stand:
        first = hosts.first.start()
        release = stand(first)
        standby = hosts.standby.start()
        waits(standby)
        yield first, standby, release


@pytest.fixture
def in_full(whole: bool) -> None:
    if not whole:
        pytest.skip("with --whole; its like is in the sample")


def waits(daemon) -> None:
    """The daemon's child found the other host's run under way."""
    assert "another run is under way" in daemon.wait_event("retry")["message"], daemon.last_words


def test_of_two_that_live_one_does_the_slot_and_the_other_knows(hosts, faults):
    slot = hosts.slot_in(4)
    daemons = [hosts.first.start(), hosts.standby.start()]
    done = sorted(how_done(daemon, slot) for daemon in daemons)
    hosts.done_once(slot)
    assert hosts.first.outcomes(slot) == ["published"]
    assert [line["message"] for daemon in daemons for line in daemon.events if line["priority"] <= 3] == []
    faults.tell(
        Chapter.HOSTS, "two daemons run, a slot is due on both", f"one reports {done[1]}, one {done[0]}; {RIGHT_ONCE}"
    )


@pytest.mark.parametrize(
    ("request_", "answer", "when"),
    [
        (b"LOCK TABLE", True, "before COMMIT"),
        (b"COMMIT;", False, "while COMMIT is on its way"),
        (b"COMMIT;", True, "after COMMIT was carried out and before anybody was notified"),
    ],
    ids=["before", "on its way", "carried out"],
)
def test_when_a_host_dies_in_its_run_the_standby_does_the_same_slot(hosts, faults, request_, answer, when):
    slot = hosts.due_slot()
    with hosts.first.database_gate(request_, answer=answer) as gate:
        first = hosts.first.start()
        assert gate.reached.wait(100), first.last_words
        standby = hosts.standby.start()
        waits(standby)
        first.kill(with_runs=True)
        done = how_done(standby, slot)
        hosts.done_once(slot)
        gate.open()
        back = how_done(hosts.first.start(), slot)
    hosts.done_once(slot)
    assert back == "done-elsewhere"
    told = (
        f"the standby, which waited, does the same slot: {done}; the first reports {back} when it is back; {RIGHT_ONCE}"
    )
    faults.tell(Chapter.HOSTS, f"daemon and run of one host killed {when}", told)


def test_a_run_that_outlives_its_daemon_is_waited_for_by_the_standby(hosts, faults, in_full):
    slot = hosts.due_slot()
    with a_standby_that_waits(hosts) as (first, standby, release):
        first.kill()
        release()
        done = how_done(standby, slot)
    hosts.done_once(slot)
    assert hosts.first.outcomes(slot) == ["published"]
    faults.tell(Chapter.HOSTS, "a daemon killed, its run continues", f"the standby waits for it: {done}; {RIGHT_ONCE}")


def test_a_host_killed_after_its_slot_leaves_nothing_to_do(hosts, faults, in_full):
    slot = hosts.due_slot()
    first = hosts.first.start()
    how_done(first, slot)
    first.kill(with_runs=True)
    done = how_done(hosts.standby.start(), slot)
    hosts.done_once(slot)
    assert hosts.first.outcomes(slot) == ["published"]
    faults.tell(Chapter.HOSTS, "a host killed after its slot", f"the standby reports {done}; {RIGHT_ONCE}")


def test_a_host_that_cannot_reach_the_database_leaves_the_slot_to_the_other(hosts, faults):
    slot = hosts.due_slot()
    hosts.first.behind_the_gate()  # nobody listens there
    first = hosts.first.start()
    assert "database-unreachable" in first.wait_event("retry")["message"]
    assert how_done(hosts.standby.start(), slot) == "published"
    with hosts.first.database_gate(b"never asked"):
        done = how_done(first, slot)
    hosts.done_once(slot)
    told = f"`database-unreachable`, the other does the slot; {done} when the connection is back; {RIGHT_ONCE}"
    faults.tell(Chapter.HOSTS, "one host cut off from the database before its run", told)


def test_a_host_cut_off_in_the_middle_is_overtaken_and_cannot_publish_later(hosts, faults, superuser_url, sql):
    slot = hosts.due_slot()
    with hosts.first.database_gate(b"LOCK TABLE", answer=True) as gate:
        first = hosts.first.start()
        assert gate.reached.wait(100), first.last_words
        run = first.run_pid()
        standby = hosts.standby.start()
        waits(standby)
        # What the server does when it hears nothing from a client any more; the client hears nothing of it.
        until(lambda: sql(superuser_url(hosts.first.url), BACKEND_OF_THE_RUN), "session of the run")
        assert how_done(standby, slot) == "published"
        assert alive(run)
        gate.open()
        done = how_done(first, slot)
    hosts.done_once(slot)
    assert done in {"failed", "done-elsewhere"}  # whether there is time for another try
    told = f"the other does the slot once the server has ended the session; the first publishes nothing; {RIGHT_ONCE}"
    faults.tell(Chapter.HOSTS, "one host cut off from the database in the middle of its run", told)


def test_a_host_whose_clock_is_ahead_does_the_slot_early_and_the_other_does_not_repeat_it(hosts, faults):
    slot = hosts.slot_in(5)
    work = ("run", "--schedule", "import", "--slot", slot.isoformat())
    assert hosts.standby.command(*work).returncode == 0  # what its daemon does when its own clock says so
    done = how_done(hosts.first.start(), slot)
    late = hosts.standby.command(*work)
    assert (late.returncode, "slot-done" in late.stderr) == (5, True), late.stderr
    hosts.done_once(slot)
    assert hosts.first.outcomes(slot) == ["published"]
    told = f"the slot is identified by its name, not by the time when it is done: {done}; requested later, `slot-done`; {RIGHT_ONCE}"
    faults.tell(Chapter.HOSTS, "clocks of the two some seconds apart", told)


def test_two_hosts_with_different_hours_import_twice_and_the_second_changes_nothing(hosts, faults, in_full):
    slot = hosts.due_slot()
    first = hosts.first.start()
    assert how_done(first, slot) == "published"
    hosts.standby.slot_in(-10)
    standby = hosts.standby.start()
    done = standby.wait_event("slot-done")["CPIMPORTD_STATUS"]
    assert hosts.standby.keys["schedules.import.at"] != time_of_day(slot)
    hosts.done_once(slot)
    told = f"each host does its own slot; the second reports {done}; {RIGHT_ONCE}"
    faults.tell(Chapter.HOSTS, "the same schedule at different hours on the two", told)


def test_when_both_are_killed_in_the_middle_and_come_back_the_slot_is_done_once(hosts, faults):
    slot = hosts.due_slot()
    with a_standby_that_waits(hosts) as (first, standby, release):
        for daemon in (first, standby):
            daemon.kill(with_runs=True)
        assert hosts.first.books == hosts.first.truth(None)
        release()
        done = sorted(how_done(daemon, slot) for daemon in [hosts.standby.start(), hosts.first.start()])
    hosts.done_once(slot)
    told = f"when both are back, one reports {done[1]}, one {done[0]}; {RIGHT_ONCE}"
    faults.tell(Chapter.HOSTS, "both hosts killed in the middle of a run", told)


def test_a_run_killed_under_a_daemon_that_lives_is_done_by_whoever_is_first(hosts, faults, in_full):
    slot = hosts.due_slot()
    with a_standby_that_waits(hosts) as (first, standby, release):
        os.kill(first.run_pid(), signal.SIGKILL)
        release()
        done = sorted(how_done(daemon, slot) for daemon in (first, standby))
    hosts.done_once(slot)
    told = f"both retry: one reports {done[1]}, one {done[0]}; {RIGHT_ONCE}"
    faults.tell(Chapter.HOSTS, "a run killed while both daemons run", told)
