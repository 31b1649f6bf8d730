"""The demo as a user sees it: one command, three days, nothing left behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
# A shell's background job ignores SIGINT; a user's terminal does not.
CODE = """
import signal, sys
from cpimportd.demo import run_demo
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(run_demo(keep={keep}, echo=lambda text: print(text, flush=True)))
"""
LAST_LINE = "All three days went as told: the books agree with 1C to the kopeck, and nothing broken got in."


def start(tmp_path, *, keep):
    return subprocess.Popen(
        [sys.executable, "-c", CODE.format(keep=keep)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "TMPDIR": str(tmp_path)},
    )


def test_three_days_go_as_told(tmp_path):
    said, complained = start(tmp_path, keep=False).communicate(timeout=120)
    assert complained == ""
    assert said.splitlines()[-1] == LAST_LINE
    assert len(re.findall(r"^--- Day \d", said, re.MULTILINE)) == 3
    assert "≠" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_kept_servers_answer_until_they_are_ended(tmp_path, sql, number):
    demo = start(tmp_path, keep=True)
    said = []
    for text in demo.stdout:
        said.append(text)
        if "Ctrl-C ends the demo" in text:
            break
    url = re.search(r"postgresql://\S+(?=')", "".join(said))[0]
    (row,) = sql(url, "SELECT count(*) AS runs FROM cpimportd.runs")
    assert row["runs"] == 3
    demo.send_signal(number)
    last, complained = demo.communicate(timeout=30)
    assert (demo.returncode, last.strip(), complained) == (0, "The servers and their files are gone.", "")
    assert list(tmp_path.iterdir()) == []
    assert not Path(url.partition("host=")[2]).exists()


def test_an_early_end_leaves_nothing(tmp_path):
    demo = start(tmp_path, keep=False)
    for text in demo.stdout:
        if text.startswith("Starting"):
            break
    demo.send_signal(signal.SIGINT)
    last, complained = demo.communicate(timeout=30)
    assert (demo.returncode, last.strip(), complained) == (130, "Stopped. The servers and their files are gone.", "")
    assert list(tmp_path.iterdir()) == []
