"""What an administrator finds in the journal, and what ``journalctl -x`` tells him of it."""

import os
import zipfile

import pytest

from tests.support.systemd.machine import UNIT, UPLOAD


@pytest.fixture
def held(machine, database):
    """A machine on which a workbook's Итого does not fit its rows."""
    machine.configure(database)
    machine.upload("day1")
    (workbook,) = (machine.box.root / UPLOAD).glob("Lotos - Spisanie kredity*")
    spoil_control_total(workbook)
    machine.systemctl("start", UNIT)
    assert machine.box.run("cpimportd", "trigger", "--wait", check=False).returncode == 3
    return machine


def spoil_control_total(workbook):
    """Add a rouble to the sum in the row Итого."""
    times = (workbook.stat().st_atime, workbook.stat().st_mtime)
    with zipfile.ZipFile(workbook) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert parts[sheet].count(b"<v>125016938</v>") == 1
    parts[sheet] = parts[sheet].replace(b"<v>125016938</v>", b"<v>125016939</v>")
    with zipfile.ZipFile(workbook, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    os.utime(workbook, times)


def explained(machine, language):
    """What ``journalctl -x`` says of the problem, in a language."""
    done = machine.box.run(
        "journalctl", "--catalog", f"--unit={UNIT}", "CPIMPORTD_CODE=control-total", LC_ALL=language, LANG=language
    )
    return done.stdout


def test_a_problem_is_found_by_its_code_with_file_organization_and_level(held):
    (entry,) = held.journal(f"--unit={UNIT}", "CPIMPORTD_CODE=control-total")
    assert entry["CPIMPORTD_FILE"] == "Lotos - Spisanie kredity XLSX.xlsx"
    assert entry["CPIMPORTD_ORGANIZATION"] == "ЛОТОС ООО"
    assert int(entry["PRIORITY"]) <= 4
    assert entry["CPIMPORTD_RUN"] == "1"
    assert held.journal(f"--unit={UNIT}", "CPIMPORTD_RUN=1")


def test_the_journal_explains_a_problem_in_english(held):
    said = explained(held, "C.UTF-8")
    assert "Subject: «Сумма» does not sum to what Итого says" in said
    assert "What to do: " in said


def test_the_journal_explains_a_problem_in_russian(held):
    said = explained(held, "ru_RU.UTF-8")
    assert "Subject: Сумма по колонке «Сумма» не сходится с «Итого»" in said
    assert "Что делать: " in said


def test_the_language_may_be_chosen_for_messages_alone(held):
    done = held.box.run(
        "env", "-u", "LC_ALL", "LC_MESSAGES=ru_RU.UTF-8", "journalctl", "-x", f"--unit={UNIT}",
        "CPIMPORTD_CODE=control-total",
    )  # fmt: skip
    assert "Что делать: " in done.stdout


def test_every_line_of_the_daemon_came_by_the_journals_own_protocol(held):
    entries = held.journal(f"_SYSTEMD_UNIT={UNIT}")
    assert {entry["_TRANSPORT"] for entry in entries} == {"journal"}
    assert all(len(entry["MESSAGE"].splitlines()) == 1 for entry in entries)
