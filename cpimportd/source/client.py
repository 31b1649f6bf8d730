"""aioftp's client, with TLS and data connections as real servers need them, and without decoding of bytes.

From a server's answer about a data connection (EPSV, RFC 2428; PASV, RFC 959) only the port is used. The address is
never used: behind a NAT it is often wrong, and a forged one would redirect us.
"""

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final

import aioftp
from aioftp.common import SSLSessionBoundContext

from cpimportd.core.phrases import Phrase, PhraseError, phrase
from cpimportd.source.control import TRANSPARENT, Control, Stream, has_unread_bytes, reply_text
from cpimportd.source.interface import NotResumedError

_EPSV: Final = (
    # (<d><net-prt><d><net-addr><d><tcp-port><d>): RFC 2428, section 3, has the first two empty, and any delimiter.
    re.compile(r"\(([!-~])\d?\1[^()\s]*?\1(\d{1,5})\1\)"),
    re.compile(r"([!-/:-@\[-`{-~])\d?\1[^()\s]*?\1(\d{1,5})\1"),
)
# RFC 1123, section 4.1.2.6: an answer may have no brackets, so the digits are looked for.
_PASV: Final = re.compile(r"(?<!\d)(?:\d{1,3}\s*,\s*){4}(\d{1,3})\s*,\s*(\d{1,3})(?!\d)")
_LONGEST: Final = 1000
"""Characters of an answer that are looked at; no real one has a quarter of them."""


class PassiveError(aioftp.AIOFTPException):
    """No data connection is to be had; ``str`` of this says what was asked and what came of it, as the wire had it.

    Attributes:
        tries: the same, a phrase each.
        lasting: whether the server refuses it for good (5xx), rather than now.
    """

    def __init__(self, tries: Iterable[Phrase], *, lasting: bool) -> None:
        self.tries = tuple(tries)
        super().__init__("; ".join(map(str, self.tries)))
        self.lasting = lasting


def epsv_port(text: str) -> int | None:
    """The port in an answer to EPSV; None if it names none."""
    found = next((found for pattern in _EPSV for found in reversed(list(pattern.finditer(text[:_LONGEST])))), None)
    return _valid(int(found[2])) if found else None


def pasv_port(text: str) -> int | None:
    """The port in an answer to PASV; None if it names none."""
    found = _PASV.search(text[:_LONGEST])
    if found is None:
        return None
    high, low = int(found[1]), int(found[2])
    return _valid(high * 256 + low) if high < 256 and low < 256 else None


def _valid(port: int) -> int | None:
    return port if 0 < port < 65536 else None


# At level debug it writes down every answer of the server, and some repeat the password that they refuse.
logging.getLogger("aioftp.client").setLevel(logging.WARNING)


class UnexpectedPeerError(PhraseError):
    """The peer of a connection is not the server of the control connection."""


def _certificate(writer: asyncio.StreamWriter) -> bytes | None:
    secured: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
    return secured.getpeercert(binary_form=True) if secured is not None else None


def _reject_unread_bytes(reader: asyncio.StreamReader) -> None:
    """Refuse bytes that came before TLS: asyncio would hand them over later as if they had come under it."""
    if has_unread_bytes(reader):
        raise UnexpectedPeerError("said-before-tls")


