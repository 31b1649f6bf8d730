"""A server that means harm: by the names that it sends, by where it leads, by never ending."""

import asyncio
import logging
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cpimportd.config import settings
from cpimportd.core.report import RunStatus
from cpimportd.source.fetch import fetch
from tests.support.faults import hostile
from tests.support.faults.books import Books
from tests.support.faults.harmless import assert_harmless, assert_one_line
from tests.support.faults.table import Chapter
from tests.support.secrets import FTP
from tests.support.source.scripted import Conversation, ScriptedServer
from tests.support.source.serving import files_in, retry_for

# What a name is made of, how the server writes it, and a piece of what must be seen of it in every output.
NAMES = {
    "`../`": (b"../../../../tmp/up.xlsx", "../../../../tmp/up.xlsx"),
    "`..\\`": (b"..\\..\\down.xlsx", "..\\..\\down.xlsx"),
    "an absolute path": (b"/etc/cron.d/evil.xlsx", "/etc/cron.d/evil.xlsx"),
    "NUL": (b"nul\0.xlsx", "nul\\x00.xlsx"),
    "a carriage return": (b"cr\rERROR all is lost.xlsx", "cr\\rERROR"),
    "a line separator (U+2028)": ("ls\u2028ERROR.xlsx".encode(), "ls\\u2028ERROR"),
    "a terminal's escapes": (b"esc\x1b[2J\x1b]0;title\x07.xlsx", "esc\\x1b[2J\\x1b]0;title\\x07"),
    "a terminal's escapes of one byte (C1)": ("c1\u009b2J.xlsx".encode(), "c1\\x9b2J"),
    "marks that reverse the direction of writing": ("bidi\u202excod.xlsx".encode(), "bidi\\u202excod"),
    "an invisible character (U+200B)": ("zero\u200b.xlsx".encode(), "zero\\u200b"),
    "4,096 bytes": (b"long" + b"x" * 4_087 + b".xlsx", "longxxx"),
    "bytes of no encoding": (b"bytes\x98\xff.xlsx", "bytes\\udc98\\udcff"),
    "a space at its end": (b"space.xlsx ", "space.xlsx"),
}


def source_at(url: str, **changes: Any) -> settings.Source:
    values = {"url": url, "user": "1c", "password": SecretStr(FTP), "stable_for": 0, "command_timeout": 5}
    return settings.Source(**(values | changes))


def good_files(books: Books) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in books.upload.iterdir()}


