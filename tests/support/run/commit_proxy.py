"""A proxy between the product and PostgreSQL that cuts the connection at COMMIT: before it arrives, or after."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def cutting_commit(server_socket: Path, folder: Path, *, after: bool) -> AsyncIterator[list[str]]:
    """Listen on ``folder/.s.PGSQL.5432``; the first COMMIT is swallowed, or carried out and its answer lost.

    Later connections pass untouched, so that the product can ask how it ended.
    """
    cuts: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(str(server_socket))

        async def back() -> None:
            while data := await up_reader.read(65536):
                if not cuts or cuts[-1] == "over":
                    writer.write(data)
            writer.close()

        task = asyncio.create_task(back())
        while data := await reader.read(65536):
            if b"COMMIT;" in data and not cuts:
                cuts.append("cut")
                if after:
                    up_writer.write(data)
                    await up_writer.drain()
                    await asyncio.sleep(0.3)
                break
            up_writer.write(data)
        up_writer.close()
        writer.close()
        await asyncio.gather(task, return_exceptions=True)
        if cuts and cuts[-1] == "cut":
            cuts.append("over")

    server = await asyncio.start_unix_server(serve, str(folder / ".s.PGSQL.5432"))
    try:
        yield cuts
    finally:
        server.close()
