"""What the daemon goes by: made of the configuration by a child, the same on both sides, and never with a secret."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from cpimportd.config.load import load
from cpimportd.core.problems import ProblemError
from cpimportd.daemon.plan import COPY_PREFIX, RESCHEDULED, decode, encode
from cpimportd.run.planner import make_plan
from tests.support.secrets import CONFIGURED

PASSWORD = CONFIGURED


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "cpimportd.toml"
    path.write_text(
        f'state_directory = "{tmp_path}/state"\n[database]\nurl = "postgresql://u:{PASSWORD}@h/d"\n'
        f'[source]\nurl = "ftp://u:{PASSWORD}@h/d"\n'
        f'[alerts]\nurls = ["json://u:{PASSWORD}@h"]\n'
        '[schedules.weekly]\nat = "Mon 07:00"\nonly = ["receipts"]\nwait_for_upload = "2h"\n'
        '[schedules.off]\nenabled = false\n[schedules.later]\njob = "report"\n'
    )
    path.chmod(0o600)
    return path


def planner(config: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-P", "-m", "cpimportd.run.planner", str(config)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, env={"PATH": "", **environ})


def test_the_plan_is_the_same_on_both_sides(config, tmp_path):
    plan = make_plan(load(config, {}), tmp_path)
    assert decode(encode(plan)) == plan
    jobs = {schedule.name: schedule.job for schedule in plan.schedules}
    assert jobs == {"import": "import", "weekly": "import", "later": "report"}
    assert plan.schedule("weekly").wait_for_upload == timedelta(hours=2)
    assert plan.warnings == ()


def test_the_child_prints_no_secret_and_keeps_what_it_accepted_for_the_runs(config, tmp_path):
    done = planner(config)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    plan = decode(done.stdout)
    assert plan.runtime_directory == tmp_path / "state" / "run"
    assert plan.copy.read_text() == config.read_text()
    assert plan.copy.name.startswith(COPY_PREFIX)
    assert plan.copy.stat().st_mode & 0o777 == 0o600
    assert plan.runtime_directory.stat().st_mode & 0o777 == 0o700


def test_systemds_runtime_folder_is_taken(config, tmp_path):
    plan = decode(planner(config, RUNTIME_DIRECTORY=str(tmp_path / "runtime")).stdout)
    assert plan.copy.parent == plan.runtime_directory == tmp_path / "runtime"


def test_what_is_wrong_is_told_with_its_exit_code(config):
    config.write_text(config.read_text().replace("[schedules.weekly]\nat", "[schedules.weekly]\natt"))
    done = planner(config)
    assert done.returncode == 2
    with pytest.raises(ProblemError) as raised:
        decode(done.stdout)
    assert [found.code for found in raised.value.problems] == ["config-unknown-key"]


@pytest.mark.parametrize("section", ["database", "source"])
def test_what_a_run_cannot_do_without_is_missed_before_the_daemon_starts(config, section, tmp_path):
    text = config.read_text()
    begin = text.index(f"[{section}]")
    config.write_text(text[:begin] + text[text.index("\n[", begin) + 1 :])
    done = planner(config)
    assert done.returncode == 2
    assert json.loads(done.stdout)["problems"][0]["code"] == "config-incomplete"
    assert not (tmp_path / "state").exists()


def test_what_was_rescheduled_goes_before_the_configuration(config, tmp_path):
    (tmp_path / RESCHEDULED).write_text(json.dumps({"import": "*-*-* 07:15:00"}))
    plan = make_plan(load(config, {}), tmp_path)
    assert (plan.schedule("import").at, plan.schedule("import").rescheduled) == ("*-*-* 07:15:00", True)
    assert (plan.schedule("weekly").at, plan.schedule("weekly").rescheduled) == ("Mon 07:00", False)


@pytest.mark.parametrize("text", ['{"import": "never"}', "{", '["import"]'])
def test_a_rescheduled_expression_that_is_none_is_refused(config, tmp_path, text):
    (tmp_path / RESCHEDULED).write_text(text)
    with pytest.raises(ProblemError):
        make_plan(load(config, {}), tmp_path)


def test_a_state_folder_that_cannot_be_made_is_said(config, tmp_path):
    (tmp_path / "state").write_text("a file")
    done = planner(config)
    assert done.returncode == 1
    assert json.loads(done.stdout)["problems"][0]["code"] == "disk"
