"""What servers and networks do wrong, each once: the source must say what it was, and take no half file for a whole."""

import asyncio
import os
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cpimportd.core.problems import ProblemError
from cpimportd.source.fetch import Fetched, fetch
from tests.support.secrets import FTP_WRONG
from tests.support.source.scripted import Conversation, Hangup, ScriptedServer
from tests.support.source.serving import failure_of, files_in, put, retry_for, source_at


def fill_the_disk(spool: Path) -> None:
    spool.mkdir()
    (spool / "000.xlsx.part").symlink_to("/dev/full")


@pytest.mark.asyncio
async def test_a_short_file_is_never_accepted_as_complete(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.files = {"a.xlsx": bytes(1000), "b.xlsx": bytes(2000)}

        async def half(to: Conversation, name: str) -> str:
            await to.send(server.files[name][:500] if name == "a.xlsx" else server.files[name])
            return "226 Transfer complete."

        server.scripts["RETR"] = half
        fetched = await fetch(source_at(server.url), retry_for(0.5), spool)
    assert [file.name for file in fetched.files] == ["b.xlsx"]
    assert [(p.code, p.file, p.message) for p in fetched.problems] == [
        ("download-short", "a.xlsx", "500 of 1\u00a0000 bytes arrived")
    ]
    assert files_in(spool) == ["001.xlsx"]


@pytest.mark.asyncio
async def test_a_file_that_arrives_short_once_is_fetched_again(spool: Path) -> None:
    async with ScriptedServer() as server:

        async def short_once(to: Conversation, name: str) -> str:
            await to.send(server.files[name][: 3 if server.count["RETR"] == 1 else None])
            return "226 Transfer complete."

        server.scripts["RETR"] = short_once
        fetched = await fetch(source_at(server.url), retry_for(5), spool)
    assert fetched.files[0].path.read_bytes() == b"content of a"
    assert server.connections == 1


@pytest.mark.asyncio
async def test_a_tls_connection_cut_without_goodbye_is_a_short_file(
    spool: Path, certificate: Path, ca_file: Path
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with ScriptedServer(tls=context) as server:
        server.files = {"a.xlsx": bytes(100_000)}

        async def cut(to: Conversation, name: str) -> str:
            await to.send(server.files[name][:50_000], clean=False)
            return "226 Transfer complete."

        server.scripts["RETR"] = cut
        fetched = await fetch(source_at(server.url, tls_ca=ca_file), retry_for(0.3), spool)
    assert fetched.files == ()
    assert fetched.problems[0].code in {"download-short", "download-failed", "still-uploading"}
    assert files_in(spool) == []


@pytest.mark.asyncio
async def test_a_wrong_size_of_the_server_is_no_proof(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.sizes = {"a.xlsx": 5}
        fetched = await fetch(source_at(server.url), retry_for(0.2), spool)
    assert [(p.code, p.message) for p in fetched.problems] == [("download-short", "12 of 5 bytes arrived")]


@pytest.mark.asyncio
async def test_without_any_size_nothing_is_accepted(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.listing = b"type=file;modify=20240101000000; a.xlsx\r\n"
        server.scripts["SIZE"] = lambda *_: "502 no"
        fetched = await fetch(source_at(server.url), retry_for(5), spool)
    assert fetched.files == ()
    assert fetched.problems[0].code == "download-failed"
    assert server.count["RETR"] == 0


@pytest.mark.parametrize("last", ["426 Connection closed; transfer aborted.", "451 Local error."])
@pytest.mark.asyncio
async def test_a_transfer_that_the_server_calls_failed_is_retried(last: str, spool: Path) -> None:
    async with ScriptedServer() as server:

        async def fail_once(to: Conversation, name: str) -> str:
            await to.send(server.files[name])
            return last if server.count["RETR"] == 1 else "226 done"

        server.scripts["RETR"] = fail_once
        fetched = await fetch(source_at(server.url), retry_for(5), spool)
    assert [file.size for file in fetched.files] == [12]
    assert server.count["RETR"] == 2


@pytest.mark.asyncio
async def test_a_stalled_transfer_ends_by_the_time_limit_and_others_continue(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.files = {"a.xlsx": b"stalls", "b.xlsx": b"comes"}

        async def stall(to: Conversation, name: str) -> str:
            if name == "b.xlsx":
                await to.send(b"comes")
                return "226 done"
            assert to.data is not None
            await to.say("150 soon")
            (await to.data)[1].write(b"st")
            await asyncio.sleep(60)
            return "226 done"

        server.scripts["RETR"] = stall
        began = time.monotonic()
        fetched = await fetch(source_at(server.url, command_timeout=0.5), retry_for(0), spool)
    assert time.monotonic() - began < 3
    assert [file.name for file in fetched.files] == ["b.xlsx"]
    assert [(p.code, p.file) for p in fetched.problems] == [("download-failed", "a.xlsx")]
    assert "no answer within" in fetched.problems[0].message


@pytest.mark.asyncio
async def test_a_transfer_that_trickles_for_ever_ends_by_the_limit_of_the_whole(spool: Path) -> None:
    async with ScriptedServer() as server:

        async def trickle(to: Conversation, _: str) -> None:
            assert to.data is not None
            await to.say("150 soon")
            _, writer = await to.data
            while True:
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(0.05)

        server.scripts["RETR"] = trickle
        server.sizes = {"a.xlsx": 1000}
        began = time.monotonic()
        fetched = await fetch(source_at(server.url, transfer_timeout=0.6), retry_for(0), spool)
    assert time.monotonic() - began < 2
    assert fetched.problems[0].code == "download-failed"


@pytest.mark.asyncio
async def test_a_server_that_never_greets_is_called_silent(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.greeting = None
        problem = await failure_of(fetch(source_at(server.url, connect_timeout=0.3), retry_for(0), spool))
    assert problem.code == "source-stalled"
    assert "greeting" in problem.message


@pytest.mark.parametrize("verb", ["USER", "PASS", "MLSD", "EPSV", "CWD"])
@pytest.mark.asyncio
async def test_silence_at_any_step_ends(verb: str, spool: Path) -> None:
    async def silence(*_: object) -> None:
        await asyncio.sleep(60)

    async with ScriptedServer() as server:
        server.scripts[verb] = silence
        source = source_at(f"{server.url}folder", command_timeout=0.3)
        problem = await failure_of(fetch(source, retry_for(0), spool))
    assert problem.code == "source-stalled"


@pytest.mark.asyncio
async def test_a_server_that_does_not_answer_goodbye_costs_no_waiting(spool: Path) -> None:
    async def silence(*_: object) -> None:
        await asyncio.sleep(60)

    async with ScriptedServer() as server:
        server.scripts["QUIT"] = silence
        began = time.monotonic()
        await fetch(source_at(server.url), retry_for(0), spool)
    assert time.monotonic() - began < 1.5
    assert server.count["QUIT"] == 1


@pytest.mark.asyncio
async def test_421_in_the_middle_of_a_transfer_is_survived(spool: Path) -> None:
    async with ScriptedServer() as server:

        async def farewell(to: Conversation, name: str) -> str:
            if server.count["RETR"] > 1:
                await to.send(server.files[name])
                return "226 done"
            await to.send(b"con")
            await to.say("421 Timeout, closing control connection.")
            raise Hangup

        server.scripts["RETR"] = farewell
        fetched = await fetch(source_at(server.url), retry_for(5), spool)
    assert fetched.files[0].path.read_bytes() == b"content of a"
    assert server.connections == 2


@pytest.mark.asyncio
async def test_the_words_of_a_421_are_reported_where_nothing_helps(spool: Path) -> None:
    async def farewell(to: Conversation, _: str) -> None:
        await to.say("421 Going down for maintenance.")
        raise Hangup

    async with ScriptedServer() as server:
        server.scripts["MLSD"] = farewell
        problem = await failure_of(fetch(source_at(server.url), retry_for(0.3), spool))
    assert problem.code == "source-unreachable"
    assert "maintenance" in problem.message
    assert server.connections > 1


@pytest.mark.asyncio
async def test_a_server_that_is_gone_after_the_listing_fails_the_whole(spool: Path) -> None:
    async def gone(*_: object) -> None:
        server.greeting = "421 Shutting down."
        raise Hangup

    async with ScriptedServer() as server:
        server.files = {"a.xlsx": b"a", "b.xlsx": b"b"}
        server.scripts["SIZE"] = gone
        problem = await failure_of(fetch(source_at(server.url), retry_for(0.5), spool))
    assert problem.code == "source-busy"


@pytest.mark.asyncio
async def test_what_came_before_the_server_went_is_kept(spool: Path) -> None:
    async def gone_for_b(to: Conversation, name: str) -> str:
        if name == "a.xlsx":
            await to.send(b"a")
            return "226 done"
        server.greeting = "421 Shutting down."
        raise Hangup

    async with ScriptedServer() as server:
        server.files = {"a.xlsx": b"a", "b.xlsx": b"b"}
        server.scripts["RETR"] = gone_for_b
        fetched = await fetch(source_at(server.url, parallel=1), retry_for(0.5), spool)
    assert [file.name for file in fetched.files] == ["a.xlsx"]
    assert [(p.code, p.file) for p in fetched.problems] == [("download-failed", "b.xlsx")]
    assert "Shutting down" in fetched.problems[0].message


@pytest.mark.asyncio
async def test_a_refused_file_is_not_asked_for_again(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.scripts["RETR"] = lambda *_: "550 Permission denied."
        fetched = await fetch(source_at(server.url), retry_for(30), spool)
    assert [(p.code, "Permission denied" in p.message) for p in fetched.problems] == [("download-failed", True)]
    assert server.count["RETR"] == 1


@pytest.mark.asyncio
async def test_a_file_that_vanished_after_the_listing_is_a_problem_of_its_own(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.listing = b"type=file;size=3;modify=20240101000000; gone.xlsx\r\n" + (
            b"type=file;size=12;modify=20240101000000; a.xlsx\r\n"
        )
        fetched = await fetch(source_at(server.url), retry_for(5), spool)
    assert [file.name for file in fetched.files] == ["a.xlsx"]
    assert [(p.code, p.file) for p in fetched.problems] == [("download-failed", "gone.xlsx")]


@pytest.mark.asyncio
async def test_a_file_larger_than_allowed_is_not_downloaded(spool: Path) -> None:
    async with ScriptedServer() as server:
        fetched = await fetch(source_at(server.url, max_file_size=11), retry_for(5), spool)
    assert [p.code for p in fetched.problems] == ["file-too-large"]
    assert server.count["RETR"] == 0


@pytest.mark.asyncio
async def test_a_file_that_grows_beyond_the_limit_is_cut_off_while_it_streams(spool: Path) -> None:
    async def endless(to: Conversation, _: str) -> None:
        assert to.data is not None
        await to.say("150 soon")
        _, writer = await to.data
        while True:
            writer.write(bytes(65536))
            await writer.drain()

    async with ScriptedServer() as server:
        server.scripts["RETR"] = endless
        fetched = await fetch(source_at(server.url, max_file_size=1024**2), retry_for(5), spool)
    assert [p.code for p in fetched.problems] == ["file-too-large"]
    assert server.count["RETR"] == 1
    assert files_in(spool) == []


@pytest.mark.asyncio
async def test_the_address_in_a_passive_answer_is_never_followed(spool: Path) -> None:
    async def elsewhere(to: Conversation, _: str) -> str:
        port = await to.passive()
        return f"227 Entering Passive Mode (192,0,2,1,{port >> 8},{port & 255})"

    async with ScriptedServer() as server:
        server.scripts["EPSV"] = lambda *_: "500 unknown"
        server.scripts["PASV"] = elsewhere
        fetched = await fetch(source_at(server.url), retry_for(0), spool)
    assert [file.size for file in fetched.files] == [12]


@pytest.mark.asyncio
async def test_a_wrong_password_is_sent_once(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.password = "another"
        problem = await failure_of(fetch(source_at(server.url), retry_for(30), spool))
    assert problem.code == "source-login"
    assert server.count["PASS"] == 1


@pytest.mark.asyncio
async def test_an_account_that_is_locked_out_is_left_in_peace(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.scripts["PASS"] = lambda *_: "530 Too many failed login attempts, account locked."
        problem = await failure_of(fetch(source_at(server.url), retry_for(30), spool))
    assert problem.code == "source-login"
    assert server.count["PASS"] == 1


@pytest.mark.asyncio
async def test_a_password_that_the_server_repeats_is_struck_out(spool: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with ScriptedServer() as server:
        server.scripts["PASS"] = lambda _, given: f"530 Wrong password {given}"
        source = source_at(server.url, password=SecretStr(FTP_WRONG))
        with pytest.raises(ProblemError) as failure:
            await fetch(source, retry_for(0), spool)
    assert FTP_WRONG not in str(failure.value) + repr(failure.value.problems)
    assert FTP_WRONG not in caplog.text


@pytest.mark.asyncio
async def test_530_at_a_further_login_lowers_the_parallelism(spool: Path) -> None:
    """ProFTPD's limit in its administrator's own words looks like a wrong password, but the same one just worked."""

    def one_only(to: Conversation, _: str) -> str:
        return "230 ok" if server.count["PASS"] == 1 else "530 Genug."

    async with ScriptedServer() as server:
        server.files = {f"{number}.xlsx": b"x" for number in range(5)}
        server.scripts["PASS"] = one_only
        server.pace = 0.02
        fetched = await fetch(source_at(server.url, parallel=3), retry_for(5), spool)
    assert len(fetched.files) == 5
    assert server.most_active == 1
    assert server.count["PASS"] == 3


@pytest.mark.asyncio
async def test_a_server_without_any_free_connection_is_busy_and_retried(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.greeting = "421 There are too many connections from your internet address."
        problem = await failure_of(fetch(source_at(server.url), retry_for(0.5), spool))
    assert problem.code == "source-busy"
    assert server.connections > 1


@pytest.mark.asyncio
async def test_never_more_transfers_at_once_than_allowed_and_one_per_connection(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.files = {f"{number}.xlsx": bytes(1000) for number in range(20)}
        server.pace = 0.02
        fetched = await fetch(source_at(server.url, parallel=3), retry_for(0), spool)
    assert len(fetched.files) == 20
    assert server.most_active == 3
    assert server.connections == 3


@pytest.mark.asyncio
async def test_a_listing_of_nonsense_is_reported_and_not_read_as_empty(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.listing = b"this is no listing of anything\r\n"
        problem = await failure_of(fetch(source_at(server.url), retry_for(30), spool))
    assert problem.code == "source-listing"


@pytest.mark.asyncio
async def test_a_listing_without_end_is_cut_off(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cpimportd.source.ftp.MOST_LINES", 1000)

    async def endless(to: Conversation, _: str) -> None:
        assert to.data is not None
        await to.say("150 soon")
        _, writer = await to.data
        while True:
            writer.write(b"type=file;size=1;modify=20240101000000; a.txt\r\n" * 100)
            await writer.drain()

    async with ScriptedServer() as server:
        server.scripts["MLSD"] = endless
        problem = await failure_of(fetch(source_at(server.url), retry_for(30), spool))
    assert problem.code == "source-listing"


@pytest.mark.asyncio
async def test_an_unreadable_folder_of_vsftpd_is_not_an_empty_one(spool: Path) -> None:
    async def vsftpd(to: Conversation, _: str) -> str:
        await to.send(b"")
        return "226 Transfer done (but failed to open directory)."

    async with ScriptedServer() as server:
        server.scripts["MLSD"] = vsftpd
        problem = await failure_of(fetch(source_at(server.url), retry_for(30), spool))
    assert problem.code == "source-listing"


@pytest.mark.asyncio
async def test_a_data_connection_that_fails_is_retried(spool: Path) -> None:
    def refuse_once(to: Conversation, argument: str) -> Any:
        return "425 Can't open data connection." if server.count["MLSD"] == 1 else to.on_mlsd(argument)

    async with ScriptedServer() as server:
        server.scripts["MLSD"] = refuse_once
        fetched = await fetch(source_at(server.url), retry_for(5), spool)
    assert len(fetched.files) == 1


@pytest.mark.asyncio
async def test_hostile_names_are_refused_by_name_and_nothing_leaves_the_spool(spool: Path, tmp_path: Path) -> None:
    names = [
        "../../evil.xlsx",
        "..\\evil.xlsx",
        "/etc/evil.xlsx",
        "a\u202egnp.xlsx",
        " lead.xlsx",
        "trail.xlsx ",
        "x\x01.xlsx",
    ]
    async with ScriptedServer() as server:
        lines = [f"type=file;size=12;modify=20240101000000; {name}\r\n" for name in [*names, "a.xlsx"]]
        server.listing = "".join(lines).encode()
        fetched = await fetch(source_at(server.url), retry_for(0), spool)
    assert [file.name for file in fetched.files] == ["a.xlsx"]
    assert [p.code for p in fetched.problems] == ["name-refused"] * len(names)
    assert all((p.value or "").isprintable() for p in fetched.problems)
    assert files_in(tmp_path) == ["spool"]
    assert files_in(spool) == ["000.xlsx"]
    assert not any(verb.startswith("RETR") and "evil" in verb for verb in server.seen)


@pytest.mark.asyncio
async def test_a_refused_connection_an_unknown_host_and_a_wall_are_distinguished(spool: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"ftp://127.0.0.1:{closed.getsockname()[1]}/"
        refused = await failure_of(fetch(source_at(url), retry_for(0), spool))
    unknown = await failure_of(fetch(source_at("ftp://no-such-host.invalid/"), retry_for(0), spool))
    assert (refused.code, unknown.code) == ("source-unreachable", "source-unreachable")
    assert "refused" in refused.message.lower() or "connect call failed" in refused.message.lower()
    assert len(unknown.message) > len("ftp://no-such-host.invalid:21 cannot be reached: ")


@pytest.mark.asyncio
async def test_dropped_packets_end_in_words(spool: Path) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (first, second):  # a queue of connections that is full drops what comes further
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        url = f"ftp://127.0.0.1:{full.getsockname()[1]}/"
        problem = await failure_of(fetch(source_at(url, connect_timeout=0.5), retry_for(0), spool))
    assert problem.code in {"source-unreachable", "source-stalled"}
    assert "no answer within 0.5 s" in problem.message


@pytest.mark.asyncio
async def test_a_server_of_another_protocol_is_reported(spool: Path) -> None:
    async def not_ftp(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    async with await asyncio.start_server(not_ftp, "127.0.0.1", 0) as other:
        url = f"ftp://127.0.0.1:{other.sockets[0].getsockname()[1]}/"
        problem = await failure_of(fetch(source_at(url), retry_for(0), spool))
    assert problem.code == "source-unreachable"
    assert "no FTP server: it says «SSH-2.0-OpenSSH_9.2»" in problem.message


@pytest.mark.asyncio
async def test_cancelling_ends_at_once_and_leaves_nothing(spool: Path) -> None:
    began = asyncio.Event()

    async def stall(to: Conversation, _: str) -> None:
        assert to.data is not None
        await to.say("150 soon")
        (await to.data)[1].write(bytes(5000))
        began.set()
        await asyncio.sleep(60)

    async with ScriptedServer() as server:
        server.files = {f"{number}.xlsx": bytes(10_000) for number in range(8)}
        server.scripts["RETR"] = stall
        before = asyncio.all_tasks()
        fetching = asyncio.create_task(fetch(source_at(server.url), retry_for(60), spool))
        await began.wait()
        await asyncio.sleep(0.1)
        fetching.cancel()
        since = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        assert time.monotonic() - since < 1
        mine = [
            task
            for task in asyncio.all_tasks() - before
            if "scripted" not in repr(task.get_coro()) and "Scripted" not in repr(task.get_coro())
        ]
        assert mine == []
    assert files_in(spool) == []


@pytest.mark.asyncio
async def test_a_spool_that_cannot_be_written_ends_the_fetch(tmp_path: Path) -> None:
    put(tmp_path, "file", b"in the way")
    async with ScriptedServer() as server:
        problem = await failure_of(fetch(source_at(server.url), retry_for(30), tmp_path / "file"))
    assert problem.code == "disk"
    assert server.connections == 0


@pytest.mark.asyncio
async def test_a_full_disk_ends_the_fetch_instead_of_blaming_the_server(spool: Path) -> None:
    async with ScriptedServer() as server:
        fill_the_disk(spool)
        server.files = {"a.xlsx": bytes(1000_000)}
        problem = await failure_of(fetch(source_at(server.url), retry_for(30), spool))
    assert problem.code == "disk"
    assert os.strerror(28) in problem.message


@pytest.mark.asyncio
async def test_an_idle_connection_that_the_server_closed_is_replaced(
    spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cpimportd.source.pool.FRESH_FOR", 0.0)

    def idle_too_long(*_: object) -> str:
        raise Hangup

    async with ScriptedServer() as server:
        server.scripts["NOOP"] = idle_too_long
        fetched = await fetch(source_at(server.url), retry_for(0), spool)
    assert len(fetched.files) == 1
    assert server.connections == 2


@pytest.mark.asyncio
async def test_old_files_cost_no_waiting(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.files = {f"{number}.xlsx": bytes(1000) for number in range(18)}
        began = time.monotonic()
        fetched = await fetch(source_at(server.url, stable_for=10), retry_for(60), spool)
    assert len(fetched.files) == 18
    assert time.monotonic() - began < 2


@pytest.mark.asyncio
async def test_a_young_file_is_waited_for_until_it_is_old_enough(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.modified["a.xlsx"] = datetime.now(UTC)
        began = time.monotonic()
        fetched = await fetch(source_at(server.url, stable_for=1.5), retry_for(10), spool)
    assert len(fetched.files) == 1
    assert 0.4 < time.monotonic() - began < 3


@pytest.mark.parametrize("stamp", [None, datetime(1970, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(hours=3)])
@pytest.mark.asyncio
async def test_a_file_of_unknown_or_impossible_age_is_looked_at_twice(stamp: datetime | None, spool: Path) -> None:
    async with ScriptedServer() as server:
        server.modified["a.xlsx"] = stamp
        began = time.monotonic()
        fetched = await fetch(source_at(server.url, stable_for=0.5), retry_for(10), spool)
    assert len(fetched.files) == 1
    assert 0.5 <= time.monotonic() - began < 2


@pytest.mark.asyncio
async def test_a_growing_file_is_taken_only_when_it_has_stopped(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.files = {"a.xlsx": b"1", "b.xlsx": b"done"}
        server.modified["a.xlsx"] = None

        async def upload() -> None:
            for _ in range(8):
                await asyncio.sleep(0.1)
                server.files["a.xlsx"] += b"more"

        uploading = asyncio.create_task(upload())
        fetched = await fetch(source_at(server.url, stable_for=0.4), retry_for(10), spool)
        await uploading
    assert {file.name: file.path.read_bytes() for file in fetched.files} == {
        "a.xlsx": b"1" + b"more" * 8,
        "b.xlsx": b"done",
    }


@pytest.mark.asyncio
async def test_a_file_that_never_stops_growing_is_a_problem_and_the_others_come(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.files = {"a.xlsx": b"1", "b.xlsx": b"done"}
        server.modified["a.xlsx"] = None

        async def upload() -> None:
            while True:
                await asyncio.sleep(0.05)
                server.files["a.xlsx"] += b"more"

        uploading = asyncio.create_task(upload())
        fetched = await fetch(source_at(server.url, stable_for=0.3), retry_for(1), spool)
        uploading.cancel()
    assert [file.name for file in fetched.files] == ["b.xlsx"]
    assert [(p.code, p.file) for p in fetched.problems] == [("still-uploading", "a.xlsx")]
    assert "bytes, then" in fetched.problems[0].message


@pytest.mark.asyncio
async def test_a_clock_that_makes_growing_files_look_old_does_not_deceive(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.modified["a.xlsx"] = datetime.now(UTC) - timedelta(hours=5)

        async def grows_meanwhile(to: Conversation, name: str) -> str:
            body = server.files[name]
            if server.count["RETR"] < 3:
                server.files[name] += b"more"
            await to.send(body)
            return "226 done"

        server.scripts["RETR"] = grows_meanwhile
        fetched = await fetch(source_at(server.url, stable_for=0.2), retry_for(10), spool)
    assert fetched.files[0].path.read_bytes() == b"content of amoremore"


@pytest.mark.asyncio
async def test_a_file_held_by_another_program_is_waited_for(spool: Path) -> None:
    """IIS answers so while 1C still writes."""

    def held(to: Conversation, name: str) -> Any:
        if server.count["RETR"] < 3:
            return "550 The process cannot access the file because it is being used by another process."
        return to.on_retr(name)

    async with ScriptedServer() as server:
        server.scripts["RETR"] = held
        fetched = await fetch(source_at(server.url, stable_for=0.1), retry_for(10), spool)
        assert len(fetched.files) == 1
        server.count.clear()
        server.scripts["RETR"] = lambda *_: "550 The file is being used by another process."
        fetched = await fetch(source_at(server.url, stable_for=0.1), retry_for(0.5), spool)
    assert [p.code for p in fetched.problems] == ["still-uploading"]


@pytest.mark.asyncio
async def test_a_server_with_list_only_and_no_times_is_served(spool: Path) -> None:
    async def iis(to: Conversation, _: str) -> str:
        await to.send(
            b"01-23-24  12:34PM       <DIR>          old.xlsx\r\n01-23-24  12:34PM                   12 a.xlsx\r\n"
        )
        return "226 done"

    async with ScriptedServer() as server:
        server.scripts["MLSD"] = lambda *_: "502 not implemented"
        server.scripts["MDTM"] = lambda *_: "502 not implemented"
        server.scripts["LIST"] = iis
        fetched = await fetch(source_at(server.url, stable_for=0.2), retry_for(5), spool)
    assert [(file.name, file.size, file.modified) for file in fetched.files] == [("a.xlsx", 12, None)]


@pytest.mark.asyncio
async def test_a_file_that_goes_between_list_and_mdtm_is_reported_alone(spool: Path) -> None:
    async def vsftpd(to: Conversation, _: str) -> str:
        line = "-rw-r--r--    1 1000     1000           12 Jan 02 2024 {}\r\n"
        names = ["a.xlsx", "renamed.xlsx"] if server.count["LIST"] == 1 else ["a.xlsx"]
        await to.send("".join(map(line.format, names)).encode())
        return "226 Directory send OK."

    async with ScriptedServer() as server:
        server.scripts["MLSD"] = lambda *_: "500 Unknown command."
        server.scripts["LIST"] = vsftpd
        fetched = await fetch(source_at(server.url), retry_for(5), spool)
    assert [file.name for file in fetched.files] == ["a.xlsx"]
    assert [(p.code, p.file) for p in fetched.problems] == [("download-failed", "renamed.xlsx")]
    assert "in the folder no more" in fetched.problems[0].message


@pytest.mark.asyncio
async def test_a_folder_meant_from_the_root_is_found(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.scripts["CWD"] = lambda _, path: "250 ok" if path == "/obmen/1c" else "550 no such folder"
        fetched = await fetch(source_at(f"{server.url}obmen/1c"), retry_for(0), spool)
    assert len(fetched.files) == 1


@pytest.mark.asyncio
async def test_only_wanted_names_are_downloaded(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.files = {"a.xlsx": b"a", "b.xlsx": b"b"}
        fetched = await fetch(source_at(server.url), retry_for(0), spool, only_names=lambda name: name == "b.xlsx")
        assert [file.name for file in fetched.files] == ["b.xlsx"]
        nothing = await fetch(source_at(server.url), retry_for(0), spool, only_names=lambda _: False)
        assert nothing == Fetched(())
    assert server.count["RETR"] == 1


@pytest.mark.asyncio
async def test_progress_is_reported_in_bytes_and_ends_with_finished(spool: Path) -> None:
    told = []
    async with ScriptedServer() as server:
        server.files = {"a.xlsx": bytes(3 * 1024**2)}
        await fetch(source_at(server.url), retry_for(0), spool, progress=told.append)
    assert [(p.done, p.total, p.finished) for p in told if p.file is None] == [(0, 1, False), (1, 1, True)]
    told = [p for p in told if p.file is not None]
    assert {(p.stage, p.file, p.total) for p in told} == {("fetch", "a.xlsx", 3 * 1024**2)}
    assert [p.done for p in told] == sorted(p.done for p in told)
    assert [p.finished for p in told] == [False] * (len(told) - 1) + [True]
    assert told[-1].done == 3 * 1024**2
