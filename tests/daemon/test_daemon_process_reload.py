"""The configuration is read again while the daemon lives; what is secret in it stays secret."""

import json
import re
import shutil
import signal
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest

from cpimportd.demo.ftp import LoopbackFtpServer
from tests.support.daemon.living_daemon import environment
from tests.support.daemon.place import time_of_day
from tests.support.polling import children, processes, until
from tests.support.secrets import FTP_ASCII, TLS_KEY

LATER = time_of_day(datetime.now(UTC) + timedelta(hours=9))
IN_NINE_HOURS = re.compile(r"Next import .* in (9 h|8 h \d+ min)")
SECRETS = (FTP_ASCII, TLS_KEY)  # they stand in TOML and URL as they are


def at(daemon) -> str:
    (schedule,) = daemon.status["schedules"]
    return schedule["at"]


def test_a_new_schedule_is_in_force_after_sighup(place):
    daemon = place.start()
    place.configure({"schedules.import.at": LATER})
    daemon.send(signal.SIGHUP)
    daemon.wait_event("reloaded")
    daemon.wait_status(lambda found: found["schedules"][0]["at"] == LATER, "has the new schedule")
    until(lambda: IN_NINE_HOURS.fullmatch(place.notify.statuses()[-1]), "status with the new slot")
    assert place.outcomes() == []


def test_a_reload_takes_the_rules_of_time_zones_that_are_on_the_disk_by_then(place, tmp_path):
    moscow = tmp_path / "zoneinfo" / "Europe" / "Moscow"
    moscow.parent.mkdir(parents=True)
    shutil.copyfile(str(files("tzdata.zoneinfo.Europe") / "Moscow"), moscow)
    daemon = place.start(PYTHONTZPATH=str(tmp_path / "zoneinfo"))
    before = datetime.fromisoformat(daemon.status["schedules"][0]["next"])
    upgraded = moscow.with_name("new")
    shutil.copyfile(str(files("tzdata.zoneinfo.Asia") / "Yekaterinburg"), upgraded)
    upgraded.replace(moscow)
    assert place.command("reload").returncode == 0
    after = datetime.fromisoformat(daemon.status["schedules"][0]["next"])
    assert before - after == timedelta(hours=2)


def test_reload_waits_for_the_answer_and_ends_with_it(place):
    daemon = place.start()
    place.configure({"schedules.import.at": LATER})
    accepted = place.command("reload")
    assert accepted.returncode == 0, accepted.stderr
    assert at(daemon) == LATER
    text = place.file.read_text()
    place.file.write_text(text + "source.paralel = 3\n")
    line = len(text.splitlines()) + 1
    refused = place.command("reload", env=environment(STATE_DIRECTORY=str(place.state)))
    assert refused.returncode == 2
    assert f"unknown key source.paralel in {place.file}, line {line}" in refused.stderr
    assert "config-refused" in refused.stderr
    (said,) = daemon.having(code="config-unknown-key")
    assert said["message"] in refused.stderr.replace("\n  →", "")
    assert at(daemon) == LATER


def test_reload_fails_where_a_broken_file_does_not_name_the_daemon(place):
    daemon = place.start()
    place.file.write_text("state_directory = \n")
    refused = place.command("reload")
    assert refused.returncode == 2
    assert "config-syntax" in refused.stderr
    assert daemon.process.poll() is None


def test_what_a_reload_refused_is_in_no_run_until_it_is_corrected(place):
    place.sample("day1")
    daemon = place.start()
    right = place.file.read_text()
    place.file.write_text(f"{right}[\n")
    daemon.send(signal.SIGHUP)
    daemon.wait_problem("config-refused")
    assert at(daemon) == place.keys["schedules.import.at"]
    (run,) = daemon.trigger()
    assert run["status"] == "published", daemon.last_words
    assert place.books == place.truth("day1")
    place.file.unlink()
    assert daemon.trigger(2)[-1]["status"] == "unchanged"
    place.configure({"schedules.import.at": LATER})
    daemon.send(signal.SIGHUP)
    daemon.wait_event("reloaded")
    daemon.wait_status(lambda found: found["schedules"][0]["at"] == LATER, "has the new schedule")


def test_what_was_written_and_not_accepted_yet_is_in_no_run(place):
    place.sample("day1")
    daemon = place.start()
    place.configure({"department_id": 9, "source.url": "file:///nowhere"})
    assert daemon.trigger()[0]["status"] == "published", daemon.last_words
    assert place.books == place.truth("day1")
    assert place.command("reload").returncode == 0
    assert daemon.trigger(2)[-1]["status"] == "failed"


