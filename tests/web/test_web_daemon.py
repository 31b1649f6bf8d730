"""With a real daemon: it is asked for imports, and what it does is seen while it does it."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from cpimportd.daemon.messages import Progress, Stage
from cpimportd.web.daemon_view import DaemonState, progress
from tests.support.daemon.fixtures import notify, place
from tests.support.polling import until
from tests.support.web.served import API, TOKEN, Served

__all__ = ["notify", "place"]


@pytest.fixture
def served(place) -> Iterator[Served]:
    config = place.configure({"web.listen": "127.0.0.1:0", "web.token": TOKEN})
    with Served(place.folder, config) as process:
        yield process


@contextmanager
def watching(process: Served) -> Iterator[Iterator[dict[str, Any]]]:
    """What the stream of events tells, one status after another."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.stream("GET", f"{process.address}{API}/import/events", headers=headers, timeout=60) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        yield (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))


def test_a_trigger_over_http_imports_to_the_kopeck(place, served):
    place.sample("day1")
    daemon = place.start()
    answer = served.ask(f"{API}/import/trigger?department_id=8", "POST")
    assert (answer.status_code, answer.json()["status"], answer.json()["queued"]) == (202, "accepted", False)
    daemon.wait_runs(1)
    assert place.books == place.truth("day1")
    until(lambda: served.get("/status")["last"], "last run in the status")
    found = served.get("/status")
    assert (found["daemon"], found["well"], found["last"]["status"]) == (True, True, "published")
    assert served.get(f"{API}/import/overview")["light"] == {"state": "green", "reasons": [{"code": "all-well"}]}


def test_what_continues_is_reported_while_it_does_and_one_more_follows(place, served):
    place.sample("day1")
    with place.database_gate(b"LOCK TABLE") as gate:
        daemon = place.start()
        with watching(served) as told:
            first = next(told)
            assert (first["daemon"], first["running"]) == (True, None)
            assert first["schedules"][0]["next"]
            assert served.ask(f"{API}/import/trigger", "POST").status_code == 202
            assert gate.reached.wait(100)
            running = next(one for one in told if one["running"] is not None)["running"]
            assert running["schedule"] is None
            assert served.ask(f"{API}/import/trigger", "POST").json()["queued"] is True
            gate.open()
            over = next(one for one in told if one["last_job"] == 2 and one["running"] is None)
            assert over["last"]["status"] == "unchanged"
    daemon.wait_runs(2)
    assert place.outcomes() == ["published", "unchanged"]


def test_what_an_import_waits_for_and_a_refused_file_are_reported(place, served):
    place.due_slot()
    place.configure({"source.url": "ftp://127.0.0.1:9/", "source.user": "finance"})
    daemon = place.start()
    with watching(served) as told:
        waits = next(one for one in told if (one["running"] or {}).get("waits"))["running"]["waits"]
        assert (waits[0]["for"], waits[0]["why"]) == ("source", "connection refused")
        assert waits[0]["next"] < waits[0]["until"]
        place.configure({"retry.withn": 1})
        daemon.send(signal.SIGHUP)
        refused = next(one for one in told if one["refused"])["refused"]
        assert set(refused) == {"at", "changed", "told"}  # nothing of the machine's folders
    reasons = {one["code"] for one in served.get(f"{API}/import/overview")["light"]["reasons"]}
    assert {"run-waiting", "refused"} <= reasons


def test_a_report_is_no_import():
    status = {"running": {"schedule": "weekly", "progress": "reading"}, "schedules": [{"name": "weekly"}, {"name": "import"}],
              "jobs": [], **dict.fromkeys(("status", "since", "last", "last_good", "held"))}  # fmt: skip
    told = DaemonState(status, None, {"weekly": "report", "import": "import"}).live
    assert told["running"] is None
    assert [one["job"] for one in told["schedules"]] == ["report", "import"]


def test_a_daemon_that_ends_is_reported(place, served):
    daemon = place.start()
    with watching(served) as told:
        assert next(told)["daemon"] is True
        daemon.stop()
        assert next(one for one in told if not one["daemon"])["code"] == "daemon-not-running"


def test_a_stream_too_many_is_refused(served):
    streams = [httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) for _ in range(17)]
    answers, lines = [], []
    try:
        for client in streams:
            request = client.build_request("GET", f"{served.address}{API}/import/events")
            answers.append(client.send(request, stream=True))
            if answers[-1].status_code == 200:
                lines.append(answers[-1].iter_lines())  # one that is forgotten closes its stream
                next(lines[-1])
        assert [answer.status_code for answer in answers] == [200] * 16 + [503]
        for answer in answers[:16]:
            answer.close()
        until(lambda: served_again(served), "stream after the others were closed")
    finally:
        for client in streams:
            client.close()


def served_again(process: Served) -> bool:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.stream("GET", f"{process.address}{API}/import/events", headers=headers, timeout=60) as stream:
        return stream.status_code == 200


def test_the_daemons_words_for_how_far_it_is_are_understood():
    heard = Progress()
    assert progress(str(heard)) == {"stage": "fetching", "done": None, "files": None, "percent": None}
    heard.update(Stage("fetch", "a.xlsx", 10, 10, finished=True))
    heard.update(Stage("fetch", "b.xlsx", 5, 10))
    assert progress(str(heard)) == {"stage": "fetching", "done": 1, "files": 2, "percent": 75}
    heard.update(Stage("tell"))
    assert progress(str(heard))["stage"] == "telling readers"
    assert progress("something new") == {"stage": "something new", "done": None, "files": None, "percent": None}
