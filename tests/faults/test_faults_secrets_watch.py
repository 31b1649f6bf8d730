"""The watch for planted passwords finds them in every form, and fails the test in which one was seen."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.support.secrets import PLANTED, leaked

AFTER = "test_leak_seen_after_the_test"
LEAKS = """
import json, logging, subprocess, sys, traceback
import pytest
from urllib.parse import quote
from tests.support.secrets import DATABASE, FTP, REDIS, look_at

ours = logging.getLogger("cpimportd.somewhere")

def test_clean(capsys):
    ours.error("a password of eight stars: ********")
    print(capsys.readouterr().out)

def test_leak_message():
    ours.debug("login as finance with %s", FTP)

def test_leak_args_that_nobody_formats():
    ours.warning("login failed %.0s", FTP)

def test_leak_extra():
    ours.warning("login failed", extra={"CPIMPORTD_VALUE": json.dumps(FTP)})

def test_leak_traceback():
    try:
        raise ValueError(f"redis://:{quote(REDIS)}@host")
    except ValueError:
        ours.debug("a defect", exc_info=True)

def test_leak_stdout():
    print(repr(DATABASE))

def test_leak_stderr_that_the_test_takes(capsys):
    print(DATABASE, file=sys.stderr)
    capsys.readouterr()

def test_leak_child():
    argv = [sys.executable, "-m", "cpimportd", "run", f"--{DATABASE}"]
    subprocess.run(argv, capture_output=True, text=True)

def test_leak_handed_over():
    look_at("the file daemon.json", FTP.encode())

@pytest.fixture
def place():
    yield
    look_at("the log of a daemon", f"PASS {FTP}")

def test_leak_seen_after_the_test(place):
    pass
"""


@pytest.mark.parametrize("role", PLANTED)
@pytest.mark.parametrize(
    "given",
    [
        lambda secret: secret,
        lambda secret: f"postgresql://cpimportd:{quote(secret, safe='')}@host/books",
        lambda secret: re.sub("%..", lambda match: match[0].lower(), quote(secret, safe="")),
        quote_plus,
        lambda secret: json.dumps({"password": secret}),
        lambda secret: json.dumps({"password": secret}, ensure_ascii=False),
        lambda secret: json.dumps({"report": json.dumps({"value": secret})}),
        repr,
        ascii,
        lambda secret: repr(secret.encode()),
        lambda secret: repr(f"PASS {secret}\r\n".encode("cp1252", "replace")),
        lambda secret: base64.b64encode(secret.encode()).decode(),
        lambda secret: base64.b64encode(f"finance:{secret}".encode()).decode(),
        lambda secret: base64.urlsafe_b64encode(f"finances:{secret}@h".encode()).decode(),
        lambda secret: secret.encode().hex(),
    ],
    ids=["plain", "url", "url, lower case", "form", "json", "json with umlauts", "json in json", "repr", "ascii", "bytes", "cp1252",
         "base64", "base64 of a login", "base64 within more", "hex"],
)  # fmt: skip
def test_a_password_is_found_in_every_form(role, given):
    assert role in leaked(f"before {given(PLANTED[role])} after")


def test_what_holds_no_password_is_not_suspected():
    source = Path(__file__).read_text("utf-8")
    assert leaked(f"{source} postgresql://cpimportd:********@host/books {base64.b64encode(source.encode())!r}") == []


def test_a_test_in_which_a_password_was_seen_fails(tmp_path):
    file = tmp_path / "test_leaks.py"
    file.write_text(LEAKS, "utf-8")
    argv = [sys.executable, "-m", "pytest", "-p", "tests.support.secrets", "-p", "no:cacheprovider", "-rA"]
    argv += [f"--rootdir={tmp_path}", "--tb=line", str(file)]
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    told = re.findall(r"^(PASSED|FAILED|ERROR) \S+::(\w+)", done.stdout, re.MULTILINE)
    assert {name for outcome, name in told if outcome == "FAILED"} == set(re.findall(r"test_leak_\w+", LEAKS)) - {AFTER}
    assert ("PASSED", "test_clean") in told
    assert ("ERROR", AFTER) in told
    assert "the password of FTP server is in the log of a daemon" in done.stdout
