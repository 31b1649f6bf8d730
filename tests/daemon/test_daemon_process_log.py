"""What the daemon writes: JSON lines, text lines, the status in full; and nothing that a workbook put in their mouth."""

import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.daemon.living_daemon import environment
from tests.support.polling import until

TEXT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d MSK (INFO   |WARNING|ERROR  |CRITICAL) \S.*")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e]")
EVIL = "Lotos - Spisanie\x1b[31m kredity\n2026-01-01 06:00:00 +0300 INFO    forged\r\x9b\u202e XLSX.xlsx"


def test_every_line_is_one_json_object_with_the_fields_of_the_journal(place):
    place.sample("day1")
    broken = place.workbook("Lotos - Spisanie kredity")
    broken.write_bytes(broken.read_bytes()[:5000])
    slot = place.due_slot()
    daemon = place.start()
    daemon.wait_event("slot-done")
    daemon.send(signal.SIGHUP)
    daemon.wait_event("reloaded")
    daemon.send(signal.SIGUSR2)
    daemon.wait_event("status")
    assert daemon.stop() == 0
    lines = [json.loads(line) for line in daemon.log.splitlines()]
    levels = {"critical": 2, "error": 3, "warning": 4, "info": 6}
    for line in lines:
        assert line["priority"] == levels[line["level"]]
        assert line["message"]
        assert "\n" not in line["message"]
        assert set(line) - {"time", "level", "priority", "message", "MESSAGE_ID"} <= {
            name for name in line if name.startswith("CPIMPORTD_")
        }
    names = ["started", "slot-due", "run-begins", "slot-done", "reloaded", "status", "stopping", "stopped"]
    told = list(dict.fromkeys(line["CPIMPORTD_EVENT"] for line in lines if "CPIMPORTD_EVENT" in line))
    assert told == names
    (damaged,) = (line for line in lines if line.get("CPIMPORTD_CODE") == "file-damaged")
    assert damaged["CPIMPORTD_FILE"] == broken.name
    assert (damaged["CPIMPORTD_SCHEDULE"], damaged["CPIMPORTD_SLOT"]) == ("import", slot.isoformat())
    assert damaged["CPIMPORTD_RUN"] == "1"
    assert len(damaged["MESSAGE_ID"]) == 32


def test_text_lines_begin_with_their_moment_and_level_and_have_no_colours_in_a_file(place):
    place.sample("day1")
    daemon = place.start(form="text")
    daemon.trigger()
    assert daemon.stop() == 0
    assert [line for line in daemon.log.splitlines() if not TEXT.fullmatch(line)] == []


def test_in_a_terminal_an_error_is_red(place):
    place.file.unlink()
    ours, theirs = pty.openpty()
    argv = [place.python, "-m", "cpimportd", "daemon", "--config", str(place.file)]
    done = subprocess.run(argv, check=False, stderr=theirs, stdout=theirs, env=environment(), cwd="/")
    os.close(theirs)
    said = os.read(ours, 10000).decode()
    os.close(ours)
    assert done.returncode == 2
    assert said.startswith("\x1b[31m")
    assert "config-missing" in said
    assert said.rstrip().endswith("\x1b[0m")


def test_sigusr2_writes_the_status_in_full(place):
    place.sample("day1")
    broken = place.workbook("Lotos - Postuplenie")
    daemon = place.start()
    daemon.trigger()
    broken.write_bytes(b"")
    daemon.trigger(2)
    daemon.send(signal.SIGUSR2)
    until(lambda: any("workbook" in line["message"] for line in daemon.having(event="status")), "status in full")
    lines = [line["message"] for line in daemon.having(event="status")]
    assert lines[0].startswith("Next import ")
    assert any(line.startswith(f"schedule import at {place.keys['schedules.import.at']}: next ") for line in lines)
    assert any(
        re.match(r"last good run: last .* published 240 documents and 282 detail lines of 3 files", line)
        for line in lines
    )
    assert "held: ЛОТОС ООО/receipts" in lines
    assert sum(line.startswith("workbook ") for line in lines) == 3
    assert any(line.startswith(f"workbook {broken.name}: held, uploaded ") for line in lines)


def test_a_name_of_a_workbook_cannot_forge_a_line_or_colour_a_terminal(place):
    place.sample("day1")
    place.workbook("Lotos - Spisanie kredity").rename(place.upload / EVIL)
    slot = place.due_slot()
    daemon = place.start(form="text")
    until(lambda: "of import is done: " in daemon.log, "end of the slot")
    daemon.send(signal.SIGUSR2)
    until(lambda: "workbook Lotos" in daemon.log, "status in full")
    shown = place.command("status")
    assert daemon.stop() == 0
    assert "forged" in daemon.log
    assert [line for line in daemon.log.splitlines() if not TEXT.fullmatch(line)] == []
    told = [daemon.log, *place.notify.statuses(), shown.stdout, shown.stderr]
    told += [path.read_text() for path in (place.runtime / "status.json", place.state / "daemon.json")]
    assert [CONTROL.findall(text) for text in told if CONTROL.search(text)] == []
    assert not any(line.startswith("2026-01-01") for text in told for line in text.splitlines())
    assert place.outcomes(slot)


@pytest.mark.skipif(Path("/run/systemd/journal/socket").exists(), reason="this machine has a journal")
def test_a_missing_journal_is_reported_and_no_copy_of_the_configuration_is_left(place):
    daemon = place.start(ready=False, form="journal")
    assert daemon.wait() == 2
    assert "there is no journal to write to" in daemon.log
    assert "Traceback" not in daemon.log
    assert place.notify.statuses() == [
        "Not started: there is no journal to write to: No such file or directory [wrong-use]"
    ]
    assert list(place.runtime.iterdir()) == []


def test_an_orderly_stop_is_no_error(place, locked):
    place.sample("day1")
    with locked():
        daemon = place.start()
        daemon.send(signal.SIGUSR1)
        place.wait_for_lock()
        assert daemon.stop() == 0
    assert [line["message"] for line in daemon.events if line["priority"] <= 3] == []
