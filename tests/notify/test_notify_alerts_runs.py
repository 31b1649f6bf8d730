"""Real runs, as commands: mail, heartbeats, and that neither holds up or fails an import."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from cpimportd.core.report import RunReport
from cpimportd.notify import sending
from cpimportd.notify.after_run import Occasion, run_with_notifications
from tests.support.notify.desk import WELL, asyncio_apart
from tests.support.notify.receivers import MailServer
from tests.support.polling import until
from tests.support.run.workbooks import shrink
from tests.support.run.workplace import Workplace, make_workplace
from tests.support.secrets import ALERT_PASSWORD, ALERT_TOKEN, HEARTBEAT, leaked

NBSP = "\u00a0"
SLOT = ("--schedule", "import", "--slot")


@pytest.fixture
def office(database, tmp_path, sql) -> Workplace:
    return make_workplace(database, tmp_path, sql)


@pytest.fixture
def configured(office) -> Callable[..., Path]:
    """The configuration with these keys of its section ``alerts``."""

    def write(**keys: object) -> Path:
        path = office.config()
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
        path.write_text(f"{path.read_text()}[alerts]\n{lines}[retry]\nwithin = 0\n")
        return path

    return write


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer("robot", ALERT_PASSWORD) as server:
        yield server


def mailto(server: MailServer) -> str:
    login = f"robot:{quote(ALERT_PASSWORD, safe='')}"
    return f"mailto://{login}@127.0.0.1:{server.port}?from=robot@example.org&to=boss@example.org&mode=insecure"


def test_a_letter_comes_when_a_run_fails_and_another_when_it_is_well_again(office, configured, mail):
    config = configured(urls=[mailto(mail)])
    failed = office.command("run", config=config)
    assert failed.returncode == 1
    office.sample("day1")
    assert office.command("run", "--dry-run", config=config).returncode == 0
    assert len(mail.letters) == 1
    well = office.command("run", config=config)
    assert well.returncode == 0, well.stderr
    assert office.command("run", config=config).returncode == 0
    assert [letter["Subject"] for letter in mail.letters] == [
        "cpimportd, подразделение 8: загрузка не удалась",
        "cpimportd, подразделение 8: снова в порядке: загрузка",
    ]
    text = mail.letters[0].get_body().get_content()
    assert "[source-empty]" in text
    assert "→" in text
    assert mail.letters[0]["To"] == "boss@example.org"
    said = "".join(done.stdout + done.stderr for done in (failed, well)) + text + str(mail.letters[0])
    assert leaked(said) == []
    listed = json.loads(office.command("alerts", "--json", config=config).stdout)
    assert listed["wrong"] == []
    assert [(one["occasion"], one["sent_at"] is not None) for one in listed["alerts"]] == [
        ("recovery", True),
        ("failure", True),
    ]


def test_an_import_is_published_although_its_alert_cannot_be_sent_and_the_verb_sends_it_later(office, configured, web):
    config = configured(urls=[f"json://{web.address}/{ALERT_TOKEN}"], timeout=1)
    office.command("run", config=config)
    web.hanging = True
    office.sample("day1")
    done = office.command("run", "--json", config=config)
    report = json.loads(done.stdout)
    assert (done.returncode, report["status"]) == (0, "published")
    assert [found["code"] for found in report["problems"]] == ["alert-unsent"]
    assert ALERT_TOKEN not in done.stdout + done.stderr
    web.hanging, web.requests[:] = False, []
    assert office.command("alerts", "--send", config=config).returncode == 0
    assert "снова в порядке: загрузка" in web.titles[0]
    shown = office.command("alerts", config=config).stdout
    assert "Nothing is wrong." in shown
    assert "waits" not in shown


def test_a_stop_while_an_alert_is_sent_comes_too_late_for_the_run(office, configured, web):
    web.hanging = True
    config = configured(urls=[f"json://{web.address}/{ALERT_TOKEN}"], timeout=30)
    office.config = lambda: config
    process = office.start("run", "--json")
    until(lambda: web.requests, "alert on its way", 60)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, json.loads(out)["status"]) == (1, "failed"), err


def test_a_test_says_for_each_address_whether_it_went(office, configured, web):
    urls = [f"json://{web.address}/{ALERT_TOKEN}", f"json://127.0.0.1:9/{ALERT_TOKEN}"]
    done = office.command("alerts", "--test", config=configured(urls=urls))
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == "1 json: sent"
    assert done.stdout.splitlines()[1].startswith("2 json: ")
    assert "ничего не нужно" in web.titles[0]
    assert ALERT_TOKEN not in done.stdout + done.stderr
    assert office.command("alerts", "--test", config=configured(urls=urls[:1])).returncode == 0
    nobody = office.command("alerts", "--test", config=configured())
    assert (nobody.returncode, "config-incomplete" in nobody.stderr) == (2, True)


def test_without_the_extra_a_run_says_how_to_install_it_and_continues(office, configured, web, tmp_path):
    (tmp_path / "apprise.py").write_text("raise ImportError('No module named apprise')")
    config = configured(urls=[f"json://{web.address}/{ALERT_TOKEN}"])
    office.command("run", config=config)
    office.sample("day1")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = office.command("run", "--json", config=config, env=environ)
    report = json.loads(done.stdout)
    assert (done.returncode, report["status"]) == (0, "published")
    (found,) = report["problems"]
    assert (found["code"], "pip install -c constraints.txt '.[alerts]'" in found["way_out"]) == (
        "alerts-not-installed",
        True,
    )


def test_a_scheduled_run_tells_the_dead_man_service_when_it_begins_and_how_it_ends(office, configured, web):
    config = configured(heartbeat_url=f"http://{web.address}/{HEARTBEAT}")
    now = datetime.now(UTC)
    failed = office.command("run", *SLOT, now.isoformat(), config=config)
    assert failed.returncode == 1
    office.sample("day1")
    assert office.command("run", *SLOT, now.isoformat(), config=config).returncode == 0
    assert office.command("run", *SLOT, now.isoformat(), config=config).returncode == 5
    assert office.command("run", config=config).returncode == 0  # by hand: the service does not wait for it
    told = [request.path.removeprefix(f"/{HEARTBEAT}") for request in web.requests]
    assert told == ["/start", "/fail", "/start", "", "/start", ""]
    assert "[source-empty]" in web.requests[1].body.decode()
    assert web.requests[3].body == b""
    assert leaked(failed.stdout + failed.stderr) == []


def test_a_failure_that_is_retried_is_no_failure_to_the_service_yet(office, configured, web):
    config = configured(heartbeat_url=f"http://{web.address}/{HEARTBEAT}")
    gone = office.settings.source.url.replace("file://", "ftp://127.0.0.1:9")
    config.write_text(config.read_text().replace(office.settings.source.url, gone))
    slot = (*SLOT, datetime.now(UTC).isoformat())
    assert office.command("run", *slot, "--again-within", "600", config=config).returncode == 1
    assert [request.path for request in web.requests] == [f"/{HEARTBEAT}/start"]
    assert office.command("run", *slot, "--again-within", "0", config=config).returncode == 1
    assert web.requests[-1].path == f"/{HEARTBEAT}/fail"


@pytest.mark.parametrize(
    ("status", "hanging", "reason"), [(200, True, "no answer within 0.5 s"), (404, False, "it answers 404")]
)
def test_a_service_that_hangs_or_refuses_costs_seconds_and_a_warning(desk, web, monkeypatch, status, hanging, reason):
    monkeypatch.setattr(sending, "LIMIT", 0.5)
    web.status, web.hanging = status, hanging

    async def published() -> RunReport:
        return WELL

    settings = desk.settings(urls=[], heartbeat_url=f"http://{web.address}/{HEARTBEAT}")
    began = time.monotonic()
    report = asyncio_apart(run_with_notifications(settings, Occasion(slot=datetime.now(UTC)), published()))
    assert time.monotonic() - began < 6
    assert [request.path.removeprefix(f"/{HEARTBEAT}") for request in web.requests] == ["/start", ""]
    (found,) = report.problems
    assert found.message == f"alerts.heartbeat_url could not be notified of the run: {reason}"
    assert (report.status, report.code) == (WELL.status, 0)


def test_addresses_come_from_credentials_and_are_never_shown(office, configured, tmp_path):
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "alerts.urls").write_text(f"tgram://{ALERT_TOKEN}/1\njson://h/{ALERT_TOKEN}?to=a,b\n")
    (folder / "alerts.heartbeat_url").write_text(f"https://hc-ping.com/{HEARTBEAT}\n")
    environ = {**os.environ, "CREDENTIALS_DIRECTORY": str(folder)}
    shown = office.command("config", "show", "--json", config=configured(), env=environ)
    found = json.loads(shown.stdout)["settings"]
    assert len(found["alerts.urls"]["value"]) == 2
    assert found["alerts.urls"]["origin"] == "credential alerts.urls"
    assert found["alerts.heartbeat_url"]["value"] == "********"
    plain = office.command("config", "show", config=configured(), env=environ)
    (folder / "alerts.urls").write_text(ALERT_TOKEN)
    wrong = office.command("config", "show", config=configured(), env=environ)
    assert (wrong.returncode, "alerts.urls" in wrong.stderr) == (2, True)
    assert leaked("".join(done.stdout + done.stderr for done in (shown, plain, wrong))) == []


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (
            "en",
            (
                "If it were accepted:",
                "removed 985 200 000,00",
                "removed: Поступление",
                "… and 10 more: `cpimportd diff 2 --held`",
            ),
        ),
        (
            "ru",
            (
                "Если принять:",
                "удалено 985 200 000,00",
                "удалено: Поступление",
                "… и ещё 10: `cpimportd diff 2 --held`",
            ),
        ),
    ],
)
def test_a_letter_about_a_held_unit_shows_what_would_change(office, configured, mail, language, told):
    config = configured(urls=[mailto(mail)], language=language)
    office.sample("day1")
    assert office.command("run", config=config).returncode == 0
    shrink(office.file("Lotos - Postuplenie"), keep=20)
    assert office.command("run", config=config).returncode == 3
    text = mail.letters[-1].get_body().get_content().replace(NBSP, " ")
    assert [part for part in told if part not in text] == []
    assert text.count("Поступление на расчетный счет") >= 10
