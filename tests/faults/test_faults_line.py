"""A line that breaks, stalls or crawls between us and a real FTP server: the whole file, or a problem with a code."""

import asyncio
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import pytest

from cpimportd.source.control import Stream
from cpimportd.source.download import OVERLAP
from tests.support.faults.carriers import cut, stall, swallow, trickle
from tests.support.faults.line import ALWAYS, WHOLE, content, first, first_replies, line_to, sample
from tests.support.faults.proxy import Cut
from tests.support.faults.table import Chapter, Faults
from tests.support.source.serving import Start, put

SIZE = 100_000
BROKEN = {"`download-short`", "`download-failed`"}

HOW = {
    "FIN": lambda at: cut(at, reset=False),
    "FIN, and the server says 226": swallow,
    "RST": lambda at: cut(at, reset=True),
}


def interesting(size: int) -> set[int]:
    """Bytes at which counting, blocks and the overlap of resumed downloads begin and end."""
    edges = {0, 4096, OVERLAP, 2 * OVERLAP, 65536, size // 2, size}
    near = {edge + step for edge in edges for step in (-1, 0, 1)}
    return {at for at in near | set(range(0, size, 5000)) if 0 <= at <= size}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kind", ["pyftpdlib", "vsftpd"])
@pytest.mark.asyncio
async def test_a_data_connection_cut_at_any_byte(
    kind: str, how: str, start: Start, served: Path, spool: Path, faults: Faults, whole: bool
) -> None:
    put(served, "a.xlsx", content(SIZE))
    async with line_to(start(kind), spool) as line:
        once, always = set(), set()
        for at in sample(interesting(SIZE), 4, take_all=whole):
            line.proxy.carrier_for = first(1, "RETR", HOW[how](at))
            once.add(await line.fetch())
        for at in sample((0, 1, OVERLAP), 3, take_all=whole):
            line.proxy.carrier_for = first(ALWAYS, "RETR", HOW[how](at))
            always.add(await line.fetch(within=0.2))
    assert once == {WHOLE}
    assert always
    assert always <= BROKEN
    faults.tell(
        Chapter.LINE,
        f"{kind}: the data connection is cut at any byte of the file ({how})",
        f"{once.pop()} by a retry; cut near its beginning at every attempt: `download-short` or `download-failed`",
    )


@pytest.mark.parametrize("how", HOW)
@pytest.mark.asyncio
async def test_a_listing_cut_at_any_byte(
    how: str, start: Start, served: Path, spool: Path, faults: Faults, whole: bool
) -> None:
    for number in range(2):
        put(served, f"{number}.xlsx", content(20, number))
    once, always = set(), set()
    async with line_to(start("pyftpdlib"), spool) as line:
        await line.fetch()
        length = line.proxy.carried["MLSD"]
        # Between two lines only the server can say that more was to come.
        within_a_line = [at for at in range(1, length) if at % (length // 2)]
        for at in sample(within_a_line, 3, take_all=whole):
            line.proxy.carrier_for = first(1, "MLSD", HOW[how](at))
            once.add(await line.fetch())
            line.proxy.carrier_for = first(ALWAYS, "MLSD", HOW[how](at))
            always.add(await line.fetch(within=0))
    assert once == {WHOLE}
    assert always == {"`source-unreachable`"}
    faults.tell(
        Chapter.LINE,
        f"the listing is cut within a line ({how})",
        f"{once.pop()} by a retry; at every attempt: {always.pop()}",
    )


def cut_here(_: bytes) -> bytes:
    raise Cut


def say_421(_: bytes) -> bytes:
    raise Cut(b"421 Timeout.\r\n")


REPLIES: dict[str, tuple[str, Callable[[bytes], bytes], set[str]]] = {
    "cut": ("the control connection is cut in the place of", cut_here, {"`source-unreachable`", "`download-failed`"}),
    "silence": ("the server is silent in the place of", lambda _: b"", {"`source-stalled`", "`download-failed`"}),
    "twice": ("the server sends twice", lambda line: line * 2, {"`source-unreachable`", "`download-failed`"}),
    "421": ("421 and a cut in the place of", say_421, {"`source-busy`", "`source-unreachable`", "`download-failed`"}),
}


@pytest.mark.parametrize("fault", REPLIES)
@pytest.mark.asyncio
async def test_any_reply_that_is_not_as_it_should_be(
    fault: str, start: Start, served: Path, spool: Path, faults: Faults, whole: bool
) -> None:
    put(served, "a.xlsx", content(1000))
    words, change, known = REPLIES[fault]
    always = set()
    for kind in ("pyftpdlib", "vsftpd") if whole else ("pyftpdlib",):
        async with line_to(start(kind), spool) as line:
            assert await line.fetch() == WHOLE
            verbs = dict.fromkeys(("", *(command.partition(" ")[0] for command in line.proxy.commands)))
            for verb in verbs:
                line.proxy.on_reply = first_replies(1, verb, change)
                assert await line.fetch(command_timeout=0.3, connect_timeout=1) == WHOLE, verb
                line.proxy.on_reply = first_replies(ALWAYS, verb, change)
                outcome = await line.fetch(within=0, command_timeout=0.3, connect_timeout=1)
                if verb == "QUIT":
                    assert outcome == WHOLE
                else:
                    always.add(outcome)
    assert always == known
    faults.tell(
        Chapter.LINE,
        f"{words} any one reply, from the greeting to the last",
        f"{WHOLE} by a retry; at every attempt: {' or '.join(sorted(always))}",
    )


@pytest.mark.asyncio
async def test_a_control_connection_cut_at_any_byte(
    start: Start, served: Path, spool: Path, faults: Faults, whole: bool
) -> None:
    put(served, "a.xlsx", content(1000))
    once, always, said = set(), set(), []
    async with line_to(start("pyftpdlib"), spool) as line:
        line.proxy.on_command = lambda command: said.append(line.proxy.said) if command == "QUIT" else None
        await line.fetch()
        for at in sample(range(said[0]), 8, take_all=whole):
            line.proxy.control_cuts = iter((at,))
            once.add(await line.fetch())
            line.proxy.control_cuts = repeat(at)
            always.add(await line.fetch(within=0))
    assert once == {WHOLE}
    assert always == {"`source-unreachable`", "`download-failed`"}
    faults.tell(
        Chapter.LINE,
        "the control connection is cut at any byte, within replies too",
        f"{once.pop()} by a retry; at every attempt: {' or '.join(sorted(always))}",
    )


@pytest.mark.parametrize("kind", ["pyftpdlib", "vsftpd"])
@pytest.mark.asyncio
async def test_the_control_connection_is_cut_before_the_final_226(
    kind: str, start: Start, served: Path, spool: Path, faults: Faults
) -> None:
    put(served, "a.xlsx", content(SIZE))

    async with line_to(start(kind), spool) as line:
        left = 1

        def before_226(verb: str, said: bytes) -> bytes:
            nonlocal left
            if verb == "RETR" and said.startswith(b"226") and left:
                left -= 1
                raise Cut
            return said

        line.proxy.on_reply = before_226
        once = await line.fetch()
        assert line.proxy.carried["RETR"] <= SIZE + OVERLAP
        left = ALWAYS
        always = await line.fetch(within=0.2)
    assert (once, always) == (WHOLE, "`download-failed`")
    faults.tell(
        Chapter.LINE,
        f"{kind}: all bytes came, and the control connection is cut before the final 226",
        f"{once} by a retry, which has only the last {OVERLAP // 1024} KiB sent again; at every attempt: {always}",
    )


@pytest.mark.asyncio
async def test_a_stalled_data_connection(start: Start, served: Path, spool: Path, faults: Faults, whole: bool) -> None:
    put(served, "a.xlsx", content(SIZE))
    once, always = set(), set()
    async with line_to(start("pyftpdlib"), spool) as line:
        for at in sample(interesting(SIZE), 4, take_all=whole):
            line.proxy.carrier_for = first(1, "RETR", stall(at))
            once.add(await line.fetch(command_timeout=0.3))
            line.proxy.carrier_for = first(ALWAYS, "RETR", stall(at))
            always.add(await line.fetch(within=0, command_timeout=0.3))
        line.proxy.carrier_for = first(ALWAYS, "MLSD", stall(20))
        listing = await line.fetch(within=0, command_timeout=0.3)
    assert (once, always) == ({WHOLE}, {"`download-failed`"})
    faults.tell(
        Chapter.LINE,
        "the data connection falls silent at any byte, also after the last",
        f"{once.pop()} by a retry after source.command_timeout; at every attempt: {always.pop()}; a listing: {listing}",
    )


@pytest.mark.asyncio
async def test_one_byte_at_a_time(start: Start, served: Path, spool: Path, faults: Faults) -> None:
    put(served, "a.xlsx", content(SIZE))
    async with line_to(start("pyftpdlib"), spool) as line:
        line.proxy.carrier_for = first(1, "RETR", trickle(0.01))
        once = await line.fetch(transfer_timeout=1)
        line.proxy.carrier_for = first(ALWAYS, "RETR", trickle(0.01))
        always = await line.fetch(within=0, transfer_timeout=1)
        line.proxy.carrier_for = first(ALWAYS, "MLSD", trickle(0.1))
        listing = await line.fetch(within=0, transfer_timeout=0.5)
    assert (once, always, listing) == (WHOLE, "`download-failed`", "`source-stalled`")
    faults.tell(
        Chapter.LINE,
        "bytes come one at a time, never silent long enough for source.command_timeout",
        f"{once} by a retry after source.transfer_timeout; at every attempt: {always}; a listing: {listing}",
    )


@pytest.mark.parametrize("steps", range(5))
@pytest.mark.asyncio
async def test_an_order_to_stop_is_heard_though_bytes_come_at_that_moment(steps: int) -> None:
    reader = asyncio.StreamReader()
    stream = Stream(reader, None, 60)  # type: ignore[arg-type]

    async def read_for_ever() -> None:
        while True:
            await stream.read(1)

    reading = asyncio.ensure_future(read_for_ever())
    await asyncio.sleep(0.01)
    reader.feed_data(b"x")
    for _ in range(steps):
        await asyncio.sleep(0)
    reading.cancel()
    _, pending = await asyncio.wait({reading}, timeout=5)
    reading.cancel()
    assert not pending
