"""What a run waits for is said while it waits: in systemd's line, in the status, and to whoever waits for the run."""

import asyncio
import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from cpimportd.books.publish.transaction import was_committed
from cpimportd.config.settings import Database, Retry
from cpimportd.core.problems import ProblemError
from cpimportd.core.waiting import Wait, report_waits_to
from cpimportd.demo.ftp import LoopbackFtpServer
from tests.support.daemon.gate import Gate
from tests.support.daemon.place import SAMPLES
from tests.support.polling import until

CLOCK = r"\d\d:\d\d(:\d\d)?"
REFUSED = re.compile(
    rf"Import waits for the FTP server: connection refused; (next try {CLOCK}|being tried again), gives up {CLOCK}"
)


@contextmanager
def closed_port() -> Iterator[int]:
    """A port of this machine that refuses whoever comes."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def mute_port(greeting: bytes = b"") -> Iterator[int]:
    """A port that accepts, and says nothing, or no more than a greeting."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        connections = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connections.append(listener.accept()[0])
                    connections[-1].sendall(greeting)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in connections:
                one.close()


def line(place, begin: str) -> str:
    """Systemd's line once it begins so, and how it went on."""
    return place.notify.wait_status(begin)


def waits(daemon, code: str) -> dict:
    """What the run under way waits for, once it is this."""
    return daemon.wait_status(
        lambda found: [one for one in (found["running"] or {"waits": ()})["waits"] if one["for"] == code],
        f"tells that the run waits for {code}",
    )[0]


def trouble(place) -> tuple[int, str, dict]:
    """The status for people and for scripts."""
    shown, scripts = place.command("status"), place.command("status", "--json")
    assert shown.returncode == scripts.returncode
    return shown.returncode, shown.stdout.replace("\n", " "), json.loads(scripts.stdout)


def test_a_server_that_is_down_at_the_slot_is_reported_with_its_next_try_and_its_end_until_it_is_back(place):
    place.sample("day1")
    slot = place.due_slot()
    with LoopbackFtpServer(place.upload) as ftp:
        with closed_port() as port:
            place.configure({"source.url": f"ftp://127.0.0.1:{port}/", "source.user": ftp.user})
            place.configure({"source.password": ftp.password, "retry.wait_first": 1.5, "retry.wait_longest": 2})
            daemon = place.start()
            assert REFUSED.fullmatch(line(place, "Import waits for the FTP server: connection refused; next try"))
            code, shown, scripts = trouble(place)
            assert code == 1
            assert "Look: the run under way waits for the FTP server: connection refused" in shown
            assert not scripts["well"]
            (wait,) = scripts["running"]["waits"]
            assert (wait["for"], wait["what"], wait["why"]) == ("source", "the FTP server", "connection refused")
            assert wait["next"] < wait["until"]
            assert wait["told"] in scripts["wrong"][0]
            waiting = place.begin("trigger", "--wait")
            assert REFUSED.match(waiting.stderr.readline().strip())
        with Gate(("127.0.0.1", port), ("127.0.0.1", ftp.port), b"nothing is held"):
            daemon.wait_slot(slot, status="published")
            said, _ = waiting.communicate(timeout=120)
            assert waiting.returncode == 0, said
    assert "waits" not in place.notify.statuses()[-1]
    assert trouble(place)[0] == 0


@pytest.mark.parametrize(
    ("greeting", "during"), [(b"", "the greeting"), (b"220 ready\r\n", "the login")], ids=["greeting", "login"]
)
def test_a_server_that_accepts_and_falls_silent_is_reported_before_it_is_given_up(place, greeting, during):
    place.due_slot()
    with mute_port(greeting) as port:
        place.configure({"source.url": f"ftp://127.0.0.1:{port}/", "source.user": "finance"})
        daemon = place.start()
        wait = waits(daemon, "source")
        assert wait["why"] == f"no answer yet during {during}"
        assert wait["until"] is not None
        assert trouble(place)[0] == 1
        assert line(place, "Import waits for the FTP server: no answer yet")


def test_a_fresh_file_is_waited_for_and_that_is_no_trouble(place):
    place.sample("day1", hours_ago=0)
    slot = place.due_slot()
    place.configure({"source.stable_for": 20})
    daemon = place.start()
    wait = waits(daemon, "upload")
    assert "it is younger than source.stable_for" in wait["why"]
    assert trouble(place)[0] == 0
    assert re.fullmatch(
        rf"Importing: fetching( 0/3 files, 0 %)?; waits for an upload to end: \S.*; next try {CLOCK}, gives up {CLOCK}",
        daemon.status["status"],
    )
    daemon.wait_slot(slot, status="published")


def test_a_lock_that_somebody_holds_is_reported_with_who_holds_it(place, locked):
    place.sample("day1")
    slot = place.due_slot()
    place.configure({"database.lock_timeout": "2s"})
    daemon_line = "Import waits for a lock in the database: pid"
    with locked():
        daemon = place.start()
        assert re.search(rf"on fin_expenses; gives up {CLOCK}$", line(place, daemon_line))
        assert trouble(place)[0] == 1
    daemon.wait_slot(slot, status="published")


def other_half_missing(place) -> None:
    """Day 1 is published; of day 2 the details are here, uploaded a moment ago, and their expenses are not."""
    place.sample("day1")
    assert place.command("run").returncode == 0
    (fresh,) = (SAMPLES / "day2").glob("Lotos - Spisanie kredity*")
    shutil.copyfile(fresh, place.upload / fresh.name)


