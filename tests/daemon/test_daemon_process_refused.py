"""A refused reload stays visible until another is accepted, or the file is again as it was loaded."""

import json
import re
import signal

import pytest

from tests.support.polling import until

REFUSED = re.compile(r"the file on the disk was refused at \d\d:\d\d; a restart would fail")


def refuse(place, daemon) -> str:
    """Break the file and have it refused; gives what it was."""
    right = place.file.read_text()
    place.file.write_text(f"{right}source.paralel = 3\n")
    daemon.send(signal.SIGHUP)
    daemon.wait_problem("config-refused")
    daemon.wait_status(lambda found: found["refused"] is not None, "tells of the refusal")
    return right


def look(place) -> tuple[int, str, dict]:
    shown, scripts = place.command("status"), place.command("status", "--json")
    assert shown.returncode == scripts.returncode
    return shown.returncode, " ".join(shown.stdout.split()), json.loads(scripts.stdout)


def test_a_refused_file_is_reported_everywhere_also_after_a_run_until_it_is_restored(place):
    place.sample("day1")
    daemon = place.start()
    right = refuse(place, daemon)
    until(lambda: REFUSED.search(place.notify.statuses()[-1]), "line of systemd that tells of the refusal")
    assert daemon.trigger()[-1]["status"] == "published"
    code, shown, scripts = look(place)
    assert code == 1
    assert REFUSED.search(shown.partition("Look: ")[2])
    assert "source.paralel" in shown
    assert (scripts["refused"]["changed"], scripts["well"]) == (False, False)
    assert scripts["refused"]["problems"][0]["code"] == "config-unknown-key"
    daemon.turn()
    assert any(REFUSED.search(one["message"]) for one in daemon.having(event="status"))
    place.file.write_text(right)
    daemon.wait_event("refusal-over")
    daemon.wait_status(lambda found: found["refused"] is None, "tells of no refusal")
    until(lambda: not REFUSED.search(place.notify.statuses()[-1]), "line of systemd without it")
    assert look(place)[0] == 0


def test_a_refused_file_is_reported_until_a_reload_is_accepted(place):
    daemon = place.start()
    refuse(place, daemon)
    place.configure({"source.parallel": 2})
    assert place.command("reload").returncode == 0
    assert daemon.status["refused"] is None
    assert look(place)[0] == 0


def test_a_file_that_was_changed_after_its_refusal_is_neither_wrong_nor_in_force(place):
    daemon = place.start()
    refuse(place, daemon)
    at = daemon.status["refused"]["at"]
    place.configure({"source.parallel": 2})
    daemon.wait_status(lambda found: found["refused"]["changed"], "tells that the file was changed")
    assert "and changed since: have it read by `cpimportd reload`" in look(place)[1]
    nagios = place.command("check", "--nagios")
    assert "was refused at" in nagios.stdout
    refuse(place, daemon)  # the same words once more, and one key more: another file
    daemon.wait_status(lambda found: found["refused"]["at"] > at, "has the time of the second refusal")


def test_the_same_file_refused_twice_was_refused_when_it_was_first(place):
    daemon = place.start()
    refuse(place, daemon)
    at = daemon.status["refused"]["at"]
    daemon.send(signal.SIGHUP)
    daemon.wait_problem("config-refused", 2)
    daemon.wait_status(lambda found: found["answers"]["reloads_answered"] == 2, "has answered twice")
    assert daemon.status["refused"]["at"] == at


def test_a_refusal_for_something_beside_the_file_stays_though_the_file_never_changed(place):
    place.runtime.mkdir(mode=0o700, exist_ok=True)
    daemon = place.start()
    (place.runtime / "reschedule.json").write_text("no JSON")
    daemon.send(signal.SIGHUP)
    daemon.wait_problem("config-refused")
    daemon.turn()
    assert "the configuration was refused at" in daemon.status["refused"]["told"]
    (place.runtime / "reschedule.json").unlink()
    assert place.command("reload").returncode == 0
    assert daemon.status["refused"] is None


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["unix", "windows"])
def test_a_file_is_as_it_was_loaded_whatever_its_lines_end_with(place, ends):
    place.file.write_bytes(place.file.read_text().replace("\n", ends).encode())
    daemon = place.start()
    before = place.file.read_bytes()
    refuse(place, daemon)
    place.file.write_bytes(before)
    daemon.wait_event("refusal-over")


def test_a_refusal_is_reported_while_a_run_is_under_way_and_a_file_that_is_gone_is_one(place):
    place.sample("day1")
    place.due_slot()
    with place.standing("merge") as stand:
        daemon = place.start()
        release = stand(daemon)
        place.file.unlink()
        daemon.send(signal.SIGHUP)
        daemon.wait_problem("config-missing")
        until(lambda: REFUSED.search(place.notify.statuses()[-1]), "line of systemd that tells of the refusal")
        assert place.notify.statuses()[-1].startswith("Importing: ")
        release()
        daemon.wait_runs(1)
    assert daemon.status["refused"] is not None


def test_a_file_that_is_no_toml_any_more_does_not_hide_the_daemon(place):
    place.sample("day1")
    place.start()
    with place.file.open("a") as file:
        file.write("department_id = 8\ndepartment_id = 9\n")
    assert place.command("reload").returncode == 2
    code, shown = look(place)[:2]
    assert code == 1
    assert "the file on the disk was refused at" in shown
    assert place.command("trigger", "--wait").returncode == 0
