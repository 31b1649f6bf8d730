"""What is refused, and in which words."""

import pytest

from cpimportd.config.load import require_database, require_source
from cpimportd.config.settings import Settings
from cpimportd.core.problems import ProblemError
from cpimportd.core.typed import to_json


@pytest.mark.parametrize(
    ("text", "key", "line", "hint"),
    [
        ("[source]\nwithin = '5min'", "source.within", 2, "[retry] within"),
        ("within = '5min'", "within", 1, "[retry] within"),
        ("[tell]\n\ndepartment_id = 3", "tell.department_id", 3, "department_id, above the first section"),
        ("[retry]\n# within = 1\nwithn = '5min'", "retry.withn", 3, "[retry] within"),
        ("department_id = 8\n[sorce]\nurl = 'ftp://h'", "sorce", 2, "[source]"),
        ("[schedule.import]\nat = '06:00'", "schedule", 1, "[schedules.import]"),
        ("[schedules.weekly]\nat = '06:00'\ngrase = '1h'", "schedules.weekly.grase", 3, "[schedules.weekly] grace"),
        ("retry.withn = 5", "retry.withn", 1, "[retry] within"),
        ("[retry]\npassword = 'hunter2'", "retry.password", 2, "[database] password or"),
    ],
)
def test_an_unknown_key_in_the_file_names_its_line_and_the_one_that_was_meant(refused, text, key, line, hint):
    (wrong,) = refused(text)
    assert wrong.code == "config-unknown-key"
    assert wrong.message.startswith(f"unknown key {key} in ")
    assert f"cpimportd.toml, line {line};" in wrong.message
    assert hint in wrong.message.partition("did you mean ")[2]
    assert "hunter2" not in str(wrong)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("CPIMPORTD_SOURCE_URL", "CPIMPORTD_SOURCE__URL"),
        ("CPIMPORTD_SORCE__URL", "CPIMPORTD_SOURCE__URL"),
        ("CPIMPORTD_SOURCE__PASWORD", "CPIMPORTD_SOURCE__PASSWORD"),
        ("CPIMPORTD_SOURCE__WITHIN", "CPIMPORTD_RETRY__WITHIN"),
        ("CPIMPORTD_WITHIN", "CPIMPORTD_RETRY__WITHIN"),
        ("CPIMPORTD_DEPARTMENT_ID__X", "CPIMPORTD_DEPARTMENT_ID"),
        ("CPIMPORTD_SCHEDULES__WEEKLY__GRASE", "CPIMPORTD_SCHEDULES__WEEKLY__GRACE"),
    ],
)
def test_an_unknown_variable_is_named_with_the_one_that_was_meant(refused, name, hint):
    (wrong,) = refused("", **{name: "hunter2"})
    assert wrong.code == "config-unknown-key"
    assert f"in environment {name}; did you mean {hint}?" in wrong.message
    assert "hunter2" not in str(wrong)


def test_a_key_that_several_sections_have_names_them_all(refused):
    (wrong,) = refused("[retry]\nconnect_timeout = '5s'")
    assert wrong.message.endswith("; did you mean [database] connect_timeout or [source] connect_timeout?")


