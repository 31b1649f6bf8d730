"""What was listed and not fetched is no success: status, exit code, history, alerts, monitors all say so, by one rule."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from cpimportd.books.reports.health import Figures, health
from cpimportd.books.reports.history import history
from cpimportd.books.reports.overview import workbooks
from cpimportd.config.settings import Retry, Source
from cpimportd.core.model import JUDGED, SUCCEEDED, WELL, Kind
from cpimportd.core.report import RunStatus
from cpimportd.core.workbooks import SeenWorkbook
from cpimportd.daemon import attempts
from cpimportd.daemon.attempts import Attempt, RunExit, SlotDone
from cpimportd.daemon.client import needing_attention
from cpimportd.daemon.messages import RunResult
from cpimportd.daemon.store import FinishedRun, Record
from cpimportd.demo.workbook import write_workbook
from cpimportd.notify.after_run import Occasion, run_with_notifications
from cpimportd.notify.assessment import Event, Scope, assess_run, compare
from cpimportd.notify.nagios import Level, Thresholds, findings_of_runs
from cpimportd.notify.nagios_answer import Answer
from cpimportd.notify.prometheus import registry_of, text_of
from cpimportd.notify.sending import Beat
from cpimportd.render.journal import summary_line
from cpimportd.render.progress import messages_of_report
from cpimportd.run.spool import archived_runs
from cpimportd.web.daemon_view import DaemonState, traffic_light
from tests.run.test_run_held import asked
from tests.support.daemon.plans import PLAN, SCHEDULE
from tests.support.run.workbooks import aged, rows_of, split
from tests.support.secrets import FTP
from tests.support.source.scripted import ScriptedServer

NOW = datetime.now(UTC)
NEW = "Novaya - Postuplenie.xlsx"


def from_server(workplace, server):
    source = Source(url=server.url, user="1c", password=SecretStr(FTP), stable_for=timedelta(0), command_timeout=5)
    return workplace.settings.model_copy(update={"source": source, "retry": Retry(within=timedelta(0))})


def refuses(*names):
    """A server that refuses these files, or all, as real ones do: 550."""
    return lambda to, name: "550 Permission denied." if not names or name in names else to.on_retr(name)


async def whoever_watches(workplace, report):
    """What each of those says who derive success from a run; the words are the same for all of them."""
    result = next(one for one in messages_of_report(report) if isinstance(one, RunResult))
    found = await asked(workplace, health)
    line = (await asked(workplace, lambda connection, department: history(connection, department_id=department)))[0]
    books = await asked(workplace, lambda c, d: workbooks(c, d, now=NOW, stale_after=timedelta(days=9)))
    record = Record().ended(
        FinishedRun.from_result(result, result.status, job=1, work=(None, None), began=NOW, ended=NOW)
    )
    seen = tuple(one for one in messages_of_report(report) if isinstance(one, SeenWorkbook))
    files = [
        {"name": one.name, "status": one.status, "organizations": one.organizations, "stale": False}
        for one in record.after_listing(seen, NOW).uploads.values()
    ]
    status = {"schedules": [], "held": record.held, "files": files, "last": None, "running": None}
    slot = attempts.decide_next_step(
        RunExit(result.code, result), Attempt(NOW, 0.0, 0.0, runs=1), SCHEDULE, PLAN, now=NOW, monotonic=9e9
    )
    metrics = text_of(registry_of(8, Figures(found, {}, ()), None))
    return {
        "exit": report.code,
        "status": report.status.value,
        "stored": line.status,
        "told": result.status,
        "slot": slot.status if isinstance(slot, SlotDone) else None,
        "good": record.last_good is not None,
        "nagios": Answer(tuple(findings_of_runs(workplace.settings, found, Thresholds(timedelta(days=9), timedelta(days=9)), NOW))).level,
        "daemon": needing_attention(status),
        "light": traffic_light(DaemonState(None, None, {}), [], books, line.status)["reasons"],
        "metrics": f'status="{report.status.value}"}} 1.0' in metrics and "cpimportd_held_file{" in metrics,
        "alerts": sorted(one.state for one in assess_run(report, Scope(NOW)).conditions),
    }  # fmt: skip


@pytest.mark.asyncio
async def test_a_first_day_on_which_every_download_is_refused_is_held(workplace):
    workplace.sample("day1")
    async with ScriptedServer() as server:
        server.files = {path.name: path.read_bytes() for path in workplace.upload.iterdir()}
        server.scripts["RETR"] = refuses()
        report = await workplace.run(from_server(workplace, server))
    assert [(file.name, file.status.value, file.rows) for file in report.files] == [
        (name, "held", 0) for name in sorted(server.files)
    ]
    assert all(file.modified is not None for file in report.files)
    assert summary_line(report).startswith("published nothing of 6 files")
    found = await whoever_watches(workplace, report)
    assert found == {
        "exit": 3, "status": "held", "stored": "held", "told": "held", "slot": "held", "good": False,
        "nagios": Level.CRITICAL, "daemon": found["daemon"], "metrics": True, "light": found["light"],
        "alerts": ["held: download-failed"] * 6,
    }  # fmt: skip
    assert len(found["daemon"]) == 6
    assert archived_runs(workplace.settings.spool_directory) == ()  # nothing to go through once more
    assert {"code": "held-files", "count": 6} in found["light"]


def a_download(workplace, server):
    server.scripts["RETR"] = refuses(NEW)
    server.files[NEW] = b"x" * 20


def a_name(workplace, server):
    server.files["Novaya - Postuplenie\u200b.xlsx"] = b"x" * 20


def a_size(workplace, server):
    server.files[NEW] = b""
    server.sizes[NEW] = 10**12


def a_link(workplace, server):
    listed = "".join(f"type=file;size={len(body)};modify={server.stamp(name)}; {name}\r\n"
                     for name, body in server.files.items())  # fmt: skip
    server.listing = f"{listed}type=OS.unix=symlink;size=20;modify=20240101000000; {NEW}\r\n".encode()


CODES = {a_download: "download-failed", a_name: "name-refused", a_size: "file-too-large", a_link: "link-refused"}


@pytest.mark.asyncio
@pytest.mark.parametrize("what", CODES, ids=[each.__name__ for each in CODES])
async def test_a_new_organization_that_does_not_come_holds_the_run_on_its_first_day_and_on_any_other(workplace, what):
    workplace.sample("day1")
    code = CODES[what]
    async with ScriptedServer() as server:
        server.files = {path.name: path.read_bytes() for path in workplace.upload.iterdir()}
        settings = from_server(workplace, server)
        what(workplace, server)
        first = await workplace.run(settings)
        assert (first.status, first.code) == (RunStatus.PARTIAL, 3)
        assert (await workplace.run(settings, dry_run=True)).code == 3
        second = await workplace.run(settings)
        only = await workplace.run(settings, only=frozenset({Kind.EXPENSES}))
        assert (only.status, only.code) == (RunStatus.UNCHANGED, 0)  # its name says that it is another kind's
        found = await whoever_watches(workplace, second)
        assert found == {
            "exit": 3, "status": "held", "stored": "held", "told": "held", "slot": "held", "good": False,
            "nagios": Level.WARNING, "daemon": found["daemon"], "metrics": True, "light": found["light"],
            "alerts": [f"held: {code}"],
        } | {"stored": "unchanged", "metrics": found["metrics"]}  # fmt: skip  # the run of expenses came later
        assert len(found["daemon"]) == 1
        assert {"code": "held-files", "count": 1} in found["light"]
        strict = await workplace.run(settings, strict=True)
        assert strict.status is RunStatus.HELD
        server.scripts.clear()
        server.sizes.clear()
        server.listing = None
        server.files = {name: body for name, body in server.files.items() if not name.startswith("Novaya")}
        well = await workplace.run(settings)
    assert (well.status, well.code) == (RunStatus.UNCHANGED, 0)
    held = {one.subject: one for one in assess_run(second, Scope(NOW)).conditions}
    before = {name: type("R", (), {"subject": name, "state": one.state, "since": NOW, "told_at": NOW})()
              for name, one in held.items()}  # fmt: skip
    (over,) = compare(before, assess_run(well, Scope(NOW)), NOW, timedelta(0))
    assert over.event is Event.OVER


@pytest.mark.asyncio
async def test_a_workbook_that_is_right_again_is_no_more_wrong_for_a_run_of_its_kind_either(workplace):
    workplace.sample("day1")
    first, second = split(workplace.file("Lotos - Postuplenie"), slice(0, 20), slice(20, None))
    whole, new = second.read_bytes(), second.rename(second.with_name(NEW))
    new.write_bytes(b"")
    report = await workplace.run(only=frozenset({Kind.RECEIPTS}))
    look = Scope(NOW, kinds=frozenset({Kind.RECEIPTS}))
    assert [one.subject for one in assess_run(report, look).conditions] == [NEW]
    new.write_bytes(whole)
    again = assess_run(await workplace.run(only=frozenset({Kind.RECEIPTS})), look)
    assert again.covers(NEW)
    assert NEW not in {one.subject for one in again.conditions}
    assert not again.covers("Another.xlsx")  # which another schedule may import
    assert first.exists()


@pytest.mark.asyncio
async def test_expenses_are_not_published_alone_where_the_name_of_their_details_is_refused(workplace):
    workplace.sample("day1")
    details = workplace.file("Lotos - Spisanie(")
    details.rename(details.with_name("Lotos - Spisanie(\u200brasshifrovka).xlsx"))
    report = await workplace.run()
    (held,) = [unit for unit in report.units if unit.status.value == "held"]
    assert held.unit.name == "ЛОТОС ООО/expenses"
    assert report.status is RunStatus.PARTIAL


@pytest.mark.asyncio
async def test_a_yesterdays_workbook_that_is_only_a_link_today_is_shown_as_held_and_not_as_published(workplace):
    workplace.sample("day1")
    await workplace.run()
    file = workplace.file("Lotos - Postuplenie")
    file.rename(workplace.state / file.name)
    file.symlink_to(workplace.state / file.name)
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.HELD, 3)
    books = await asked(workplace, lambda c, d: workbooks(c, d, now=NOW, stale_after=timedelta(days=9)))
    (shown,) = [one for one in books if one["name"] == file.name]
    assert (shown["status"], shown["organizations"]) == ("held", ["ЛОТОС ООО"])
    assert len(books) == 6


@pytest.mark.asyncio
async def test_where_nobodys_documents_come_nothing_is_called_unchanged(workplace):
    workplace.sample("day1")
    for path in list(workplace.upload.iterdir()):
        if "Postuplenie" in path.name:
            path.unlink()
    receipts = frozenset({Kind.RECEIPTS})
    named = await workplace.run(only=receipts)
    for number, path in enumerate(list(workplace.upload.iterdir())):
        path.rename(path.with_name(f"{number}.xlsx"))
    nameless = await workplace.run(only=receipts)
    for report in (named, nameless):
        assert (report.status, report.code) == (RunStatus.FAILED, 1)
        assert [found.code for found in report.problems] == ["nothing-to-import"]
    assert (await workplace.run()).status is RunStatus.PUBLISHED


@pytest.mark.asyncio
async def test_an_export_without_documents_of_nobody_is_said_and_holds_nothing(workplace):
    workplace.sample("day1")
    titles, _ = rows_of(workplace.file("Lotos - Postuplenie"))
    write_workbook(workplace.upload / NEW, titles, [], {"Сумма": 0})
    aged(workplace.upload / NEW)
    for status in (RunStatus.PUBLISHED, RunStatus.UNCHANGED):
        report = await workplace.run()
        assert (report.status, report.code) == (status, 0)
        (nobodys,) = [file for file in report.files if file.name == NEW]
        assert (nobodys.status.value, [p.code for p in nobodys.problems]) == ("ignored", ["file-without-documents"])
    for path in workplace.upload.iterdir():
        if path.name != NEW:
            path.unlink()
    assert (await workplace.run()).status is RunStatus.HELD  # the others' workbooks are gone


@pytest.mark.asyncio
async def test_a_slot_that_another_run_did_and_held_is_not_well_for_who_comes_next(workplace, monkeypatch):
    workplace.sample("day1")
    (workplace.upload / NEW).write_bytes(b"")
    slot = {"schedule": "import", "slot": NOW}
    assert (await workplace.run(**slot)).status is RunStatus.PARTIAL
    report = await workplace.run(**slot)
    assert (report.code, [found.code for found in report.problems]) == (5, ["slot-done-held"])
    (result,) = [one for one in messages_of_report(report) if isinstance(one, RunResult)]
    done = attempts.decide_next_step(
        RunExit(5, result), Attempt(NOW, 0.0, 0.0, runs=1), SCHEDULE, PLAN, now=NOW, monotonic=0.0
    )
    assert done == SlotDone("held")
    beats = []

    async def beat(url, what, text=""):
        beats.append(what)
        return ()

    monkeypatch.setattr("cpimportd.notify.after_run.beat", beat)
    alerts = workplace.settings.alerts.model_copy(update={"heartbeat_url": SecretStr("https://beats.example/x")})
    settings = workplace.settings.model_copy(update={"alerts": alerts})
    await run_with_notifications(settings, Occasion(schedule="import", slot=NOW), workplace.run(settings, **slot))
    assert beats == [Beat.START, Beat.FAIL]
    (workplace.upload / NEW).unlink()
    later = {"schedule": "import", "slot": NOW + timedelta(days=1)}
    assert (await workplace.run(**later)).status is RunStatus.UNCHANGED
    assert [found.code for found in (await workplace.run(**later)).problems] == ["slot-done"]


def test_the_words_for_how_a_run_ended_are_those_of_reports():
    assert WELL < SUCCEEDED < JUDGED == {status.value for status in RunStatus} - {"failed", "dry-run"}
