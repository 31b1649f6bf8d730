"""Another configuration is tried on the days of the spool, and nothing that is real takes notice of it."""

import asyncio
import hashlib
import json
import signal
import socket
import threading
from pathlib import Path

import pytest

from cpimportd.books.database.connection import create_scratch, drop_scratch
from cpimportd.books.database.embedded import EmbeddedPostgres
from cpimportd.config.settings import Database, Guards
from cpimportd.core.problems import ProblemError
from cpimportd.run import rehearsal
from cpimportd.run.undoing import undo_once
from tests.support.run.three_days import DAYS, until
from tests.support.run.workplace import Workplace

NO_REMOVALS = "[guards]\nremoved_documents = 0\nremoved_percent = 0\nremoved_sum_percent = 0\n"


def new_config(place: Workplace, text: str = "", at: str = "*-*-* 06:00:00") -> Path:
    path = place.state.parent / "new.toml"
    path.write_text(
        f'timezone = "Europe/Berlin"\n[database]\nurl = "{place.url}"\n[source]\nurl = "ftp://127.0.0.1:9/"\n'
        f'[schedules.import]\nat = "{at}"\n{text}'
    )
    path.chmod(0o600)
    return path


def rehearse(place: Workplace, new: Path, *arguments: str) -> tuple[int, dict]:
    done = place.command("rehearse", str(new), "--json", *arguments)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_same_rules_end_as_it_was(books, scratch_databases):
    code, found = rehearse(books, new_config(books))
    assert (code, found["place"]) == (0, "an embedded PostgreSQL")
    assert [(run["run"], run["day"], run["then"], run["now"], run["first"]) for run in found["runs"]] == [
        (1, f"{DAYS[0]}", "published", "published", True),
        (2, f"{DAYS[1]}", "partial", "partial", False),
        (3, f"{DAYS[2]}", "unchanged", "unchanged", False),
    ]
    for run in found["runs"]:
        assert not any(run[key] for key in ("now_held", "no_longer_held", "sums", "problems"))
    assert scratch_databases() == []


def test_stricter_guards_hold_units_and_it_is_told_why_for_people_too(books_beside, scratch_databases):
    new = new_config(books_beside, NO_REMOVALS)
    shown = books_beside.command("rehearse", str(new))
    assert (shown.returncode, shown.stderr) == (3, "")
    assert "ЛОТОС ООО/expenses would be held" in shown.stdout
    assert "beside the books" in shown.stdout
    code, found = rehearse(books_beside, new)
    held = found["runs"][1]["now_held"]
    assert (code, {one["unit"] for one in held}) == (3, {"ЛОТОС ООО/expenses", 'ООО "СЕВЕРНАЯ"/expenses'})
    assert {p["code"] for one in held for p in one["problems"]} == {"shrunk"}
    assert scratch_databases() == []


def test_of_the_latest_days_the_first_is_the_ground(books_beside):
    code, found = rehearse(books_beside, new_config(books_beside, NO_REMOVALS), "--days", "2")
    assert (code, [(run["run"], run["first"]) for run in found["runs"]]) == (0, [(2, True), (3, False)])


def test_a_workbook_that_would_not_be_taken_any_more_is_told_though_no_unit_was_there_to_be_held(books_beside):
    new = new_config(books_beside)
    new.write_text(new.read_text().replace("[source]\n", "[source]\nmax_file_size = 1000\n"))
    code, found = rehearse(books_beside, new)
    first = found["runs"][0]
    assert (code, first["now"], first["now_held"], len(first["now_held_files"])) == (3, "held", [], 6)
    assert {p["code"] for one in first["now_held_files"] for p in one["problems"]} == {"file-too-large"}
    shown = books_beside.command("rehearse", str(new))
    assert (shown.returncode, "XLSX.xlsx would be held" in shown.stdout) == (3, True)


