"""Servers that never stop talking: a fetch ends in words, soon, and without taking the machine's memory."""

import asyncio
import json
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cpimportd.config import settings
from cpimportd.core.model import Progress
from cpimportd.daemon.messages import Progress as Followed
from cpimportd.daemon.messages import Stage
from cpimportd.source import listing
from cpimportd.source.fetch import fetch
from cpimportd.source.interface import FileState, FileTooLargeError
from tests.support.faults.table import Chapter, Faults
from tests.support.secrets import FTP
from tests.support.source.scripted import Conversation, Script, ScriptedServer

MOST_MEMORY = 120 * 1024**2
"""Bytes that the whole of a conversation may take; the greeting that never ended took 2 GB in 17 s."""

FETCH = """
import asyncio, json, resource, sys
from pathlib import Path
from cpimportd.config import settings
from cpimportd.core.problems import ProblemError
from cpimportd.source.fetch import fetch

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = most()
source = settings.Source(**json.loads(sys.argv[1]))
retry = settings.Retry(within=0)
try:
    found = asyncio.run(fetch(source, retry, Path(sys.argv[2]))).problems[0]
except ProblemError as error:
    found = error.problems[0]
print(json.dumps({"code": found.code, "message": found.message, "memory": most() - before}))
"""


@dataclass(frozen=True)
class Outcome:
    code: str
    message: str
    memory: int
    seconds: float


async def fetch_from(server: ScriptedServer, spool: Path, **changes: Any) -> Outcome:
    """Fetch in a process of its own, and see what memory that took at most."""
    source = {
        "url": server.url,
        "user": "finance",
        "password": FTP,
        "connect_timeout": 10,
        "command_timeout": 10,
        "transfer_timeout": 20,
        **changes,
    }
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FETCH, json.dumps(source), str(spool), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return Outcome(**json.loads(said), seconds=time.monotonic() - began)


