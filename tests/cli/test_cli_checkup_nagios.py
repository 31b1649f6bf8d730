"""`check --nagios` answers as a plugin does: a status line, performance data, more lines, and the exit code."""

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cpimportd.books.reports.health import Health, LastRun
from cpimportd.config.settings import Schedule, Settings
from cpimportd.core.model import Group, Unit
from cpimportd.core.problems import problem
from cpimportd.core.report import FileReport, FileStatus, HeldUnit
from cpimportd.daemon.store import Record, Store
from cpimportd.notify import nagios as nagios_page
from cpimportd.notify.nagios import Thresholds, findings_of_runs
from cpimportd.notify.nagios_answer import Answer, Finding, Level
from cpimportd.timetable.memory import Memory, Remembered
from tests.support import launcher

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # 15:00 in Moscow; today's slot was at 03:00 UTC
# The guidelines' grammar: 'label'=value[UOM];[warn];[crit];[min];[max]
PERFORMANCE = re.compile(r"[a-z_]+=\d+(\.\d+)?(s|)(;\d*){0,4}")


def health(success: timedelta | None = timedelta(hours=9), **more) -> Health:
    at = None if success is None else NOW - success
    parts = {"last_run": None if at is None else LastRun(7, "published", at, at, 1.0, {}, None, None), "last_success": at,
             "held": (), "files": (), "runs": {}}  # fmt: skip
    return Health(**{**parts, **more})


def seen(name: str, uploaded: datetime | None) -> FileReport:
    return FileReport(name, None, (), uploaded, FileStatus.UNCHANGED)


def held_unit(organization: str) -> HeldUnit:
    unit = Unit(organization, Group.EXPENSES)
    facts = {"count": 12, "before": 100, "sum": "1200000.00", "limit": "3", "unit": unit.name}
    return HeldUnit(unit, 7, 7, NOW, (problem("shrunk", organization=organization, **facts),))


def level(found: Health, settings: Settings | None = None, **thresholds: timedelta) -> Level:
    return Answer(tuple(findings_of_runs(settings or Settings(), found, Thresholds(**thresholds), NOW))).level


@pytest.mark.parametrize(
    ("success", "expected"),
    [(timedelta(hours=8, minutes=59), Level.OK), (timedelta(hours=9), Level.OK),
     (timedelta(hours=9, seconds=1), Level.CRITICAL), (timedelta(days=30), Level.CRITICAL)],
)  # fmt: skip
def test_the_newest_slot_has_to_be_done(success, expected):
    assert level(health(success)) is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [("14:45", Level.OK), ("14:30", Level.WARNING), ("13:45", Level.WARNING), ("13:30", Level.CRITICAL)],
)
def test_a_slot_has_time_to_be_retried_and_then_to_be_started_at_all(at, expected):
    """With the defaults: 20 minutes of trying again, one hour of grace."""
    settings = Settings(schedules={"import": Schedule(at=at)})
    assert level(health(timedelta(hours=10)), settings) is expected


def test_a_slot_that_lay_before_its_schedule_is_not_waited_for(tmp_path):
    moved = NOW - timedelta(hours=2)
    settings = Settings(schedules={"import": Schedule(at="11:00")}, state_directory=tmp_path)

    def judged(at: str = "11:00", zone: str = "Europe/Moscow") -> Level:
        memory = Memory({"import": Remembered(at, zone, moved)})
        Store(tmp_path).save(Record(memory))
        found = findings_of_runs(
            settings, health(timedelta(hours=9)), Thresholds(), NOW, nagios_page.counting_from(settings)
        )
        return Answer(tuple(found)).level

    assert level(health(timedelta(hours=9)), settings) is Level.CRITICAL
    assert judged() is Level.OK
    assert judged(at="*-*-* 06:00:00") is Level.CRITICAL  # the daemon goes by another configuration
    assert judged(zone="UTC") is Level.CRITICAL
    moved = NOW - timedelta(hours=5)
    assert judged() is Level.CRITICAL
    (tmp_path / "daemon.json").write_text("[")
    assert nagios_page.counting_from(settings) == {}
    assert [path.name for path in tmp_path.iterdir()] == ["daemon.json"]  # it is left to the daemon to set it aside


def test_who_waits_for_an_upload_may_be_later():
    waiting = Settings(schedules={"import": Schedule(at="13:30", wait_for_upload=timedelta(hours=2))})
    assert level(health(timedelta(hours=10)), waiting) is Level.OK


def test_what_is_not_enabled_or_no_import_is_not_waited_for():
    others = {"off": Schedule(at="10:00", enabled=False), "weekly": Schedule(at="10:00", job="report")}
    assert level(health(timedelta(days=9)), Settings(schedules=others)) is Level.OK


def test_explicit_thresholds_take_the_schedules_place():
    old = health(timedelta(days=2))
    assert level(old, critical=timedelta(days=3), warning=timedelta(days=3)) is Level.OK
    assert level(old, critical=timedelta(days=3), warning=timedelta(days=1)) is Level.WARNING
    assert level(old, critical=timedelta(days=1)) is Level.CRITICAL


def test_before_the_first_run_it_warns_and_after_a_failed_one_it_is_critical():
    assert level(health(None)) is Level.WARNING
    failed = LastRun(1, "failed", NOW, NOW, 1.0, {}, "the server is away [source-unreachable]", "Look.")
    assert level(health(None, last_run=failed)) is Level.CRITICAL
    assert level(health(last_run=failed)) is Level.WARNING