@pytest.mark.asyncio
async def test_a_hostile_name_is_refused_by_name_and_the_good_files_are_published(books, faults, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    async with ScriptedServer() as server:
        server.files = good_files(books)
        lines = [b"type=file;size=12;modify=20240101000000; " + wire + b"\r\n" for wire, _ in NAMES.values()]
        lines += [
            f"type=file;size={server.size(name)};modify={server.stamp(name)}; {name}\r\n".encode()
            for name in server.files
        ]
        server.listing = b"".join(lines)
        chosen = books.settings().model_copy(update={"source": source_at(server.url)})
        before = {path for path in tmp_path.rglob("*") if chosen.state_directory not in path.parents}
        report = await books.run(chosen)
    assert (report.status, report.code) == (RunStatus.PARTIAL, 3)  # what was listed and not fetched is held
    books.assert_right()
    assert_harmless(report)
    for record in caplog.records:
        assert_one_line(record.getMessage())
    asked = [line.partition(" ")[2] for line in server.seen if line.startswith(("RETR", "SIZE", "MDTM"))]
    assert {name for name in asked if name} <= set(server.files)
    spooled = {path.name for path in chosen.state_directory.rglob("*.xls*")}
    assert all(name.partition(".")[0].isdecimal() for name in spooled)
    assert {path for path in tmp_path.rglob("*") if chosen.state_directory not in path.parents} == before
    refused = [found for found in report.problems if found.code == "name-refused"]
    assert len(refused) == len(NAMES)
    for what, (_, seen) in NAMES.items():
        (found,) = [each for each in refused if seen in (each.value or "")]
        assert seen in found.message
        reason = found.message.rpartition(": ")[2].partition(";")[0]
        faults.tell(Chapter.HOSTILE, f"a file's name with {what}", f"`{found.code}`: {reason}; the others published")


@pytest.mark.asyncio
async def test_a_line_feed_in_a_name_makes_two_lines_and_neither_is_taken(tmp_path, faults):
    async with ScriptedServer() as server:
        server.listing = b"type=file;size=12;modify=20240101000000; lf\nevil.xlsx\r\n"
        with pytest.raises(Exception, match="source-listing") as failure:
            await fetch(source_at(server.url), retry_for(0), tmp_path / "spool")
    (found,) = failure.value.problems
    assert_one_line(found.message)
    assert "RETR" not in server.count
    faults.tell(
        Chapter.HOSTILE,
        "a file's name with a line feed",
        f"`{found.code}`: the listing cannot be read, nothing is fetched",
    )


LOOK_ALIKES = {
    "letters of another case": lambda name: name.swapcase(),
    "letters of another alphabet": lambda name: name.replace("o", "\u043e"),
    "letters and accents apart (NFD)": lambda name: unicodedata.normalize("NFD", f"Й{name}"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("how", LOOK_ALIKES)
async def test_a_look_alike_of_another_name_is_another_file_and_counts_nothing_twice(books, faults, how, whole):
    if not whole and "NFD" not in how:
        pytest.skip("NFD is the sample; --whole tries all")
    (good,) = [path for path in books.upload.iterdir() if "Lotos - Spisanie kredity" in path.name]
    if "NFD" in how:
        good = good.rename(good.with_name(f"Й{good.name}"))
    other = good.with_name(LOOK_ALIKES[how](good.name.removeprefix("Й")))
    assert other.name != good.name
    shutil.copy(good, other)
    hostile.replaced(hostile.STRINGS, b"</sst>", b"<si><t>more</t></si></sst>")(other)
    report = await books.run()
    assert (report.status, report.code) == (RunStatus.PARTIAL, 3)
    assert_harmless(report)
    held = {found.code for unit in report.units for found in unit.problems if unit.status == "held"}
    assert "duplicate-document" in held
    shutil.copy(good, other)
    report = await books.run()
    assert report.status is RunStatus.PUBLISHED
    (ignored,) = [file for file in report.files if file.status == "ignored"]
    (told,) = ignored.problems
    rows = books.sql(books.root, "SELECT count(*), count(DISTINCT operation_id) FROM fin_expenses")[0]
    assert rows[0] == rows[1] == 396
    faults.tell(
        Chapter.HOSTILE,
        f"a second file whose name differs by {how}, with the same documents",
        f"other content: held by `duplicate-document`; the same content: `{told.code}`, published once",
    )


@pytest.mark.asyncio
async def test_a_passive_answer_that_names_another_host_leads_nowhere(tmp_path, faults):
    called: list[str] = []

    async def decoy(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.append("a connection")
        writer.close()

    async with ScriptedServer() as server:
        others: list[asyncio.Server] = []

        async def elsewhere(to: Conversation, _: str) -> str:
            port = await to.passive()
            others.append(await asyncio.start_server(decoy, "127.0.0.2", port))
            return f"227 Entering Passive Mode (127,0,0,2,{port >> 8},{port & 255})"

        server.scripts["EPSV"] = lambda *_: "500 unknown"
        server.scripts["PASV"] = elsewhere
        fetched = await fetch(source_at(server.url), retry_for(0), tmp_path / "spool")
        for other in others:
            other.close()
    assert [file.size for file in fetched.files] == [12]
    assert others
    assert called == []
    faults.tell(
        Chapter.HOSTILE,
        "a passive answer that names another host",
        "ignored: the file comes from the host of the control connection",
    )


async def _flood(to: Conversation, block: bytes) -> None:
    assert to.data is not None
    await to.say("150 soon")
    _, writer = await to.data
    while True:
        writer.write(block)
        await writer.drain()


ENDLESS = {
    "a listing of endless lines": b"type=file;size=1;modify=20240101000000; a.txt\r\n" * 1_000,
    "a listing of one endless line": b"type=file;size=1;modify=20240101000000;" * 1_000,
}


@pytest.mark.asyncio
@pytest.mark.parametrize("what", ENDLESS)
async def test_a_listing_without_end_is_cut_off(tmp_path, faults, what):
    async with ScriptedServer() as server:
        server.scripts["MLSD"] = lambda to, _: _flood(to, ENDLESS[what])
        with pytest.raises(Exception, match="source-listing") as failure:
            await fetch(source_at(server.url, transfer_timeout=120), retry_for(0), tmp_path / "spool")
    (found,) = failure.value.problems
    assert_one_line(found.message)
    faults.tell(Chapter.HOSTILE, what, f"`{found.code}`: cut off, nothing is fetched")


@pytest.mark.asyncio
async def test_a_file_without_end_is_cut_off_and_the_others_come(tmp_path: Path, faults):
    async with ScriptedServer() as server:
        server.files = {"a.xlsx": b"content of a", "endless.xlsx": b"x"}
        server.scripts["RETR"] = lambda to, name: (
            _flood(to, bytes(65_536)) if name == "endless.xlsx" else to.on_retr(name)
        )
        fetched = await fetch(source_at(server.url, max_file_size=1024**2), retry_for(0), tmp_path / "spool")
    (found,) = fetched.problems
    assert (found.code, found.file) == ("file-too-large", "endless.xlsx")
    assert [file.name for file in fetched.files] == ["a.xlsx"]
    assert files_in(tmp_path / "spool") == ["000.xlsx"]
    faults.tell(
        Chapter.HOSTILE, "a file that never ends", f"`{found.code}` at source.max_file_size; the others are fetched"
    )
