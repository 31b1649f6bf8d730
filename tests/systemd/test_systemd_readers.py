"""Readers of workbooks under the shipped unit, which lets nobody make a namespace."""

import json
import shutil
from pathlib import Path

import pytest

from tests.support.systemd.machine import UNIT
from tests.support.workbook import prey
from tests.support.workbook.kernel import kernel_has_landlock

PYTHON = "/usr/lib/cpimportd/bin/python"
FOLDER = "/var/lib/cpimportd/attack"


@pytest.fixture
def within(machine):
    """``within(*command)``: what a command says that the unit, with all that it forbids, runs in the daemon's place."""

    def within(*command: str, more: str = "") -> str:
        machine.drop_in(
            "[Service]\nType=oneshot\nRestart=no\nSuccessExitStatus=0 1 2 3\nWatchdogSec=0\n"
            f"ExecStart=\nExecStart={' '.join(command)}\nStandardOutput=file:/srv/said\n{more}"
        )
        (machine.box.root / "srv/said").unlink(missing_ok=True)
        machine.systemctl("start", UNIT)
        said = (machine.box.root / "srv/said").read_text()
        assert said, machine.journal_text()
        return said

    return within


@pytest.mark.parametrize("way", ["forked", "spawned", "marker"])
def test_a_reader_that_was_taken_over_can_do_nothing_under_the_unit(machine, within, way):
    root = machine.box.run(PYTHON, "-I", "-c", "import cpimportd; print(cpimportd.__path__[0])").stdout.strip()
    attack = machine.box.root / "srv/attack"
    attack.mkdir(mode=0o755)
    for name in ("prey.py", "hostile_reader.py", "refusing.py"):
        shutil.copy(Path(prey.__file__).parent / name, attack)
        (attack / name).chmod(0o644)
    machine.box.run("install", "-d", "-o", "cpimportd", "-m", "0700", "/var/lib/cpimportd", FOLDER)
    outcomes = json.loads(within(PYTHON, "-I", "/srv/attack/prey.py", str(Path(root).parent), way, FOLDER))
    assert len(outcomes) > 90
    refused = {"EPERM", "ENOSYS", "EBADF", "ValueError", "ModuleNotFoundError", "can't start new thread"}
    assert {name: outcome for name, outcome in outcomes.items() if outcome not in refused} == {}


def test_check_says_under_the_unit_that_a_reader_can_do_nothing(machine, within, database):
    machine.configure(database)
    (line,) = [
        line
        for line in json.loads(within("/usr/bin/cpimportd", "check", "--json"))["checks"]
        if line["name"] == "reader confinement"
    ]
    assert (line["status"], "seccomp" in line["text"], "namespaces" in line["text"]) == ("OK", True, False), line
    assert "Landlock" in line["text"] or not kernel_has_landlock(), line


def test_check_says_where_a_drop_in_takes_the_walls_away(machine, within, database):
    machine.configure(database)
    without = "SystemCallFilter=~seccomp landlock_create_ruleset prctl\n"
    said = json.loads(within("/usr/bin/cpimportd", "check", "--json", more=without))
    (line,) = [line for line in said["checks"] if line["name"] == "reader confinement"]
    assert (line["status"], line["code"]) == ("WARNING", "reader-unconfined"), line
