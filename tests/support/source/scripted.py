"""An FTP server in the test's own event loop whose every misbehaviour can be written down."""

import asyncio
import inspect
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from tests.support.secrets import FTP


class Hangup(Exception):  # noqa: N818 - not an error: what a script raises to drop the connection
    """Drop the control connection without a word."""


Script = Callable[["Conversation", str], str | Awaitable[str | None] | None]


class Conversation:
    """One control connection."""

    def __init__(self, server: "ScriptedServer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.data: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] | None = None
        self.listener: asyncio.Server | None = None
        self.protected = False

    async def say(self, line: str | bytes) -> None:
        self.writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")
        await self.writer.drain()

    async def passive(self) -> int:
        if self.listener:
            self.listener.close()
        self.drop_data()
        self.data = asyncio.get_running_loop().create_future()
        answer = self.data

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if not answer.done():
                answer.set_result((reader, writer))

        self.listener = await asyncio.start_server(accept, "127.0.0.1", 0)
        return int(self.listener.sockets[0].getsockname()[1])

    def drop_data(self) -> None:
        if self.data and self.data.done() and not self.data.cancelled():
            self.data.result()[1].transport.abort()

    async def send(self, body: bytes, *, clean: bool = True) -> None:
        """Send over the data connection; not ``clean``: cut it without TLS's close_notify."""
        assert self.data is not None
        await self.say("150 here it comes")
        _, writer = await self.data
        if self.protected:
            await writer.start_tls(self.server.tls)
        writer.write(body)
        await writer.drain()
        if clean:
            writer.close()
            await writer.wait_closed()
        else:
            raw = writer.get_extra_info("socket")
            await asyncio.sleep(0.1)
            raw.shutdown(2)
            writer.transport.abort()

    async def serve(self) -> None:
        try:
            if self.server.greeting is None:
                await self.reader.read()
                return
            await self.say(self.server.greeting)
            while line := await self.reader.readline():
                verb, _, argument = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape").partition(" ")
                self.server.seen.append(f"{verb} {argument}".strip())
                self.server.count[verb] += 1
                script = self.server.scripts.get(verb) or getattr(self, f"on_{verb.lower()}", None)
                reply: Any = script(self, argument) if script and verb in self.server.scripts else None
                if script and verb not in self.server.scripts:
                    reply = script(argument)
                if inspect.isawaitable(reply):
                    reply = await reply
                if script is None:
                    reply = "500 Unknown command."
                if reply is not None:
                    await self.say(reply)
        except (Hangup, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            if self.listener:
                self.listener.close()
            self.drop_data()
            self.writer.transport.abort()

    def on_user(self, _: str) -> str:
        return "331 password"

    def on_pass(self, given: str) -> str:
        return "230 welcome" if given == self.server.password else "530 Login incorrect."

    def on_type(self, _: str) -> str:
        return "200 ok"

    def on_cwd(self, _: str) -> str:
        return "250 ok"

    def on_noop(self, _: str) -> str:
        return "200 ok"

    async def on_epsv(self, _: str) -> str:
        return f"229 Entering (|||{await self.passive()}|)"

    async def on_auth(self, _: str) -> None:
        await self.say("234 go ahead")
        await self.writer.start_tls(self.server.tls)

    def on_pbsz(self, _: str) -> str:
        return "200 ok"

    def on_prot(self, _: str) -> str:
        self.protected = True
        return "200 ok"

    async def on_mlsd(self, _: str) -> str:
        lines = (
            f"type=file;size={self.server.size(name)};modify={self.server.stamp(name)}; {name}\r\n"
            for name in self.server.files
        )
        await self.send(self.server.listing if self.server.listing is not None else "".join(lines).encode())
        return "226 done"

    def on_size(self, name: str) -> str:
        return f"213 {self.server.size(name)}" if name in self.server.files else "550 no such file"

    def on_mdtm(self, name: str) -> str:
        return f"213 {self.server.stamp(name)}" if name in self.server.files else "550 no such file"

    async def on_retr(self, name: str) -> str:
        if name not in self.server.files:
            return "550 no such file"
        self.server.active += 1
        self.server.most_active = max(self.server.most_active, self.server.active)
        try:
            await asyncio.sleep(self.server.pace)
            await self.send(self.server.files[name])
        finally:
            self.server.active -= 1
        return "226 done"

    def on_quit(self, _: str) -> str:
        return "221 bye"


class ScriptedServer:
    """Serves ``files``; ``scripts`` replaces what it does on a command.

    Attributes:
        seen: all commands so far.
        count: how often each verb came.
        connections: how many control connections were opened.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.files: dict[str, bytes] = {"a.xlsx": b"content of a"}
        self.sizes: dict[str, int] = {}
        self.modified: dict[str, datetime | None] = {}
        self.listing: bytes | None = None
        self.greeting: str | None = "220 ready"
        self.password = FTP
        self.scripts: dict[str, Script] = {}
        self.tls = tls
        self.pace = 0.0
        self.active = self.most_active = self.connections = 0
        self.seen: list[str] = []
        self.count: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._an_hour_old = datetime.now(UTC) - timedelta(hours=1)

    def size(self, name: str) -> int:
        return self.sizes.get(name, len(self.files[name]))

    def stamp(self, name: str) -> str:
        moment = self.modified.get(name, self._an_hour_old)
        return moment.strftime("%Y%m%d%H%M%S") if moment else ""

    @property
    def url(self) -> str:
        return f"{'ftps' if self.tls else 'ftp'}://127.0.0.1:{self.port}/"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await Conversation(self, reader, writer).serve()
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            self._tasks.discard(task)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