class Client(Control):
    """One control connection.

    Attributes:
        pasv_first: whether PASV is asked before EPSV: on an earlier connection the server had no answer to EPSV at all.
    """

    def __init__(self, *, connect_timeout: float, socket_timeout: float) -> None:
        super().__init__(
            connection_timeout=connect_timeout,
            encoding=TRANSPARENT,
        )
        self._silence = socket_timeout
        self._verified = True
        self._extended_passive = True
        self.pasv_first = False

    async def reach(self, host: str, port: int) -> None:
        """Open the control connection; the server's greeting is still to be read."""
        await aioftp.BaseClient.connect(self, host, port)
        self._stream = Stream(self.stream.reader, self.stream.writer, self._silence)

    async def greeting(self) -> str:
        """Read the server's greeting."""
        _, lines = await self.command(None, "220", "120")
        return reply_text(lines)

    async def log_in(self, user: str, password: str) -> str:
        """Log in by USER and, if the server wants it, PASS.

        Returns:
            The answer that let us in. 202 is one: the server wants no password (RFC 959, section 6, the state diagram).

        Raises:
            aioftp.StatusCodeError: refused; 332 asks for an account, which is obsolete.
        """
        code, lines = await self.command(f"USER {user}", ("230", "232", "331"))
        if code == "331":
            code, lines = await self.command(f"PASS {password}", ("230", "202", "232"), censor_after=5)
        return f"{code} {reply_text(lines)}"

    async def attempt(self, command: str) -> tuple[aioftp.Code, str]:
        """Send a command whose refusal is an answer too.

        Raises:
            aioftp.StatusCodeError: 421, the server's farewell.
        """
        code, lines = await self.command(command, "xxx", "1xx")
        if code == "421":
            raise aioftp.StatusCodeError(aioftp.Code("xxx"), code, lines)
        return code, reply_text(lines)

    def tls_version(self) -> str:
        """Of the control connection, such as ``TLSv1.3``; empty if it is plain."""
        secured = self.stream.writer.get_extra_info("ssl_object")
        return secured.version() or "" if secured is not None else ""

    async def tls_handshake(self, context: ssl.SSLContext) -> None:
        """Start explicit TLS (RFC 4217) on the control connection, without a command yet.

        Raises:
            aioftp.StatusCodeError: the server refuses.
            ssl.SSLCertVerificationError: its certificate is not what ``context`` asks for.
            UnexpectedPeerError: more than its answer came in the clear, which would pass for words under TLS.
        """
        self._verified = context.verify_mode is ssl.CERT_REQUIRED
        await self.command("AUTH TLS", "234")
        _reject_unread_bytes(self.stream.reader)
        await self.stream.start_tls(context, server_hostname=self.server_host)

    async def protect(self) -> None:
        """Have TLS on data connections too (RFC 4217, section 9)."""
        await self.command("PBSZ 0", "2xx")
        await self.command("PROT P", "2xx")

    def certificate(self) -> bytes | None:
        """The server's, of the control connection, in DER; None if there is none."""
        return _certificate(self.stream.writer)

    async def _open_connection(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open every connection plain: TLS on it begins where :meth:`data` or :meth:`tls_handshake` says."""
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
            PassiveError: it offers no data connection that could be opened.
            NotResumedError: it did not take ``start``, or refused the command with it.
            UnexpectedPeerError: bytes came in the clear before TLS; or, with a pinned certificate, this connection
                shows another one.
        """
        await self.command("TYPE I", "2xx")
        reader, writer = await self._connect_passively()
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

    async def _connect_passively(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a data connection: where EPSV gives none, whatever the server says to it, PASV is asked.

        aioftp goes on to PASV after a 50x alone. Servers refuse with 550, 522, 425 and 530 too, answer with 200 or with
        227, or name a port that a firewall closes because it reads nothing but PASV.
        """
        tries: list[Phrase] = []
        lasting = True
        ways = (("EPSV", "229", epsv_port), ("PASV", "2xx", pasv_port))
        for verb, granted, port_in in reversed(ways) if self.pasv_first else ways:
            if verb == "EPSV" and not self._extended_passive:
                continue
            code, text = await self.attempt(verb)
            port = port_in(text) if code.matches(granted) else None
            if port is None:
                lasting = lasting and code.startswith("5")
                tries.append(phrase("passive-try", verb=verb, answer=f"{code} {text}"))
                continue
            try:
                opened = await self._open_connection(self._peer(), port)
            except OSError as error:
                lasting = False
                why = phrase("no-answer") if isinstance(error, TimeoutError) else error.strerror or str(error)
                tries.append(phrase("passive-try-port", verb=verb, answer=f"{code} {text}", port=port, why=why))
                continue
            self._extended_passive = verb == "EPSV"
            return opened
        raise PassiveError(tries, lasting=lasting)

    def _peer(self) -> str:
        """The address at the other end: a host's name may have several, and the data port is open at one of them."""
        host, _, *rest = self.stream.writer.get_extra_info("peername")
        scope = rest[1] if len(rest) > 1 else 0  # of a link-local address of IPv6
        return f"{host}%{scope}" if scope and "%" not in host else str(host)

    async def _begin(self, command: str, start: int) -> None:
        try:
            if start:
                await self.command(f"REST {start}", "350")
            await self.command(command, "1xx")
        except aioftp.StatusCodeError as error:
            if start:
                raise NotResumedError(
                    "not-resumed", command=self.last_command, code=str(error.received_codes[-1])
                ) from error
            raise

    async def _secure_data(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (context := self._session_context()) is None:
            return
        _reject_unread_bytes(reader)
        await writer.start_tls(context, server_hostname=self.server_host, ssl_handshake_timeout=self.connection_timeout)
        # Where TLS verifies nothing (a pinned certificate), the one that was compared is the only one trusted.
        if not self._verified and _certificate(writer) != self.certificate():
            raise UnexpectedPeerError("other-certificate")

    def _session_context(self) -> ssl.SSLContext | None:
        secured = self.stream.writer.get_extra_info("ssl_object")
        if secured is None:
            return None
        return SSLSessionBoundContext(ssl.PROTOCOL_TLS_CLIENT, context=secured.context, session=secured.session)

    def abort(self) -> None:  # type: ignore[override]
        """Drop the connection at once, without a word."""
        if self._stream is not None:
            self._stream.writer.transport.abort()

    async def quit(self) -> None:
        """Say QUIT, wait for no answer, and close. Never raises, takes a second at most."""
        if self._stream is None:
            return
        with suppress(OSError, ssl.SSLError, TimeoutError):
            async with asyncio.timeout(1):
                await self.command("QUIT")
                self.close()
                await self._stream.writer.wait_closed()
        self.abort()