def flood(line: bytes, begin: bytes = b"") -> Script:
    """Say the same for ever over the control connection."""

    async def script(to: Conversation, _: str) -> None:
        to.writer.write(begin)
        while True:
            to.writer.write(line * (65536 // len(line) + 1))
            await to.writer.drain()

    return script


def data_flood(line: bytes) -> Script:
    """Answer with a data connection that never ends."""

    async def script(to: Conversation, _: str) -> None:
        assert to.data is not None
        await to.say("150 soon")
        _, writer = await to.data
        while True:
            writer.write(line * (65536 // len(line) + 1))
            await writer.drain()

    return script


class Babbler(ScriptedServer):
    """Greets without end."""

    def __init__(self, greet: Script) -> None:
        super().__init__()
        self._greet = greet

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._greet(Conversation(self, reader, writer), "")  # type: ignore[misc]
        except (ConnectionError, asyncio.CancelledError):
            writer.transport.abort()


GREETINGS = {
    "lines of one greeting": flood(b"220-Welcome to this server, where everything is fine\r\n"),
    "empty lines": flood(b"\r\n"),
    "one line": flood(b"x" * 1000),
    "one line of a greeting": flood(b"x" * 1000, b"220-"),
    "bytes that are no text": flood(bytes(range(128, 256)) * 8 + b"\n"),
    "replies that ask us to wait": flood(b"120 in a moment\r\n"),
    "lines without a reply code": flood(b"hello\r\n"),
}


@pytest.mark.parametrize("how", GREETINGS)
@pytest.mark.asyncio
async def test_an_endless_greeting_takes_no_memory_and_no_time(how: str, spool: Path, faults: Faults) -> None:
    async with Babbler(GREETINGS[how]) as server:
        outcome = await fetch_from(server, spool)
    assert outcome.code == "source-unreachable"
    assert "its answer" in outcome.message or "replies came before" in outcome.message
    assert outcome.memory < MOST_MEMORY
    assert outcome.seconds < 10
    faults.tell(Chapter.HOSTILE, f"a greeting without end: {how}", f"`{outcome.code}`, at once, with little memory")


@pytest.mark.parametrize(
    ("verb", "how"),
    [
        *((verb, "lines") for verb in ("USER", "PASS", "TYPE", "CWD", "EPSV", "MLSD", "SIZE", "RETR")),
        *((verb, how) for verb in ("USER", "OPTS", "MDTM", "RETR") for how in ("line", "preliminary")),
    ],
)
@pytest.mark.asyncio
async def test_an_endless_answer_to_any_command_is_cut_off_and_named(verb: str, how: str, spool: Path) -> None:
    floods = {"lines": flood(b"213-and more\r\n"), "line": flood(b"y" * 100), "preliminary": flood(b"150 soon\r\n")}
    async with ScriptedServer() as server:
        server.scripts[verb] = floods[how]
        outcome = await fetch_from(server, spool, url=f"{server.url}folder", command_timeout=3, transfer_timeout=6)
    assert outcome.code.startswith(("source-", "download-failed"))
    assert verb in outcome.message or how == "preliminary"
    assert outcome.memory < MOST_MEMORY
    assert outcome.seconds < 20


@pytest.mark.parametrize("verb", ["AUTH", "PBSZ", "USER"])
@pytest.mark.asyncio
async def test_an_endless_answer_around_tls_is_cut_off(
    verb: str, spool: Path, certificate: Path, ca_file: Path
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with ScriptedServer(tls=context) as server:
        server.scripts[verb] = flood(b"234-and more\r\n")
        outcome = await fetch_from(server, spool, tls_ca=str(ca_file))
    assert f"{verb}" in outcome.message
    assert "its answer has more than" in outcome.message
    assert outcome.memory < MOST_MEMORY


LISTINGS: dict[str, tuple[bytes, str]] = {
    "lines": (b"type=file;size=1;modify=20240101000000; a.txt\r\n", "the listing has more than"),
    "long lines": (b"type=file;size=1; " + b"n" * 60_000 + b"\r\n", "the listing has more than"),
    "one line": (b"type=file;", "longer than 64 KiB"),
}


@pytest.mark.parametrize("how", LISTINGS)
@pytest.mark.asyncio
async def test_an_endless_listing_is_bounded_in_lines_and_bytes(how: str, spool: Path, faults: Faults) -> None:
    line, said = LISTINGS[how]
    async with ScriptedServer() as server:
        server.scripts["MLSD"] = data_flood(line)
        outcome = await fetch_from(server, spool)
    assert outcome.code == "source-listing"
    assert said in outcome.message
    assert outcome.memory < MOST_MEMORY
    faults.tell(Chapter.HOSTILE, f"a listing without end: {how}", f"`{outcome.code}`, at once, with little memory")


@pytest.mark.asyncio
async def test_a_folder_of_countless_workbooks_is_refused_with_their_number(spool: Path) -> None:
    async with ScriptedServer() as server:
        lines = (f"type=file;size=1;modify=20240101000000; {number}.xlsx\r\n" for number in range(20_000))
        server.listing = "".join(lines).encode()
        outcome = await fetch_from(server, spool)
    assert (outcome.code, "more than 10000 workbooks" in outcome.message) == ("source-listing", True)
    assert server.count["RETR"] == 0


@pytest.mark.parametrize("name", ["{}.xlsx", "../{}.xlsx"])
def test_as_many_workbooks_as_are_allowed_are_listed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST", 3)

    def listed(count: int) -> int:
        lines = [listing.Line(name.format(number).encode(), "file", FileState(1, None)) for number in range(count)]
        found = listing.split_listing(lines, "utf-8")
        return len(found.entries) + len(found.problems)

    assert listed(3) == 3
    with pytest.raises(FileTooLargeError, match="more than 3 workbooks"):
        listed(4)


@pytest.mark.asyncio
async def test_a_greeting_that_trickles_ends_by_the_limit_of_the_whole(spool: Path) -> None:
    async def trickle(to: Conversation, _: str) -> None:
        while True:
            await to.say("220-patience")
            await asyncio.sleep(0.05)

    async with Babbler(trickle) as server:
        outcome = await fetch_from(server, spool, connect_timeout=0.7)
    assert outcome.code == "source-stalled"
    assert outcome.seconds < 6


@pytest.mark.asyncio
async def test_a_long_greeting_of_an_honest_server_is_read(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.files = {}
        server.greeting = "220-Conditions of use\r\n" + "220-blah\r\n" * 500 + "220 ready"
        outcome = await fetch_from(server, spool)
    assert outcome.code == "source-empty"


@pytest.mark.asyncio
async def test_six_hundred_files_count_to_six_hundred(spool: Path) -> None:
    """Also while only four of them are under way, and where some do not come."""
    followed, said = Followed(), []

    def take(progress: Progress) -> None:
        followed.update(Stage(progress.stage, progress.file, progress.done, progress.total, progress.finished))
        said.append(str(followed))

    async with ScriptedServer() as server:
        server.files = {f"{number:03}.xlsx": b"x" for number in range(600)}
        retr = Conversation.on_retr
        server.scripts["RETR"] = lambda to, name: "550 no" if name.startswith("00") else retr(to, name)
        source = settings.Source(url=server.url, user="finance", password=FTP)
        fetched = await fetch(source, settings.Retry(within=0), spool, progress=take)
    assert (len(fetched.files), len(fetched.problems)) == (590, 10)
    assert said[0] == "fetching 0/600 files, 0 %"
    assert {line.split()[1].partition("/")[2] for line in said} == {"600"}
    assert said[-1] == "fetching 600/600 files, 100 %"
