"""The predecessor's .env is read as it lies, named or beside the configuration; and what the unit is given, by root."""

import os
import stat
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from cpimportd.cli import cli
from cpimportd.config import unit
from cpimportd.config.load import load
from cpimportd.config.unit import systemd
from cpimportd.core import state_folder
from cpimportd.core.problems import ProblemError
from cpimportd.core.typed import to_json
from cpimportd.daemon.plan import env_copy
from cpimportd.run.planner import _keep

PREDECESSOR = textwrap.dedent("""\
    # The backend's own
    SECRET_KEY=zqxj-of-the-backend
    DATABASE_URL=postgresql+asyncpg://budget:zqxj@db.example.org/backend

    CREDIT_PORTFOLIO_FTP_HOST=ftp.example.org
    CREDIT_PORTFOLIO_FTP_USER="robot"
    CREDIT_PORTFOLIO_FTP_PASSWORD='zqxj # $1'
    CREDIT_PORTFOLIO_FTP_REMOTE_DIR=/1c  # where 1C uploads
    CREDIT_PORTFOLIO_IMPORT_HOUR=7
""")


@pytest.fixture
def beside(write, tmp_path):
    """A configuration file with a .env beside it."""

    def beside(variables: str, text: str = "", name: str = ".env", mode: int = 0o600) -> Path:
        file = tmp_path / name
        file.write_text(variables, "utf-8")
        file.chmod(mode)
        return write(text)

    return beside


def refused(config: Path, **environ: str):
    with pytest.raises(ProblemError) as caught:
        load(config, environ)
    assert caught.value.exit_code == 2
    assert "zqxj" not in str([to_json(one) for one in caught.value.problems])
    return caught.value.problems


def test_the_predecessors_file_works_as_it_is_and_says_where_each_value_stands(beside, tmp_path):
    loaded = load(beside(PREDECESSOR), {})
    source = loaded.settings.source
    assert (source.url, source.user, source.password.get_secret_value()) == (
        "ftp://ftp.example.org/1c",
        "robot",
        "zqxj # $1",
    )
    assert loaded.settings.database.url.get_secret_value() == "postgresql://budget:zqxj@db.example.org/backend"
    assert loaded.settings.schedules["import"].at == "*-*-* 07:00:00"
    assert loaded.origins["database.url"] == f"{tmp_path}/.env, line 3: DATABASE_URL (the predecessor's name)"
    assert loaded.origins["source.password"].startswith(f"{tmp_path}/.env, line 7: CREDIT_PORTFOLIO_FTP_PASSWORD")
    assert loaded.origins["source.url"].startswith(f"{tmp_path}/.env, line 5: CREDIT_PORTFOLIO_FTP_HOST; ")
    assert loaded.problems == ()


@pytest.mark.parametrize(
    ("variables", "text", "environ", "user"),
    [
        ("CREDIT_PORTFOLIO_FTP_USER=old", "", {}, "old"),
        ("CREDIT_PORTFOLIO_FTP_USER=old", "source.user = 'file'", {}, "file"),
        ("CPIMPORTD_SOURCE__USER=ours", "source.user = 'file'", {}, "ours"),
        ("CPIMPORTD_SOURCE__USER=ours", "", {"CPIMPORTD_SOURCE__USER": "process"}, "process"),
        ("CPIMPORTD_SOURCE__USER=ours", "", {"CPIMPORTD_SOURCE__USER": ""}, "ours"),
        ("CREDIT_PORTFOLIO_FTP_USER=old", "", {"CREDIT_PORTFOLIO_FTP_USER": "process"}, "process"),
    ],
)
def test_a_variable_of_the_file_is_as_strong_as_one_of_the_process_that_is_not_set(
    beside, variables, text, environ, user
):
    assert load(beside(variables, text), environ).settings.source.user == user


def test_a_file_that_is_named_takes_the_place_of_the_one_beside(beside, tmp_path):
    config = beside("CREDIT_PORTFOLIO_FTP_USER=beside")
    named = tmp_path / "elsewhere"
    named.write_text("CREDIT_PORTFOLIO_FTP_USER=named")
    assert load(config, {"CPIMPORTD_ENV_FILE": str(named)}).settings.source.user == "named"
    (wrong,) = refused(config, CPIMPORTD_ENV_FILE=str(tmp_path / "gone"))
    assert (wrong.code, str(tmp_path / "gone") in wrong.message) == ("config-unreadable", True)


def test_each_department_may_have_a_file_of_its_own(beside, tmp_path):
    beside("CREDIT_PORTFOLIO_FTP_USER=everybodys")
    sales = tmp_path / "sales.toml"
    sales.write_text("")
    assert load(sales, {}).settings.source.user == "everybodys"
    sales.with_suffix(".env").write_text("CREDIT_PORTFOLIO_FTP_USER=sales")
    assert load(sales, {}).settings.source.user == "sales"


