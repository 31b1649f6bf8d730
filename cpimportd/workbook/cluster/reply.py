"""A worker's reply: a head as one line of JSON, then what a Packer made of its reader's words.

The worker writes it; the run reads it with every doubt.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import IO

from cpimportd.core.catalog import CATALOG
from cpimportd.core.problems import Problem, ProblemError, printable, received_facts
from cpimportd.workbook.cluster.packed import unpack

_LONGEST_HEAD = 64 * 1024
_PIECE = 256 * 1024
_FAILURES = ("reader-limit", "reader-failed")


@dataclass(frozen=True, slots=True)
class Head:
    """The first line of a reply.

    Attributes:
        reader: who read, as :func:`cpimportd.workbook.cluster.task.reader_identity` has it.
        failure: why the reader did not come to its end; None where it did.
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
                raise ValueError("it failed in a way that does not exist")
            facts = received_facts(failure.get("facts", {}))
            said_so = printable(failure["message"], 4000)
            failure = Problem(code, said_so, CATALOG[code].way_out, printable(file), facts=facts)
        return cls(printable(said["reader"], 200), failure)


def head_line(reader: str, failure: Problem | None) -> bytes:
    """A head as a line of JSON."""
    said = None if failure is None else {name: failure.as_json()[name] for name in ("code", "message", "facts")}
    return json.dumps({"reader": reader, "failure": said}).encode() + b"\n"


def read_head(stream: IO[bytes], file: str) -> Head | None:
    """A reply's first line; None where it makes no sense."""
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
        raise ValueError("the head of its reply makes no sense")
    blocks = unpack(iter(lambda: stream.read(_PIECE), b""), most)
    while (block := await asyncio.to_thread(next, blocks, None)) is not None:
        yield block
    if head.failure is not None:
        raise ProblemError(head.failure)
