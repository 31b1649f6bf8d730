"""FTP servers as they are: what they refuse, how they write their answers, and what a problem says of it."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cpimportd.config import settings
from cpimportd.core.problems import ProblemError
from cpimportd.source.client import epsv_port, pasv_port
from cpimportd.source.fetch import fetch
from cpimportd.source.listing import parse_size
from cpimportd.source.probe import probe
from tests.support.faults.table import Chapter, Faults
from tests.support.secrets import FTP, FTP_WRONG
from tests.support.source.scripted import Conversation, Hangup, ScriptedServer
from tests.support.source.serving import Start, failure_of, put, retry_for, settings_for
from tests.support.source.serving import source_at as any_source_at

VSFTPD_LINE = "-rw-r--r--    1 1000     1000     {size:>8} Jan 02 2024 {name}\r\n"


source_at = partial(any_source_at, stable_for=0.2)


async def by_pasv(to: Conversation, _: str) -> str:
    port = await to.passive()
    return f"227 Entering Passive Mode (127,0,0,1,{port >> 8},{port & 255})."


async def vsftpd_list(to: Conversation, _: str) -> str:
    lines = (VSFTPD_LINE.format(size=to.server.size(name), name=name) for name in to.server.files)
    await to.send("".join(lines).encode())
    return "226 Directory send OK."


async def closed_port(to: Conversation, _: str) -> str:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"229 Entering (|||{closed.getsockname()[1]}|)"


def saying(reply: str) -> Callable[..., str]:
    return lambda *_: reply


@pytest.mark.parametrize(
    "refusal",
    [
        saying("500 Unknown command."),
        saying("502 Not implemented."),
        saying("522 Network protocol not supported, use (1)"),
        saying("550 Permission denied."),
        saying("530 Please login with USER and PASS."),
        saying("425 Can't open data connection."),
        saying("451 Local error."),
        saying("501 Bad argument."),
        saying("200 EPSV ok"),
        saying("227 Entering Passive Mode (127,0,0,1,0,1)."),
        saying("229 Entering Extended Passive Mode"),
        saying("229 Entering Extended Passive Mode (|||99999|)"),
        saying("229-Wait\r\n229 no port here"),
        closed_port,
    ],
    ids=lambda value: value() if value is not closed_port else "229 and a closed port",
)
@pytest.mark.asyncio
async def test_whatever_epsv_gives_pasv_is_asked(refusal: Any, spool: Path) -> None:
    async with ScriptedServer() as server:
        server.files = {"a.xlsx": b"content", "b.xlsx": b"more"}
        server.scripts |= {"EPSV": refusal, "PASV": by_pasv}
        fetched = await fetch(source_at(server.url, parallel=1), retry_for(0), spool)
    assert {file.name: file.path.read_bytes() for file in fetched.files} == server.files
    assert server.count["EPSV"] == 1, "a connection asks but once for what it does not get"


async def hang(*_: object) -> None:
    await asyncio.sleep(60)


async def hang_up(*_: object) -> None:
    raise Hangup


async def half_an_answer(to: Conversation, _: str) -> None:
    to.writer.write(b"229 Entering (|||")
    await asyncio.sleep(60)


@pytest.mark.parametrize("silence", [hang, hang_up, half_an_answer])
@pytest.mark.asyncio
async def test_where_epsv_has_no_answer_at_all_the_next_connection_begins_with_pasv(silence: Any, spool: Path) -> None:
    async with ScriptedServer() as server:
        server.files = {f"{name}.xlsx": b"content" for name in "abcdef"}
        server.scripts |= {"EPSV": silence, "PASV": by_pasv}
        source = source_at(server.url, command_timeout=0.5)
        fetched = await fetch(source, retry_for(20), spool)
        asked = server.count["EPSV"]
        steps = await probe(source)
    assert len(fetched.files) == 6
    assert asked == 1
    assert [(step.name, step.problem) for step in steps][-1] == ("read", None)


@pytest.mark.asyncio
async def test_a_line_that_broke_once_at_epsv_costs_no_server_that_knows_nothing_else(spool: Path) -> None:
    epsv, asked = Conversation.on_epsv, []

    async def once(to: Conversation, argument: str) -> str:
        asked.append(argument)
        if len(asked) == 1:
            raise Hangup
        return await epsv(to, argument)

    async with ScriptedServer() as server:
        server.scripts |= {"EPSV": once, "PASV": saying("502 not over IPv6")}
        fetched = await fetch(source_at(server.url), retry_for(20), spool)
    assert [file.size for file in fetched.files] == [12]


@pytest.mark.asyncio
async def test_the_farewell_in_the_place_of_epsv_is_a_farewell(spool: Path) -> None:
    def farewell(*_: object) -> str:
        return "421 Going down for maintenance."

    async with ScriptedServer() as server:
        server.scripts["EPSV"] = farewell
        problem = await failure_of(fetch(source_at(server.url), retry_for(0), spool))
    assert problem.code == "source-unreachable"
    assert "EPSV: 421 Going down for maintenance." in problem.message
    assert server.count["PASV"] == 0


@pytest.mark.parametrize(
    "written",
    [
        "227 Entering Passive Mode 127,0,0,1,{high},{low}",
        "227 Entering Passive Mode (127,0,0,1,{high},{low})",
        "227 Entering Passive Mode. 127, 0, 0, 1, {high}, {low}.",
        "227 =127,0,0,1,{high},{low}",
        "227 Passive [10,1,2,3,{high},{low}]",
        "227-Passive mode\r\n227 Entering Passive Mode (127,0,0,1,{high},{low})",
    ],
)
@pytest.mark.asyncio
async def test_pasv_is_read_with_and_without_brackets(written: str, spool: Path) -> None:
    async def answer(to: Conversation, _: str) -> str:
        high, low = divmod(await to.passive(), 256)
        return written.format(high=high, low=low)

    async with ScriptedServer() as server:
        server.scripts |= {"EPSV": saying("500 what?"), "PASV": answer}
        fetched = await fetch(source_at(server.url), retry_for(0), spool)
    assert [file.size for file in fetched.files] == [12]


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("Entering Extended Passive Mode (|||6446|)", 6446),
        ("Entering Extended Passive Mode (|1|132.235.1.2|6275|)", 6275),
        ("Entering Extended Passive Mode (|2|1080::8:800:200C:417A|5282|)", 5282),
        ("(!!!6446!)", 6446),
        ("(!1!132.235.1.2!6446!)", 6446),
        ("(###6446#).", 6446),
        ("Entering Extended Passive Mode |||6446|", 6446),
        ("(the port is) (|||6446|)", 6446),
        ("(|||0|)", None),
        ("(|||65536|)", None),
        ("(|||port|)", None),
        ("ok", None),
        ("|" * 200_000, None),
        ("(" + "|" * 200_000, None),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else str(value),
)
def test_epsv_is_read_as_rfc_2428_has_it(text: str, port: int | None) -> None:
    assert epsv_port(text) == port


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("(127,0,0,1,4,5)", 1029),
        ("127,0,0,1,4,5", 1029),
        ("(127,0,0,1,256,5)", None),
        ("(127,0,0,1,0,0)", None),
        ("(127,0,0,1)", None),
    ],
)
def test_a_port_of_pasv_is_two_bytes(text: str, port: int | None) -> None:
    assert pasv_port(text) == port


@pytest.mark.asyncio
async def test_the_data_connection_goes_to_the_address_of_the_control_connection(spool: Path) -> None:
    """Also over IPv6, and whatever address the answer names."""
    async with ScriptedServer() as server:

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await Conversation(server, reader, writer).serve()

        async def epsv(to: Conversation, _: str) -> str:
            to.data = asyncio.get_running_loop().create_future()
            answer = to.data
            to.listener = await asyncio.start_server(lambda *ends: answer.set_result(ends), "::1", 0)
            return f"229 (|2|2001:db8::1|{to.listener.sockets[0].getsockname()[1]}|)"

        try:
            listener = await asyncio.start_server(accept, "::1", 0)
        except OSError:
            pytest.skip("this machine has no IPv6")
        server.scripts["EPSV"] = epsv
        async with listener:
            url = f"ftp://[::1]:{listener.sockets[0].getsockname()[1]}/"
            fetched = await fetch(source_at(url), retry_for(0), spool)
    assert [file.size for file in fetched.files] == [12]


@pytest.mark.asyncio
async def test_a_server_without_passive_mode_is_named_so_and_at_once(
    start: Start, served: Path, spool: Path, faults: Faults
) -> None:
    put(served, "a.xlsx", b"content")
    server = start("vsftpd", options={"pasv_enable": "NO"})
    problem = await failure_of(fetch(settings_for(server), retry_for(60), spool))
    assert problem.code == "source-passive"
    assert "PASV: 550 Permission denied." in problem.message
    assert "EPSV: 550 Permission denied." in problem.message
    assert "pasv_enable=YES" in problem.way_out
    faults.tell(Chapter.SERVER, "vsftpd without passive mode (`pasv_enable=NO`)", f"`{problem.code}`, at once")


@pytest.mark.asyncio
async def test_closed_data_ports_are_named_and_may_pass(spool: Path) -> None:
    async def closed(to: Conversation, _: str) -> str:
        port = int((await closed_port(to, "")).split("|||")[1].split("|")[0])
        return f"227 (127,0,0,1,{port >> 8},{port & 255})"

    async with ScriptedServer() as server:
        server.scripts |= {"EPSV": closed_port, "PASV": closed}
        problem = await failure_of(fetch(source_at(server.url), retry_for(0.3), spool))
    assert problem.code == "source-passive"
    assert "cannot be reached" in problem.message
    assert server.count["PASV"] > 1


@pytest.mark.parametrize("denied", ["MDTM,SIZE", "MDTM", "SIZE", "EPSV", "EPSV,MDTM,SIZE"])
@pytest.mark.asyncio
async def test_vsftpd_with_denied_commands_is_served(
    denied: str, start: Start, served: Path, spool: Path, faults: Faults
) -> None:
    contents = {"a.xlsx": bytes(70_000), "b c.xlsx": b"content", "Списание.xlsx": b"3"}
    for name, content in contents.items():
        put(served, name, content)
    server = start("vsftpd", options={"cmds_denied": denied})
    fetched = await fetch(settings_for(server, stable_for=0.3), retry_for(5), spool)
    assert fetched.problems == ()
    assert {file.name: file.path.read_bytes() for file in fetched.files} == contents
    assert all((file.modified is None) == ("MDTM" in denied) for file in fetched.files)
    known = "of unknown time" if "MDTM" in denied else "with its time"
    faults.tell(Chapter.SERVER, f"vsftpd that denies {denied}", f"every file whole, {known}")


@pytest.mark.asyncio
async def test_check_knows_a_server_with_denied_commands_on_day_0(start: Start, served: Path) -> None:
    put(served, "a.xlsx", bytes(200_000))
    steps = await probe(settings_for(start("vsftpd", options={"cmds_denied": "MDTM,SIZE"})))
    assert [step.name for step in steps] == ["reach", "log in", "list", "read", "read"]
    assert steps[3].detail == "a.xlsx has 200\u00a0000 bytes; its first 65\u00a0536 arrived"
    warning = steps[4].problem
    assert warning is not None
    assert (warning.code, warning.kind.effect.value) == ("source-untold", "warns")
    assert "SIZE: 550 Permission denied." in warning.message
    assert "MDTM: 550 Permission denied." in warning.message


@pytest.mark.asyncio
async def test_check_names_a_server_that_gives_no_file(start: Start, served: Path) -> None:
    put(served, "a.xlsx", b"content")
    steps = await probe(settings_for(start("vsftpd", options={"cmds_denied": "RETR"})))
    assert [(step.name, step.problem.code if step.problem else None) for step in steps][-2:] == [
        ("list", None),
        ("read", "download-failed"),
    ]
    assert steps[-1].problem is not None
    assert "RETR a.xlsx: 550 Permission denied." in steps[-1].problem.message


@pytest.mark.asyncio
async def test_check_looks_into_a_folder_of_this_machine_too(tmp_path: Path) -> None:
    put(tmp_path, "a.xlsx", bytes(10))
    put(tmp_path, "empty.xlsx", b"")
    steps = await probe(settings.Source(url=tmp_path.as_uri()))
    assert [step.name for step in steps] == ["list", "read"]
    assert steps[1].detail.startswith("a.xlsx has 10 bytes, last written ")


@pytest.mark.asyncio
async def test_without_size_and_time_a_growing_file_is_still_not_taken(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.files = {"a.xlsx": b"1"}
        server.scripts |= {
            "MLSD": saying("550 Permission denied."),
            "LIST": vsftpd_list,
            "SIZE": saying("550 Permission denied."),
            "MDTM": saying("550 Permission denied."),
        }

        async def upload() -> None:
            for _ in range(8):
                await asyncio.sleep(0.1)
                server.files["a.xlsx"] += b"more"

        uploading = asyncio.create_task(upload())
        fetched = await fetch(source_at(server.url, stable_for=0.4), retry_for(10), spool)
        await uploading
    assert [file.path.read_bytes() for file in fetched.files] == [b"1" + b"more" * 8]
    assert fetched.files[0].modified is None


@pytest.mark.asyncio
async def test_without_size_a_short_file_is_still_short(spool: Path) -> None:
    async def half(to: Conversation, name: str) -> str:
        await to.send(to.server.files[name][:5])
        return "226 Transfer complete."

    async with ScriptedServer() as server:
        server.scripts |= {"SIZE": saying("550 no"), "MDTM": saying("550 no"), "RETR": half}
        fetched = await fetch(source_at(server.url), retry_for(0.2), spool)
    assert [(p.code, p.message) for p in fetched.problems] == [("download-short", "5 of 12 bytes arrived")]


@pytest.mark.asyncio
async def test_size_that_wants_binary_mode_gets_it(spool: Path) -> None:
    modes: list[str] = []

    def size(to: Conversation, name: str) -> str:
        if modes[-1] != "I":
            return "550 SIZE not allowed in ASCII mode."
        modes.append("A")  # as servers do that forget the mode
        return to.on_size(name)

    def mode(_: Conversation, argument: str) -> str:
        modes.append(argument)
        return "200 ok"

    async with ScriptedServer() as server:
        server.scripts |= {"SIZE": size, "TYPE": mode}
        fetched = await fetch(source_at(server.url), retry_for(0), spool)
    assert [file.size for file in fetched.files] == [12]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (" 12", 12),
        ("12", 12),
        ("  12  ", 12),
        ("\t12 bytes", 12),
        ("12.5", None),
        ("-1", None),
        ("", None),
        ("x", None),
    ],
)
def test_a_size_is_read_whatever_stands_around_it(text: str, size: int | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("time", ["  20240102030405", "20240102030405.123", "20240102030405 UTC", "20240102030405.  "])
@pytest.mark.asyncio
async def test_a_time_with_strange_surroundings_is_a_time_or_unknown(time: str, spool: Path) -> None:
    async with ScriptedServer() as server:
        server.listing = b"type=file;size=12; a.xlsx\r\n"
        server.scripts["MDTM"] = saying(f"213 {time}")
        fetched = await fetch(source_at(server.url), retry_for(5), spool)
    assert [file.size for file in fetched.files] == [12]
    known = fetched.files[0].modified
    assert (known.year if known else None) == (None if time.endswith(".  ") else 2024)


@pytest.mark.parametrize("verb", ["EPSV", "USER", "MLSD", "TYPE", "CWD", "RETR", "PASS"])
@pytest.mark.parametrize("how", ["refused", "silent", "hung up", "nonsense"])
@pytest.mark.asyncio
async def test_every_problem_names_the_command(verb: str, how: str, spool: Path) -> None:
    async def silent(*_: object) -> None:
        await asyncio.sleep(60)

    def hang_up(*_: object) -> None:
        raise Hangup

    how_it_goes: dict[str, Any] = {
        "refused": saying("550 Not today."),
        "silent": silent,
        "hung up": hang_up,
        "nonsense": saying("x" * 70_000),
    }
    async with ScriptedServer() as server:
        server.scripts |= {verb: how_it_goes[how], "PASV": saying("500 PASV not understood")}
        limit = 1.0 if how == "silent" else 10.0  # on a busy machine another command may take a while
        fetching = fetch(source_at(f"{server.url}folder", command_timeout=limit), retry_for(0), spool)
        try:
            found = (await fetching).problems[0]
        except ProblemError as error:
            found = error.problems[0]
    named = {"MLSD": "LIST" if how == "refused" else "MLSD", "RETR": "RETR a.xlsx"}.get(verb, verb)
    assert named in found.message
    assert FTP not in found.message


@pytest.mark.asyncio
async def test_a_password_is_struck_out_however_the_server_writes_it(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.scripts["PASS"] = lambda _, given: f"500 'PASS {given.upper()}': command not understood"
        problem = await failure_of(
            fetch(source_at(server.url, password=SecretStr(FTP_WRONG)), retry_for(0), spool),
        )
    assert problem.code == "source-login"
    assert "PASS: 500 'PASS ***': command not understood" in problem.message


@pytest.mark.asyncio
async def test_a_server_that_wants_no_password_is_logged_in_to_and_named(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.scripts["PASS"] = saying("202 Command not implemented, superfluous at this site.")
        fetched = await fetch(source_at(server.url), retry_for(0), spool)
        steps = await probe(source_at(server.url))
    assert [file.size for file in fetched.files] == [12]
    assert "wants no password" in steps[1].detail
    assert "202 Command not implemented" in steps[1].detail


@pytest.mark.parametrize("reply", ["332 Need account for login.", "331 Try again.", "336 Challenge."])
@pytest.mark.asyncio
async def test_a_login_that_wants_more_than_a_password_is_refused_and_tried_once(reply: str, spool: Path) -> None:
    async with ScriptedServer() as server:
        server.scripts["PASS"] = saying(reply)
        problem = await failure_of(fetch(source_at(server.url), retry_for(30), spool))
    assert problem.code == "source-login"
    assert f"PASS: {reply}" in problem.message
    assert server.count["PASS"] == 1


@pytest.mark.asyncio
async def test_binary_mode_refused_is_no_wrong_password(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.scripts["TYPE"] = saying("504 Not for that parameter.")
        problem = await failure_of(fetch(source_at(server.url), retry_for(30), spool))
    assert problem.code == "source-binary"
    assert "TYPE I: 504 Not for that parameter." in problem.message


@pytest.mark.parametrize("scheme", ["ftp", "ftps"])
@pytest.mark.asyncio
async def test_tls_from_the_first_byte_is_named(scheme: str, certificate: Path, spool: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")

    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context) as server:
        url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        problem = await failure_of(fetch(source_at(url, connect_timeout=0.5), retry_for(30), spool))
        steps = await probe(source_at(url, connect_timeout=0.5))
    assert problem.code == "source-implicit-tls"
    assert "implicit FTPS" in problem.message
    assert "AUTH TLS" in problem.way_out
    assert steps[0].problem is not None
    assert steps[0].problem.code == "source-implicit-tls"


@pytest.mark.asyncio
async def test_tls_spoken_unasked_is_named(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.greeting = "\x15\x03\x01\x00\x02\x02\n"  # TLS's alert 10, unexpected_message
        problem = await failure_of(fetch(source_at(server.url), retry_for(30), spool))
    assert problem.code == "source-implicit-tls"


@pytest.mark.asyncio
async def test_vsftpd_with_implicit_tls_is_named(start: Start, spool: Path, faults: Faults) -> None:
    server = start("vsftpd", tls=True, options={"implicit_ssl": "YES"})
    problem = await failure_of(fetch(settings_for(server, connect_timeout=1), retry_for(30), spool))
    assert problem.code == "source-implicit-tls"
    faults.tell(Chapter.SERVER, "vsftpd with implicit TLS under `ftps://`", f"`{problem.code}`")


@pytest.mark.asyncio
async def test_a_greeting_with_dates_and_other_numbers_is_read(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.greeting = "220-Welcome\r\n2026-11-30: maintenance\r\n530 ways to leave\r\n220-more\r\n\r\n220 ready"
        fetched = await fetch(source_at(server.url), retry_for(0), spool)
    assert len(fetched.files) == 1


@pytest.mark.parametrize("verb", ["OPTS", "REST", "MDTM"])
@pytest.mark.parametrize("code", ["500", "501", "502", "504", "550", "530"])
@pytest.mark.asyncio
async def test_refused_extras_cost_nothing(verb: str, code: str, spool: Path) -> None:
    async with ScriptedServer() as server:
        server.scripts[verb] = saying(f"{code} no")
        fetched = await fetch(source_at(server.url), retry_for(5), spool)
    assert [file.size for file in fetched.files] == [12]


@pytest.mark.parametrize("reply", ["450 No files found.", "550 No files found"])
@pytest.mark.asyncio
async def test_no_files_found_is_an_empty_folder(reply: str, spool: Path) -> None:
    async with ScriptedServer() as server:
        server.scripts |= {"MLSD": saying("500 no"), "LIST": saying(reply)}
        problem = await failure_of(fetch(source_at(server.url), retry_for(0), spool))
    assert problem.code == "source-empty"


@pytest.mark.asyncio
async def test_a_listing_that_is_forbidden_and_a_missing_folder_say_what_was_asked(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.scripts |= {"MLSD": saying("550 Permission denied."), "LIST": saying("550 Permission denied.")}
        listing = await failure_of(fetch(source_at(server.url), retry_for(30), spool))
        server.scripts["CWD"] = saying("550 Failed to change directory.")
        missing = await failure_of(fetch(source_at(f"{server.url}absent"), retry_for(30), spool))
    assert (listing.code, missing.code) == ("source-listing", "source-listing")
    assert "LIST: 550 Permission denied." in listing.message
    assert "CWD /absent: 550 Failed to change directory." in missing.message


@pytest.mark.asyncio
async def test_words_of_a_russian_windows_server_are_readable(spool: Path) -> None:
    async with ScriptedServer() as server:

        async def refuse(to: Conversation, _: str) -> None:
            await to.say("530 Доступ запрещён.".encode("cp1251"))

        server.scripts["PASS"] = refuse
        problem = await failure_of(fetch(source_at(server.url), retry_for(0), spool))
    assert "PASS: 530 Доступ запрещён." in problem.message
