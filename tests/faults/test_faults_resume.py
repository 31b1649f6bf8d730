"""Downloads that go on where they broke off: bytes are saved, and never is one file's beginning kept with another's end."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cpimportd.source.download import OVERLAP
from tests.support.faults.carriers import cut, swallow
from tests.support.faults.line import ALWAYS, WHOLE, Line, content, first, line_to
from tests.support.faults.proxy import Cut
from tests.support.faults.table import Chapter, Faults
from tests.support.source.serving import Start, put

SIZE = 200_000
HALF = SIZE // 2


def asked(line: Line, verb: str) -> list[str]:
    return [command for command in line.proxy.commands if command.startswith(verb)]


@pytest.mark.parametrize("kind", ["pyftpdlib", "vsftpd", "proftpd", "pure-ftpd"])
@pytest.mark.asyncio
async def test_a_broken_download_goes_on_and_saves_bytes(
    kind: str, start: Start, served: Path, spool: Path, faults: Faults
) -> None:
    put(served, "a.xlsx", content(SIZE))
    async with line_to(start(kind), spool) as line:
        line.proxy.carrier_for = first(1, "RETR", cut(HALF, reset=False))
        outcome = await line.fetch()
    assert outcome == WHOLE
    assert asked(line, "REST") == [f"REST {HALF - OVERLAP}"]
    assert line.proxy.carried["RETR"] == SIZE + OVERLAP
    faults.tell(
        Chapter.LINE,
        f"{kind}: a download breaks in the middle",
        f"{outcome}; the next attempt continues there, with the last {OVERLAP // 1024} KiB sent again and compared",
    )


@pytest.mark.asyncio
async def test_a_line_that_breaks_again_and_again_brings_the_file_in_pieces(
    start: Start, served: Path, spool: Path, faults: Faults
) -> None:
    put(served, "a.xlsx", content(SIZE))
    async with line_to(start("pyftpdlib"), spool) as line:
        line.proxy.carrier_for = first(ALWAYS, "RETR", swallow(HALF))
        outcome = await line.fetch()
    assert outcome == WHOLE
    assert line.proxy.count("RETR") == 3
    faults.tell(Chapter.LINE, "every data connection is cut halfway", f"{outcome}, in pieces, one for each attempt")


def _refuse_rest(command: str) -> bytes | None:
    return b"502 Command not implemented.\r\n" if command.startswith("REST") else None


def _ignore_rest(command: str) -> bytes | None:
    return b"350 Restarting.\r\n" if command.startswith("REST") else None


def _refuse_the_restarted() -> Callable[[str], bytes | None]:
    restarted = False

    def refuse(command: str) -> bytes | None:
        nonlocal restarted
        before, restarted = restarted, command.startswith("REST")
        if restarted:
            return b"350 Restarting.\r\n"
        return b"554 Not from there.\r\n" if before else None

    return refuse


UNWILLING: dict[str, tuple[str, Callable[[], Callable[[str], bytes | None]], bytes]] = {
    "refuses": ("refuses REST", lambda: _refuse_rest, content(SIZE)),
    "refuses RETR": ("takes REST and refuses RETR after it", _refuse_the_restarted, content(SIZE)),
    "ignores": ("takes REST and sends from the beginning", lambda: _ignore_rest, content(SIZE)),
    "ignores, and it looks right": (
        "takes REST and sends from the beginning a file whose parts are all alike",
        lambda: _ignore_rest,
        bytes(SIZE),
    ),
}


@pytest.mark.parametrize("server", UNWILLING)
@pytest.mark.asyncio
async def test_a_server_that_does_not_resume_is_asked_once_and_sends_all_of_it(
    server: str, start: Start, served: Path, spool: Path, faults: Faults
) -> None:
    words, rule, body = UNWILLING[server]
    put(served, "a.xlsx", body)
    async with line_to(start("pyftpdlib"), spool) as line:
        line.proxy.on_command = rule()
        line.proxy.carrier_for = first(1, "RETR", cut(HALF, reset=False))
        outcome = await line.fetch()
    assert outcome == WHOLE
    assert line.proxy.count("REST") == 1
    faults.tell(Chapter.LINE, f"a download breaks, and the server {words}", f"{outcome}, from its beginning")


def _replace(path: Path, body: bytes, later: float = 0) -> None:
    """Another file in the place of one, so that who reads the old one is not disturbed."""
    then = path.stat().st_mtime + later
    fresh = path.with_name("new")
    fresh.write_bytes(body)
    fresh.chmod(0o644)
    os.utime(fresh, (then, then))
    fresh.replace(path)


REPLACED: dict[str, tuple[str, Callable[[Path], None], int]] = {
    "time": ("with another time", lambda path: _replace(path, content(SIZE, 2), later=60), 0),
    "size": ("with another size and the same time", lambda path: _replace(path, content(SIZE + 1, 2)), 0),
    "neither": ("with the same size and time", lambda path: _replace(path, content(SIZE, 2)), 1),
}


@pytest.mark.parametrize("how", REPLACED)
@pytest.mark.asyncio
async def test_a_file_replaced_between_two_tries_is_never_mixed(
    how: str, start: Start, served: Path, spool: Path, faults: Faults
) -> None:
    words, replace, restarts = REPLACED[how]
    path = put(served, "a.xlsx", content(SIZE))
    async with line_to(start("pyftpdlib"), spool) as line:
        line.proxy.carrier_for = first(1, "RETR", swallow(HALF))
        replaced = False

        def between(verb: str, said: bytes) -> bytes:
            nonlocal replaced
            if verb == "RETR" and said.startswith(b"226") and not replaced:
                replaced = True
                replace(path)
                raise Cut
            return said

        line.proxy.on_reply = between
        outcome = await line.fetch()
    assert replaced
    assert outcome == WHOLE
    assert line.proxy.count("REST") == restarts
    faults.tell(
        Chapter.LINE,
        f"a download breaks, and the file is replaced before the next attempt {words}",
        f"the new {outcome}",
    )


@pytest.mark.asyncio
async def test_without_times_nothing_is_resumed(start: Start, served: Path, spool: Path, faults: Faults) -> None:
    put(served, "a.xlsx", content(SIZE))
    async with line_to(start("pyftpdlib"), spool) as line:
        line.proxy.on_command = lambda command: b"500 what?\r\n" if command.startswith("MDTM") else None
        line.proxy.carrier_for = first(1, "RETR", cut(HALF, reset=False))
        outcome = await line.fetch()
    assert outcome == WHOLE
    assert line.proxy.count("REST") == 0
    faults.tell(
        Chapter.LINE, "a download breaks, and the server gives no times of its files", f"{outcome}, from its beginning"
    )
