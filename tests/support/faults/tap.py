"""Listens between a client and an FTP server, changes nothing, and keeps what the client said."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

_HANDSHAKE: Final = 22
_APPLICATION_DATA: Final = 23
"""Types of TLS records (RFC 5246, section 6.2.1): an FTP command under TLS 1.2 is a record of this one."""


@dataclass
class LogLine:
    """What the client said on one control connection."""

    heard: bytearray = field(default_factory=bytearray)

    @property
    def clear(self) -> bytes:
        """What everybody on the way could read, up to the first record of TLS."""
        return bytes(self.heard[: self._secured_from()])

    @property
    def commands_under_tls(self) -> int:
        """How many records of application data; meaningful for TLS 1.2, as 1.3 hides the type of others in it."""
        found, at = 0, self._secured_from()
        while at + 5 <= len(self.heard):
            found += self.heard[at] == _APPLICATION_DATA
            at += 5 + int.from_bytes(self.heard[at + 3 : at + 5])
        return found

    def _secured_from(self) -> int:
        at = self.heard.find(bytes((_HANDSHAKE, 3)))
        return at if at >= 0 else len(self.heard)


@dataclass
class Tap:
    """A running tap: connect to ``port``; ``connections`` fills."""

    port: int = 0
    connections: list[LogLine] = field(default_factory=list)


@asynccontextmanager
async def tapped(server_port: int) -> AsyncIterator[Tap]:
    """Stand in front of the server on this port of 127.0.0.1."""
    tap, tasks = Tap(), set[asyncio.Task[None]]()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = LogLine()
        tap.connections.append(said)
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", server_port)
        tasks.add(asyncio.create_task(_pass_on(reader, server_writer, said.heard)))
        tasks.add(asyncio.create_task(_pass_on(server_reader, writer, bytearray())))

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    tap.port = int(listener.sockets[0].getsockname()[1])
    try:
        yield tap
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: bytearray) -> None:
    with suppress(OSError):
        try:
            while block := await reader.read(64 * 1024):
                heard += block
                writer.write(block)
                await writer.drain()
        finally:
            writer.transport.abort()
