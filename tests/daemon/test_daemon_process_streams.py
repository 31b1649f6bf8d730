"""A daemon that loses standard error goes on, and its log lines go where somebody finds them."""

import subprocess

import pytest

from tests.support.daemon.living_daemon import environment
from tests.support.lost_streams import command
from tests.support.polling import until


@pytest.mark.parametrize("lost", ["2>&-", "2>/dev/full", "<&- 2>&-", "2> >(true)"])
def test_a_daemon_without_stderr_stays_and_logs_elsewhere(place, lost):
    out = place.folder / "out"
    verb = f"exec {command('daemon', '--config', place.file)} >{out} {lost}"
    with subprocess.Popen(["bash", "-c", verb], env=environment(NOTIFY_SOCKET=str(place.notify.path))) as process:
        try:
            place.notify.wait("READY")
            until(lambda: "INFO" in out.read_text(), "log lines on the other stream")
            assert process.poll() is None
        finally:
            process.terminate()
        assert process.wait(30) == 0
    assert "Traceback" not in out.read_text()


def test_a_daemon_that_loses_all_of_them_stays(place):
    verb = f"exec {command('daemon', '--config', place.file)} <&- >&- 2>&-"
    with subprocess.Popen(["bash", "-c", verb], env=environment(NOTIFY_SOCKET=str(place.notify.path))) as process:
        try:
            place.notify.wait("READY")
            assert place.command("status").returncode == 0
        finally:
            process.terminate()
        assert process.wait(30) == 0