def test_a_fault_in_the_file_hides_neither_the_daemon_nor_its_refusal_and_is_reported_where_none_lives(place):
    daemon = place.start()
    place.configure({"retry.withn": 5})
    assert place.command("status").returncode == 0
    refused = place.command("reload")
    assert refused.returncode == 2
    assert "retry.withn" in refused.stderr
    assert "retry.withn" in daemon.wait_problem("config-unknown-key")["message"]
    assert daemon.stop() == 0
    stopped = place.command("status")
    assert stopped.returncode == 2
    assert "retry.withn" in stopped.stderr


def test_a_reload_during_a_run_is_answered_at_once_and_takes_effect_after_it(place):
    place.sample("day1")
    before = place.keys["schedules.import.at"]
    with place.database_gate(b"LOCK TABLE") as gate:
        daemon = place.start()
        daemon.send(signal.SIGUSR1)
        assert gate.reached.wait(100)
        place.configure({"schedules.import.at": LATER})
        assert place.command("reload").returncode == 0
        assert daemon.wait_event("reloaded")["message"].endswith("; it takes effect when this run is over")
        assert daemon.status["running"]
        assert at(daemon) == before
        gate.open()
        daemon.wait_runs(1)
    daemon.wait_status(lambda found: found["schedules"][0]["at"] == LATER, "has the new schedule")
    assert len(list(place.runtime.glob("configuration-*"))) == 1


def test_each_of_many_reloads_is_answered(place):
    daemon = place.start()
    for count in range(1, 6):
        daemon.send(signal.SIGHUP)
        daemon.wait_status(lambda found, n=count: found["answers"]["reloads_asked"] >= n, f"counts {count}")
    daemon.wait_status(lambda found: found["answers"]["reloads_answered"] == 5, "has answered 5")
    until(lambda: "READY" in place.notify.notices[-1].lines, "closing READY")
    assert len(place.notify.times("READY")) == 1 + len(place.notify.times("RELOADING"))


def test_another_state_directory_waits_for_the_next_start_and_is_reported(place):
    place.sample("day1")
    daemon = place.start()
    place.configure({"state_directory": str(place.folder / "elsewhere")})
    daemon.send(signal.SIGHUP)
    daemon.wait_event("reloaded")
    assert "state_directory" in daemon.wait_problem("config-restart")["message"]
    assert daemon.status["state_directory"] == str(place.state)
    assert daemon.trigger()[0]["status"] == "published"
    assert daemon.stop() == 0


def test_a_daemon_configured_by_its_environment_alone_imports_and_reloads(place):
    place.sample("day1")
    place.file.unlink()
    daemon = place.start(**place.variables)
    assert daemon.status["configuration"] == "the environment"
    daemon.send(signal.SIGHUP)
    daemon.wait_event("reloaded")
    assert daemon.trigger()[0]["status"] == "published", daemon.last_words
    assert daemon.stop() == 0


def test_passwords_are_in_no_log_line_no_status_no_command_line_and_no_file_that_others_can_read(place):
    place.sample("day1")
    url = place.url.replace("cpimportd@", f"cpimportd:{SECRETS[1]}@")
    with LoopbackFtpServer(place.upload, password=SECRETS[0]) as server:
        place.configure({"source.url": server.url, "source.user": server.user, "source.password": SECRETS[0]})
        place.configure({"database.url": url})
        daemon = place.start()
        (copy,) = place.runtime.glob("configuration-*")
        assert copy.stat().st_mode & 0o777 == 0o600
        assert place.runtime.stat().st_mode & 0o777 == 0o700
        assert all(secret in copy.read_text() for secret in SECRETS)
        seen: set[str] = set()
        daemon.send(signal.SIGUSR1)

        def over() -> bool:
            seen.update(command for _, command in processes().values())
            return bool(daemon.status["jobs"])

        until(over, "end of the run")
        assert daemon.status["last"]["status"] == "published", daemon.last_words
        assert any(f"run --config {copy}" in command for command in seen)
        place.configure({"database.url": f"oracle://{SECRETS[1]}", "source.password": [SECRETS[0]]})
        daemon.send(signal.SIGHUP)
        daemon.wait_problem("config-refused")
        seen.update(command for _, command in processes().values())
        daemon.send(signal.SIGUSR2)
        daemon.wait_event("status")
        texts = [daemon.log, *seen, *(text for n in place.notify.notices for text in n.lines.values())]
        texts += [path.read_text() for path in (place.runtime / "status.json", place.state / "daemon.json")]
        assert daemon.stop() == 0
        texts += [path.read_text(errors="replace") for path in place.state.rglob("*") if path.is_file()]
    assert not [text for text in texts if any(secret in text for secret in SECRETS)]
    assert list(place.runtime.glob("configuration-*")) == []


