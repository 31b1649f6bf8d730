"""What is asked for and does not exist is refused by every verb alike, with the way out; it never looks like an answer."""

import json

import pytest
from click.testing import CliRunner, Result

from cpimportd.cli import cli

NUMBERS = ("0", "-1", "99999999999999999999", "9223372036854775808", "1e3", "١", "1_0", "abc", "")


@pytest.fixture
def ask(two_days):
    """A verb in this process, with the configuration of the sample days."""

    def asked(*arguments: str) -> Result:
        return CliRunner().invoke(cli, [*arguments, "--config", str(two_days.config)])

    return asked


def refused(done: Result, *words: str) -> None:
    assert done.exit_code == 2, done.output
    for word in words:
        assert word in done.stderr, done.stderr
    assert "internal" not in done.stderr
    assert done.stdout == ""


RUN_VERBS = {
    "show": ("show",),
    "diff": ("diff",),
    "rejects": ("rejects",),
    "undo": ("undo", "--yes"),
    "accept": ("accept", "ЛОТОС ООО/expenses", "--run"),
}


@pytest.mark.parametrize("verb", RUN_VERBS.values(), ids=RUN_VERBS)
def test_a_run_that_does_not_exist_is_refused_by_every_verb_in_the_same_words(ask, verb):
    refused(
        ask(*verb, "99"), "there is no run 99 [nothing-found]", "`cpimportd history` lists the runs; the latest is 4"
    )
    refused(ask(*verb, str(2**63 - 1)), "there is no run 9223372036854775807")


@pytest.mark.parametrize("verb", [*RUN_VERBS.values(), ("history", "--before")], ids=[*RUN_VERBS, "history"])
@pytest.mark.parametrize("number", NUMBERS)
def test_what_is_no_run_number_is_refused_before_anything_is_asked(ask, verb, number):
    before = [] if verb[-1].startswith("--") and verb[-1] != "--yes" else ["--"]
    done = CliRunner().invoke(cli, [*verb, *before, number])  # no configuration is needed
    refused(done, f"'{number}' is no number of a run", "`cpimportd history` lists the runs")


@pytest.mark.parametrize("number", NUMBERS)
def test_what_is_no_department_is_refused(ask, number):
    refused(ask("summary", "--department", number), f"'{number}' is no number of a department")


def test_a_department_that_does_not_exist_is_no_empty_department(ask, two_days):
    refused(ask("summary", "--department", "99"), "there is no department 99", "«8 ")
    assert ask("summary", "--department", "8").exit_code == 0
    other = two_days.config.with_name("other.toml")
    other.write_text(f"department_id = 77\n{two_days.config.read_text()}")
    other.chmod(0o600)
    refused(CliRunner().invoke(cli, ["summary", "--config", str(other)]), "there is no department 77")


ORGANIZATION_VERBS = {
    "show": ("show", "2"),
    "history": ("history",),
    "diff": ("diff", "2"),
    "explain": ("explain", "principal"),
}


@pytest.mark.parametrize("verb", ORGANIZATION_VERBS.values(), ids=ORGANIZATION_VERBS)
def test_an_organization_that_nobody_knows_is_refused_by_every_verb_in_the_same_words(ask, verb):
    refused(ask(*verb, "--organization", "no such"), "there is no organization no such", "«ЛОТОС ООО»; «ООО")
    refused(ask(*verb, "--organization", "ЛОТУС ООО"), "Did you mean «ЛОТОС ООО»?")
    refused(ask(*verb, "--organization", ""), "there is no organization")
    refused(ask(*verb, "--organization", "О"), "fits 2 organizations")
    for known in ("ЛОТОС ООО", "лотос", "ЛOТOС"):  # as it is, a part of it, and with Latin letters
        assert ask(*verb, "--organization", known).exit_code == 0


DAY_OPTIONS = (
    ("summary", "--since"),
    ("summary", "--until"),
    ("history", "--since"),
    ("history", "--until"),
    ("report", "--since"),
    ("reconcile", "--since"),
)


@pytest.mark.parametrize("option", DAY_OPTIONS)
def test_a_day_that_cannot_be_read_is_refused_with_the_form(option):
    for written, way in {
        "24.11.2026": "write 2026-11-24",
        "24/11/2026": "write 2026-11-24",
        "20261124": "write 2026-11-24",
        "24.11": "write YYYY-MM-DD, such as",
        "2026-02-30": "write YYYY-MM-DD, such as",
        "2026-2-3": "write YYYY-MM-DD, such as",
        "yesterday": "write YYYY-MM-DD, such as",
        "": "write YYYY-MM-DD, such as",
    }.items():
        refused(CliRunner().invoke(cli, [*option, written]), f"'{written}' is no date", way)
    for written in ("0001-01-01", "0206-11-24"):  # no zone and no database can tell the first one
        refused(CliRunner().invoke(cli, [*option, written]), f"'{written}' is before 1900")


