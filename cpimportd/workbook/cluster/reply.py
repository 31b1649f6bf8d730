"""A worker's reply: a head as one line of JSON, then its reader's output, with rows turned into columns and compressed.

The worker writes it; the run does not trust it. Texts of one column resemble each other, so columns are smaller than
their rows (by a fifth; three quarters of zlib's rows). The form, as xz: a line that begins with ``{`` is a message of
the reader; a line ``ROWS COLUMNS`` is followed by that many lines, each with one column's fields separated by tabs.
Nothing is lost: a field of COPY's text format holds no tab and no line feed.
"""

import asyncio
import json
import lzma
import re
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, Final

from cpimportd.core.catalog import CATALOG
from cpimportd.core.phrases import UnfitError, phrase, received_facts
from cpimportd.core.problems import Problem, ProblemError, printable
from cpimportd.core.typed import to_json
from cpimportd.workbook.protocol import LONGEST_LINE

# Fast, yet with a dictionary wider than zlib's 32 KiB; lc and pb as the manual of xz(1) advises for text.
_FILTERS: Final = (
    {
        "id": lzma.FILTER_LZMA2,
        "dict_size": 1024 * 1024,
        "lc": 4,
        "pb": 0,
        "mode": lzma.MODE_FAST,
        "mf": lzma.MF_HC4,
        "nice_len": 128,
    },
)
_GROUP = 1024 * 1024
_LONGEST = LONGEST_LINE + 2 * _GROUP
_MEMORY = 64 * 1024 * 1024
_PIECE = 256 * 1024
_HEAD = re.compile(rb"([1-9][0-9]{0,6}) ([1-9][0-9]{0,2})")


class Packer:
    """The cluster's side: takes lines and makes them small."""

    def __init__(self) -> None:
        self._xz = lzma.LZMACompressor(check=lzma.CHECK_CRC64, filters=_FILTERS)
        self._packed: list[bytes] = []
        self._rows: list[bytes] = []
        self._tabs = self._size = 0

    def feed(self, block: bytes) -> None:
        """Take one or more whole lines.

        Raises:
            ValueError: the last line is not whole.
        """
        lines = block.split(b"\n")
        if lines.pop():
            raise UnfitError("last-line-cut-off")
        for line in lines:
            if line.startswith(b"{"):
                self._turn()
                self._packed.append(self._xz.compress(line + b"\n"))
                continue
            # Rows of a child that was taken over need not be a table; the listener shall see them as they are.
            if self._rows and line.count(b"\t") != self._tabs:
                self._turn()
            if not self._rows:
                self._tabs = line.count(b"\t")
            self._rows.append(line)
            self._size += len(line) + 1
            if self._size >= _GROUP:
                self._turn()

    def end(self) -> bytes:
        """Everything that was taken."""
        self._turn()
        return b"".join((*self._packed, self._xz.flush()))

    def _turn(self) -> None:
        if not self._rows:
            return
        columns = zip(*(row.split(b"\t") for row in self._rows), strict=True)
        head = b"%d %d" % (len(self._rows), self._tabs + 1)
        self._packed.append(self._xz.compress(b"\n".join((head, *map(b"\t".join, columns), b""))))
        self._rows.clear()
        self._size = 0


def unpack(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    """The parent's side: the lines again, in blocks of one or more whole lines; with every doubt about their sender.

    Args:
        pieces: what a packer gave, in any pieces.
        most: bytes that it may be when it is unpacked.

    Raises:
        ValueError: no packer wrote this.
    """
    lines = _lines(_unpacked(pieces, most))
    for line in lines:
        yield line + b"\n" if line.startswith(b"{") else _rows(line, lines)


def _rows(head: bytes, lines: Iterator[bytes]) -> bytes:
    match = _HEAD.fullmatch(head)
    if match is None:
        raise UnfitError("rows-not-counted")
    count, width = int(match[1]), int(match[2])
    columns, size = [], 0
    for line in islice(lines, width):
        size += len(line)
        if line.count(b"\t") != count - 1 or size > 2 * _LONGEST:
            raise UnfitError("fields-and-rows")
        columns.append(line.split(b"\t"))
    if len(columns) != width:
        raise UnfitError("rows-cut-off")
    return b"\n".join((*map(b"\t".join, zip(*columns, strict=True)), b""))


def _lines(texts: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for text in texts:
        *whole, rest = (rest + text).split(b"\n")
        if len(rest) > _LONGEST:
            raise UnfitError("line-too-long")
        yield from whole
    if rest:
        raise UnfitError("last-line-cut-off")


def _unpacked(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
    total = 0
    try:
        for piece in pieces:
            more = piece
            while True:
                text = decoder.decompress(more, _PIECE)
                more, total = b"", total + len(text)
                if total > most:
                    raise UnfitError("unpacks-beyond", most=most)
                yield text
                if decoder.eof or decoder.needs_input:
                    break
    except (lzma.LZMAError, EOFError) as error:
        raise UnfitError("not-unpacked", said=str(error) or phrase("follows-end")) from error
    if not decoder.eof or decoder.unused_data:
        raise UnfitError("cut-off-or-more")


_LONGEST_HEAD = 64 * 1024
_PIECE = 256 * 1024
_FAILURES = ("reader-limit", "reader-failed")


@dataclass(frozen=True, slots=True)
class Head:
    """The first line of a reply.

    Attributes:
        reader: who read, as :func:`cpimportd.workbook.cluster.task.reader_identity` has it.
        failure: why the reader did not come to its end; None if it did.
    """

    reader: str
    failure: Problem | None

    @classmethod
    def from_json(cls, line: bytes, file: str) -> "Head":
        """What a worker says, with every doubt about it.

        Args:
            line: the reply's first line.
            file: the workbook's name, for the failure.

        Raises:
            ValueError: it makes no sense.
            LookupError: something is missing in it.
            TypeError: something in it is of another kind.
        """
        said = json.loads(line)
        failure = said["failure"]
        if failure is not None:
            code = failure["code"]
            if code not in _FAILURES:
                raise UnfitError("no-such-failure")
            facts = received_facts(failure.get("facts", {}))
            said_so = printable(failure["message"], 4000)
            failure = Problem(code, said_so, CATALOG[code].way_out, printable(file), facts=facts)
        return cls(printable(said["reader"], 200), failure)


def head_line(reader: str, failure: Problem | None) -> bytes:
    """A head as a line of JSON."""
    said = None if failure is None else {name: to_json(getattr(failure, name)) for name in ("code", "message", "facts")}
    return json.dumps({"reader": reader, "failure": said}).encode() + b"\n"


def read_head(stream: IO[bytes], file: str) -> Head | None:
    """A reply's first line; None if it makes no sense."""
    try:
        return Head.from_json(stream.readline(_LONGEST_HEAD), file)
    except (ValueError, LookupError, TypeError):
        return None


async def read_lines(stream: IO[bytes], head: Head | None, most: int) -> AsyncGenerator[bytes, None]:
    """What the reader said, as if its child were here.

    Raises:
        ValueError: no worker of ours wrote this.
        ProblemError: why the reader did not come to its end.
    """
    if head is None:
        raise UnfitError("head-senseless")
    blocks = unpack(iter(lambda: stream.read(_PIECE), b""), most)
    while (block := await asyncio.to_thread(next, blocks, None)) is not None:
        yield block
    if head.failure is not None:
        raise ProblemError(head.failure)