def test_the_other_half_of_an_upload_is_waited_for_at_a_slot_and_reported(place):
    other_half_missing(place)
    slot = place.due_slot()
    daemon = place.start()
    wait = waits(daemon, "other-half")
    assert (wait["why"], wait["trouble"]) == ("expenses and details do not match yet", True)
    assert line(place, "Import waits for the other half of an upload: expenses and details do not match yet; next try")
    assert trouble(place)[0] == 1
    assert place.outcomes(slot) == ["running"]


def test_a_manual_run_reports_a_missing_half_at_once_also_through_the_daemon(place):
    other_half_missing(place)
    began = time.monotonic()
    by_hand = place.command("run")
    assert by_hand.returncode == 3
    assert "`cpimportd run --wait` waits for the other half" in by_hand.stderr
    elsewhere = place.command("run", "--from", str(place.upload))
    assert elsewhere.returncode == 3
    place.start()
    assert place.command("trigger", "--wait").returncode == 3
    assert time.monotonic() - began < 25  # a look comes after 30 s


def test_by_hand_the_other_half_is_waited_for_where_that_is_asked_for(place):
    other_half_missing(place)
    waiting = place.begin("run", "--wait", "--progress", "json")
    said = iter(waiting.stderr.readline, "")
    assert any('"for": "other-half"' in one for one in said)
    waiting.kill()
    waiting.communicate()


def test_a_slot_that_waits_for_the_database_says_until_when_and_others_are_named(place):
    place.sample("day1")
    place.slot_in(-20, "import", "weekly")
    place.behind_the_gate()
    place.configure({"retry.wait_first": 20, "retry.wait_longest": 20})
    daemon = place.start()
    daemon.wait_event("retry", 2)
    said = line(place, "Slot ")
    until(lambda: place.notify.statuses()[-1].endswith("waits, too"), "line that names both schedules")
    assert re.search(rf"next try .*, gives up {CLOCK}; (import|weekly) waits, too$", place.notify.statuses()[-1]), said
    code, shown, scripts = trouble(place)
    assert code == 1
    for one in scripts["schedules"]:
        assert one["waiting"]["next"] < one["waiting"]["until"]
    assert shown.count("gives up") >= 2


def test_while_a_slot_is_retried_it_is_not_said_to_wait_for_that_try(place, locked):
    place.sample("day1")
    place.due_slot()
    place.configure({"database.lock_timeout": "300ms", "retry.wait_first": 0.1})
    with locked():
        daemon = place.start()
        daemon.wait_event("retry")
        tried = daemon.wait_status(
            lambda found: found["running"] and [one["waiting"] for one in found["schedules"] if one["waiting"]],
            "tells of another try that is under way",
        )[0]
    assert tried["next"] is None
    assert tried["until"] is not None
    assert re.match("the try under way to be over; the one before it ended with: .* is locked by", tried["why"]), tried[
        "why"
    ]
    assert "another try" not in tried["why"]
    assert tried["trouble"]


def test_a_slot_that_waits_for_another_run_is_reported_and_is_no_trouble(place, locked):
    place.sample("day1")
    slot = place.slot_in(-20, "import", "weekly")
    with place.standing("merge") as stand:
        daemon = place.start()
        release = stand(daemon)
        waiting = daemon.wait_status(
            lambda found: [one["waiting"] for one in found["schedules"] if one["waiting"]], "tells of the second slot"
        )[0]
        assert (waiting["why"], waiting["trouble"]) == ("the run under way to be over", False)
        assert trouble(place)[0] == 0
        release()
        daemon.wait_slot(slot, schedule="weekly")


def test_a_run_that_was_triggered_meanwhile_is_reported_as_next(place):
    place.sample("day1")
    place.due_slot()
    with place.standing("merge") as stand:
        daemon = place.start()
        release = stand(daemon)
        assert place.command("trigger").returncode == 0
        daemon.wait_status(lambda found: "; a run that was asked for follows" in found["status"], "tells of it")
        release()
        daemon.wait_runs(2)


def test_a_job_tells_what_it_waits_for(place):
    place.slot_in(-20, "weekly")
    place.configure({"schedules.weekly.job": "report", "alerts.urls": ["json://127.0.0.1:9"]})
    with place.database_gate(b""):
        daemon = place.start()
        wait = waits(daemon, "database")
        assert wait["why"].startswith("no answer yet")
        assert daemon.status["status"].startswith("Report for weekly waits for the database")


def test_the_query_of_a_lost_commit_is_reported_as_a_wait(tmp_path):
    heard: list[tuple[Wait, ...]] = []
    nowhere = Database(url=f"postgresql://nobody@/nothing?host={tmp_path}")  # type: ignore[arg-type]

    async def ask() -> None:
        with report_waits_to(heard.append):
            await was_committed(nowhere, Retry(within=1.5, wait_first=0.2, wait_longest=0.3), 7)  # type: ignore[arg-type]

    with pytest.raises(ProblemError, match="commit-unknown"):
        asyncio.run(ask())
    assert {wait.code for waits in heard for wait in waits} == {"commit"}
    assert all(wait.again and wait.until and wait.trouble for waits in heard for wait in waits)
    assert heard[-1] == ()