@pytest.mark.parametrize("verb", ["summary", "history"])
def test_a_period_that_ends_before_it_begins_is_refused(ask, verb):
    refused(ask(verb, "--since", "2026-05-02", "--until", "2026-05-01"), "--since is after --until")


@pytest.mark.parametrize("verb", ["report", "reconcile"])
def test_looking_back_to_the_future_is_refused(ask, verb):
    refused(ask(verb, "--since", "2199-01-01"), "2199-01-01 is still to come")


def test_a_schedule_that_does_not_exist_is_refused_with_those_that_do(ask):
    refused(ask("reschedule", "imprt", "06:00"), "no schedule imprt", "did you mean «import»?")
    refused(ask("reschedule", "imprt"), "no schedule imprt", "did you mean «import»?")
    slot = "2026-11-24T06:00:00+03:00"
    refused(ask("run", "--schedule", "imprt", "--slot", slot), "no schedule imprt", "did you mean «import»?")
    refused(ask("next", "--schedule", "imprt"), "'imprt' is no OnCalendar expression", "did you mean «import»?")
    assert ask("next", "--schedule", "import").stdout == ask("next", "--schedule", "*-*-* 06:00:00").stdout


def test_rescheduling_to_nothing_says_what_is_missing(ask):
    refused(ask("reschedule", "import"), "an OnCalendar expression such as", "'*-*-* 06:00:00'", "--reset")
    refused(ask("reschedule", "import", "06:00", "--reset"), "give an expression or --reset, not both")


def test_rescheduling_to_dates_that_have_passed_is_refused_before_the_daemon_is_asked(ask):
    for passed in ("2020-01-01 06:00", "2019..2021-*-* 07:00:00"):
        refused(ask("reschedule", "import", passed), "has no slot any more", "every date that it names has passed")


def test_a_zone_that_does_not_exist_is_refused_alike_on_the_command_line_and_in_the_configuration(ask, two_days):
    words = "expected a zone of this machine's tz database, such as Europe/Moscow"
    refused(ask("next", "--timezone", "Europe/Moskow"), words)
    other = two_days.config.with_name("zone.toml")
    other.write_text(f'timezone = "Europe/Moskow"\n{two_days.config.read_text()}')
    other.chmod(0o600)
    refused(CliRunner().invoke(cli, ["history", "--config", str(other)]), words)


def test_a_unit_that_is_not_held_is_refused_with_the_one_that_is(ask):
    for written in ("ЛОТОС ООО/expense", "ЛОТОСС ООО/expenses", "Лотос/expenses"):
        refused(ask("accept", written), "[accept-nothing]", "did you mean «ЛОТОС ООО/expenses»?")
    refused(ask("accept", "ЛOТОС ООО/expenses"), "looks the same")


@pytest.mark.parametrize("option", ["--slot", "--uploaded-after", "--known-upload"])
def test_an_instant_that_cannot_be_read_is_refused_with_the_form(option):
    for written, way in {
        "24.11.2026 06:00": "is not an ISO instant such as 2026-11-24T06:00:00+03:00",
        "2026-11-24": "has no offset; write e.g. 2026-11-24T00:00:00+03:00",
        "0001-01-01T00:00:00+14:00": "is in no year from 1900",
        "9999-12-31T23:59:59-14:00": "is in no year from 1900",
    }.items():
        refused(CliRunner().invoke(cli, ["run", option, written]), option, f"'{written}' {way}")


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e300", "-1", "soon"])
def test_a_length_of_time_that_no_clock_counts_to_is_refused(ask, seconds):
    refused(ask("run", "--again-within", seconds), "is no number of seconds")


