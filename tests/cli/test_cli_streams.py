"""An exit code tells what happened, whatever has become of stdin, stdout and stderr: real processes, real shells."""

import json
import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from tests.support import launcher
from tests.support.lost_streams import DEFECT, LOSSES, command, shell


@pytest.fixture
def looks(two_days):
    """Verbs that only show something, and the code that each ends with where everything can be shown."""
    configured = ("--config", two_days.config)
    return {
        ("--help",): 0,
        ("completion", "bash"): 0,
        ("config", "example"): 0,
        ("next", "--schedule", "06:00", "--count", "1000", *configured): 0,
        ("history", *configured): 0,
        ("show", "2", *configured): 0,
        ("show", "2", "--json", *configured): 0,
        ("diff", "2", *configured): 0,
        ("diff", "2", "--json", *configured): 0,
        ("explain", "principal", *configured): 0,
        ("accept", *configured): 0,
        ("db", "current", *configured): 0,
        ("metrics", *configured): 0,
        ("reconcile", *configured): 0,
        ("alerts", *configured): 0,
        ("check", "--nagios", *configured): 1,  # a unit is held
        ("status", *configured): 3,  # no daemon
        ("show", "99", *configured): 2,
    }


def test_a_reader_that_goes_changes_no_exit_code(looks):
    for arguments, code in looks.items():
        reader, writer = os.pipe()
        with (
            subprocess.Popen(["head", "-c", "1"], stdin=reader, stdout=subprocess.DEVNULL),
            os.fdopen(writer, "wb") as stream,
        ):
            os.close(reader)
            assert ended(arguments, stream) == (code, said(arguments, code)), arguments


def ended(arguments: tuple[str | Path, ...], stdout: IO[bytes]) -> tuple[int, str]:
    """The code that a command ends with, and what it says on stderr, where its output goes to a stream of ours."""
    done = launcher.run(*map(str, arguments), stdout=stdout)
    return done.returncode, done.stderr


def said(arguments: tuple[str | Path, ...], code: int) -> str:
    """What a command says on stderr of itself, where its stdout is taken."""
    with Path(os.devnull).open("wb") as nowhere:
        return ended(arguments, nowhere)[1] if code or "accept" in arguments else ""


def test_what_only_shows_something_fails_where_the_disk_is_full_and_reports_it(looks):
    for arguments, code in looks.items():
        if arguments[0] == "status" or "99" in arguments:
            continue  # nothing goes to stdout
        with Path("/dev/full").open("wb", buffering=0) as full:
            exit_code, stderr = ended(arguments, full)
        assert exit_code == (code or 1), arguments
        assert "No space left on device" in stderr, arguments
        assert not any(word in stderr for word in DEFECT), stderr
        assert stderr.count("output-lost") == 1


@pytest.mark.parametrize("loss", [name for name in LOSSES if "full" not in name or "stderr" in name])
def test_lost_streams_are_no_failure_of_what_is_shown(two_days, loss):
    for arguments, code in ((("show", "2"), 0), (("diff", "99", "--json"), 2)):
        assert shell(f"{command(*arguments, '--config', two_days.config)} {LOSSES[loss]}")[0] == code, arguments


def test_no_connection_gets_the_number_of_a_closed_stream(tmp_path):
    """What is said on stderr must not travel into a socket that was opened as descriptor 2."""
    log = tmp_path / "found"
    looked = (
        "import os, sys; from cpimportd.core import process; process.prepare();"
        "found = [os.readlink(f'/proc/self/fd/{number}') for number in (0, 1, 2)];"
        f"open({str(log)!r}, 'w').write(' '.join(found))"
    )
    assert shell(f"{shlex.join([sys.executable, '-c', looked])} <&- >&- 2>&-")[0] == 0
    assert log.read_text() == "/dev/null /dev/null /dev/null"


@pytest.mark.parametrize("lost", ["<&-", "</dev/null", "<&- >&-"])
def test_a_question_that_nobody_can_answer_is_refused_with_the_remedy(two_days, lost):
    code, _, stderr = shell(f"{command('undo', '3', '--through', '--config', two_days.config)} {lost}")
    assert code == 2, stderr
    assert "--yes" in stderr
    assert not any(word in stderr for word in DEFECT[:4]), stderr


def test_a_question_that_is_not_answered_undoes_nothing_and_reports_it(two_days):
    verb = [sys.executable, "-m", "cpimportd", "undo", "3", "--through", "--config", str(two_days.config)]
    ours, theirs = pty.openpty()
    with subprocess.Popen(verb, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        told = b""
        while b"[y/N]" not in told:
            told += os.read(ours, 1000)
        os.write(ours, b"\x04")  # Ctrl-D: the end of the file
        while b"--yes" not in told:
            told += os.read(ours, 1000)
        assert process.wait(30) == 1
    os.close(ours)
    assert b"Nothing was undone" in told


def test_what_a_non_blocking_pipe_does_not_take_at_once_is_not_lost(two_days):
    """Some terminals and CI systems hand over pipes that are non-blocking."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    verb = [sys.executable, "-m", "cpimportd", "diff", "2", "--json", "--config", str(two_days.config)]
    with subprocess.Popen(verb, stdout=writer) as process:
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            told = stream.read()
        assert process.wait(30) == 0
    assert json.loads(told)["documents"]


def test_a_file_for_which_the_disk_has_no_room_is_reported_once_and_left_nowhere(two_days, tmp_path):
    for arguments in (("diff", "2", "--xlsx"), ("metrics", "--textfile")):
        path = tmp_path / "file.xlsx"
        code, _, stderr = shell(f"ulimit -f 2; {command(*arguments, path, '--config', two_days.config)}")
        assert code == 1
        assert f"{path}: File too large" in stderr
        assert not any(word in stderr for word in DEFECT), stderr
        assert list(tmp_path.iterdir()) == []
