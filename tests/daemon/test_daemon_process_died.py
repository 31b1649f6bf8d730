"""A run that died is told alike by everybody who is asked: nobody says that all is well, or that it is still under way."""

import subprocess

import pytest

from tests.support.daemon.living_daemon import environment
from tests.support.polling import until


@pytest.mark.parametrize(("phase", "said"), [("merge", "[run-crashed]"), ("commit", "[run-broken-off]")])
def test_monitors_and_the_history_report_a_run_that_crashed_and_of_none_that_is_under_way(place, phase, said):
    place.sample("day1")
    assert place.command("run").returncode == 0
    with place.standing(phase) as stand:
        place.sample("day2")
        daemon = place.start()
        assert place.command("check", "--nagios").returncode == 0
        daemon.kill_run(stand)
        ended = {"merge": "abandoned", "commit": "published"}[phase]
        until(lambda: place.outcomes() == ["published", ended], "history that tells how the run ended")
        daemon.wait_runs(1)
        nagios = place.command("check", "--nagios")
    assert nagios.returncode == 1
    assert said in nagios.stdout.splitlines()[0] + nagios.stdout.splitlines()[1]
    assert place.command("status").returncode == 1


def test_nobody_is_sent_to_tell_readers_whom_the_daemon_tells(place):
    place.sample("day1")
    with place.standing("commit") as stand:
        daemon = place.start()
        daemon.kill_run(stand)
        daemon.wait_runs(1)
        until(lambda: not place.sql("SELECT 1 FROM cpimportd.notice WHERE outcome IS NULL"), "readers who were told")
        shown = " ".join(place.command("status").stdout.split())
    assert "run-broken-off" in shown
    assert "may not have been told" not in shown
    assert "cpimportd trigger" not in shown


def test_notified_readers_are_reported_whatever_became_of_the_output(place):
    place.sample("day1")
    assert place.command("run").returncode == 0
    for options in ("", " --json"):
        place.sql("UPDATE cpimportd.notice SET outcome = NULL")
        verb = f"exec {place.python} -m cpimportd notify{options} --config {place.file} >/dev/full"
        done = subprocess.run(
            ["/bin/sh", "-c", verb], capture_output=True, text=True, check=False, timeout=60, env=environment()
        )
        assert done.returncode == 0
        assert "[output-lost]" in done.stderr
        assert place.sql("SELECT outcome FROM cpimportd.notice")[0]["outcome"] == "done"