def test_held_units_and_stale_workbooks_are_warnings():
    held = held_unit("ЛОТОС ООО")
    assert level(health(held=(held,))) is Level.WARNING
    assert level(health(files=(seen("a.xlsx", NOW - timedelta(hours=35)),))) is Level.OK
    assert level(health(files=(seen("a.xlsx", NOW - timedelta(hours=37)),))) is Level.WARNING
    assert level(health(files=(seen("a.xlsx", None),))) is Level.OK


def test_of_hundreds_of_held_units_and_stale_workbooks_the_first_are_named_and_the_rest_counted():
    held = tuple(held_unit(str(number)) for number in range(200))
    files = tuple(seen(f"{number}.xlsx", NOW - timedelta(days=3)) for number in range(600))
    texts = [found.text for found in findings_of_runs(Settings(), health(held=held, files=files), Thresholds(), NOW)]
    assert len(texts) < 30
    assert "190 more units are held" in texts
    assert "590 more workbooks were not uploaded" in texts


def test_what_is_known_to_be_wrong_is_graver_than_what_is_unknown():
    def worst(*levels: Level) -> Level:
        return Answer(tuple(Finding(one, "x") for one in levels)).level

    assert worst(Level.OK, Level.UNKNOWN) is Level.UNKNOWN
    assert worst(Level.UNKNOWN, Level.WARNING) is Level.WARNING
    assert worst(Level.WARNING, Level.CRITICAL, Level.UNKNOWN) is Level.CRITICAL


def test_a_name_from_a_file_begins_neither_a_line_nor_performance_data():
    said = str(Answer((Finding(Level.WARNING, "A|B\nOK - all is well\x1b[2J is held"),), ("held=1;0",)))
    assert said.splitlines()[0] == r"CPIMPORTD WARNING - A¦B\nOK - all is well\x1b[2J is held | held=1;0"
    assert len(said.splitlines()) == 2


def nagios(config: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return launcher.run("check", "--nagios", *arguments, "--config", str(config), env={**os.environ, **environ})


def config(two_days, folder: Path, **changes: str) -> Path:
    """The books of the two days, with no slot that could be late just now."""
    text = two_days.config.read_text() + '[schedules.import]\nat = "2100-01-01"\n'
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    path = folder / "cpimportd.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_held_units_on_real_books(two_days, tmp_path):
    done = nagios(config(two_days, tmp_path))
    assert (done.returncode, done.stderr) == (1, "")
    first, *rest = done.stdout.splitlines()
    assert re.fullmatch(r"CPIMPORTD WARNING - .*/expenses is held \(.+\) \| .+", first)
    performance = first.rpartition(" | ")[2].split()
    assert all(PERFORMANCE.fullmatch(one) for one in performance), performance
    assert {one.partition("=")[0] for one in performance} == {"age", "held", "duration", "oldest_upload"}
    assert any(line.startswith("OK: last success") for line in rest)
    assert "OK: the source can be reached" in rest


def test_thresholds_are_performance_data_too_and_scripts_get_json(two_days, tmp_path):
    path = config(two_days, tmp_path)
    time.sleep(1.5)  # the last success may have been a moment ago, where this test comes first
    done = nagios(path, "--warning", "1h", "--critical", "1s", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["status"]) == (2, "CRITICAL")
    assert any(re.fullmatch(r"age=\d+s;3600;1;0", one) for one in found["performance"])


def test_an_unreachable_database_is_critical_and_so_is_a_source(two_days, tmp_path):
    here = f'url = "{two_days.url}"'
    done = nagios(config(two_days, tmp_path, database=(here, 'url = "postgresql://u@127.0.0.1:1/x"')))
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("CPIMPORTD CRITICAL - ")
    assert "[database-unreachable]" in done.stdout
    gone = nagios(config(two_days, tmp_path, source=(f"{two_days.folder.as_uri()}/upload", "file:///nowhere")))
    assert gone.returncode == 2
    assert "[source-listing]" in gone.stdout.splitlines()[0]


@pytest.mark.parametrize("arguments", [[], ["--warning", "soon"]], ids=["configuration", "threshold"])
def test_what_cannot_be_asked_is_unknown(two_days, tmp_path, arguments):
    path = config(two_days, tmp_path)
    if not arguments:
        path.write_text("[database\n")
    done = nagios(path, *arguments)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("CPIMPORTD UNKNOWN - ")


def test_no_terminals_encoding_makes_it_fail(two_days, tmp_path):
    done = nagios(config(two_days, tmp_path), PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.returncode == 1
    assert done.stdout.startswith("CPIMPORTD WARNING - ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_without_rights_to_the_state_folder_learns_all_the_rest(two_days, tmp_path):
    program = f"""
import os, sys, asyncio
from datetime import datetime, UTC
from pathlib import Path
import cpimportd.notify.nagios as nagios
import cpimportd.books.reports.health, cpimportd.source.probe
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(nagios._daemon(Path({str(two_days.folder / "state")!r})))
"""
    (two_days.folder / "state").chmod(0o700)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert "the daemon was not asked" in done.stdout
    assert "Level.OK" in done.stdout


def test_thresholds_without_nagios_are_wrong_use(two_days):
    verb = [sys.executable, "-m", "cpimportd", "check", "--critical", "1h", "--config", str(two_days.config)]
    assert subprocess.run(verb, capture_output=True, check=False, timeout=120).returncode == 2


def test_a_daemon_that_should_run_and_does_not_is_a_warning(tmp_path):
    assert nagios_page._daemon(tmp_path) == []  # none has ever run here: it may run elsewhere
    (tmp_path / "daemon.lock").touch()
    (found,) = nagios_page._daemon(tmp_path)
    assert (found.level, found.text) == (Level.WARNING, "the daemon does not run")
