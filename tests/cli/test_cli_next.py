"""`cpimportd next`: coming slots for people and for scripts, with and without a configuration."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support import launcher


def coming(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CPIMPORTD_") and k != "DATABASE_URL"}
    return launcher.run("next", *arguments, env={**clean, **environ})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "cpimportd.toml"
    path.write_text(
        'timezone = "Europe/Berlin"\n'
        '[schedules.night]\nat = "02:30"\n'
        '[schedules.weekly]\nat = "Mon 07:00 UTC"\n'
        '[schedules.off]\nat = "*:*"\nenabled = false\n'
    )
    return path


def test_it_is_among_the_verbs_and_explains_itself():
    shown = subprocess.run([sys.executable, "-m", "cpimportd", "--help"], capture_output=True, text=True, check=True)
    assert "\n  next " in shown.stdout
    assert "OnCalendar" in coming("--help").stdout


def test_an_expression_needs_no_configuration():
    found = coming("--schedule", "06:00", "--timezone", "Europe/Moscow", "--from", "2014-10-25T06:00:01", "--count", "2",
                   "--json", CPIMPORTD_CONFIG="/nowhere")  # fmt: skip
    assert (found.returncode, found.stderr) == (0, "")
    assert json.loads(found.stdout) == {
        "expression": "06:00",
        "timezone": "Europe/Moscow",
        "from": "2014-10-25T06:00:01+04:00",
        "slots": ["2014-10-26T06:00:00+03:00", "2014-10-27T06:00:00+03:00"],
        "irregular": [],
    }


def test_the_configuration_is_not_even_looked_at_where_the_zone_is_given():
    program = (
        "import sys; from cpimportd.cli import cli;"
        "cli(['next', '--schedule', '06:00', '--timezone', 'Europe/Moscow', '--json'], standalone_mode=False)"
    )
    watched = (
        f"import atexit, sys; atexit.register(lambda: print('pydantic' in sys.modules, file=sys.stderr)); {program}"
    )
    found = subprocess.run([sys.executable, "-c", watched], capture_output=True, text=True, check=True, timeout=120)
    assert found.stderr == "False\n"


def test_an_irregular_date_among_the_slots_is_named():
    arguments = ("--schedule", "02:30", "--timezone", "Europe/Moscow", "--from", "2011-03-25", "--count", "3")
    found = json.loads(coming(*arguments, "--json").stdout)
    assert [slot[:10] for slot in found["slots"]] == ["2011-03-25", "2011-03-26", "2011-03-28"]
    assert [(one["date"], one["times"], one["kind"]) for one in found["irregular"]] == [
        ("2011-03-27", ["02:30:00"], "missing")
    ]
    shown = coming(*arguments).stdout
    assert "Mon 2011-03-28 02:30 MSK" in shown
    assert "3 d 1 h" in shown
    assert "2011-03-27: 02:30 does not exist: no slot on that day" in shown


def test_an_irregular_date_after_the_last_slot_shown_is_not_named():
    arguments = ("--schedule", "02:30", "--timezone", "Europe/Moscow", "--from", "2011-03-25", "--count", "2")
    assert "does not exist" not in coming(*arguments).stdout


def test_where_slots_run_out_it_is_reported_and_the_reason_too():
    found = coming("--schedule", "2011-03-27 02:30", "--timezone", "Europe/Moscow", "--from", "2011-01-01")
    assert found.stdout.splitlines() == [
        "2011-03-27: 02:30 does not exist: no slot on that day",
        "2011-03-27 02:30: no slot before 2200, where systemd's calendar ends",
    ]


def test_the_enabled_schedules_are_merged_in_the_order_of_time(config):
    found = coming("--config", str(config), "--from", "2027-10-30", "--count", "2")
    assert (found.returncode, found.stderr) == (0, "")
    lines = [line.split() for line in found.stdout.splitlines()]
    assert [(line[1], line[4]) for line in lines if line[0] in ("Sat", "Sun", "Mon") and len(line) > 5] == [
        ("2027-10-30", "night"), ("2027-10-30", "import"), ("2027-10-31", "night"), ("2027-10-31", "import"),
        ("2027-11-01", "weekly"), ("2027-11-08", "weekly"),
    ]  # fmt: skip
    assert "night: 2027-10-31: 02:30 exists twice: one slot, the first" in found.stdout
    assert "off" not in found.stdout


def test_the_enabled_schedules_for_scripts(config):
    found = json.loads(coming("--config", str(config), "--from", "2027-10-30T12:00Z", "--count", "1", "--json").stdout)
    assert found["timezone"] == "Europe/Berlin"
    assert found["schedules"]["weekly"] == {
        "at": "Mon 07:00 UTC",
        "rescheduled": False,
        "slots": ["2027-11-01T08:00:00+01:00"],
        "irregular": [],
    }
    assert set(found["schedules"]) == {"import", "night", "weekly"}


def test_without_a_start_it_is_now(config):
    found = json.loads(coming("--config", str(config), "--count", "1", "--json").stdout)
    until = datetime.fromisoformat(found["schedules"]["import"]["slots"][0]) - datetime.now(UTC)
    assert 0 < until.total_seconds() < 25 * 3600


def test_the_configurations_zone_holds_for_any_expression(config):
    found = coming("--schedule", "06:00", "--from", "2026-11-24", "--count", "1", "--json", "--config", str(config))
    assert json.loads(found.stdout)["slots"] == ["2026-11-24T06:00:00+01:00"]
    named = coming(
        "--schedule", "06:00", "--from", "2026-11-24", "--count", "1", "--json", CPIMPORTD_CONFIG=str(config)
    )
    assert json.loads(named.stdout)["slots"] == ["2026-11-24T06:00:00+01:00"]


def test_no_enabled_schedule_is_reported(tmp_path):
    path = tmp_path / "cpimportd.toml"
    path.write_text("[schedules.import]\nenabled = false\n")
    found = coming("--config", str(path))
    assert (found.returncode, found.stdout) == (0, "No schedule is enabled: nothing is imported by itself.\n")
    assert json.loads(coming("--config", str(path), "--json").stdout)["schedules"] == {}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--schedule", "25:00", "--timezone", "UTC"), "'25:00' is no OnCalendar expression: bad hour"),
        (("--schedule", "06:00", "--timezone", "Mars/Olympus"), "expected a zone of this machine's tz database"),
        (("--schedule", "06:00", "--timezone", ""), "expected a zone of this machine's tz database"),
        (("--schedule", "06:00", "--timezone", "UTC", "--from", "gestern"), "expected an instant of ISO 8601"),
        (("--schedule", "06:00", "--timezone", "UTC", "--count", "0"), "--count"),
        (("--schedule", "06:00", "--config", "/nowhere/cpimportd.toml"), "/nowhere/cpimportd.toml"),
        (("--config", "/nowhere/cpimportd.toml"), "/nowhere/cpimportd.toml"),
    ],
)
def test_wrong_input_ends_with_2_and_a_sentence(arguments, sentence):
    found = coming(*arguments)
    assert (found.returncode, found.stdout) == (2, "")
    assert sentence in found.stderr
    assert "Traceback" not in found.stderr
