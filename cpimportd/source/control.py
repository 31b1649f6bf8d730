"""What is said over a control connection: each reply whole, and each to the command that it answers."""

import asyncio

import aioftp
from aioftp.common import ThrottleStreamIO

TRANSPARENT = "latin-1"
"""The encoding in which aioftp reads and writes lines: every byte is one character and comes back as the same byte, so
names in any mixture of encodings survive; what they mean is decided elsewhere."""


def unread(reader: asyncio.StreamReader) -> bytes:
    """Take what has arrived and was not read, at most 512 bytes of it; never waits."""
    looking = reader.read(512)
    try:
        looking.send(None)
    except StopIteration as found:
        return bytes(found.value)
    looking.close()  # it would have waited: nothing is there
    return b""


class Stream(ThrottleStreamIO):
    """A connection whose silence has a limit.

    aioftp's own limit is asyncio.wait_for, which up to Python 3.11 loses a cancellation when bytes come at that moment:
    and with it the limit of the whole transfer, or the order to stop (https://github.com/python/cpython/issues/86296).
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: float) -> None:
        super().__init__(reader, writer)
        self._limit = limit

    async def read(self, count: int = -1) -> bytes:
        """Read some bytes, none at the end. Raises TimeoutError."""
        async with asyncio.timeout(self._limit):
            return await super().read(count)

    async def readline(self) -> bytes:
        """Read a line, or what there is of it at the end. Raises TimeoutError."""
        async with asyncio.timeout(self._limit):
            return await super().readline()


class Control(aioftp.Client):
    """aioftp's client, that believes no reply which broke off, and none that nobody asked for."""

    async def command(  # type: ignore[override]  # its overloads tell apart what is never left out here
        self,
        command: str | None = None,
        expected_codes: str | tuple[str, ...] = (),
        wait_codes: str | tuple[str, ...] = (),
        censor_after: int | None = None,
    ) -> tuple[aioftp.Code, list[str]]:
        """Send a command and read the reply, as aioftp does.

        A reply that nobody asked for would be taken for the next command's, and a file's time for another one's size.

        Raises:
            ConnectionError: there is one, so replies belong to commands no more.
        """
        if command and (said := unread(self.stream.reader)):
            error = ConnectionError("the server says what it was not asked for")
            if said.startswith(b"421"):
                error.__context__ = aioftp.StatusCodeError((), aioftp.Code("421"), said[3:].decode(TRANSPARENT).strip())
            raise error
        return await super().command(command, expected_codes, wait_codes, censor_after)

    async def parse_line(self) -> tuple[aioftp.Code, str]:
        """Read a line of a reply.

        Raises:
            ConnectionResetError: the connection ended before the line did: half a size is a size too.
        """
        line = await self.stream.readline()
        if not line.endswith(b"\n"):
            self.stream.close()
            raise ConnectionResetError
        text = line.decode(TRANSPARENT).rstrip()
        return aioftp.Code(text[:3]), text[3:]
