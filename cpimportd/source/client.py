"""aioftp's client, with TLS on data connections as real servers want it, and with bytes left as they are."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aioftp
from aioftp.common import SSLSessionBoundContext, ThrottleStreamIO

TRANSPARENT = "latin-1"
"""The encoding in which aioftp reads and writes lines: every byte is one character and comes back as the same byte, so
names in any mixture of encodings survive; what they mean is decided elsewhere."""


class Client(aioftp.Client):
    """One control connection.

    The address in a server's answer to PASV is never followed (aioftp's default, set here so that it stays).
    """

    def __init__(self, *, connect_timeout: float, socket_timeout: float) -> None:
        super().__init__(
            socket_timeout=socket_timeout,
            connection_timeout=connect_timeout,
            encoding=TRANSPARENT,
            trust_server_pasv_ipv4_address=False,
        )

    async def reach(self, host: str, port: int) -> None:
        """Open the control connection; the server's greeting is still to be read."""
        await aioftp.BaseClient.connect(self, host, port)

    async def greeting(self) -> str:
        """Read what the server says first."""
        _, lines = await self.command(None, "220", "120")
        return " ".join(line.lstrip(" -") for line in lines)

    def tls_version(self) -> str:
        """Of the control connection, such as ``TLSv1.3``; empty where it is plain."""
        secured = self.stream.writer.get_extra_info("ssl_object")
        return secured.version() or "" if secured is not None else ""

    async def _open_connection(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open every connection plain: TLS on it begins where :meth:`data` or ``upgrade_to_tls`` says."""
        async with asyncio.timeout(self.connection_timeout):
            return await asyncio.open_connection(host, port)

    @asynccontextmanager
    async def data(self, command: str) -> AsyncIterator[ThrottleStreamIO]:
        """A data connection on which the server answers ``command``; read it to its end.

        aioftp itself shakes hands for TLS before it sends the command; vsftpd, ProFTPD and Pure-FTPd answer a
        handshake only after the command, so that both sides wait for each other (its issue 186). And these servers
        want the control connection's TLS session there (vsftpd's ``require_ssl_reuse``): proof that the same client
        calls.

        Leaving without an exception waits for the server's last word. Whether all bytes came is not known by that:
        servers say 226 after half a file too.

        Raises:
            aioftp.StatusCodeError: the server refused the command, or said that the transfer failed.
        """
        reader, writer = await self.get_passive_connection()
        try:
            await self.command(command, "1xx")
            if (context := self._session_context()) is not None:
                await writer.start_tls(
                    context, server_hostname=self.server_host, ssl_handshake_timeout=self.connection_timeout
                )
            yield ThrottleStreamIO(reader, writer, timeout=self.socket_timeout)
        except BaseException:
            writer.transport.abort()
            raise
        writer.close()
        code, lines = await self.command(None, "2xx", "1xx")
        # vsftpd: "226 Transfer done (but failed to open directory)."
        if "failed" in " ".join(lines):
            raise aioftp.StatusCodeError(aioftp.Code("2xx"), code, lines)

    def _session_context(self) -> ssl.SSLContext | None:
        secured = self.stream.writer.get_extra_info("ssl_object")
        if secured is None:
            return None
        return SSLSessionBoundContext(ssl.PROTOCOL_TLS_CLIENT, context=secured.context, session=secured.session)

    def abort(self) -> None:  # type: ignore[override]
        """Drop the connection at once, without a word."""
        if self._stream is not None:
            self._stream.writer.transport.abort()

    async def leave(self) -> None:
        """Say QUIT, wait for no answer, and close. Never raises, takes a second at most."""
        if self._stream is None:
            return
        with suppress(OSError, ssl.SSLError, TimeoutError):
            async with asyncio.timeout(1):
                await self.command("QUIT")
                self.close()
                await self._stream.writer.wait_closed()
        self.abort()
