"""The command as a user meets it: exit codes, JSON on stdout, everything else on stderr, and no traceback ever."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support import launcher
from tests.support.secrets import CONFIGURED

SAMPLES = Path(__file__).parent.parent / "samples"
PASSWORD = CONFIGURED


def cpimportd(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CPIMPORTD_") and k != "DATABASE_URL"}
    return launcher.run(*arguments, env={**clean, **environ})


@pytest.fixture
def config(database: str, tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    path = tmp_path / "cpimportd.toml"
    path.write_text(
        f'state_directory = "{tmp_path}/state"\n[database]\nurl = "{database}"\n'
        f'[source]\nurl = "{(SAMPLES / "day1").as_uri()}"\n'
    )
    path.chmod(0o600)
    return path


def test_help_teaches_every_verb():
    shown = cpimportd("--help")
    assert shown.returncode == 0
    for verb in ("run", "demo", "check", "summary", "history", "show", "backup", "db", "config"):
        assert verb in shown.stdout
        assert cpimportd(verb, "--help").returncode == 0
    assert "Exit codes" in shown.stdout


def test_a_run_prints_one_json_document(config):
    done = cpimportd("run", "--config", str(config), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert {"run", "status", "seconds", "files", "units", "totals"} <= set(report)
    assert report["status"] == "published"
    assert report["totals"]["expenses"] == {"rows": 400, "sum": "258257969.08"}
    assert {"name", "kind", "organizations", "rows", "control_total", "status", "problems"} <= set(report["files"][0])
    unit = {"organization", "kinds", "inserted", "updated", "removed", "unchanged", "status", "problems"}
    assert unit <= set(report["units"][0])


def test_the_report_for_people_ends_in_the_bridge(config):
    done = cpimportd("run", "--config", str(config))
    assert done.returncode == 0
    assert "130\u00a0412\u00a0291,20" in done.stdout
    assert "127\u00a0845\u00a0677,88" in done.stdout
    assert "ЛОТОС ООО" in done.stdout
    assert "0,00" in done.stdout


def test_history_show_and_summary_report_the_run(config):
    cpimportd("run", "--config", str(config))
    runs = json.loads(cpimportd("history", "--config", str(config), "--json").stdout)["runs"]
    assert [run["status"] for run in runs] == ["published"]
    shown = cpimportd("show", str(runs[0]["run"]), "--config", str(config), "--json")
    assert shown.returncode == 0
    assert len(json.loads(shown.stdout)["inserted"]) == 480
    names = re.findall(r'^  ("\w+"): ', shown.stdout, re.MULTILINE)
    assert len(set(names)) == len(names) > 20
    summary = json.loads(cpimportd("summary", "--department", "8", "--config", str(config), "--json").stdout)
    assert summary["total_receipts"] == "4234200000.00"
    assert summary["total_expenses"] == "258257969.08"
    assert summary["net_balance"] == "3975942030.92"
    assert (summary["principal"], summary["interest"]) == ("130412291.20", "127845677.88")
    assert summary["active_contracts"] == 7
    for verb in (("history",), ("show", str(runs[0]["run"])), ("summary",)):
        human = cpimportd(*verb, "--config", str(config))
        assert (human.returncode, human.stderr) == (0, "")
        assert human.stdout


def test_from_a_folder_needs_no_source(config, tmp_path):
    config.write_text(config.read_text().partition("[source]")[0])
    done = cpimportd("run", "--config", str(config), "--from", str(SAMPLES / "day2"), "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["totals"]["expenses"]["rows"] == 396


def test_db_current_and_upgrade(make_database, config):
    url = make_database()
    other = config.with_name("other.toml")
    other.write_text(f'[database]\nurl = "{url}"\n')
    other.chmod(0o600)
    assert cpimportd("db", "current", "--config", str(other)).returncode == 1
    run = cpimportd(
        "run", "--config", str(other), "--from", str(SAMPLES / "day1"), CPIMPORTD_STATE_DIRECTORY=str(config.parent)
    )
    assert run.returncode == 1
    assert "cpimportd db upgrade" in run.stderr
    assert cpimportd("db", "upgrade", "--config", str(other)).returncode == 0
    assert cpimportd("db", "current", "--config", str(other)).returncode == 0
    again = cpimportd("db", "upgrade", "--config", str(other), "--json")
    assert json.loads(again.stdout)["created_tables"] is False


def test_backup_writes_a_dump(config):
    done = cpimportd("backup", "--config", str(config), "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert Path(made["file"]).stat().st_size == made["bytes"] > 1000
    assert Path(made["file"]).read_bytes().startswith(b"PGDMP")


def test_check_names_each_step_and_its_remedy(config):
    good = cpimportd("check", "--config", str(config), "--json")
    lines = json.loads(good.stdout)
    assert good.returncode == 0, good.stdout
    assert lines["ok"] is True
    config.write_text(config.read_text().replace("day1", "nowhere"))
    bad = cpimportd("check", "--config", str(config))
    assert bad.returncode == 1
    assert "FAILED" in bad.stdout


WRONG = {
    "no configuration": (lambda c: c.unlink(), 2, "config-missing"),
    "not TOML": (lambda c: c.write_text("[database\n"), 2, "config-syntax"),
    "an unknown key": (lambda c: c.write_text(c.read_text() + "\n[retry]\nwithn = 5\n"), 2, "config-unknown-key"),
    "a misplaced key": (lambda c: c.write_text("grace = '1h'\n" + c.read_text()), 2, "config-unknown-key"),
    "no source": (lambda c: c.write_text(c.read_text().partition("[source]")[0]), 2, "config-incomplete"),
    "an unreachable database": (
        lambda c: c.write_text(
            "[database]\nurl='postgresql://u:" + PASSWORD + "@127.0.0.1:1/x'\n[source]\nurl='file:///tmp'\n"
        ),
        1,
        "database-unreachable",
    ),
    "an unreachable FTP server": (
        lambda c: c.write_text(
            c.read_text().partition("[source]")[0]
            + f"[source]\nurl='ftp://127.0.0.1:1/x'\nuser='u'\npassword='{PASSWORD}'\n[retry]\nwithin=1\n"
        ),
        1,
        "source-unreachable",
    ),
    "a missing folder": (lambda c: c.write_text(c.read_text().replace("day1", "nowhere")), 1, "source-listing"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_what_is_wrong_is_reported_with_its_code_and_its_remedy(config, case, as_json):
    break_it, code, problem = WRONG[case]
    break_it(config)
    done = cpimportd("run", "--config", str(config), *(["--json"] if as_json else []))
    assert done.returncode == code, done.stderr
    if as_json:
        (found, *_) = json.loads(done.stdout)["problems"]
        assert found["code"] == problem
        assert found["way_out"]
    else:
        assert f"[{problem}]" in done.stderr + done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def test_config_show_masks_secrets_and_names_origins(config):
    shown = cpimportd("config", "show", "--config", str(config), CPIMPORTD_SOURCE__PASSWORD=PASSWORD)
    assert shown.returncode == 0
    assert PASSWORD not in shown.stdout
    assert "CPIMPORTD_SOURCE__PASSWORD" in shown.stdout
    example = cpimportd("config", "example")
    assert "[database]" in example.stdout


@pytest.mark.parametrize(
    "arguments",
    [("--schedule", "import"), ("--slot", "2026-11-24T06:00:00+03:00"), ("--schedule", "x", "--slot", "soon"),
     ("--schedule", "x", "--slot", "2026-11-24T06:00:00"), ("--only", "nothing")],
)  # fmt: skip
def test_wrong_use_exits_2(config, arguments):
    done = cpimportd("run", "--config", str(config), *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
