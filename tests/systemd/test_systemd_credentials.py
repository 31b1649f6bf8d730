"""Passwords reach a run by systemd's credentials, and nobody else."""

from collections.abc import Iterator

import pytest

from cpimportd.demo.ftp import LoopbackFtpServer
from tests.support.secrets import DATABASE_CREDENTIAL as DATABASE_PASSWORD
from tests.support.secrets import SOURCE_CREDENTIAL as SOURCE_PASSWORD
from tests.support.systemd.machine import SAMPLES, UNIT

FTP_HOST = "ftp.example.org"


@pytest.fixture(scope="session")
def locked_role(postgres_server, templates) -> Iterator[str]:
    """A role with cpimportd's rights that has to give its password."""
    from tests.support.database import run_sql

    hba = postgres_server.folder / "data" / "pg_hba.conf"
    before = hba.read_text()
    run_sql(postgres_server.url(), f"CREATE ROLE locked LOGIN IN ROLE cpimportd PASSWORD '{DATABASE_PASSWORD}'")
    hba.write_text(f"local all locked scram-sha-256\n{before}")
    run_sql(postgres_server.url(), "SELECT pg_reload_conf()")
    yield "locked"
    hba.write_text(before)
    run_sql(postgres_server.url(), "SELECT pg_reload_conf()")


@pytest.fixture
def ftp(tmp_path):
    with LoopbackFtpServer(SAMPLES / "day1", password=SOURCE_PASSWORD) as server:
        yield server


@pytest.fixture
def configured(machine, database, locked_role, ftp):
    """A machine whose configuration holds no password, and a server's name that has to be looked up."""
    machine.write("etc/hosts", f"127.0.0.1 {FTP_HOST}\n")
    machine.configure(
        database.replace("//cpimportd@", f"//{locked_role}@"),
        source__url=f'"{ftp.url.replace("127.0.0.1", FTP_HOST)}"',
        source__user=f'"{ftp.user}"',
    )
    return machine


def assert_imported(sql, database):
    assert sql(database, "SELECT count(*) AS n FROM fin_expenses")[0]["n"] == 400


def test_passwords_from_credentials_reach_the_run_and_show_nowhere(configured, database, sql):
    configured.credential("database.password", DATABASE_PASSWORD)
    configured.credential("source.password", SOURCE_PASSWORD)
    configured.systemctl("start", UNIT)
    trigger = configured.box.start_command("cpimportd", "trigger", "--wait")
    seen = [process for _ in iter(lambda: trigger.poll() is None, False) for process in configured.processes()]
    said = trigger.communicate()[0]
    assert trigger.returncode == 0, said
    assert_imported(sql, database)
    assert seen  # the run was looked at while it lived
    journal = "\n".join(str(entry) for entry in configured.journal())
    shown = configured.systemctl("show", UNIT) + configured.systemctl("status", UNIT, check=False)
    for secret in (DATABASE_PASSWORD, SOURCE_PASSWORD):
        assert secret not in said
        assert secret not in journal
        assert secret not in shown
        assert [process["cmdline"] for process in seen if secret in process["cmdline"]] == []


def test_without_its_password_a_run_fails_and_says_which_key_is_wanted(configured, database, sql):
    configured.credential("source.password", SOURCE_PASSWORD)
    configured.systemctl("start", UNIT)
    done = configured.box.run("cpimportd", "trigger", "--wait", check=False)
    assert done.returncode == 1
    assert any("password" in text for text in configured.messages(f"_SYSTEMD_UNIT={UNIT}"))
    assert sql(database, "SELECT count(*) AS n FROM fin_expenses")[0]["n"] == 0


def test_credentials_that_are_not_there_keep_nothing_from_starting(machine, database):
    machine.configure(database)
    assert list((machine.box.root / "etc/credstore").iterdir()) == []
    machine.systemctl("start", UNIT)
    assert machine.show("ActiveState") == {"ActiveState": "active"}


def test_an_encrypted_credential_works_as_the_man_page_says(configured, database, sql):
    configured.credential("database.password", DATABASE_PASSWORD)
    configured.write("srv/plain", SOURCE_PASSWORD)
    configured.box.run("mkdir", "--mode=0700", "--parents", "/etc/credstore.encrypted")
    encrypted = "/etc/credstore.encrypted/cpimportd.source.password"
    configured.box.run("systemd-creds", "encrypt", "--name=source.password", "/srv/plain", encrypted)
    configured.drop_in(
        "[Service]\nLoadCredential=\nLoadCredential=database.password:cpimportd.database.password\n"
        f"LoadCredentialEncrypted=source.password:{encrypted}\n"
    )
    configured.systemctl("start", UNIT)
    configured.box.run("cpimportd", "trigger", "--wait")
    assert_imported(sql, database)


def test_roots_verbs_have_the_daemons_credentials(configured, database, sql):
    configured.credential("database.password", DATABASE_PASSWORD)
    configured.credential("source.password", SOURCE_PASSWORD)
    configured.box.run("cpimportd", "run")
    assert_imported(sql, database)
    shown = configured.box.run("cpimportd", "config", "show", "--set").stdout
    assert "source.password" in shown
    assert SOURCE_PASSWORD not in shown
