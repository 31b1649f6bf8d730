"""The daemon and alerts: a slot that is tried again tells once, jobs are done once, and the daemon holds no address."""

import json
import os
import signal
from datetime import timedelta
from pathlib import Path

from tests.support.daemon.fixtures import notify, place  # noqa: F401 - fixtures
from tests.support.daemon.place import Place
from tests.support.notify.receivers import WebServer
from tests.support.polling import children, until
from tests.support.secrets import ALERT_TOKEN, look_at


def report_waits_to(place: Place, web: WebServer, **keys: object) -> None:  # noqa: F811 - what the fixture gives
    place.configure({"alerts.urls": [f"json://{web.address}/{ALERT_TOKEN}"], **keys})


def wrong(place: Place) -> dict[str, str]:  # noqa: F811
    """What is wrong now, and how, by subject."""
    listed = json.loads(place.command("alerts", "--json").stdout)["wrong"]
    return {one["subject"]: one["state"] for one in listed}


def test_a_slot_that_is_retried_repeatedly_is_reported_once_and_so_is_its_recovery(place, web):  # noqa: F811
    place.sample("day1")
    slot = place.due_slot()
    there = place.url
    report_waits_to(place, web, **{"database.url": f"{there}-gone", "retry.within": 12})
    daemon = place.start()
    daemon.wait_event("retry")
    assert web.requests == []  # an attempt that another one follows
    until(lambda: web.requests, "alert of a fault that lasts", 60)
    ended = lambda: daemon.having(event="retry") + daemon.having(event="slot-done")  # noqa: E731
    seen = len(ended())
    until(lambda: len(ended()) >= seen + 2 or daemon.having(event="slot-done"), "attempt after the alert", 60)
    assert web.titles == ["cpimportd, подразделение 8: загрузка не удалась"]
    place.configure({"database.url": there})
    assert place.command("reload").returncode == 0
    daemon.send(signal.SIGUSR1)
    until(lambda: len(web.requests) > 1, "alert that it is over", 60)
    assert web.titles[1:] == ["cpimportd, подразделение 8: снова в порядке: загрузка"]
    until(lambda: daemon.having(event="slot-done", slot=slot.isoformat()), "end of the slot", 60)
    process = Path(f"/proc/{daemon.pid}")
    environment = (process / "environ").read_bytes() if os.geteuid() == 0 else b""  # closed to its own user
    look_at("the daemon's process", environment + (process / "cmdline").read_bytes())
    assert daemon.stop() == 0
    assert len(web.requests) == 2


def test_a_slot_that_another_run_kept_out_to_the_end_is_reported(place, web):  # noqa: F811
    place.sample("day1")
    with WebServer() as service, place.standing("fetch"):
        report_waits_to(place, web, **{"retry.within": 2, "alerts.heartbeat_url": f"http://{service.address}/x"})
        rehearsal = place.begin("run", "--dry-run")
        locks = "SELECT FROM pg_locks JOIN pg_database d ON d.oid = database"
        held = f"{locks} WHERE locktype = 'advisory' AND granted AND datname = current_database()"
        until(lambda: place.sql(held), "run that holds the department's lock")
        slot = place.due_slot()
        daemon = place.start()
        assert daemon.wait_event("slot-done", slot=slot.isoformat())["CPIMPORTD_STATUS"] == "failed"
        rehearsal.kill()
        rehearsal.communicate()
    assert web.titles == ["cpimportd, подразделение 8: загрузка не удалась"]
    assert "[run-under-way]" in web.requests[0].json["message"]
    assert service.requests[-1].path == "/x/fail"


def test_a_run_that_is_killed_and_not_retried_is_reported_by_the_daemon(place, web):  # noqa: F811
    place.sample("day1")
    report_waits_to(place, web)
    daemon = place.start()
    daemon.send(signal.SIGUSR1)
    daemon.frozen_readers()
    os.kill(daemon.run_pid(), signal.SIGKILL)
    until(lambda: web.requests, "alert of a run that was killed", 60)
    assert web.titles == ["cpimportd, подразделение 8: загрузка не удалась"]
    body = web.requests[0].json["message"]
    assert "Процесс загрузки аварийно завершился: завершён сигналом 9; ничего не записано [run-crashed]" in body
    assert "was killed by signal 9" in body
    daemon.trigger(2)
    assert web.titles[1:] == ["cpimportd, подразделение 8: снова в порядке: загрузка"]


def test_a_run_that_is_killed_after_its_commit_is_not_told_as_one_that_failed(place, web):  # noqa: F811
    place.sample("day1")
    report_waits_to(place, web)
    with place.standing("commit") as stand:
        daemon = place.start()
        daemon.kill_run(stand)
        until(lambda: web.requests, "alert of a run that was killed", 60)
    assert web.titles == ["cpimportd, подразделение 8: загрузка записана, но оборвалась"]
    body = web.requests[0].json["message"]
    assert "run 1 is in the books, but its process was killed by signal 9" in body
    assert "nothing was published" not in body
    assert place.books == place.truth("day1")


