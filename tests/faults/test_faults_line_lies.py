"""Servers that tell what is not so, files that change meanwhile, and servers that have no connection left."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

import pytest

from tests.support.faults.carriers import after, rewritten
from tests.support.faults.line import ALWAYS, NEVER_LONGER, WHOLE, content, first, first_replies, line_to
from tests.support.faults.table import Chapter, Faults
from tests.support.source.serving import Start, put

SIZE = 100_000

BOTH = ["a.xlsx", "b.xlsx"]

SHORT = {"`download-short`", "`still-uploading`"}
"""Whether the two sizes are seen to differ, or the bytes and the size, is a matter of time."""

SIZES: dict[str, tuple[bytes, set[str]]] = {
    "less than it is": (b"213 99999\r\n", SHORT),
    "more than it is": (b"213 100001\r\n", SHORT),
    "nothing": (b"213 0\r\n", SHORT),
    "more than source.max_file_size": (b"213 99999999999999\r\n", {"`file-too-large`", "`still-uploading`"}),
    "a negative number": (b"213 -1\r\n", {WHOLE}),
    "no number": (b"213 many\r\n", {WHOLE}),
    "digits of another script": ("213 ١٠٠٠٠٠\r\n".encode(), {WHOLE}),
}


@pytest.mark.parametrize("lie", SIZES)
@pytest.mark.asyncio
async def test_a_wrong_size(lie: str, start: Start, served: Path, spool: Path, faults: Faults) -> None:
    said, outcomes = SIZES[lie]
    put(served, "a.xlsx", content(SIZE))
    async with line_to(start("pyftpdlib"), spool) as line:
        line.proxy.on_reply = first_replies(1, "SIZE", lambda _: said)
        once = await line.fetch()
        line.proxy.on_reply = first_replies(ALWAYS, "SIZE", lambda _: said)
        always = await line.fetch(within=0.3)
    assert once == WHOLE
    assert always in outcomes
    faults.tell(
        Chapter.LINE,
        f"SIZE reports {lie}, the listing is right",
        f"once: {once}; always: {' or '.join(sorted(outcomes))}",
    )


@pytest.mark.parametrize("size", [SIZE - 1, SIZE + 1])
@pytest.mark.asyncio
async def test_a_size_that_is_wrong_in_the_listing_too(
    size: int, start: Start, served: Path, spool: Path, faults: Faults
) -> None:
    put(served, "a.xlsx", content(SIZE))
    async with line_to(start("pyftpdlib"), spool) as line:
        line.proxy.on_reply = first_replies(ALWAYS, "SIZE", lambda _: b"213 %d\r\n" % size)
        line.proxy.carrier_for = first(
            ALWAYS, "MLSD", rewritten(lambda lines: lines.replace(b"size=%d" % SIZE, b"size=%d" % size))
        )
        outcome = await line.fetch(within=0.3)
    assert outcome == "`download-short`"
    word = "less" if size < SIZE else "more"
    faults.tell(Chapter.LINE, f"SIZE and listing agree on {word} than the file has", outcome)


def _line_of(lines: bytes, name: bytes) -> bytes:
    return next(line for line in lines.splitlines(keepends=True) if line.endswith(name + b"\r\n"))


LISTINGS: dict[str, tuple[Callable[[bytes], bytes], str, list[str]]] = {
    "gives other sizes": (lambda lines: re.sub(rb"size=\d+", b"size=7", lines), WHOLE, BOTH),
    "gives no sizes": (lambda lines: re.sub(rb"size=\d+;", b"", lines), WHOLE, BOTH),
    "gives a future time": (lambda lines: re.sub(rb"modify=\d+", b"modify=20991231235959", lines), WHOLE, BOTH),
    "gives an impossible time": (lambda lines: re.sub(rb"modify=\d+", b"modify=20261399999999", lines), WHOLE, BOTH),
    "has a name twice": (lambda lines: lines + _line_of(lines, b"a.xlsx"), WHOLE, BOTH),
    "names a file that does not exist, of a name that differs by case": (
        lambda lines: lines + _line_of(lines, b"a.xlsx").replace(b"a.xlsx", b"A.xlsx"),
        "`download-failed`",
        ["A.xlsx", *BOTH],
    ),
    "names a file that does not exist": (
        lambda lines: lines + _line_of(lines, b"a.xlsx").replace(b"a.xlsx", b"c.xlsx"),
        "`download-failed`",
        [*BOTH, "c.xlsx"],
    ),
    "leaves a file out": (lambda lines: lines.replace(_line_of(lines, b"a.xlsx"), b""), WHOLE, ["b.xlsx"]),
}


@pytest.mark.parametrize("lie", LISTINGS)
@pytest.mark.asyncio
async def test_a_listing_that_lies(lie: str, start: Start, served: Path, spool: Path, faults: Faults) -> None:
    change, expected, asked = LISTINGS[lie]
    put(served, "a.xlsx", content(1000))
    put(served, "b.xlsx", content(2000, 2))
    async with line_to(start("pyftpdlib"), spool) as line:
        line.proxy.carrier_for = first(ALWAYS, "MLSD", rewritten(change))
        outcome = await line.fetch()
    assert outcome == expected
    assert sorted(c.removeprefix("RETR ") for c in line.proxy.commands if c.startswith("RETR")) == asked
    of = " and ".join(asked) if outcome == WHOLE else "for that one; the others are fetched whole"
    faults.tell(Chapter.LINE, f"the listing of a.xlsx and b.xlsx {lie}", f"{outcome} {of}")


def _anew(path: Path) -> None:
    put(path.parent, "new", content(SIZE, 2), seconds_ago=60).replace(path)


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"one line more")


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "replaced by another of the same size": (_anew, "`still-uploading`"),
    "growing": (_grow, "`still-uploading`"),
}


@pytest.mark.parametrize("how", CHANGES)
@pytest.mark.asyncio
async def test_a_file_that_changes_during_the_download(
    how: str, start: Start, served: Path, spool: Path, faults: Faults
) -> None:
    change, expected = CHANGES[how]
    path = put(served, "a.xlsx", content(SIZE))
    async with line_to(start("pyftpdlib"), spool) as line:
        line.proxy.carrier_for = first(1, "RETR", after(SIZE // 2, lambda: change(path)))
        once = await line.fetch()
        seconds = count(1)

        def always_another(verb: str, said: bytes) -> bytes:
            return b"213 202601010000%02d\r\n" % (next(seconds) % 60) if verb == "MDTM" else said

        line.proxy.on_reply = always_another
        always = await line.fetch(within=0.5)
    assert (once, always) == (WHOLE, expected)
    faults.tell(
        Chapter.LINE,
        f"the file is {how} during the download",
        f"{once}, in its final state; changing all the time: {always}",
    )


@pytest.mark.parametrize(
    ("kind", "limit"),
    [("pyftpdlib", {"max_cons_per_ip": "1"}), ("vsftpd", {"max_per_ip": "1"})],
    ids=["pyftpdlib", "vsftpd"],
)
@pytest.mark.asyncio
async def test_a_server_that_grants_one_connection(
    kind: str, limit: dict[str, str], start: Start, served: Path, spool: Path, faults: Faults
) -> None:
    for number in range(4):
        put(served, f"{number}.xlsx", content(SIZE, number))
    async with line_to(start(kind, options=limit), spool) as line:
        one = await line.fetch()
        _, taken = await asyncio.open_connection("127.0.0.1", line.server.port)
        none = await _until(lambda: line.fetch(within=0), "`source-busy`")
        taken.transport.abort()
        again = await line.fetch()
    assert (one, none, again) == (WHOLE, "`source-busy`", WHOLE)
    faults.tell(
        Chapter.LINE,
        f"{kind} grants one connection, source.parallel is 4",
        f"{one}, one after the other; while somebody else has that connection: {none}",
    )


async def _until(attempt: Callable[[], Awaitable[str]], wanted: str) -> str:
    """A server notices only after a while who is there."""
    outcome = ""
    async with asyncio.timeout(NEVER_LONGER):
        while outcome != wanted:
            outcome = await attempt()
    return outcome
