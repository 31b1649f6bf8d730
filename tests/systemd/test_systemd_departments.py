"""A further department's daemon: cpimportd@NAME beside cpimportd, with nothing in common but the program and the user."""

import re
import runpy
from pathlib import Path

import pytest

from tests.support.systemd.machine import UNIT, inside

REPOSITORY = Path(__file__).parent.parent.parent
SALES = "cpimportd@sales.service"
OTHERWISE = (
    ("Description=", "of the credit portfolio of %i from"),
    ("ExecStart=", "/etc/cpimportd/%i.toml"),
    ("ExecReload=", "/etc/cpimportd/%i.toml"),
    ("StateDirectory=", "=cpimportd-%i"),
    ("RuntimeDirectory=", "=cpimportd-%i"),
    *[("LoadCredential=", ":cpimportd@%i.")] * 9,
)


def settings_of(unit: str) -> list[str]:
    lines = (REPOSITORY / "systemd" / unit).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_the_template_is_the_unit_but_for_what_is_the_departments_own():
    one, template = settings_of("cpimportd.service"), settings_of("cpimportd@.service")
    assert len(one) == len(template)
    different = [mine for mine, other in zip(template, one, strict=True) if mine != other]
    assert len(different) == len(OTHERWISE)
    assert [(line.startswith(key), part in line) for line, (key, part) in zip(different, OTHERWISE, strict=True)] == [
        (True, True)
    ] * len(OTHERWISE)


@pytest.mark.parametrize(
    ("arguments", "environ", "department"),
    [
        (["run"], {}, None),
        (["run", "--config", "/etc/cpimportd/cpimportd.toml"], {}, None),
        (["run", "--config", "/etc/cpimportd/sales.toml", "--json"], {}, "sales"),
        (["status", "--config=/etc/cpimportd/sales.toml"], {}, "sales"),
        (["status"], {"CPIMPORTD_CONFIG": "/etc/cpimportd/sales.toml"}, "sales"),
        (["run", "--config", "/etc/cpimportd/cpimportd.toml"], {"CPIMPORTD_CONFIG": "/etc/cpimportd/sales.toml"}, None),
        (["rehearse", "/etc/cpimportd/sales.toml"], {}, None),
        (["run", "--config", "/root/trial.toml"], {}, None),
        (["run", "--config"], {}, None),
    ],
)
def test_roots_verbs_take_the_credentials_of_the_department_that_the_configuration_is_for(
    arguments, environ, department
):
    command = runpy.run_path(str(REPOSITORY / "packaging" / "command.py"))
    assert command["instance"](arguments, environ) == department


def test_roots_verbs_take_the_credentials_that_the_units_load():
    units = (line for name in ("cpimportd.service", "cpimportd-web.service") for line in settings_of(name))
    loaded = {line.removeprefix("LoadCredential=").partition(":")[0] for line in units if "LoadCredential=" in line}
    command = runpy.run_path(str(REPOSITORY / "packaging" / "command.py"))
    assert set(command["KEYS"]) == loaded


@pytest.mark.parametrize(("department", "password"), [(None, "ours"), ("sales", "theirs")])
def test_roots_verbs_leave_alone_what_else_lies_beside_the_credentials(tmp_path, department, password):
    for name, text in {
        "cpimportd.source.password": "ours\n",
        "cpimportd.source.password.old": "last year's\n",
        "cpimportd.source.password~": "an editor's\n",
        "cpimportd@sales.source.password": "theirs\n",
        "cpimportd@sales.source.password.dpkg-old": "a package's\n",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = runpy.run_path(str(REPOSITORY / "packaging" / "command.py"))
    assert command["credentials"](department, tmp_path) == {"CPIMPORTD_SOURCE__PASSWORD": password}


def test_systemd_finds_nothing_wrong_with_the_template(machine):
    done = machine.box.run("systemd-analyze", "verify", SALES)
    assert done.stdout + done.stderr == ""


def test_two_departments_run_side_by_side_and_fill_their_own_books(machine, database, sql):
    sql(
        database,
        "INSERT INTO departments (id, name, code, is_active, created_at, updated_at)"
        " VALUES (9, 'Sales', 'SALES', true, now(), now())",
    )
    machine.configure(database)
    machine.upload("day1")
    # Another database would do as well; the documents' keys are unique over all departments of one.
    machine.box.run("mkdir", "--parents", "/srv/sales")
    machine.write(
        "etc/cpimportd/sales.toml",
        f'department_id = 9\ndatabase.url = "{inside(database)}"\nsource.url = "file:///srv/sales"\nretry.within = 0\n',
    )
    machine.systemctl("start", UNIT, SALES)
    shown = {unit: machine.show("MainPID", "StateDirectory", "ActiveState", unit=unit) for unit in (UNIT, SALES)}
    assert {one["ActiveState"] for one in shown.values()} == {"active"}
    assert [one["StateDirectory"] for one in shown.values()] == ["cpimportd", "cpimportd-sales"]
    assert len({one["MainPID"] for one in shown.values()}) == 2

    machine.box.run("cpimportd", "trigger", "--wait")
    done = machine.box.run("cpimportd", "trigger", "--wait", "--config", "/etc/cpimportd/sales.toml", check=False)
    assert done.returncode == 1  # nothing lies in its folder
    runs = sql(database, "SELECT department_id, status FROM cpimportd.runs ORDER BY department_id")
    assert [tuple(run) for run in runs] == [(8, "published"), (9, "failed")]

    said = machine.box.run("cpimportd", "status", "--json", "--config", "/etc/cpimportd/sales.toml", check=False).stdout
    assert re.search(r'"state_directory": "/var/lib/cpimportd-sales"', said)
    machine.systemctl("reload", SALES)
    machine.systemctl("stop", SALES)
    assert machine.show("ActiveState") == {"ActiveState": "active"}


def test_an_upgrade_stops_a_departments_daemon_and_starts_it_again(machine, newer_package, database):
    machine.configure(database)
    machine.write(
        "etc/cpimportd/sales.toml",
        f'department_id = 9\ndatabase.url = "{inside(database)}"\nsource.url = "file:///srv/sales"\n',
    )
    machine.systemctl("enable", "--now", SALES)
    before = machine.show("InvocationID", unit=SALES)
    machine.box.run("dpkg", "--install", f"/srv/package/{newer_package.name}")
    after = machine.show("InvocationID", "ActiveState", unit=SALES)
    assert after["ActiveState"] == "active"
    assert after["InvocationID"] != before["InvocationID"]
