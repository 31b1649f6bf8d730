"""The dashboard's unit under a real systemd: off at first, closed without a token, able to ask the daemon."""

import json
import re

import pytest

from tests.support.systemd.machine import UNIT

WEB = "cpimportd-web.service"
TOKEN = "a-token-of-the-box-0123456789"
API = "http://127.0.0.1:8008/api/v1/credit-portfolio"


@pytest.fixture
def answering(machine, database):
    """A machine on which the daemon and the dashboard run."""
    machine.configure(database)
    machine.upload("day1")
    machine.credential("web.token", TOKEN)
    machine.systemctl("start", UNIT, WEB)
    return machine


def ask(machine, path, method="GET", token=TOKEN):
    """The status and the document of an answer, as a program on the machine gets them."""
    code = (
        "import json, sys, urllib.error, urllib.request\n"
        "request = urllib.request.Request(sys.argv[1], method=sys.argv[2], headers={'Authorization': 'Bearer ' + sys.argv[3]})\n"
        "try:\n    answer = urllib.request.urlopen(request, timeout=60)\n"
        "except urllib.error.HTTPError as error:\n    answer = error\n"
        "print(json.dumps([answer.status, json.load(answer)]))\n"
    )
    return json.loads(machine.box.run("python3", "-c", code, path, method, token).stdout)


def test_it_is_off_until_somebody_wants_it(machine):
    shown = machine.show("ActiveState", "UnitFileState", unit=WEB)
    assert shown == {"ActiveState": "inactive", "UnitFileState": "disabled"}


def test_systemd_finds_nothing_wrong_with_the_unit_and_little_to_close(machine):
    done = machine.box.run("systemd-analyze", "verify", WEB)
    assert done.stdout + done.stderr == ""
    done = machine.box.run("systemd-analyze", "security", "--no-pager", "--threshold=12", WEB)
    told = (machine.box.root / "lib/systemd/system" / WEB).read_text()
    comments = "\n".join(line for line in told.splitlines() if line.startswith("#"))
    remaining = {line.split()[1].split("=")[0] for line in done.stdout.splitlines() if line.startswith("✗")}
    assert [name for name in remaining if name.split("/")[0] not in comments] == []
    level = re.search(rf"exposure level for {WEB}: ([\d.]+)", done.stdout)[1]
    assert f"counts an exposure of {level}" in comments


def test_without_a_token_it_fails_with_the_way_out_and_is_not_tried_again(machine, database):
    machine.configure(database)
    machine.systemctl("start", WEB, check=False)
    shown = machine.show("ActiveState", "NRestarts", "ExecMainStatus", unit=WEB)
    assert shown == {"ActiveState": "failed", "NRestarts": "0", "ExecMainStatus": "2"}
    machine.box.run("journalctl", "--sync")
    assert "web.token" in machine.box.run("journalctl", "--unit", WEB).stdout


def test_it_asks_the_daemon_and_shows_what_came_of_it(answering, sql, database):
    assert ask(answering, f"{API}/summary", token="wrong-token-0123456789")[0] == 401
    status, answer = ask(answering, f"{API}/import/trigger", "POST")
    assert (status, answer["status"]) == (202, "accepted")
    answering.wait_until(
        lambda: (ask(answering, f"{API}/import/status")[1]["last"] or {}).get("status") == "published", 60
    )
    status, summary = ask(answering, f"{API}/summary?department_id=8")
    (books,) = sql(database, "SELECT count(*) AS n, sum(amount)::text AS sum FROM fin_expenses")
    assert summary["documents"]["expenses"] == {"rows": books["n"], "sum": books["sum"]}
    assert ask(answering, f"{API}/import/overview")[1]["light"]["state"] == "green"


def test_the_token_is_nowhere_to_be_seen(answering):
    ask(answering, f"{API}/summary")
    for process in answering.processes():
        assert TOKEN not in str(process)
    answering.box.run("journalctl", "--sync")
    assert TOKEN not in answering.box.run("journalctl", "--unit", WEB).stdout


def test_it_ends_in_order(answering):
    answering.systemctl("stop", WEB)
    assert answering.show("ActiveState", "Result", unit=WEB) == {"ActiveState": "inactive", "Result": "success"}