def test_a_job_is_done_once_at_its_slot_and_reports_nothing_about_the_last_import(place, web):  # noqa: F811
    place.sample("day1")
    assert place.command("run").returncode == 0
    report_waits_to(place, web, **{"schedules.weekly.job": "report", "schedules.monthly.job": "reconcile"})
    slot = place.slot_in(-20, "weekly", "monthly")
    daemon = place.start()
    ended = {name: daemon.wait_event("slot-done", schedule=name)["CPIMPORTD_STATUS"] for name in ("weekly", "monthly")}
    assert ended == {"weekly": "reported", "monthly": "equal"}
    assert sorted(title.partition(": ")[2][:6] for title in web.titles) == ["сверка", "сводка"]
    jobs = daemon.wait_runs(2)
    assert sorted(job["status"] for job in jobs) == ["equal", "reported"]
    assert daemon.status["last"] is None
    assert daemon.stop() == 0
    assert place.outcomes() == ["published"]  # a job has no row among the runs
    remembered = json.loads((place.state / "daemon.json").read_text())["schedules"]
    assert remembered["weekly"]["last_done"] == remembered["monthly"]["last_done"] == slot.isoformat()
    daemon = place.start()
    daemon.turn()
    assert daemon.having(event="slot-due") == []
    assert len(web.requests) == 2


def test_a_job_whose_database_is_unreachable_is_retried(place, web):  # noqa: F811
    there = place.url
    report_waits_to(place, web, **{"schedules.weekly.job": "report", "database.url": f"{there}-gone"})
    place.slot_in(-20, "weekly")
    daemon = place.start()
    assert "database" in daemon.wait_event("retry", schedule="weekly")["message"]
    place.configure({"database.url": there, "retry.within": timedelta(seconds=60).total_seconds()})
    assert place.command("reload").returncode == 0
    assert daemon.wait_event("slot-done", schedule="weekly")["CPIMPORTD_STATUS"] == "reported"


def test_a_job_that_is_killed_is_reported_as_that_job_and_no_import_failed(place, web):  # noqa: F811
    report_waits_to(place, web, **{"schedules.monthly.job": "reconcile", "retry.within": 0})
    with place.database_gate(b"FROM cpimportd.served", answer=True) as gate:
        slot = place.slot_in(-20, "monthly")
        daemon = place.start()
        assert gate.reached.wait(100), daemon.last_words
        (job,) = children(daemon.pid, " reconcile --config ")
        os.kill(job, signal.SIGKILL)
        assert daemon.wait_event("slot-done", slot=slot.isoformat())["CPIMPORTD_STATUS"] == "crashed"
        gate.open()
        until(lambda: web.requests, "alert of a job that was killed", 60)
        assert web.titles == ["cpimportd, подразделение 8: не выполнена: сверка"]
        body = web.requests[0].json["message"]
        assert "[job-died]" in body
        assert "повторится" not in body
        assert wrong(place) == {"job:reconcile": "failed: job-died"}
        shown = json.loads(place.command("status", "--json").stdout)
        assert "was killed by signal 9" in shown["wrong"][0]
        assert place.command("reconcile", "--send").returncode == 0
        assert [title.partition(": ")[2] for title in web.titles[1:]] == [
            "сверка сошлась: база, файлы и журнал говорят одно",
            "снова в порядке: сверка",
        ]
        assert wrong(place) == {}


def test_a_job_that_fails_for_good_is_reported_and_so_is_the_next_that_is_done(place, web):  # noqa: F811
    report_waits_to(place, web, **{"schedules.monthly.job": "reconcile"})
    place.sql("ALTER TABLE fin_receipts RENAME COLUMN amount TO total")
    place.slot_in(-20, "monthly")
    daemon = place.start()
    assert daemon.wait_event("slot-done", schedule="monthly")["CPIMPORTD_STATUS"] == "failed"
    assert web.titles == ["cpimportd, подразделение 8: не выполнена: сверка"]
    assert list(wrong(place)) == ["job:reconcile"]
    found = place.command("status", "--json")
    assert (found.returncode, json.loads(found.stdout)["well"]) == (1, False)
    assert "Look: the last job of monthly: reconcile failed: " in place.command("status").stdout
    assert place.command("run").returncode == 1  # of the import it says nothing, nor the import of it
    assert {"job:reconcile", "run"} == wrong(place).keys()
    assert daemon.stop() == 0
    place.sql("ALTER TABLE fin_receipts RENAME COLUMN total TO amount")
    place.slot_in(-10, "monthly")
    daemon = place.start()
    assert "the last job of monthly" in str(json.loads(place.command("status", "--json").stdout)["wrong"])
    assert daemon.wait_event("slot-done", schedule="monthly")["CPIMPORTD_STATUS"] == "equal"
    assert wrong(place).keys() == {"run"}
    assert "the last job" not in str(json.loads(place.command("status", "--json").stdout)["wrong"])
