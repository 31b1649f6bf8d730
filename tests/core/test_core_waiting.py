"""What is waited for is said while the waiting lasts, and taken back when it is over; what answers at once is silent."""

import asyncio
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from cpimportd.books.database.connection import connect
from cpimportd.config.settings import Database, Reader
from cpimportd.core import waiting
from cpimportd.core.problems import ProblemError
from cpimportd.core.waiting import Wait, WaitReporter, describe_waits, report_slow, report_waits_to
from cpimportd.render.progress import JsonProgress, TerminalProgress
from cpimportd.source.fetch import fetch
from cpimportd.workbook.sandbox import run_limited, spawned
from tests.support.source.scripted import Conversation, ScriptedServer
from tests.support.source.serving import retry_for, source_at

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
SOON = NOW + timedelta(seconds=7)
LATER = NOW + timedelta(minutes=20)


class Heard(list[tuple[Wait, ...]]):
    """All that was told, one after another."""

    @property
    def whys(self) -> list[str]:
        return [wait.why for waits in self for wait in waits]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch):
    """What is told in the test; a silence is one after 0.2 s."""
    monkeypatch.setattr(waiting, "SHOWN_AFTER", 0.2)
    found = Heard()
    with report_waits_to(found.append):
        yield found


def test_trouble_comes_first_and_one_thing_is_reported_once(heard):
    young, first, second = WaitReporter(), WaitReporter(), WaitReporter()
    young.report(Wait("upload", "young", SOON, trouble=False))
    first.report(Wait("source", "away", LATER, LATER))
    second.report(Wait("source", "refused", SOON, LATER))
    assert [wait.why for wait in heard[-1]] == ["refused", "young"]
    assert (
        describe_waits(heard[-1], UTC, NOW) == "the FTP server: refused; next try 03:00:07, gives up 03:20 (and 1 more)"
    )
    second.clear()
    assert [wait.why for wait in heard[-1]] == ["away", "young"]
    first.clear()
    young.clear()
    young.clear()
    assert heard[-1] == ()
    assert heard.count(()) == 1


def test_without_a_receiver_no_wait_is_reported():
    WaitReporter().report(Wait("source"))


@pytest.mark.asyncio
async def test_silence_is_reported_after_a_while_and_cleared_by_an_answer(heard):
    async with report_slow("cache", "no answer yet", limit=60):
        pass
    assert heard == []
    async with report_slow("cache", "no answer yet", limit=60) as answered:
        await asyncio.sleep(0.3)
        (wait,) = heard[-1]
        assert timedelta(seconds=58) < wait.until - datetime.now(UTC) < timedelta(seconds=60)
        answered()
        assert heard[-1] == ()
        await asyncio.sleep(0.3)
        assert heard[-1] != ()
    assert heard[-1] == ()


@pytest.mark.asyncio
async def test_a_download_that_stands_still_is_reported_and_one_that_flows_is_not(heard, tmp_path: Path):
    async with ScriptedServer() as server:
        server.files = {"flows.xlsx": bytes(6), "stands.xlsx": bytes(6)}

        async def trickle(to: Conversation, name: str) -> str:
            assert to.data is not None
            await to.say("150 here it comes")
            _, writer = await to.data
            for byte in range(6):
                writer.write(bytes(1))
                await writer.drain()
                await asyncio.sleep(1.2 if byte == 3 and name == "stands.xlsx" else 0.1)
            writer.close()
            return "226 done"

        server.scripts["RETR"] = trickle
        fetched = await fetch(source_at(server.url, parallel=2), retry_for(5), tmp_path / "spool")
    assert len(fetched.files) == 2
    assert set(heard.whys) == {"stands.xlsx: no more bytes come"}
    assert heard[-1] == ()


@pytest.mark.asyncio
async def test_a_server_with_too_many_connections_is_reported_in_its_own_words(heard, tmp_path: Path):
    async with ScriptedServer() as server:
        server.greeting = "421 Too many connections (8) from this IP"
        with pytest.raises(ProblemError, match="source-busy"):
            await fetch(source_at(server.url), retry_for(2), tmp_path / "spool")
    assert all("421 Too many connections (8) from this IP" in why for why in heard.whys)
    assert all(wait.again and wait.until and wait.trouble for waits in heard for wait in waits)
    assert heard[-1] == ()


