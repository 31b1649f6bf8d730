"""The demo as a user sees it: one command, three days, nothing left behind."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
# A shell's background job ignores SIGINT; a user's terminal does not.
CODE = """
import signal, sys
from cpimportd.cli.demo import run_demo
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


def ask(address, token):
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


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
    # What it prints can be pasted as it stands, into a terminal that knows nothing of the demo's environment.
    setting, *verbs = re.findall(r"(?m)^  (export CPIMPORTD_CONFIG=.*|/.*\bcpimportd \w+)$", "".join(said))
    assert [verb.split()[-1] for verb in verbs] == ["history", "summary", "status"]
    for verb in verbs:
        shown = subprocess.run(
            ["sh", "-c", f"{setting}\n{verb}"],
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        # The third day has held units: status says that something needs attention.
        assert (shown.returncode, shown.stderr) == (1 if "status" in verb else 0, ""), shown.stdout
    (psql,) = re.findall(r"(?m)^  (\S*/psql .*)$", "".join(said))
    counted = subprocess.run(
        ["sh", "-c", psql], input="TABLE cpimportd.runs;", env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "(3 rows)" in counted.stdout, counted.stderr
    url = re.search(r"postgresql://\S+(?=')", "".join(said))[0]
    (row,) = sql(url, "SELECT count(*) AS runs FROM cpimportd.runs")
    assert row["runs"] == 3
    address, token = re.search(r"(http://127\.0\.0\.1:\d+/)#token=(\S+)", "".join(said)).groups()
    status = json.loads(ask(f"{address}api/v1/credit-portfolio/import/status", token))
    assert (status["daemon"], status["running"]) == (True, None)
    assert b"app.js" in ask(address, "")
    demo.send_signal(number)
    last, complained = demo.communicate(timeout=120)
    assert (demo.returncode, last.strip(), complained) == (0, "The servers and their files are gone.", "")
    assert list(tmp_path.iterdir()) == []
    assert not Path(url.partition("host=")[2]).exists()
    with pytest.raises(urllib.error.URLError):
        ask(address, "")
    assert not Path(f"/proc/{status['pid']}").exists()


def test_an_early_end_leaves_nothing(tmp_path):
    demo = start(tmp_path, keep=False)
    for text in demo.stdout:
        if text.startswith("Starting"):
            break
    demo.send_signal(signal.SIGINT)
    last, complained = demo.communicate(timeout=120)
    assert (demo.returncode, last.strip(), complained) == (130, "Stopped. The servers and their files are gone.", "")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_that_comes_while_an_object_is_finalised_ends_the_demo_all_the_same():
    code = """
import signal, time
from cpimportd.demo import story
class Finalised:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
try:
    with story._ending_once():
        Finalised()
        time.sleep(20)
        print("it went on")
except KeyboardInterrupt:
    print("ended")
"""
    command = [sys.executable, "-c", "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)" + code]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ended\n", "")
