"""What may become of the data on its way over a bad line."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable

BLOCK = 16 * 1024


class Sink:
    """The client's end of a data connection."""

    def __init__(self, carried: Counter[str], verb: str, writer: asyncio.StreamWriter) -> None:
        self._carried, self._verb, self._writer = carried, verb, writer

    async def send(self, block: bytes) -> None:
        self._carried[self._verb] += len(block)
        self._writer.write(block)
        await self._writer.drain()

    def reset(self) -> None:
        """End with RST instead of FIN."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Carrier = Callable[[asyncio.StreamReader, Sink], Awaitable[None]]
"""Carries what a server sends over one data connection; when it returns, both ends are closed."""


async def whole(source: asyncio.StreamReader, sink: Sink) -> None:
    """Carry all of it."""
    while block := await source.read(BLOCK):
        await sink.send(block)


async def _carry(source: asyncio.StreamReader, sink: Sink, count: int) -> None:
    while count and (block := await source.read(min(count, BLOCK))):
        await sink.send(block)
        count -= len(block)


def cut(at: int, *, reset: bool) -> Carrier:
    """Cut after so many bytes: the server notices that nobody reads any more."""

    async def carry(source: asyncio.StreamReader, sink: Sink) -> None:
        await _carry(source, sink, at)
        if reset:
            sink.reset()

    return carry


def swallow(at: int) -> Carrier:
    """Cut after so many bytes, and let the server believe that all of it arrived."""

    async def carry(source: asyncio.StreamReader, sink: Sink) -> None:
        await _carry(source, sink, at)
        while await source.read(BLOCK):
            pass

    return carry


def stall(at: int) -> Carrier:
    """Carry so many bytes, then nothing more."""

    async def carry(source: asyncio.StreamReader, sink: Sink) -> None:
        await _carry(source, sink, at)
        await asyncio.Event().wait()

    return carry


def trickle(pause: float) -> Carrier:
    """Carry one byte at a time."""

    async def carry(source: asyncio.StreamReader, sink: Sink) -> None:
        while byte := await source.read(1):
            await sink.send(byte)
            await asyncio.sleep(pause)

    return carry


def after(at: int, what: Callable[[], None]) -> Carrier:
    """Carry all of it; do something once so many bytes are through."""

    async def carry(source: asyncio.StreamReader, sink: Sink) -> None:
        await _carry(source, sink, at)
        what()
        await whole(source, sink)

    return carry


def rewritten(change: Callable[[bytes], bytes]) -> Carrier:
    """Carry something else."""

    async def carry(source: asyncio.StreamReader, sink: Sink) -> None:
        await sink.send(change(await source.read(-1)))

    return carry