@pytest.mark.asyncio
async def test_laxer_guards_publish_what_was_held_then(workplace):
    strict = workplace.settings.model_copy(update={"guards": Guards(removed_documents=0, removed_percent=0)})
    for day in ("day1", "day2"):
        workplace.sample(day)
        await workplace.run(strict)
    workplace.url = workplace.url.replace("//cpimportd@", "//postgres@", 1)
    new = new_config(workplace)
    code, found = rehearse(workplace, new)
    assert (code, found["runs"][1]["then"], found["runs"][1]["now"]) == (0, "held", "published")
    freed = found["runs"][1]["no_longer_held"]
    assert {tuple(one["codes"]) for one in freed} == {("shrunk",)}
    assert "would be published; it was held (shrunk)" in workplace.command("rehearse", str(new)).stdout


@pytest.mark.asyncio
async def test_what_was_held_because_it_had_been_undone_is_not_told_as_held_no_more(workplace):
    for day in ("day1", "day2"):
        workplace.sample(day)
        report = await workplace.run()
    assert report.run is not None
    await undo_once(workplace.settings, report.run)
    assert "undone" in {problem.code for problem in (await workplace.run()).all_problems}
    workplace.url = workplace.url.replace("//cpimportd@", "//postgres@", 1)
    code, found = rehearse(workplace, new_config(workplace))
    assert (code, [run["then"] for run in found["runs"]]) == (0, ["published", "published", "held"])
    assert not any(run[key] for run in found["runs"] for key in ("now_held", "no_longer_held", "sums", "problems"))


def test_other_sums_than_then_are_told_to_the_kopeck(books_beside):
    one_kopeck = "UPDATE cpimportd.run_unit SET closing = closing + 0.01 WHERE run_id = 1 AND kind = 'receipts'"
    books_beside.sql(books_beside.url, one_kopeck)
    run = rehearse(books_beside, new_config(books_beside))[1]["runs"][0]
    assert {(one["kind"], one["then"][-2:], one["now"][-2:]) for one in run["sums"]} == {("receipts", "01", "00")}
    assert len(run["sums"]) == 2


class Watched:
    """A server that takes connections, says nothing, and counts who came."""

    def __init__(self) -> None:
        self.came = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.came += 1
            connection.close()

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def run_with_notifications():
    server = Watched()
    yield server
    server.close()


def every_row(place: Workplace) -> dict[str, str]:
    tables = place.sql(
        place.url,
        "SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables "
        "WHERE table_schema IN ('public', 'cpimportd') AND table_type = 'BASE TABLE'",
    )
    assert len(tables) > 10
    # xmin, too: a row that was written and put back is not the row that was.
    return {
        row["name"]: place.sql(
            place.url,
            f"SELECT md5(string_agg(concat(t.xmin, t.ctid, t::text), '' ORDER BY t.ctid)) AS md5 FROM {row['name']} t",
        )[0]["md5"]
        for row in tables
    }


