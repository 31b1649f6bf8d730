"""The Debian package's life: installed, configured, upgraded, removed, purged."""

import asyncio
import shutil
import stat
import subprocess

import pytest

from cpimportd.cli import cli
from cpimportd.config.keys import all_keys
from tests.support.systemd.machine import UNIT

CONFIGURED = 'database.url = "postgresql://cpimportd@/nowhere"\nsource.url = "file:///srv/upload"\n'


def install(machine, package):
    done = machine.box.run("dpkg", "--install", "--force-confold", f"/srv/package/{package.name}")
    return done.stdout + done.stderr


def mode(machine, path):
    found = (machine.box.root / path).stat()
    names = {
        entry.split(":")[2]: entry.split(":")[0] for entry in (machine.box.root / "etc/passwd").read_text().splitlines()
    }
    groups = {
        entry.split(":")[2]: entry.split(":")[0] for entry in (machine.box.root / "etc/group").read_text().splitlines()
    }
    return f"{stat.S_IMODE(found.st_mode):04o} {names[str(found.st_uid)]}:{groups[str(found.st_gid)]}"


@pytest.fixture
def configured(machine):
    """A machine on which the daemon runs, as it does after each boot."""
    machine.write("etc/cpimportd/cpimportd.toml", CONFIGURED)
    machine.systemctl("enable", "--now", UNIT)
    return machine


def test_lintian_finds_nothing(package):
    if not shutil.which("lintian"):
        pytest.skip("lintian is not here: apt-get install lintian")
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on=error,warning", "--tag-display-limit=0", package],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_a_fresh_installation_waits_for_its_configuration_and_says_so(fresh_machine, package):
    said = install(fresh_machine, package)
    assert "/etc/cpimportd/cpimportd.toml" in said
    assert "systemctl start cpimportd" in said
    assert fresh_machine.show("ActiveState", "UnitFileState") == {"ActiveState": "inactive", "UnitFileState": "enabled"}
    assert fresh_machine.systemctl("--failed", "--quiet").strip() == ""


def test_what_may_hold_secrets_is_closed_to_others(machine):
    assert mode(machine, "etc/cpimportd") == "0750 root:cpimportd"
    assert mode(machine, "etc/cpimportd/cpimportd.toml") == "0640 root:cpimportd"
    assert mode(machine, "var/lib/cpimportd") == "0700 cpimportd:cpimportd"
    assert mode(machine, "etc/credstore") == "0700 root:root"


def test_where_the_configuration_is_there_before_the_daemon_starts_at_once(fresh_machine, package):
    fresh_machine.credential("database.url", "postgresql://cpimportd@/nowhere")
    fresh_machine.credential("source.url", "file:///srv/upload")
    install(fresh_machine, package)
    assert fresh_machine.show("ActiveState") == {"ActiveState": "active"}


def test_every_key_of_the_shipped_configuration_is_at_its_default(machine):
    shown = machine.box.run("cpimportd", "config", "show", "--set")
    assert shown.stdout.splitlines()[1:] == []
    assert shown.stderr == ""


def test_an_upgrade_stops_the_daemon_before_files_are_replaced_and_starts_it_again(configured, newer_package):
    before = configured.show("InvocationID")["InvocationID"]
    install(configured, newer_package)
    assert (configured.box.root / "srv/before-unpacking").read_text() == "inactive\n"
    after = configured.show("ActiveState", "InvocationID", "Result")
    assert (after["ActiveState"], after["Result"]) == ("active", "success")
    assert after["InvocationID"] != before
    assert configured.box.run("dpkg-query", "--show", "--showformat=${Version}", "cpimportd").stdout.endswith("+newer")
    assert (configured.box.root / "etc/cpimportd/cpimportd.toml").read_text() == CONFIGURED