@pytest.mark.parametrize(
    ("line", "password"),
    [
        ("X=plain", "plain"),
        ("export X=exported", "exported"),
        ("X = 'blanks around'", "blanks around"),
        ('X="a \\"quoted\\" # word"', 'a "quoted" # word'),
        ("X=with # a comment", "with"),
        ("X=with#none", "with#none"),
        ("Y=of another\nX=${Y} file", "of another file"),
        ("X=first\nX=last", "last"),
        ("X='ключ'\r\n", "ключ"),
        ("\ufeffX=behind a byte order mark", "behind a byte order mark"),
    ],
)
def test_it_is_read_as_the_predecessor_read_it(beside, line, password):
    config = beside(line.replace("X", "CREDIT_PORTFOLIO_FTP_PASSWORD"))
    assert load(config, {}).settings.source.password.get_secret_value() == password


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"A=1\n\nB='zqxj\n", "line 3: expected NAME=value, with quotes that are closed"),
        ("A=zqxj".encode("utf-16"), "it is UTF-16, expected UTF-8"),
        ("# пароль от сервера\nA=zqxj".encode("cp1251"), "line 1 is not UTF-8, but probably Windows-1251"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_words(write, tmp_path, content, reason):
    (tmp_path / ".env").write_bytes(content)
    (wrong,) = refused(write(""))
    assert wrong.code == "config-unreadable"
    assert f"{tmp_path}/.env cannot be read: {reason}" in wrong.message


@pytest.mark.parametrize("kind", ["folder", "loop"])
def test_what_is_no_file_is_refused_in_words(write, tmp_path, kind):
    file = tmp_path / ".env"
    if kind == "folder":
        file.mkdir()
    else:
        file.symlink_to(file)
    (wrong,) = refused(write(""))
    assert wrong.message.startswith(f"{file} cannot be read: ")


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        ("CPIMPORTD_DEPARTMENT_ID=eight", "config-value", "department_id in {env}, line 2: CPIMPORTD_DEPARTMENT_ID: expected"),
        ("CREDIT_PORTFOLIO_IMPORT_HOUR=25", "config-value", "line 2: CREDIT_PORTFOLIO_IMPORT_HOUR (the predecessor's name)"),
        ("CPIMPORTD_SORCE__URL=ftp://h/", "config-unknown-key", "did you mean CPIMPORTD_SOURCE__URL?"),
        ("CREDIT_PORTFOLIO_FTP_HOST=sftp://h", "config-value", "sftp:// is not supported"),
        ("CPIMPORTD_SOURCE__URL=ftp://u:zq/xj@h/", "config-value", "/ as %2F"),
        ("CPIMPORTD_STATE_DIRECTORY=state", "config-value", "expected an absolute path"),
    ],
)  # fmt: skip
def test_a_wrong_value_names_the_file_and_the_line(beside, tmp_path, line, code, reason):
    (wrong,) = refused(beside(f"# ours\n{line}\n"))
    assert wrong.code == code
    assert f"{tmp_path}/.env, line 2: " in wrong.message
    assert reason.format(env=tmp_path / ".env") in wrong.message


def test_a_file_with_secrets_that_everybody_can_read_is_a_warning(beside):
    (warning, other) = load(beside(PREDECESSOR, mode=0o644), {}).problems
    assert {warning.code, other.code} == {"config-readable"}
    assert "/.env holds " in warning.message
    assert load(beside("CREDIT_PORTFOLIO_FTP_USER=u", mode=0o644), {}).problems == ()


def test_a_run_is_given_what_was_accepted_of_it(beside, tmp_path):
    loaded = load(beside("CREDIT_PORTFOLIO_FTP_USER=accepted"), {})
    runtime = tmp_path / "run"
    runtime.mkdir()
    copy = _keep(loaded.text, loaded.env_text, runtime)
    beside("CREDIT_PORTFOLIO_FTP_USER=written-since")
    assert load(copy, {}).settings.source.user == "accepted"
    assert stat.S_IMODE(env_copy(copy).stat().st_mode) == 0o600


def test_the_state_folder_is_not_guessed_where_the_file_may_say_it(beside):
    config = beside("CPIMPORTD_STATE_DIRECTORY=/state", "state_directory = '/file'")
    assert state_folder.configured_state_folder(config, {}) is None
    assert str(load(config, {}).settings.state_directory) == "/state"


def test_verbs_take_it_by_an_option(write, tmp_path, monkeypatch):
    monkeypatch.delenv("CPIMPORTD_ENV_FILE", raising=False)
    file = tmp_path / "predecessor"
    file.write_text(PREDECESSOR)
    answer = CliRunner().invoke(cli, ["config", "show", "--set", "--config", str(write("")), "--env-file", str(file)])
    os.environ.pop("CPIMPORTD_ENV_FILE")  # the option set it, for whatever the verb starts
    assert answer.exit_code == 0, answer.output
    shown = " ".join(answer.stdout.split())
    assert "line 6: CREDIT_PORTFOLIO_FTP_USER" in shown
    assert "zqxj" not in answer.output