def test_a_key_that_resembles_nothing_has_no_hint(refused):
    (wrong,) = refused("xyzzy = 1")
    assert "did you mean" not in wrong.message


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        (
            "[schedules.import]\nat = '0 6 * * *'",
            "schedules.import.at",
            "such as Mon..Fri *-*-* 06:00:00 (this is written as for cron",
        ),
        (
            "[schedules.weekly]\nat = '*-*-* 25:00'",
            "schedules.weekly.at",
            "(bad hour: 25 is not from 0 to 23), not '*-*-* 25:00'",
        ),
        ("[schedules.import]\ngrace = 0", "schedules.import.grace", "longer than 0, not 0"),
        ("[schedules.import]\nonly = ['receipts', 'tax']", "schedules.import.only", "'receipts', 'expenses' or"),
        ("[schedules.import]\njob = 'exprot'", "schedules.import.job", "'reconcile', not 'exprot'"),
        ("[schedules.Weekly]", "schedules.Weekly", "small letters"),
        ("schedules = 3", "schedules", "expected"),
        ("department_id = 0", "department_id", "greater than 0, not 0"),
        ("department_id = true", "department_id", "expected a number, not true or false"),
        ("department_id = 2147483648", "department_id", "less than 2147483648"),
        ("timezone = 'Europe'", "timezone", "such as Europe/Moscow, not 'Europe'"),
        ("[retry]\nwithin = -5", "retry.within", "expected a time span"),
        ("[retry]\nwithin = '5 parsecs'", "retry.within", "such as 90s, 20min or 1h 30min, not '5 parsecs'"),
        ("[retry]\nwithin = nan", "retry.within", "expected a time span"),
        ("[retry]\nwithin = inf", "retry.within", "expected a time span"),
        ("[retry]\nwithin = '36500d 1s'", "retry.within", "at most 36500 days"),
        ("[spool]\nkeep = '999999d'", "spool.keep", "at most 36500 days"),
        ("[schedules.import]\nwait_for_upload = '999999w'", "schedules.import.wait_for_upload", "at most 36500 days"),
        ("[retry]\nwithin = true", "retry.within", "expected a time span"),
        ("[retry]\nwait_first = 0", "retry.wait_first", "longer than 0"),
        ("[source]\ncommand_timeout = '0s'", "source.command_timeout", "longer than 0"),
        ("[source]\nmax_file_size = 'much'", "source.max_file_size", "expected a size such as 200M or 1G, not 'much'"),
        ("[source]\nparallel = 17", "source.parallel", "16"),
        ("[source]\nencoding = 'base64'", "source.encoding", "such as utf-8 or cp1251"),
        ("[source]\nurl = 'ftp.example.org'", "source.url", "expected ftp://host/folder"),
        ("[source]\nurl = 'ftp:///1c'", "source.url", "expected ftp://host/folder"),
        ("[source]\nurl = 'file://1c'", "source.url", "file:///folder"),
        ('[source]\nuser = "a\\r\\nDELE x"', "source.user", "one line"),
        ('[source]\npassword = "hunter2\\nDELE x"', "source.password", "one line"),
        ("[source]\npassword = ''", "source.password", "empty"),
        ("[tell]\nchannel = 'no; DROP'", "tell.channel", "small letters"),
        ("[guards]\nremoved_percent = 101", "guards.removed_percent", "100"),
        ("[guards]\nstrict = 'perhaps'", "guards.strict", "expected a valid boolean, not 'perhaps'"),
        ("database = 'postgresql://u:hunter2@h/d'", "database", "expected a section"),
        ("[database]\nurl = 'mysql://u:hunter2@h/d'", "database.url", "expected postgresql://"),
        ("[database]\npassword = 12", "database.password", "expected a valid string"),
    ],
)
def test_a_wrong_value_names_key_place_and_what_was_expected(refused, text, key, expected):
    (wrong,) = refused(text)
    assert wrong.code == "config-value"
    assert wrong.message.startswith(f"{key} in ")
    assert "cpimportd.toml, line " in wrong.message
    assert expected in wrong.message
    assert "hunter2" not in f"{wrong} {to_json(wrong)}"


@pytest.mark.parametrize("value", ["73313", "[73313]", "{ a = 73313 }", "73313.5", "1973-03-13"])
def test_a_secret_of_a_wrong_type_is_not_repeated(refused, value):
    (wrong,) = refused(f"[database]\npassword = {value}")
    assert wrong.value is None
    assert "733" not in f"{wrong} {to_json(wrong)}"
    assert "1973" not in f"{wrong} {to_json(wrong)}"


@pytest.mark.parametrize("text", ["0", "0s", "3h", "1.5h", "2 weeks", "1h30min"])
def test_a_span_may_be_written_as_systemd_does_and_waiting_may_be_nought(read, text):
    read("", CPIMPORTD_RETRY__WITHIN=text, CPIMPORTD_SCHEDULES__IMPORT__WAIT_FOR_UPLOAD=text)


def test_everything_that_is_wrong_is_reported_at_once(refused):
    wrong = refused(
        "department_id = 0\nwithin = 3\n[sorce]\n[database]\npassword = 12",
        {"cache.password": b"\xff"},
        CPIMPORTD_TELL_CHANNEL="x",
        CPIMPORTD_READER__MEMORY="much",
        CPIMPORTD_SOURCE__URL="ftp://u:a/b@h/",
        USE_REDIS="maybe",
    )
    assert sorted(p.message.split(" in ")[0] for p in wrong) == [
        "cache.password",
        "cache.url",
        "database.password",
        "department_id",
        "reader.memory",
        "source.url",
        "unknown key sorce",
        "unknown key tell_channel",
        "unknown key within",
    ]


@pytest.mark.parametrize(("require", "key"), [(require_source, "source.url"), (require_database, "database.url")])
def test_what_a_command_cannot_do_without_is_asked_for(require, key, tmp_path):
    with pytest.raises(ProblemError) as caught:
        require(Settings(), tmp_path / "my.toml")
    (wrong,) = caught.value.problems
    assert (wrong.code, wrong.message) == ("config-incomplete", f"{key} is not set")
    assert str(tmp_path / "my.toml") in wrong.way_out
    assert f"CPIMPORTD_{key.replace('.', '__').upper()}" in wrong.way_out


def test_what_a_command_cannot_do_without_is_returned(read):
    settings = read("[source]\nurl = 'ftp://h/d'\n[database]\nurl = 'postgresql://h/d'").settings
    assert require_source(settings) == "ftp://h/d"
    assert require_database(settings).get_secret_value() == "postgresql://h/d"
