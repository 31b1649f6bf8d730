"""What is older than its retention is removed by a process of its own, and the daemon's log has what that says."""

import logging
import os
from asyncio.subprocess import DEVNULL, PIPE

import pytest
from msgspec.structs import replace

from cpimportd.config.load import load
from cpimportd.core.problems import ProblemError
from cpimportd.daemon import main
from cpimportd.daemon.process import run_to_completion
from cpimportd.run.planner import make_plan


@pytest.fixture
def plan(database, tmp_path):
    config = tmp_path / "cpimportd.toml"
    config.write_text(
        f'state_directory = "{tmp_path}"\n[database]\nurl = "{database}"\n[source]\nurl = "file:///x"\n'
        '[spool]\nkeep = "1d"\n'
    )
    config.chmod(0o600)
    return replace(make_plan(load(config, {}), tmp_path), copy=config)


@pytest.mark.asyncio
async def test_old_workbooks_go_and_it_is_reported(plan, caplog):
    old = plan.state_directory / "spool" / "20200101T000000.000000Z-1"
    old.mkdir(parents=True)
    with caplog.at_level(logging.INFO, "cpimportd.daemon"):
        await main._prune(plan)
    assert not old.exists()
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.INFO, "removed the workbooks of 1 runs and 0 journal entries")
    ]


@pytest.mark.asyncio
async def test_what_goes_wrong_is_a_warning_with_its_remedy(plan, caplog):
    plan.copy.write_text("[database\n")
    with caplog.at_level(logging.INFO, "cpimportd.daemon"):
        await main._prune(plan)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert "[config-syntax]" in caplog.text


@pytest.mark.asyncio
async def test_one_that_does_not_end_is_killed(plan, monkeypatch):
    monkeypatch.setattr(main, "PRUNE_TIMEOUT", 0.01)
    with pytest.raises(ProblemError) as raised:
        await main._prune(plan)
    assert raised.value.problems[0].code == "run-timeout"


@pytest.mark.asyncio
async def test_what_a_short_process_wrote_comes_with_its_exit_code():
    argv = ["/bin/sh", "-c", "echo out; echo err >&2; exit 3"]
    assert await run_to_completion(argv, 20, stdout=PIPE, stderr=DEVNULL) == (3, b"out\n")
    assert await run_to_completion(argv, 20, stdout=DEVNULL, stderr=PIPE) == (3, b"err\n")


@pytest.mark.asyncio
@pytest.mark.parametrize("said", ["", "head -c 300000 /dev/zero; "], ids=["silent", "with a full pipe"])
async def test_a_short_process_that_takes_too_long_is_gone_when_that_is_reported(said, tmp_path):
    pid_file = tmp_path / "pid"
    argv = ["/bin/sh", "-c", f"echo $$ >{pid_file}; {said}exec sleep 600"]
    with pytest.raises(TimeoutError):
        await run_to_completion(argv, 0.5, stdout=PIPE, stderr=DEVNULL)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