def test_a_copy_that_a_killed_daemon_left_behind_is_removed_by_the_next_one(place):
    daemon = place.start()
    daemon.kill()
    (left,) = place.runtime.glob("configuration-*")
    place.start()
    (copy,) = place.runtime.glob("configuration-*")
    assert copy != left


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_that_comes_before_it_is_ready_does_not_end_it(place, number):
    daemon = place.start(ready=False)
    until(lambda: children(daemon.pid, "cpimportd.run.planner"), "reader of the configuration")
    daemon.send(number)
    daemon.wait_ready()
    assert daemon.stop() == 0


def test_an_expression_that_no_day_matches_is_refused_and_one_without_a_slot_any_more_is_reported(place):
    daemon = place.start()
    before = at(daemon)
    place.configure({"schedules.import.at": "Thu 2027-01-01"})
    for verb in (("reload",), ("check",), ("check", "--nagios"), ("run",)):
        refused = place.command(*verb)
        assert refused.returncode == (3 if "--nagios" in verb else 2 if verb != ("check",) else 1), refused
        assert "'Thu 2027-01-01' never comes" in refused.stdout + refused.stderr
    assert at(daemon) == before
    place.configure(
        {
            "schedules.import.at": "2020-01-01",
            "schedules.weekly.at": "2020-01-01",
            "schedules.weekly.job": "reconcile",
            "alerts.urls": "json://127.0.0.1:9",
        }
    )
    assert place.command("reschedule", "import", "*-02-30").returncode == 2
    assert place.command("reload").returncode == 0
    told = {daemon.wait_problem("slot-none", schedule=name)["priority"] for name in ("import", "weekly")}
    assert told == {4}
    assert "No schedule has a slot any more" in daemon.status["status"]
    status = place.command("status")
    assert status.returncode == 1
    assert "weekly has no slot any more: nothing starts it by itself" in status.stdout
    watched = place.command("check", "--nagios")
    assert watched.stdout.count("[slot-none]") == 2
    assert watched.returncode in {1, 2}
    checked = place.command("check", "--json")
    assert [line["code"] for line in json.loads(checked.stdout)["checks"] if line["name"] == "slots"] == [
        "slot-none"
    ] * 2


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"source.url": "sftp://robot:zqxj@ftp.example.org/1c"}, "sftp:// is not supported"),
        ({"cache.url": "redis://:zq@xj/w#zqxj@cache.example.org/0"}, "write @ as %40, / as %2F, # as %23"),
        ({"schedules.weekly.job": "report", "schedules.weekly.at": LATER}, "the job report of schedules.weekly needs"),
        ({"metrics.textfile": "cpimportd.prom"}, "expected an absolute path"),
    ],
)
def test_what_only_a_run_would_have_met_is_refused_at_a_reload_and_at_the_start(place, keys, reason):
    daemon = place.start()
    place.configure(keys)
    refused = place.command("reload")
    assert refused.returncode == 2
    assert reason in refused.stderr
    assert "config-refused" in refused.stderr
    daemon.stop()
    started = place.command("daemon")
    assert started.returncode == 2
    assert reason in started.stderr
    checked = place.command("check")
    assert checked.returncode != 0
    assert reason in " ".join((checked.stdout + checked.stderr).split())
    assert not re.search("zqxj|Traceback", "".join((refused.stderr, started.stderr, checked.stdout, checked.stderr)))


def test_a_run_goes_by_the_variables_that_were_accepted_with_the_file(place):
    place.sample("day1")
    variables = place.file.with_name(".env")
    variables.write_text("CPIMPORTD_DEPARTMENT_ID=8\n")
    daemon = place.start()
    variables.write_text("CPIMPORTD_DEPARTMENT_ID=eight\n")
    assert place.command("reload").returncode == 2
    assert daemon.trigger()[0]["status"] == "published", daemon.last_words
    assert place.books == place.truth("day1")