# What systemd gives the unit


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("X=plain", "plain"),
        ("X=two words # no comment", "two words # no comment"),
        ("X='single # $1 \\n'", "single # $1 \\n"),
        ('X="double \\"quoted\\" \\$1 \\n"', 'double "quoted" $1 \\n'),
        ('X="one" two', "onetwo"),
        ("X=it's", "it's"),
        ("X=trailing   ", "trailing"),
        ("X=a\\\nb", "ab"),
        ("X='over\ntwo lines'", "over\ntwo lines"),
        ("X=$Y ${Y}", "$Y ${Y}"),
        ("  X = blanks", "blanks"),
        ("X=", ""),
        ("X=a\\b", "ab"),
        ("; a comment\nX=1\r\n", "1"),
        ("# a comment\nX=first\nX=last", "last"),
        ("export X=1", None),
        ("X", None),
    ],
)
def test_an_environment_file_is_read_as_systemd_reads_it(text, value):
    found = systemd(text)
    assert (found["X"].value if "X" in found else None) == value


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """A program of that name that answers as systemd 252 does, and a machine that looks as if systemd ran."""

    def systemctl(*lines: str) -> None:
        answer = tmp_path / "answer"
        answer.write_text("".join(f"{line}\n" for line in lines))
        program = tmp_path / "bin" / "systemctl"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\n[ "$5" = cpimportd.service ] && cat {answer}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        monkeypatch.setattr(unit, "_BOOTED", tmp_path)
        monkeypatch.setattr(unit, "_CREDENTIALS", tmp_path / "credentials")
        monkeypatch.setattr(unit, "_adopted", {})
        monkeypatch.setattr(unit, "DEFAULT_PATH", tmp_path / "cpimportd.toml")
        for name in ("NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "CPIMPORTD_CONFIG"):
            monkeypatch.delenv(name, raising=False)

    return systemctl


@pytest.mark.skipif(os.geteuid() != 0, reason="this is about root")
def test_root_sees_what_the_unit_is_given_and_where_it_stands(systemctl, write, tmp_path, monkeypatch):
    config, defaults = write("source.user = 'file'"), tmp_path / "defaults"
    defaults.write_text("# ours\nCPIMPORTD_SOURCE__USER='of the unit'\nDB_HOST=db.example.org\nPGUSER=of-the-unit\n")
    systemctl(
        'Environment=CPIMPORTD_SOURCE__USER=weaker "CPIMPORTD_SOURCE__OUTBOX=two words"',
        f"EnvironmentFiles={defaults} (ignore_errors=no)",
        f"EnvironmentFiles={tmp_path}/gone (ignore_errors=yes)",
    )
    (tmp_path / "credentials" / "cpimportd.service").mkdir(parents=True)
    (tmp_path / "credentials" / "cpimportd.service" / "source.password").write_text("zqxj")
    monkeypatch.delenv("PGUSER", raising=False)
    unit.adopt(config)
    loaded = load(config)
    assert (loaded.settings.source.user, loaded.settings.source.outbox) == ("of the unit", "two words")
    assert loaded.settings.source.password.get_secret_value() == "zqxj"
    assert loaded.origins["source.user"] == f"{defaults}, line 2: CPIMPORTD_SOURCE__USER"
    assert loaded.origins["source.outbox"] == "Environment= of cpimportd.service: CPIMPORTD_SOURCE__OUTBOX"
    assert os.environ.pop("PGUSER") == "of-the-unit"
    monkeypatch.setenv("CPIMPORTD_SOURCE__USER", "by hand")
    assert load(config).settings.source.user == "by hand"
    os.environ.pop("CREDENTIALS_DIRECTORY")


@pytest.mark.skipif(os.geteuid() != 0, reason="this is about root")
@pytest.mark.parametrize("why", ["another file", "inside a unit", "no systemd", "no answer"])
def test_nothing_is_taken_over_where_no_unit_is_concerned(systemctl, write, tmp_path, monkeypatch, why):
    config = write("")
    systemctl("Environment=CPIMPORTD_SOURCE__USER=unit")
    if why == "another file":
        (tmp_path / "elsewhere").mkdir()
        config = config.rename(tmp_path / "elsewhere" / "cpimportd.toml")
    elif why == "inside a unit":
        monkeypatch.setenv("NOTIFY_SOCKET", "/run/x")
    elif why == "no systemd":
        monkeypatch.setattr(unit, "_BOOTED", tmp_path / "gone")
    else:
        (tmp_path / "bin" / "systemctl").write_text("#!/bin/sh\nexit 1\n")
    unit.adopt(config)
    assert load(config).settings.source.user == "anonymous"
