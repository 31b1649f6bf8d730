"""Between the product and PostgreSQL: counts the statements that pass, and at the one named does its harm, once."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

# https://www.postgresql.org/docs/current/protocol-message-formats.html
_STATEMENTS: Final = frozenset({b"Q", b"E", b"c"})  # a simple query, the execution of a prepared one, the end of a COPY
_ANSWERED: Final = frozenset({b"Z", b"G"})  # ready for the next, or for the lines of a COPY
_KEY: Final = b"K"
_PARSE: Final = b"P"


class Harm(StrEnum):
    """What is done when the statement comes."""

    NONE = "nothing"
    KILLED = "killed"
    """Its server process is ended before the statement arrives."""
    CUT = "cut"
    """The statement is carried out, its answer never arrives."""
    CRASHED = "crashed"
    """The statement is carried out, then its server process is ended, and its answer never arrives."""


@dataclass
class Wire:
    """What passes, and what is to be done.

    Attributes:
        kill: ends the server process with this number, and returns when it is gone.
        harm: what to do.
        at: to which statement, counted from 0 over all connections, or the first that begins so.
        statements: the texts that passed.
        done: whether the harm was done.
    """

    kill: Callable[[int], Awaitable[object]]
    harm: Harm = Harm.NONE
    at: int | str = -1
    statements: list[str] = field(default_factory=list)
    done: bool = False

    def due(self, text: str) -> bool:
        """Count a statement; whether it is the one."""
        self.statements.append(text)
        here = text.startswith(self.at) if isinstance(self.at, str) else len(self.statements) - 1 == self.at
        return here and self.harm is not Harm.NONE and not self.done


async def _message(reader: asyncio.StreamReader, *, first: bool = False) -> tuple[bytes, bytes]:
    """One message's type (none for the first that a client sends), and all its bytes."""
    kind = b"" if first else await reader.readexactly(1)
    size = await reader.readexactly(4)
    return kind, kind + size + await reader.readexactly(struct.unpack("!I", size)[0] - 4)


class _Line:
    """One connection through the proxy."""

    def __init__(self, wire: Wire, down: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        self.wire = wire
        self.from_client, self.to_client = down
        self.pid = 0
        self.prepared = ""
        self.mute = False
        self.answered = asyncio.Event()

    async def carry(self, server_socket: Path) -> None:
        from_server, to_server = await asyncio.open_unix_connection(str(server_socket))
        answers = asyncio.create_task(self._answers(from_server))
        try:
            await self._requests(to_server)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            to_server.close()
            if not self.mute:
                await answers
            answers.cancel()
            self.to_client.close()

    async def _requests(self, to_server: asyncio.StreamWriter) -> None:
        first = True
        while True:
            kind, message = await _message(self.from_client, first=first)
            first = False
            if kind == _PARSE:
                self.prepared = message[5:].split(b"\0")[1].decode()
            if kind in _STATEMENTS and self.wire.due(self._text(kind, message)):
                self.wire.done = True
                if self.wire.harm is Harm.KILLED:
                    await self.wire.kill(self.pid)
                else:
                    await self._carry_out_unanswered(kind, message, to_server)
                    return
            to_server.write(message)
            await to_server.drain()

    async def _carry_out_unanswered(self, kind: bytes, message: bytes, to_server: asyncio.StreamWriter) -> None:
        self.mute = True
        self.answered.clear()
        to_server.write(message)
        if kind == b"E":
            to_server.write(b"S" + struct.pack("!I", 4))
        await to_server.drain()
        await asyncio.wait_for(self.answered.wait(), 30)
        if self.wire.harm is Harm.CRASHED:
            await self.wire.kill(self.pid)

    def _text(self, kind: bytes, message: bytes) -> str:
        if kind == b"Q":
            return message[5:-1].decode()
        return self.prepared if kind == b"E" else "the end of a COPY"

    async def _answers(self, from_server: asyncio.StreamReader) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                kind, message = await _message(from_server)
                if kind == _KEY:
                    self.pid = struct.unpack("!I", message[5:9])[0]
                if kind in _ANSWERED:
                    self.answered.set()
                if not self.mute:
                    self.to_client.write(message)
                    await self.to_client.drain()
        if not self.mute:
            self.to_client.close()


@asynccontextmanager
async def tapped(server_socket: Path, folder: Path, wire: Wire) -> AsyncIterator[None]:
    """Listen on ``folder/.s.PGSQL.5432`` and pass everything on, but for the harm."""
    lines: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_Line(wire, (reader, writer)).carry(server_socket))
        lines.add(task)

    server = await asyncio.start_unix_server(serve, str(folder / ".s.PGSQL.5432"))
    try:
        yield
    finally:
        server.close()
        await asyncio.gather(*lines, return_exceptions=True)
