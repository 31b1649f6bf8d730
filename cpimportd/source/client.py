"""aioftp's client, with TLS on data connections as real servers want it, and with bytes left as they are."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aioftp
from aioftp.common import SSLSessionBoundContext

from cpimportd.source.contract import NotResumedError
from cpimportd.source.control import TRANSPARENT, Control, Stream, unread

# At level debug it writes down every answer of the server, and some repeat the password that they refuse.
logging.getLogger("aioftp.client").setLevel(logging.WARNING)


class ImpostorError(Exception):
    """Somebody else than the server that was reached speaks on one of its connections."""


def _certificate(writer: asyncio.StreamWriter) -> bytes | None:
    secured: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
    return secured.getpeercert(binary_form=True) if secured is not None else None


def _forbid_unread(reader: asyncio.StreamReader) -> None:
    """Refuse bytes that came before TLS: asyncio would hand them over later as if they had come under it."""
    if unread(reader):
        raise ImpostorError("something was said in the clear before TLS began")


class Client(Control):
    """One control connection.

    The address in a server's answer to PASV is never followed (aioftp's default, set here so that it stays).
    """

    def __init__(self, *, connect_timeout: float, socket_timeout: float) -> None:
        super().__init__(
            connection_timeout=connect_timeout,
            encoding=TRANSPARENT,
            trust_server_pasv_ipv4_address=False,
        )
        self._silence = socket_timeout
        self._verified = True

    async def reach(self, host: str, port: int) -> None:
        """Open the control connection; the server's greeting is still to be read."""
        await aioftp.BaseClient.connect(self, host, port)
        self._stream = Stream(self.stream.reader, self.stream.writer, self._silence)

    async def greeting(self) -> str:
        """Read what the server says first."""
        _, lines = await self.command(None, "220", "120")
        return " ".join(line.lstrip(" -") for line in lines)

    def tls_version(self) -> str:
        """Of the control connection, such as ``TLSv1.3``; empty where it is plain."""
        secured = self.stream.writer.get_extra_info("ssl_object")
        return secured.version() or "" if secured is not None else ""

    async def shake_hands(self, context: ssl.SSLContext) -> None:
        """Begin explicit TLS (RFC 4217) on the control connection, and say nothing under it yet.

        Raises:
            aioftp.StatusCodeError: the server refuses.
            ssl.SSLCertVerificationError: its certificate is not what ``context`` asks for.
            ImpostorError: more than its answer came in the clear, which would pass for words under TLS.
        """
        self._verified = context.verify_mode is ssl.CERT_REQUIRED
        await self.command("AUTH TLS", "234")
        _forbid_unread(self.stream.reader)
        await self.stream.start_tls(context, server_hostname=self.server_host)

    async def protect(self) -> None:
        """Have TLS on data connections too (RFC 4217, section 9)."""
        await self.command("PBSZ 0", "2xx")
        await self.command("PROT P", "2xx")

    def certificate(self) -> bytes | None:
        """The server's, of the control connection, in DER; None where there is none."""
        return _certificate(self.stream.writer)

    async def _open_connection(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open every connection plain: TLS on it begins where :meth:`data` or :meth:`shake_hands` says."""
        async with asyncio.timeout(self.connection_timeout):
            return await asyncio.open_connection(host, port)

    @asynccontextmanager
    async def data(self, command: str, start: int = 0) -> AsyncIterator[Stream]:
        """A data connection on which the server answers ``command``, from byte ``start`` on; read it to its end.

        aioftp itself shakes hands for TLS before it sends the command; vsftpd, ProFTPD and Pure-FTPd answer a
        handshake only after the command, so that both sides wait for each other (its issue 186). And these servers
        want the control connection's TLS session there (vsftpd's ``require_ssl_reuse``): proof that the same client
        calls.

        Leaving without an exception waits for the server's last word. Whether all bytes came is not known by that:
        servers say 226 after half a file too.

        Raises:
            aioftp.StatusCodeError: the server refused the command, or said that the transfer failed.
            NotResumedError: it did not take ``start``, or refused the command with it.
            ImpostorError: bytes came in the clear before TLS began; or, under a pinned certificate, this connection
                shows another one.
        """
        reader, writer = await self.get_passive_connection()
        try:
            await self._begin(command, start)
            await self._secure_data(reader, writer)
            yield Stream(reader, writer, self._silence)
        except BaseException:
            writer.transport.abort()
            raise
        writer.close()
        code, lines = await self.command(None, "2xx", "1xx")
        # vsftpd: "226 Transfer done (but failed to open directory)."
        if "failed" in " ".join(lines):
            raise aioftp.StatusCodeError(aioftp.Code("2xx"), code, lines)

    async def _begin(self, command: str, start: int) -> None:
        try:
            if start:
                await self.command(f"REST {start}", "350")
            await self.command(command, "1xx")
        except aioftp.StatusCodeError as error:
            if start:
                raise NotResumedError(f"it answers {error.received_codes[-1]}") from error
            raise

    async def _secure_data(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (context := self._session_context()) is None:
            return
        _forbid_unread(reader)
        await writer.start_tls(context, server_hostname=self.server_host, ssl_handshake_timeout=self.connection_timeout)
        # Where TLS verifies nothing (a pinned certificate), the one that was compared is the only one trusted.
        if not self._verified and _certificate(writer) != self.certificate():
            raise ImpostorError("the data connection shows another certificate than the pinned one")

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