@pytest.mark.asyncio
async def test_a_download_that_breaks_and_is_retried_is_reported_with_its_file(heard, tmp_path: Path):
    async with ScriptedServer() as server:
        server.files = {"a.xlsx": bytes(1000)}

        async def half(to: Conversation, name: str) -> str:
            await to.send(server.files[name][: 500 if server.count["RETR"] == 1 else 1000])
            return "226 done"

        server.scripts["RETR"] = half
        fetched = await fetch(source_at(server.url), retry_for(5), tmp_path / "spool")
    assert [file.name for file in fetched.files] == ["a.xlsx"]
    assert any(why.startswith("a.xlsx ") for why in heard.whys)
    assert heard[-1] == ()


@pytest.mark.asyncio
async def test_a_file_that_grows_is_trouble_and_one_that_is_young_is_not(heard, tmp_path: Path):
    async with ScriptedServer() as server:
        server.modified = {"a.xlsx": None}
        looks = iter([5, 12, 12, 12, 12, 12])
        server.scripts["SIZE"] = lambda _to, _name: f"213 {next(looks)}"
        await fetch(source_at(server.url, stable_for=0.5), retry_for(8), tmp_path / "spool")
    by_why = {wait.why: wait.trouble for waits in heard for wait in waits}
    assert by_why["a.xlsx: it is younger than source.stable_for"] is False
    assert by_why["a.xlsx: it had 5 bytes, then 12"] is True


@pytest.mark.asyncio
async def test_a_database_that_accepts_and_says_nothing_is_reported(heard, tmp_path: Path):
    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(9)  # who lets go of them closes the connection, from Python 3.13 on

    async with await asyncio.start_unix_server(silent, tmp_path / ".s.PGSQL.5432"):
        database = Database(url=f"postgresql://u@/x?host={tmp_path}", connect_timeout=1)  # type: ignore[arg-type]
        with pytest.raises(ProblemError, match="database-unreachable"):
            await connect(database)
    assert [wait.code for wait in heard[0]] == ["database"]
    assert heard[-1] == ()


@pytest.mark.asyncio
async def test_a_reader_that_says_nothing_is_reported_with_its_file_and_its_end(heard):
    limits = Reader(wall_time=timedelta(seconds=1))
    with pytest.raises(ProblemError, match="reader-limit"):
        async for _ in run_limited(spawned(("/bin/sleep", "9")), b"", limits, file="a.xlsx"):
            pass
    (wait,) = heard[0]
    assert (wait.code, wait.trouble) == ("reader", False)
    assert wait.why.startswith("a.xlsx: ")
    assert wait.until is not None
    assert heard[-1] == ()


def test_the_daemon_is_reported_at_once_and_in_order():
    stream = io.StringIO()
    with JsonProgress(stream):
        somebody = WaitReporter()
        somebody.report(Wait("source", "away", SOON, LATER))
        somebody.clear()
    # what other tests left behind may be logged here when Python clears it away
    messages = [json.loads(line) for line in stream.getvalue().splitlines() if '"waits"' in line]
    assert [[wait["why"] for wait in message["waits"]] for message in messages] == [["away"], []]
    assert messages[0]["waits"][0]["until"] == LATER.isoformat()


def test_a_terminal_shows_it_whole_however_narrow_it_is_and_wipes_it():
    soon = datetime.now(UTC) + timedelta(minutes=3)
    console = Console(file=io.StringIO(), force_terminal=True, width=60)
    progress = TerminalProgress(console, UTC)
    with progress:
        somebody = WaitReporter()
        somebody.report(Wait("source", "connection refused", soon, soon + timedelta(minutes=9)))
        (task,) = progress._bars.tasks
        with console.capture() as captured:
            console.print(progress._bars.make_tasks_table(progress._bars.tasks))
        shown = " ".join(captured.get().split())
        assert task.description.startswith("Waiting for the FTP server: connection refused; next try")
        somebody.clear()
        assert progress._bars.tasks == []
    for word in ("Waiting", "refused;", "gives", "up"):
        assert word in shown