WRONG = (
    ("show", "99"),
    ("show", "abc"),
    ("show",),
    ("show", "2", "--organization", "no such"),
    ("show", "2", "--orgnization", "x"),
    ("history", "--organization", "x"),
    ("history", "--since", "24.11.2026"),
    ("history", "--status", "helt"),
    ("diff", "99"),
    ("diff", "2", "3"),
    ("rejects", "99"),
    ("undo", "99", "--yes"),
    ("undo", "3", "--through"),  # nobody can be asked
    ("accept", "nobody/receipts"),
    ("explain", "nothing"),
    ("explain", "--contract", "nothing"),
    ("explain",),
    ("explain", "principal", "--month", "2026-13"),
    ("summary", "--department", "99"),
    ("summary", "--since", "2026-05-02", "--until", "2026-05-01"),
    ("report", "--since", "2199-01-01"),
    ("reconcile", "--since", "24.11.2026"),
    ("next", "--schedule", "imprt"),
    ("next", "--timezone", "Europe/Moskow"),
    ("check", "--warning", "1h"),
    ("run", "--only", "receipt"),
    ("run", "--schedule", "import"),
    ("run", "--schedule", "imprt", "--slot", "2026-11-24T06:00:00+03:00"),
    ("alerts", "--test", "--send"),
    ("rehearse", "nothing.toml"),
    ("db", "curent"),
    ("db", "current", "more"),
    ("config", "show", "more"),
    ("histry",),
)


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_what_goes_wrong_is_one_json_document_where_json_is_asked_for(ask, arguments):
    done = ask(*arguments, "--json")
    assert done.exit_code == 2, done.output
    problems = json.loads(done.stdout)["problems"]
    assert problems
    assert all(found["code"] and found["message"] and found["way_out"] for found in problems)


def test_a_database_that_is_unreachable_is_one_json_document_too(two_days):
    other = two_days.config.with_name("away.toml")
    other.write_text('[database]\nurl = "postgresql://nobody@localhost:1/nothing"\n')
    other.chmod(0o600)
    for verb in (("history",), ("show", "2"), ("summary",), ("db", "current"), ("undo", "2"), ("alerts",), ("backup",)):
        done = CliRunner().invoke(cli, [*verb, "--json", "--config", str(other)])
        assert done.exit_code == 1, (verb, done.output)
        assert json.loads(done.stdout)["problems"][0]["code"].startswith(("database-", "backup-")), done.stdout


def test_json_after_two_dashes_is_no_option():
    done = CliRunner().invoke(cli, ["show", "--", "--json"])
    assert (done.exit_code, done.stdout) == (2, "")


EMPTY_NAMES = {
    "document": ("explain",),
    "contract": ("explain", "--contract"),
    "unit": ("accept",),
    "accepted unit": ("run", "--accept"),
    "schedule of a slot": ("run", "--slot", "2026-11-24T06:00+03:00", "--schedule"),
    "schedule": ("reschedule", "--reset"),
}


@pytest.mark.parametrize("name", ["", " ", "\u00a0"])
@pytest.mark.parametrize("verb", EMPTY_NAMES.values(), ids=EMPTY_NAMES)
def test_an_empty_name_is_refused_before_anything_is_asked(verb, name):
    refused(CliRunner().invoke(cli, [*verb, name]), "is no name: it is empty")


EMPTY_FILES = {
    "configuration": ("summary", "--config"),
    "variables": ("summary", "--env-file"),
    "folder of workbooks": ("run", "--from"),
    "workbook to write": ("diff", "2", "--xlsx"),
    "folder to write into": ("rejects", "2", "--output"),
    "metrics": ("metrics", "--textfile"),
    "other configuration": ("rehearse",),
}


@pytest.mark.parametrize("verb", EMPTY_FILES.values(), ids=EMPTY_FILES)
def test_an_empty_file_name_is_not_the_current_folder(verb):
    refused(CliRunner().invoke(cli, [*verb, ""]), "name is empty")


def test_to_overwrite_a_workbook_that_is_not_written_is_a_mistake(ask):
    refused(ask("diff", "2", "--force"), "--force goes with --xlsx")


@pytest.mark.parametrize("option", ["--warning", "--critical"])
def test_thresholds_belong_to_nagios_even_where_they_are_empty(option):
    refused(CliRunner().invoke(cli, ["check", option, ""]), "--warning and --critical go with --nagios")


@pytest.mark.parametrize(
    "wrong",
    [
        ("--warning", "x"),
        ("--critical", "26ч"),
        ("--critical", ""),
        ("--config", "/no/such.toml"),
    ],
    ids=" ".join,
)
def test_a_plugin_that_is_called_wrong_reports_it_in_problems_too(wrong):
    done = CliRunner().invoke(cli, ["check", "--nagios", "--json", *wrong])
    assert done.exit_code == 3, done.output
    answer = json.loads(done.stdout)
    assert answer["status"] == "UNKNOWN"
    assert [one["code"] for one in answer["problems"]] == ["config-missing" if "/no" in wrong[1] else "wrong-use"]
