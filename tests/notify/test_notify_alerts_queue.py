"""What is told when: appears, stays, changes, lasts, is over; and that nothing is lost where it cannot be sent."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from cpimportd.core.model import Kind
from cpimportd.core.problems import problem
from cpimportd.core.report import FileReport, FileStatus, HeldUnit, RunStatus
from cpimportd.core.typed import to_json
from cpimportd.notify.after_run import Occasion, notify_after_run
from cpimportd.notify.delivery import database, deliver
from tests.support.notify.desk import FAILED, HELD, LOGIN, LOTOS, SHRUNK, VEGA, WELL, asyncio_apart, run_report
from tests.support.notify.receivers import WebServer
from tests.support.secrets import ALERT_TOKEN, leaked

DAY = timedelta(days=1)


def test_what_appears_is_reported_once_with_its_remedy_first(desk, web):
    assert desk.notify_after_run(HELD) == []
    assert desk.notify_after_run(HELD) == []
    (request,) = web.requests
    assert request.json["title"] == "cpimportd, подразделение 8: задержано: ЛОТОС ООО/expenses"
    assert request.json["type"] == "warning"
    body = request.json["message"]
    lines = body.splitlines()
    assert lines[0] == "задержано: ЛОТОС ООО/expenses"
    assert "[shrunk]" in lines[1]
    assert lines[2].startswith("    → ")
    assert body.index("→") < body.index("Отчёт загрузки:") < body.index("Units, in documents")
    assert desk.conditions == {"ЛОТОС ООО/expenses": "held: shrunk"}


def test_english_is_spoken_where_it_is_set(desk, web):
    desk.notify_after_run(FAILED, language="en")
    assert web.titles == ["cpimportd, department 8: the import failed"]
    assert LOGIN.way_out in web.requests[0].json["message"]
    assert web.requests[0].json["type"] == "failure"


def test_a_well_run_reports_nothing(desk, web):
    assert desk.notify_after_run(WELL) == []
    assert (web.requests, desk.conditions, desk.rows("alert")) == ([], {}, [])


def test_another_reason_is_news_and_the_time_since_when_it_is_held_stays(desk, web):
    desk.notify_after_run(HELD)
    (before,) = desk.rows("condition")
    other = problem("renamed", organization="ЛОТОС ООО", value="Л", count=3, unit=LOTOS.name)
    desk.notify_after_run(run_report(RunStatus.PARTIAL, held=(LOTOS,), because=other))
    assert len(web.requests) == 2
    assert web.requests[1].json["message"].startswith("изменилось: задержано: ЛОТОС ООО/expenses (с ")
    (after,) = desk.rows("condition")
    assert (after["state"], after["since"]) == ("held: renamed", before["since"])


def test_recovery_is_reported_once(desk, web):
    desk.notify_after_run(FAILED)
    desk.notify_after_run(WELL)
    desk.notify_after_run(WELL)
    assert [title.partition(": ")[2] for title in web.titles] == ["загрузка не удалась", "снова в порядке: загрузка"]
    assert "было: failed: source-login" in web.requests[1].json["message"]
    assert web.requests[1].json["type"] == "success"
    assert desk.conditions == {}


def test_a_reminder_comes_once_a_day_while_it_lasts(desk, web):
    desk.notify_after_run(HELD)
    desk.later(hours=20)
    desk.notify_after_run(HELD)
    assert len(web.requests) == 1
    desk.later(hours=3)  # a daily run that was a little early
    desk.notify_after_run(HELD)
    desk.notify_after_run(HELD)
    assert len(web.requests) == 2
    assert web.requests[1].json["message"].startswith("всё ещё: задержано: ")
    assert [row["occasion"] for row in desk.rows("alert")] == ["held", "reminder"]
    desk.later(days=9)
    desk.notify_after_run(HELD, remind_every=0)
    assert len(web.requests) == 2


def test_a_failed_run_reports_nothing_about_units_that_it_did_not_come_to_judge(desk, web):
    desk.notify_after_run(HELD)
    desk.notify_after_run(FAILED)
    assert desk.conditions == {"run": "failed: source-login", "ЛОТОС ООО/expenses": "held: shrunk"}
    desk.notify_after_run(HELD)
    assert [title.partition(": ")[2] for title in web.titles][1:] == [
        "загрузка не удалась",
        "снова в порядке: загрузка",
    ]


def test_a_run_of_one_kind_reports_nothing_about_others(desk):
    desk.notify_after_run(run_report(RunStatus.HELD, held=(LOTOS, VEGA)))
    only_receipts = replace(WELL, units=WELL.units[1:])
    desk.notify_after_run(only_receipts, Occasion(kinds=frozenset({Kind.RECEIPTS})))
    assert desk.conditions == {"ЛОТОС ООО/expenses": "held: shrunk"}


def test_where_the_books_say_all_that_is_held_a_run_of_one_kind_reports_all(desk, web):
    """An undo put the expenses back, and told nobody; then somebody accepted them."""
    receipts = Occasion(kinds=frozenset({Kind.RECEIPTS}))
    undone = HeldUnit(LOTOS, 7, 7, datetime.now(UTC), (problem("undone", organization="О", unit=LOTOS.name, run=6),))
    desk.notify_after_run(replace(WELL, units=WELL.units[1:], held_now=(undone,)), receipts)
    assert desk.conditions == {"ЛОТОС ООО/expenses": "held: undone"}
    assert web.titles == ["cpimportd, подразделение 8: задержано: ЛОТОС ООО/expenses"]
    desk.notify_after_run(FAILED)  # it could not ask
    assert "ЛОТОС ООО/expenses" in desk.conditions
    desk.notify_after_run(replace(WELL, units=WELL.units[1:], held_now=()), receipts)
    assert desk.conditions == {}


def test_a_workbook_of_unknown_organization_is_reported_by_its_name(desk):
    unknown = problem("kind-unknown", file="junk.xlsx")
    junk = FileReport("junk.xlsx", None, (), None, FileStatus.HELD, problems=(unknown,))
    with_junk = replace(WELL, status=RunStatus.PARTIAL, files=(*WELL.files, junk))
    desk.notify_after_run(with_junk)
    assert desk.conditions == {"junk.xlsx": "held: kind-unknown"}
    desk.notify_after_run(replace(WELL, units=WELL.units[1:]), Occasion(kinds=frozenset({Kind.RECEIPTS})))
    assert desk.conditions == {"junk.xlsx": "held: kind-unknown"}
    desk.notify_after_run(WELL)
    assert desk.conditions == {}


def test_what_1c_has_not_uploaded_is_reported_and_that_it_has_again(desk, web):
    old = datetime.now(UTC) - timedelta(hours=40)
    desk.notify_after_run(run_report(modified=old))
    assert desk.conditions == {"upload/receipts": "missing: file-stale, Vega.xlsx"}
    assert web.titles == ["cpimportd, подразделение 8: 1С не выгрузила файлы: поступления"]
    assert [row["occasion"] for row in desk.rows("alert")] == ["upload"]
    desk.notify_after_run(run_report(RunStatus.UNCHANGED, modified=old), Occasion(elsewhere=True))
    assert "upload/receipts" in desk.conditions
    desk.notify_after_run(run_report(modified=datetime.now(UTC)))
    assert web.titles[1].endswith("снова в порядке: выгрузка из 1С (поступления)")


def test_schedules_that_import_a_group_each_report_its_uploads_alone(desk, web):
    old = datetime.now(UTC) - timedelta(hours=40)
    receipts, expenses = Occasion(kinds=frozenset({Kind.RECEIPTS})), Occasion(kinds=frozenset({Kind.EXPENSES}))
    stale = run_report(modified=old)
    others = replace(stale, files=tuple(structs.replace(f, name="Lotos.xlsx", kind=Kind.DETAILS) for f in stale.files))
    for _ in range(2):
        desk.notify_after_run(stale, receipts)
        desk.notify_after_run(others, expenses)
    assert [title.partition(": ")[2] for title in web.titles] == [
        "1С не выгрузила файлы: поступления",
        "1С не выгрузила файлы: списания",
    ]
    desk.notify_after_run(run_report(modified=datetime.now(UTC)), receipts)
    assert web.titles[2:] == ["cpimportd, подразделение 8: снова в порядке: выгрузка из 1С (поступления)"]
    assert desk.conditions == {"upload/expenses": "missing: file-stale, Lotos.xlsx"}
    desk.notify_after_run(
        replace(others, files=tuple(structs.replace(f, modified=datetime.now(UTC)) for f in others.files)), expenses
    )
    assert desk.conditions == {}


def test_a_workbook_of_unknown_kind_is_missed_by_every_run(desk, web):
    old = datetime.now(UTC) - timedelta(hours=40)
    unknown = FileReport("junk.xlsx", None, (), old, FileStatus.IGNORED)
    expenses = Occasion(kinds=frozenset({Kind.EXPENSES}))
    desk.notify_after_run(replace(WELL, files=(*WELL.files, unknown)))
    desk.notify_after_run(replace(WELL, files=(unknown,)), expenses)
    assert desk.conditions == {"upload": "missing: file-stale, junk.xlsx"}
    assert web.titles == ["cpimportd, подразделение 8: 1С не выгрузила файлы: неизвестного вида"]
    desk.notify_after_run(WELL, expenses)  # also what an earlier version noted of all workbooks together
    assert desk.conditions == {}


def test_an_upload_that_was_waited_for_in_vain_is_reported(desk):
    known = datetime.now(UTC) - timedelta(hours=20)
    waited = Occasion(schedule="import", slot=datetime.now(UTC), known_upload=known)
    desk.notify_after_run(run_report(RunStatus.UNCHANGED, modified=known + timedelta(minutes=1)), waited)
    assert desk.conditions == {}
    desk.notify_after_run(run_report(RunStatus.UNCHANGED, modified=known), waited)
    assert desk.conditions == dict.fromkeys(("upload/expenses", "upload/receipts"), "missing: upload-missing")
    desk.notify_after_run(
        run_report(RunStatus.UNCHANGED, modified=known), replace(waited, kinds=frozenset({Kind.RECEIPTS}))
    )
    assert len(desk.conditions) == 2


@pytest.mark.parametrize(
    ("report", "within", "told"),
    [
        (run_report(RunStatus.FAILED, problem("source-unreachable", server="h", reason="r")), 60, False),
        (run_report(RunStatus.FAILED, problem("source-unreachable", server="h", reason="r")), 5, True),
        (FAILED, 60, True),
        (run_report(RunStatus.FAILED, problem("upload-missing", value="yesterday")), 0, False),
        (run_report(RunStatus.FAILED, problem("run-under-way", value=8)), 60, False),
        (run_report(RunStatus.FAILED, problem("run-superseded", value=1)), 60, False),
        (run_report(RunStatus.FAILED, problem("run-under-way", value=8)), 5, True),
        (run_report(RunStatus.FAILED, problem("slot-done", value="06:00", schedule="import", run=7)), 5, False),
    ],
    ids=[
        *("passing, tried again", "passing, the last try", "not passing", "an early look"),
        *("another is under way", "taken over", "another is under way to the end", "done elsewhere"),
    ],
)
def test_an_attempt_that_is_followed_by_another_notifies_nobody(desk, web, report, within, told):
    slot = Occasion(schedule="import", slot=datetime.now(UTC), again_within=timedelta(seconds=within))
    desk.notify_after_run(report, slot)
    assert bool(web.requests) is told
    assert bool(desk.conditions) is told


def test_dry_runs_and_skipped_runs_notify_nobody(desk, web):
    desk.notify_after_run(HELD, Occasion(dry_run=True))
    desk.notify_after_run(run_report(RunStatus.FAILED, problem("run-under-way", value=8)))
    assert (web.requests, desk.conditions) == ([], {})


def test_what_was_found_without_alert_addresses_is_reported_later(desk, web):
    assert desk.notify_after_run(HELD, urls=[]) == []
    assert (desk.rows("alert"), desk.conditions) == ([], {"ЛОТОС ООО/expenses": "held: shrunk"})
    desk.notify_after_run(HELD)
    assert len(web.requests) == 1


def test_what_a_receiver_does_not_take_stays_queued_and_comes_as_one_message(desk, web):
    web.status = 503
    assert desk.notify_after_run(HELD) == ["alert-unsent"]
    assert desk.notify_after_run(FAILED) == ["alert-unsent"]
    first, second = desk.rows("alert")
    assert (first["tries"], second["tries"], first["sent_at"]) == (2, 1, None)
    assert "503" in first["error"]
    web.status, web.requests[:] = 200, []
    assert desk.notify_after_run(FAILED) == []
    (request,) = web.requests
    assert request.json["title"] == "оповещений: 2; последнее: cpimportd, подразделение 8: загрузка не удалась"
    assert "ЛОТОС ООО/expenses" in request.json["message"]
    assert all(row["sent_at"] is not None and row["error"] is None for row in desk.rows("alert"))


def test_what_was_sent_a_year_ago_is_forgotten_and_what_waits_is_not(desk):
    desk.notify_after_run(HELD)
    desk.sql(desk.url, "UPDATE cpimportd.alert SET sent_at = now() - interval '367 days'")
    desk.notify_after_run(WELL)
    assert [row["occasion"] for row in desk.rows("alert")] == ["recovery"]


def test_who_has_an_alert_does_not_get_it_again_with_those_who_have_not(desk, web):
    with WebServer() as other:
        urls = [f"json://{web.address}/{ALERT_TOKEN}", f"json://{other.address}/x"]
        other.status = 500
        assert desk.notify_after_run(HELD, urls=urls) == ["alert-unsent"]
        other.status = 200
        assert desk.notify_after_run(HELD, urls=urls) == []
        assert (len(web.requests), len(other.requests)) == (1, 2)


def test_a_receiver_that_hangs_holds_a_run_up_for_no_longer_than_the_limit(desk, web):
    web.hanging = True
    began = time.monotonic()
    assert desk.notify_after_run(HELD, timeout=1) == ["alert-unsent"]
    assert time.monotonic() - began < 6
    assert desk.rows("alert")[0]["error"] == "1 json: no answer within 1 s"


def test_no_secret_is_in_queue_error_or_log(desk, web, caplog):
    caplog.set_level("DEBUG")
    web.status = 401
    nobody = "127.0.0.1:9"
    urls = [
        f"json://{web.address}/{ALERT_TOKEN}",
        f"json://user:{ALERT_TOKEN}@{nobody}/",
        f"mailto://user:{ALERT_TOKEN}@{nobody}?from=a@example.org&to=b@example.org&mode=insecure",
        f"tgram://{ALERT_TOKEN}/nonsense",
        f"unheardof://{ALERT_TOKEN}",
    ]
    report = asyncio_apart(notify_after_run(desk.settings(urls=urls), Occasion(), HELD))
    (row,) = desk.rows("alert")
    assert [line.partition(":")[0] for line in row["error"].splitlines()] == [
        *("1 json", "2 json", "3 mailto", "4 tgram", "5 unheardof"),
    ]
    said = f"{row} {to_json(report)} {caplog.text}"
    assert leaked(said) == []
    assert ALERT_TOKEN not in said
    assert nobody not in said


def test_a_database_that_is_unreachable_is_reported_once_and_its_return_too(desk, web):
    there, desk.url = desk.url, f"{desk.url}-gone"
    away = run_report(RunStatus.FAILED, problem("database-unreachable", reason="gone"))
    assert [desk.notify_after_run(away), desk.notify_after_run(away), desk.notify_after_run(away)] == [[], [], []]
    assert web.titles == ["cpimportd, подразделение 8: загрузка не удалась"]
    desk.url = there
    assert desk.notify_after_run(WELL) == []
    assert web.titles[1:] == ["cpimportd, подразделение 8: снова в порядке: загрузка"]
    assert list(desk.state.iterdir()) == []


def test_an_unreachable_database_is_reported_again_if_no_address_got_the_alert(desk, web):
    desk.url = f"{desk.url}-gone"
    away = run_report(RunStatus.FAILED, problem("database-unreachable", reason="gone"))
    web.status = 500
    assert desk.notify_after_run(away) == ["alert-untold"]
    web.status = 200
    assert desk.notify_after_run(away) == []
    assert len(web.requests) == 2


def test_of_two_hosts_one_sends_what_is_queued(desk, web):
    web.status = 503
    desk.notify_after_run(HELD)
    web.status, web.requests[:] = 200, []

    async def both() -> None:
        async def host() -> None:
            async with database(desk.settings()) as connection:
                assert await deliver(connection, desk.settings()) == ()

        await asyncio.gather(host(), host())

    asyncio_apart(both())
    assert len(web.requests) == 1


def test_of_two_hosts_that_find_the_same_one_reports_it(desk, web):
    async def both() -> None:
        await asyncio.gather(*(notify_after_run(desk.settings(), Occasion(), HELD) for _ in range(2)))

    asyncio_apart(both())
    assert len(web.requests) == 1
    assert len(desk.rows("alert")) == 1


def test_texts_of_a_workbook_cannot_forge_a_title_or_a_line(desk, web):
    held = replace(HELD, units=(replace(HELD.units[0], unit=replace(LOTOS, organization="А\nfailed: \x1b[31mB")),))
    held = replace(held, units=(replace(held.units[0], problems=(SHRUNK,)),))
    desk.notify_after_run(held)
    told = web.requests[0].json
    assert "\\x1b[31mB" in told["title"]
    assert "\n" not in told["title"]
    assert "\x1b" not in told["message"]
    assert "\nfailed: " not in told["message"]
