"""A pooler in transaction mode, as PgBouncer is one, small enough to read: for the check that finds it out."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest


class TransactionPooler:
    """Gives each transaction of a client whichever server connection became idle last.

    Speaks just enough of PostgreSQL's protocol: a message is a letter, four bytes of length, and its body; after a
    ReadyForQuery with status I the server connection goes back to the others.
    """

    def __init__(self, server_socket: str) -> None:
        self._server_socket = server_socket
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._all: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._all.append(writer)
        try:
            length = await reader.readexactly(4)
            startup = length + await reader.readexactly(int.from_bytes(length) - 4)
            up = await asyncio.open_unix_connection(self._server_socket)
            self._all.append(up[1])
            up[1].write(startup)
            await self._until_idle(up, writer, once=True)
            self._idle.append(up)
            await self._transactions(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _transactions(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = asyncio.create_task(self._message(reader))
        while (message := await asked)[:1] != b"X":
            asked = asyncio.create_task(self._message(reader))
            up = self._idle.pop()
            up[1].write(message)
            answered = asyncio.create_task(self._until_idle(up, writer))
            while not answered.done():
                await asyncio.wait({answered, asked}, return_when=asyncio.FIRST_COMPLETED)
                if asked.done() and not answered.done():
                    up[1].write(asked.result())
                    asked = asyncio.create_task(self._message(reader))
            self._idle.append(up)

    async def _until_idle(self, up, writer, *, once: bool = False) -> None:
        while True:
            message = await self._message(up[0])
            writer.write(message)
            if message[:1] == b"Z" and (once or message[5:6] == b"I"):
                return

    @staticmethod
    async def _message(reader: asyncio.StreamReader) -> bytes:
        head = await reader.readexactly(5)
        return head + await reader.readexactly(int.from_bytes(head[1:]) - 4)

    def close(self) -> None:
        for writer in self._all:
            writer.close()


MakePooler = Callable[[str], AbstractAsyncContextManager[str]]


@pytest.fixture
def pooled(tmp_path_factory: pytest.TempPathFactory) -> MakePooler:
    """``async with pooled(url) as pooled_url``: the same database behind a pooler."""

    @asynccontextmanager
    async def make(url: str) -> AsyncIterator[str]:
        head, _, server = url.partition("?host=")
        folder = tmp_path_factory.mktemp("pooler")
        pooler = TransactionPooler(f"{server}/.s.PGSQL.5432")
        listening = await asyncio.start_unix_server(pooler.serve, folder / ".s.PGSQL.5432")
        try:
            yield f"{head}?host={folder}"
        finally:
            listening.close()
            pooler.close()

    return make


@pytest.fixture
def write_configuration(tmp_path: Path) -> Callable[..., Path]:
    """Write a file with a state folder, the samples as source, and what else is given as TOML."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    samples = Path(__file__).parents[1] / "samples" / "day1"

    def write(database_url: str, more: str = "", top: str = "", direct_url: str | None = None) -> Path:
        direct = f'direct_url = "{direct_url}"' if direct_url else ""
        path = tmp_path / "cpimportd.toml"
        path.write_text(
            f'state_directory = "{state}"\n{top}\n[source]\nurl = "{samples.as_uri()}"\n'
            f'[database]\nurl = "{database_url}"\n{direct}\n{more}\n',
            encoding="utf-8",
        )
        path.chmod(0o600)
        return path

    return write