def test_an_upgrade_in_the_middle_of_a_run_rolls_it_back_and_the_next_one_is_whole(
    machine, database, newer_package, sql, connect
):
    machine.configure(database)
    machine.upload("day1")
    machine.systemctl("enable", "--now", UNIT)

    async def upgrade_while_a_run_waits():
        async with connect(database) as connection, connection.transaction():
            await connection.execute("LOCK TABLE fin_expenses IN SHARE MODE")
            trigger = machine.box.start_command("cpimportd", "trigger", "--wait")
            waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'fin_expenses'::regclass AND NOT granted"
            while not await connection.fetchval(waiting):
                assert trigger.poll() is None, trigger.communicate()[0]
                await asyncio.sleep(0.02)
            install(machine, newer_package)
            assert trigger.wait(timeout=100) != 0
            trigger.stdout.close()

    asyncio.run(upgrade_while_a_run_waits())
    assert machine.show("ActiveState") == {"ActiveState": "active"}
    assert sql(database, "SELECT count(*) AS n FROM fin_expenses")[0]["n"] == 0
    machine.box.run("cpimportd", "trigger", "--wait")
    assert sql(database, "SELECT count(*) AS n FROM fin_expenses")[0]["n"] == 400


def test_an_upgrade_leaves_a_disabled_unit_disabled_and_permissions_as_they_were_set(configured, newer_package):
    configured.systemctl("disable", "--now", UNIT)
    configured.box.run("chmod", "0600", "/etc/cpimportd/cpimportd.toml")
    install(configured, newer_package)
    assert configured.show("ActiveState", "UnitFileState") == {"ActiveState": "inactive", "UnitFileState": "disabled"}
    assert mode(configured, "etc/cpimportd/cpimportd.toml") == "0600 root:cpimportd"


def test_removal_stops_the_daemon_and_keeps_its_memory_and_purging_takes_all(configured):
    configured.credential("source.password", "secret")
    configured.write("var/lib/cpimportd/memory", "")
    configured.box.run("dpkg", "--remove", "cpimportd")
    assert configured.show("ActiveState") == {"ActiveState": "inactive"}
    assert not (configured.box.root / "usr/lib/cpimportd").exists()
    assert (configured.box.root / "etc/cpimportd/cpimportd.toml").read_text() == CONFIGURED
    assert (configured.box.root / "var/lib/cpimportd/memory").exists()
    configured.box.run("dpkg", "--purge", "cpimportd")
    left = configured.box.run(
        "find", "/", "-xdev", "(", "-path", "/proc", "-o", "-path", "/sys", "-o", "-path", "/srv", ")", "-prune", "-o",
        "-iname", "*cpimportd*", "-print",
    ).stdout.split()  # fmt: skip
    assert left == []
    assert "cpimportd" in (configured.box.root / "etc/passwd").read_text()  # its number is not given to another


def test_the_catalog_knows_our_messages_until_the_package_is_removed(machine):
    def known():
        return "CPIMPORTD_" in machine.box.run("journalctl", "--dump-catalog").stdout

    assert known()
    machine.box.run("dpkg", "--remove", "cpimportd")
    assert not known()


def test_what_roots_verbs_write_belongs_to_the_daemon(machine, database):
    machine.configure(database)
    machine.upload("day1")
    machine.box.run("cpimportd", "run")
    machine.box.run("cpimportd", "run", "--dry-run")
    assert {path.owner() for path in (machine.box.root / "var/lib/cpimportd").rglob("*")} <= {owner(machine)}


def owner(machine):
    """The daemon's user, as the host names that number."""
    return (machine.box.root / "var/lib/cpimportd").owner()


def test_the_man_pages_tell_every_verb_and_every_key(machine):
    page = machine.box.run("man", "8", "cpimportd", MANWIDTH="200").stdout
    told = [line.split("cpimportd ", 1)[1] for line in page.splitlines() if line.startswith("   cpimportd ")]
    for name in cli.commands:
        assert any(line.startswith(name) for line in told), name
    keys = machine.box.run("man", "5", "cpimportd.toml", MANWIDTH="200").stdout
    for path in all_keys():
        assert f"       {path[-1]}" in keys, path


def test_bash_completes_verbs(machine):
    script = """
        source /usr/share/bash-completion/completions/cpimportd
        COMP_WORDS=(cpimportd hi) COMP_CWORD=1
        _cpimportd_completion cpimportd hi cpimportd
        echo "${COMPREPLY[*]}"
    """
    assert machine.box.run("bash", "-c", script).stdout.split() == ["history"]


def test_names_in_cyrillic_are_no_trouble_where_no_locale_is_set(machine):
    done = machine.box.run("cpimportd", "check", "--config", "/srv/настройки.toml", check=False, LC_ALL="C")
    assert "/srv/настройки.toml" in done.stdout
