"""Which place a value is taken from, and what is said of it."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from cpimportd.config.load import load, values
from cpimportd.config.settings import Settings
from cpimportd.config.show import render
from cpimportd.core.problems import ProblemError
from cpimportd.core.state_folder import DEFAULT_PATH

FILE = '[source]\npassword = "from file"\nuser = "file"\n'
OURS = {"CPIMPORTD_SOURCE__PASSWORD": "from environment"}
PREDECESSOR = {"CREDIT_PORTFOLIO_FTP_PASSWORD": "from predecessor"}
CREDENTIAL = {"source.password": "from credential\n"}


@pytest.mark.parametrize(
    ("text", "credentials", "environ", "password", "origin"),
    [
        (FILE, CREDENTIAL, {**OURS, **PREDECESSOR}, "from environment", "environment CPIMPORTD_SOURCE__PASSWORD"),
        (FILE, CREDENTIAL, PREDECESSOR, "from credential", "credential source.password"),
        (FILE, None, PREDECESSOR, "from file", "{file}"),
        (
            "",
            None,
            PREDECESSOR,
            "from predecessor",
            "environment CREDIT_PORTFOLIO_FTP_PASSWORD (the predecessor's name)",
        ),
        ("", None, {}, None, "default"),
    ],
)
def test_the_strongest_place_wins_and_is_named(read, text, credentials, environ, password, origin):
    loaded = read(text, credentials, **environ)
    secret = loaded.settings.source.password
    assert (secret.get_secret_value() if secret else None) == password
    assert loaded.origins["source.password"] == origin.format(file=loaded.path)


def test_every_key_has_an_origin(read):
    loaded = read("[schedules.weekly]\nat = 'Sun 03:00'\n")
    assert set(loaded.origins) == {".".join(path) for path, _ in values(loaded.settings)}
    assert loaded.origins["schedules.weekly.at"] == str(loaded.path)
    assert loaded.origins["schedules.weekly.grace"] == loaded.origins["department_id"] == "default"


def test_an_empty_file_is_all_defaults_but_for_the_folder(read):
    settings = read("").settings
    assert settings.model_copy(update={"state_directory": Settings().state_directory}) == Settings()


# The file


def test_the_file_is_the_one_that_the_option_names_else_the_variable(write, tmp_path):
    named = write("department_id = 3")
    other = tmp_path / "other.toml"
    other.write_text("department_id = 4")
    assert load(named, {"CPIMPORTD_CONFIG": str(other)}).settings.department_id == 3
    assert load(None, {"CPIMPORTD_CONFIG": str(other)}).path == other


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_named_file_that_is_missing_is_an_error_whatever_else_is_set(tmp_path, by):
    gone = tmp_path / "gone.toml"
    environ = {"CPIMPORTD_DEPARTMENT_ID": "3"} | ({"CPIMPORTD_CONFIG": str(gone)} if by == "variable" else {})
    with pytest.raises(ProblemError, match=f"no configuration file at {gone}") as caught:
        load(gone if by == "option" else None, environ)
    assert [p.code for p in caught.value.problems] == ["config-missing"]


@pytest.mark.skipif(DEFAULT_PATH.exists(), reason="this machine has a configuration")
@pytest.mark.parametrize("environ", [{}, {"STATE_DIRECTORY": "/somewhere", "PATH": "/bin"}])
def test_the_usual_file_may_not_be_missing_where_nothing_else_is_set(environ):
    with pytest.raises(ProblemError) as caught:
        load(None, environ)
    assert [p.code for p in caught.value.problems] == ["config-missing"]


@pytest.mark.skipif(DEFAULT_PATH.exists(), reason="this machine has a configuration")
@pytest.mark.parametrize("environ", [{"CPIMPORTD_DEPARTMENT_ID": "3"}, {"DB_HOST": "db"}])
def test_the_usual_file_may_be_missing_where_something_else_is_set(environ):
    assert load(None, environ).path is None


@pytest.mark.skipif(DEFAULT_PATH.exists(), reason="this machine has a configuration")
def test_credentials_alone_are_a_configuration(tmp_path):
    (tmp_path / "database.url").write_text("postgresql://h/d")
    assert load(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).origins["database.url"] == "credential database.url"


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "bom.toml"
    path.write_bytes(b"\xef\xbb\xbfdepartment_id = 3\r\n")
    assert load(path, {}).settings.department_id == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"department_id = 3\n[source\n", "line 2"), (b"department_id = 3\nuser = '\xcf\xf0'", "line 2 is not UTF-8")],
)
def test_a_file_that_is_no_toml_names_the_line(tmp_path, content, reason):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(ProblemError, match=reason) as caught:
        load(path, {"CPIMPORTD_TELL__CHANNEL": "№"})
    assert [p.code for p in caught.value.problems] == ["config-syntax", "config-value"]


def test_a_folder_in_place_of_the_file_is_unreadable_not_missing(tmp_path):
    with pytest.raises(ProblemError) as caught:
        load(tmp_path, {})
    assert [p.code for p in caught.value.problems] == ["config-unreadable"]


# The environment


@pytest.mark.parametrize(
    ("name", "text", "get", "value"),
    [
        ("CPIMPORTD_DEPARTMENT_ID", "12", lambda s: s.department_id, 12),
        ("CPIMPORTD_RETRY__WITHIN", "1h 30min", lambda s: s.retry.within, timedelta(minutes=90)),
        ("CPIMPORTD_READER__MEMORY", "512M", lambda s: s.reader.memory, 512 * 1024**2),
        ("CPIMPORTD_GUARDS__STRICT", "yes", lambda s: s.guards.strict, True),
        ("CPIMPORTD_SCHEDULES__WEEKLY__AT", "Sun 03:00", lambda s: s.schedules["weekly"].at, "Sun 03:00"),
        (
            "CPIMPORTD_SCHEDULES__IMPORT__ONLY",
            "receipts, details",
            lambda s: s.schedules["import"].only,
            ("receipts", "details"),
        ),
        ("CPIMPORTD_SOURCE__USER", "", lambda s: s.source.user, "anonymous"),
    ],
)
def test_every_kind_of_value_can_be_a_variable(read, name, text, get, value):
    assert get(read("", **{name: text}).settings) == value


def test_a_whole_section_may_be_one_variable_in_json(read):
    loaded = read("", CPIMPORTD_SOURCE=json.dumps({"user": "u", "parallel": 2}))
    assert (loaded.settings.source.user, loaded.settings.source.parallel) == ("u", 2)
    assert loaded.origins["source.user"] == "environment CPIMPORTD_SOURCE"


def test_variables_that_are_no_settings_are_left_alone(read):
    read("", CPIMPORTD_TEST_POSTGRES="x", CPIMPORTD_CONFIG="elsewhere", CPIMPORTDX="x", SOURCE__URL="x")


# Credentials


@pytest.mark.parametrize("name", ["database.password", "database__password"])
@pytest.mark.parametrize("text", ["s3 cret ", "s3 cret \n", "s3 cret \r\n"])
def test_a_credential_loses_its_line_end_and_nothing_else(read, name, text):
    loaded = read("", {name: text})
    assert loaded.settings.database.password.get_secret_value() == "s3 cret "
    assert loaded.origins["database.password"] == f"credential {name}"


@pytest.mark.parametrize(
    "key",
    ["source.password", "database.password", "database.url", "database.direct_url", "cache.password", "cache.url"],
)
def test_every_secret_can_be_a_credential(read, key):
    loaded = read("", {key: "redis://h/1" if key == "cache.url" else "postgresql://h/d"})
    assert loaded.origins[key] == f"credential {key}"


def test_other_programs_credentials_are_ignored(read):
    loaded = read("", {"tls.key": b"\xff\xfe\x00", "department_id": "99", "source.pasword": "x"})
    assert loaded.settings.department_id == 8


def test_a_credential_that_holds_no_text_is_refused(refused):
    (wrong,) = refused("", {"source.password": b"\xff\xfe"})
    assert wrong.code == "config-value"
    assert "credential source.password" in wrong.message


def test_a_credentials_folder_that_is_gone_holds_none(write):
    assert load(write(""), {"CREDENTIALS_DIRECTORY": "/nonexistent"}).origins["source.password"] == "default"


# Schedules


def test_a_second_schedule_leaves_the_default_one_alone(read):
    schedules = read("[schedules.weekly]\nat = 'Sun 03:00'").settings.schedules
    assert set(schedules) == {"import", "weekly"}
    assert schedules["import"] == Settings().schedules["import"]


def test_the_default_schedule_is_overridden_key_by_key(read):
    loaded = read("[schedules.import]\ngrace = '2h'", CPIMPORTD_SCHEDULES__IMPORT__AT="07:00")
    schedule = loaded.settings.schedules["import"]
    assert (schedule.at, schedule.grace, schedule.catch_up) == ("07:00", timedelta(hours=2), True)


# The folder for state


@pytest.mark.parametrize(
    ("text", "environ", "folder", "origin"),
    [
        ("", {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "/var/lib/a", "environment STATE_DIRECTORY"),
        ("state_directory = '/srv/x'", {"STATE_DIRECTORY": "/var/lib/a"}, "/srv/x", "{file}"),
    ],
)
def test_systemd_says_where_state_lies_unless_we_do(read, text, environ, folder, origin):
    loaded = read(text, **environ)
    assert loaded.settings.state_directory == Path(folder)
    assert loaded.origins["state_directory"] == origin.format(file=loaded.path)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_STATE_HOME": "/xdg", "HOME": "/home/u"}, "/xdg/cpimportd"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/home/u"}, "/home/u/.local/state/cpimportd"),
        ({"HOME": "/home/u"}, "/home/u/.local/state/cpimportd"),
    ],
)
def test_a_user_without_rights_keeps_state_at_home(read, monkeypatch, environ, folder):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert read("", **environ).settings.state_directory == Path(folder)


def test_root_keeps_state_in_the_usual_folder(read, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert read("", HOME="/root").settings.state_directory == Path("/var/lib/cpimportd")


# The file's mode


@pytest.mark.parametrize(
    ("text", "mode", "keys"),
    [
        (
            "[source]\npassword = 'x'\n[database]\nurl = 'postgresql://u:p@h/d'",
            0o644,
            ["source.password", "database.url"],
        ),
        ("[source]\nurl = 'ftp://u:p@h/d'", 0o604, ["source.url"]),
        ("[source]\npassword = 'x'", 0o640, []),
        ("[source]\nuser = 'x'\n[database]\nurl = 'postgresql://u@h/d'", 0o644, []),
    ],
)
def test_a_secret_that_everybody_can_read_is_a_warning(write, text, mode, keys):
    loaded = load(write(text, mode), {})
    assert [p.code for p in loaded.problems] == ["config-readable"] * len(keys)
    assert [key for key, p in zip(keys, loaded.problems, strict=True) if key in p.message] == keys


def test_only_what_is_set_can_be_shown(read):
    rows = render(read("department_id = 3"), show="set")
    assert [row.key for row in rows] == ["department_id"]