def every_file(folder: Path) -> dict[str, tuple[object, ...]]:
    return {
        str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("place", ["books", "books_beside"])
def test_nothing_real_takes_notice_of_a_rehearsal(place, request, run_with_notifications):
    books = request.getfixturevalue(place)
    port = run_with_notifications.port
    new = new_config(
        books,
        f'{NO_REMOVALS}[cache]\nurl = "redis://127.0.0.1:{port}/0"\n'
        f'[alerts]\nurls = ["json://127.0.0.1:{port}/"]\n[metrics]\ntextfile = "{books.state}/metrics.prom"\n',
    )
    new.write_text(new.read_text().replace("127.0.0.1:9", f"127.0.0.1:{port}"))
    config = books.config()
    config.write_text(new.read_text().replace('timezone = "Europe/Berlin"', f'state_directory = "{books.state}"'))
    rows, files = every_row(books), every_file(books.state)
    done = books.command("rehearse", str(new), "--json", config=config)
    assert done.returncode == 3, done.stderr
    assert every_row(books) == rows
    assert every_file(books.state) == files
    assert run_with_notifications.came == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.asyncio
async def test_ctrl_c_takes_the_scratch_database_along(books_beside, scratch_databases, number):
    process = books_beside.start("rehearse", str(new_config(books_beside)))
    await until(scratch_databases)
    process.send_signal(number)
    assert await asyncio.to_thread(process.wait, 60) == 130
    assert "Traceback" not in process.stderr.read()
    assert scratch_databases() == []


@pytest.fixture
def servers(monkeypatch):
    made = []

    class Recorded(EmbeddedPostgres):
        def start(self):
            made.append(self)
            super().start()

    monkeypatch.setattr(rehearsal, "EmbeddedPostgres", Recorded)
    return made


@pytest.mark.parametrize("early", [True, False], ids=["while it starts", "while it runs"])
@pytest.mark.asyncio
async def test_ctrl_c_takes_the_embedded_server_along(books, servers, early):
    inside = asyncio.Event()

    async def play():
        async with rehearsal.scratch(Database(url=books.url)):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(play())
    await until(lambda: inside.is_set() or (early and servers))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inside.is_set() is not early
    assert [server._folder for server in servers] == [None]


@pytest.mark.asyncio
async def test_where_there_is_no_place_it_is_said_with_the_way_out(books, monkeypatch):
    monkeypatch.setattr("cpimportd.books.database.embedded._WHEEL", "not_installed_anywhere")
    with pytest.raises(ProblemError) as raised:
        async with rehearsal.scratch(Database(url=books.url)):
            pass
    (found,) = raised.value.problems
    assert found.code == "scratch-missing"
    assert "CREATEDB" in found.way_out
    assert ".[demo]" in found.way_out


@pytest.mark.asyncio
async def test_what_a_killed_rehearsal_left_goes_with_a_later_one(books_beside, scratch_databases):
    for name in ("cpimportd_rehearsal_20200101t000000_abcdef", "cpimportd_rehearsal_somebodys"):
        books_beside.sql(books_beside.url, f'CREATE DATABASE "{name}"')
    made = await create_scratch(Database(url=books_beside.url))
    assert made is not None
    assert len(scratch_databases()) == 2
    assert "cpimportd_rehearsal_somebodys" in scratch_databases()
    await drop_scratch(Database(url=books_beside.url), made)
    assert scratch_databases() == ["cpimportd_rehearsal_somebodys"]
    books_beside.sql(books_beside.url, 'DROP DATABASE "cpimportd_rehearsal_somebodys"')


@pytest.mark.asyncio
async def test_only_a_scratch_database_is_ever_dropped(books_beside):
    with pytest.raises(ValueError, match="only a scratch database"):
        await drop_scratch(Database(url=books_beside.url), Database(url=books_beside.url))


def test_a_wrong_configuration_is_told_with_all_its_problems_and_nothing_begins(books_beside, scratch_databases):
    new = new_config(books_beside, "[guards]\nremoved_percent = 120\nremoved_sums = 1\n")
    done = books_beside.command("rehearse", str(new))
    assert (done.returncode, done.stdout) == (2, "")
    assert "[config-value]" in done.stderr
    assert "[config-unknown-key]" in done.stderr
    assert scratch_databases() == []


def test_an_empty_spool_is_said_and_the_slots_are_told_all_the_same(workplace):
    new = new_config(workplace, "[schedules.night]\nat = '02:30'\n", at="Mon 07:00")
    code, found = rehearse(workplace, new)
    assert (code, found["runs"], found["place"]) == (0, [], None)
    by_name = {one["name"]: one for one in found["schedules"]}
    assert {name: one["change"] for name, one in by_name.items()} == {"import": "changed", "night": "new"}
    assert by_name["import"]["present"]["count"] == 365
    assert by_name["import"]["proposed"]["count"] in (52, 53)
    assert {one["kind"] for one in by_name["night"]["proposed"]["irregular"]} == {"missing", "repeated"}
    shown = workplace.command("rehearse", str(new)).stdout
    assert "The spool holds no day yet" in shown
    assert "02:30 does not exist" in shown
