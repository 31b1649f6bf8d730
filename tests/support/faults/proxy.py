"""The line between a client and a real FTP server, as bad as a test wants it: plain FTP, passive mode.

The control connection is relayed line by line. A passive answer (227, 229) gets a port of the proxy's own in it, so that
the data goes over the proxy too. As it is made it does nothing; a test replaces ``on_command``, ``on_reply`` and
``carrier_for``.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Self

from tests.support.faults.carriers import BLOCK, Carrier, Sink, whole

_TRANSFERS = {"RETR", "MLSD", "LIST"}
_EPSV = re.compile(rb"\(\|\|\|(\d+)\|\)")
_PASV = re.compile(rb"\((\d+,\d+,\d+,\d+),(\d+),(\d+)\)")


class Cut(Exception):  # noqa: N818 - not an error: what a rule raises to cut the control connection
    """Cut the control connection, after some last words."""

    def __init__(self, last_words: bytes = b"") -> None:
        super().__init__()
        self.last_words = last_words


class Proxy:
    """Listens on the loopback interface for clients of one server.

    Attributes:
        port: where.
        commands: what came from clients, in order.
        carried: bytes of data that went to clients, by command (``RETR``, ``MLSD``, …).
        said: bytes of replies that went to clients, over all control connections.
        on_command: is shown a command before the server is; what it returns is the answer, and the server never sees
            the command; None lets it pass.
        on_reply: is shown the last command's verb (``""`` before the first) and a line of the server's answer, and
            returns what the client gets. Both may raise :class:`Cut`.
        carrier_for: chooses how the data of a command is carried.
        control_cuts: after how many bytes of replies the next control connections are cut.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._conversations: set[asyncio.Task[None]] = set()
        self._failures: list[Exception] = []
        self.commands: list[str] = []
        self.carried: Counter[str] = Counter()
        self.said = 0
        self.on_command: Callable[[str], bytes | None] = lambda _: None
        self.on_reply: Callable[[str, bytes], bytes] = lambda _, line: line
        self.carrier_for: Callable[[str], Carrier] = lambda _: whole
        self.control_cuts: Iterator[int] = iter(())

    def count(self, verb: str) -> int:
        """How often a command came."""
        return sum(command.partition(" ")[0] == verb for command in self.commands)

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._listener.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for task in tuple(self._conversations):
            task.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        assert not self._failures, f"the test's own rules failed: {self._failures}"

    async def quiet(self) -> None:
        """Wait until no client has a connection left."""
        while self._conversations:
            await asyncio.wait(self._conversations)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.hold(Control(self, self._server_port, reader, writer).relay())

    async def hold(self, conversation: Awaitable[None]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        try:
            await conversation
        except (asyncio.CancelledError, OSError):
            pass  # the test is over, or one end is gone
        except Exception as error:  # noqa: BLE001 - told when the test ends
            self._failures.append(error)
        finally:
            self._conversations.discard(task)


class Control:
    """One control connection, and the data connections that are opened for it."""

    def __init__(
        self, proxy: Proxy, server_port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._proxy, self._server_port, self._reader, self._writer = proxy, server_port, reader, writer
        self._verb = ""
        self._left = next(proxy.control_cuts, None)
        self._listener: asyncio.Server | None = None
        self._asked: asyncio.Future[str] | None = None

    async def relay(self) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        try:
            await _first_of(self._commands(to_server), self._replies(server))
        finally:
            to_server.transport.abort()
            if self._listener is not None:
                self._listener.close()
            self._writer.close()

    async def _commands(self, to_server: asyncio.StreamWriter) -> None:
        try:
            while line := await self._reader.readline():
                command = line.decode("latin-1").strip()
                self._verb = command.partition(" ")[0]
                self._proxy.commands.append(command)
                if self._verb in _TRANSFERS and self._asked is not None and not self._asked.done():
                    self._asked.set_result(self._verb)
                if (answer := self._proxy.on_command(command)) is not None:
                    await self._say(answer)
                    continue
                to_server.write(line)
                await to_server.drain()
        except Cut as end:
            self._writer.write(end.last_words)

    async def _replies(self, server: asyncio.StreamReader) -> None:
        try:
            while line := await server.readline():
                if line.startswith((b"227", b"229")):
                    line = await self._passive(line)
                await self._say(self._proxy.on_reply(self._verb, line))
        except Cut as end:
            self._writer.write(end.last_words)

    async def _say(self, reply: bytes) -> None:
        if self._left is not None:
            reply, self._left = reply[: self._left], self._left - len(reply)
        self._writer.write(reply)
        await self._writer.drain()
        self._proxy.said += len(reply)
        if self._left is not None and self._left <= 0:
            raise Cut

    async def _passive(self, line: bytes) -> bytes:
        """The server's answer with a port of ours in the place of its own."""
        if match := _EPSV.search(line):
            port = int(match[1])
        else:
            match = _PASV.search(line)
            assert match is not None, line
            port = int(match[2]) * 256 + int(match[3])
        if self._listener is not None:
            self._listener.close()

        asked = self._asked = asyncio.get_running_loop().create_future()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._proxy.hold(self._data(port, asked, reader, writer))

        self._listener = await asyncio.start_server(accept, "127.0.0.1", 0)
        ours = int(self._listener.sockets[0].getsockname()[1])
        if line.startswith(b"229"):
            return _EPSV.sub(b"(|||%d|)" % ours, line)
        return _PASV.sub(b"(127,0,0,1,%d,%d)" % divmod(ours, 256), line)

    async def _data(
        self, port: int, asked: "asyncio.Future[str]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        source, to_source = await asyncio.open_connection("127.0.0.1", port)

        async def carry() -> None:
            verb = await asked
            await self._proxy.carrier_for(verb)(source, Sink(self._proxy.carried, verb, writer))

        try:
            await _first_of(carry(), _until_gone(reader))
        finally:
            to_source.transport.abort()
            writer.close()


async def _until_gone(reader: asyncio.StreamReader) -> None:
    while await reader.read(BLOCK):
        pass


async def _first_of(*works: Awaitable[None]) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, OSError):
                raise outcome
