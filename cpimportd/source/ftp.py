"""A session with an FTP server, plain or under explicit TLS (RFC 4217)."""

import re
import ssl
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

import aioftp

from cpimportd.config import settings
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.waiting import report_slow
from cpimportd.source import certificate, listing
from cpimportd.source.address import Address
from cpimportd.source.client import Client
from cpimportd.source.control import TRANSPARENT, bytewise
from cpimportd.source.failures import Interpreter, Phase, is_in_use
from cpimportd.source.interface import Entry, FileState, FileTooLargeError, Listing, PermanentError

BLOCK = 64 * 1024
MOST_LINES, MOST_BYTES = 100_000, 16 * 1024**2
"""Of a listing; a folder of exports has dozens of lines. More is a server that never ends."""

_TLS_PROBE = 5.0
"""Seconds for finding out why a server does not greet."""
_NO_FILES = re.compile(r"\bno files\b", re.IGNORECASE)
_WRONG_MODE = re.compile(r"\bascii\b", re.IGNORECASE)


class FtpSession:
    """One control connection. Use it for one thing at a time: two transfers at once break it.

    Attributes:
        in_step: whether the last exchange ended as the protocol wants; if not, only :meth:`abort` is left.
        refused: the last answer to each of SIZE and MDTM that the server refused.
    """

    def __init__(self, address: Address, source: settings.Source, *, pasv_first: bool = False) -> None:
        self.in_step = False
        self.refused: dict[str, str] = {}
        self._address = address
        self._encoding = source.encoding
        self._user = source.user
        # RFC 1635 asks for an address as the password of anonymous users; any will do.
        self._password = source.password.get_secret_value() if source.password else "anonymous@"
        self._tls_ca = source.tls_ca
        self._pinned = source.tls_fingerprint
        self._connect_limit = source.connect_timeout.total_seconds()
        self._command_limit = source.command_timeout.total_seconds()
        self._transfer_limit = source.transfer_timeout.total_seconds()
        self._client = Client(connect_timeout=self._connect_limit, socket_timeout=self._command_limit)
        self._client.pasv_first = pasv_first
        self._understand = Interpreter(
            address.label,
            address.folder,
            source.user,
            self._password if source.password else "",
            self._command_limit,
            encrypted=address.scheme == "ftps",
            last_command=lambda: self._client.last_command,
        )
        self._machine_listing = True
        self._unknown: set[str] = set()

    async def connect(self) -> str:
        """Reach the server and, for ``ftps``, secure the connection.

        Returns:
            What was found, for people.

        Raises:
            ProblemError: source-unreachable, source-busy, source-stalled, source-tls, source-implicit-tls.
        """
        context = self._tls_context() if self._address.scheme == "ftps" else None
        async with self._understand.during(Phase.CONNECT, self._connect_limit):
            await self._client.reach(self._address.host, self._address.port)
        greeting = await self._read_greeting()
        if context is None:
            return greeting
        await self._secure(context)
        pinned = " with the pinned certificate" if self._pinned else ""
        return f"{self._client.tls_version()}{pinned}, {greeting}"

    async def _read_greeting(self) -> str:
        try:
            async with self._understand.during(Phase.GREET, self._connect_limit):
                return self._understand.readable(await self._client.greeting())
        except ProblemError as error:
            if error.problems[0].code not in {"source-stalled", "source-unreachable"}:
                raise
            self._client.abort()
            if await certificate.speaks_tls(self._address, min(self._connect_limit, _TLS_PROBE)):
                raise self._understand.secured_too_early() from error
            raise

    async def _secure(self, context: ssl.SSLContext) -> None:
        distrusted = None
        async with self._understand.during(Phase.TLS, self._connect_limit):
            try:
                await self._client.tls_handshake(context)
            except ssl.SSLCertVerificationError as error:
                distrusted = error
        if distrusted is not None:
            self._client.abort()
            shown = await certificate.presented_fingerprint(self._address, self._connect_limit)
            raise self._understand.untrusted(certificate.explain_distrust(distrusted, shown)) from distrusted
        if self._pinned and (shown := certificate.fingerprint(self._client.certificate())) != self._pinned:
            self._client.abort()
            raise self._understand.untrusted(
                f"the certificate is not the one pinned in source.tls_fingerprint: its SHA-256 fingerprint is {shown}"
            )
        async with self._understand.during(Phase.TLS, self._connect_limit):
            await self._client.protect()

    async def login(self) -> str:
        """Log in and enter the login folder in binary mode.

        Returns:
            What was found, for people.

        Raises:
            ProblemError: source-login, source-busy, source-stalled, source-unreachable, source-tls, source-binary.
        """
        async with self._understand.during(Phase.LOGIN, self._command_limit):
            answer = self._understand.readable(
                await self._client.log_in(
                    bytewise(self._user, self._encoding), bytewise(self._password, self._encoding)
                )
            )
            await self._client.command("TYPE I", "2xx")
            if self._encoding.lower().replace("-", "").replace("_", "") == "utf8":
                # IIS and others send names in their own code page until they are asked; most say no, and need not care.
                await self._client.attempt("OPTS UTF8 ON")
        asks_none = f"; the server wants no password from anybody (PASS: {answer})" if answer.startswith("202") else ""
        return f"as {self._user}{asks_none}"

    async def enter(self) -> None:
        """Change to the folder. vsftpd lists a folder that does not exist as an empty one; this cannot be fooled.

        Raises:
            ProblemError: source-listing, source-stalled, source-unreachable.
        """
        path = self._address.path.decode(TRANSPARENT)
        async with self._understand.during(Phase.LIST, self._command_limit):
            if path:
                try:
                    await self._client.command(f"CWD {path}", "2xx")
                except aioftp.StatusCodeError as error:
                    if path.startswith("/") or not error.received_codes[-1].matches("5xx"):
                        raise
                    await self._client.command(f"CWD /{path}", "2xx")
        self.in_step = True

    async def list(self) -> Listing:
        """The workbooks in the folder, with size and, where the server gives it reliably, modification time.

        The time comes from MLSD or MDTM, never from LIST, whose times have no seconds and no zone.

        Raises:
            ProblemError: source-listing, source-stalled, source-unreachable, source-tls.
        """
        self.in_step = False
        async with self._understand.during(Phase.LIST, self._transfer_limit):
            found = listing.split_listing(await self._lines(), self._encoding)
            if not self._machine_listing:
                dated = [(entry, FileState(entry.look.size, await self._modified(entry))) for entry in found.entries]
                found = replace(found, entries=tuple(replace(entry, look=look) for entry, look in dated))
        self.in_step = True
        return found

    async def _lines(self) -> Iterable[listing.Line]:
        if self._machine_listing:
            try:
                return tuple(listing.parse_mlsd(await self._read_lines("MLSD")))
            except aioftp.StatusCodeError as error:
                # vsftpd and IIS do not know it (50x); where it is forbidden (550), LIST may still be allowed.
                if not error.received_codes[-1].startswith(("5", "200", "202")):
                    raise
                self._machine_listing = False
        try:
            return tuple(listing.parse_list(await self._read_lines("LIST")))
        except aioftp.StatusCodeError as error:
            if not _NO_FILES.search(str(error.info)):
                raise
            return ()  # "450 No files found.", some say of an empty folder

    async def _read_lines(self, command: str) -> Iterable[bytes]:
        lines, size = [], 0
        async with self._client.data(command) as stream:
            while line := await stream.readline():
                lines.append(line)
                size += len(line)
                if len(lines) > MOST_LINES or size > MOST_BYTES:
                    raise FileTooLargeError("long-listing", lines=MOST_LINES, size=MOST_BYTES)
        if lines and not lines[-1].endswith(b"\n"):
            # Servers say 226 after half a listing too, and half a name may be a name.
            raise ConnectionError("the listing broke off within a line")
        return lines

    async def look(self, entry: Entry) -> FileState:
        """The file's SIZE and MDTM (RFC 3659) at this moment; None for what the server does not say.

        Where it gives no size the folder is listed anew: a size that does not change shows that the upload is complete.

        Raises:
            ProblemError: download-failed.
        """
        self.in_step = False
        async with self._understand.during(Phase.LOOK, self._command_limit, entry.name):
            look = FileState(await self._size(entry), await self._modified(entry))
            if look.size is None:
                seen = await self._state_in_listing(entry)
                look = FileState(seen.size, look.modified or seen.modified)
        self.in_step = True
        return look

    async def _state_in_listing(self, entry: Entry) -> FileState:
        for line in await self._lines():
            if line.wire == entry.wire:
                return line.look
        raise PermanentError(problem("download-failed", file=entry.name, reason=phrase("gone-from-folder")))

    async def download(self, entry: Entry, write: Callable[[bytes], None], start: int = 0) -> None:
        """Hand over the bytes of the file, those before ``start`` left out.

        Raises:
            ProblemError: download-failed.
            InUseError: the server says that another program has the file.
            NotResumedError: it refuses REST (RFC 3659, section 5), or RETR after it.
        """
        self.in_step = False
        async with (
            self._understand.during(Phase.DOWNLOAD, self._transfer_limit, entry.name),
            report_slow("source", f"{entry.name}: no more bytes come", self._command_limit) as heard,
            self._client.data(f"RETR {entry.wire.decode(TRANSPARENT)}", start) as stream,
        ):
            while block := await stream.read(BLOCK):
                heard()
                write(block)
        self.in_step = True

    @property
    def failed_at_epsv(self) -> bool:
        """Whether the conversation ended with EPSV, as where a firewall lets no answer to it through."""
        return not self.in_step and self._client.last_command == "EPSV"

    async def quit(self) -> None:
        """Say goodbye and close. Never raises."""
        await self._client.quit()

    def abort(self) -> None:
        """Drop the connection."""
        self._client.abort()

    async def is_alive(self) -> bool:
        """Whether the server still answers on this connection."""
        try:
            async with self._understand.during(Phase.LOGIN, self._command_limit):
                await self._client.command("NOOP", "2xx")
        except ProblemError:
            return False
        return True

    async def _size(self, entry: Entry) -> int | None:
        reply = await self._ask(f"SIZE {entry.wire.decode(TRANSPARENT)}")
        return listing.parse_size(reply) if reply else None

    async def _modified(self, entry: Entry) -> datetime | None:
        reply = await self._ask(f"MDTM {entry.wire.decode(TRANSPARENT)}")
        return listing.parse_time(reply.encode(TRANSPARENT).partition(b" ")[0]) if reply else None

    async def _ask(self, command: str) -> str | None:
        """A 213 reply's text; None if the server refuses the command (5xx), for this file or any.

        vsftpd answers 550 both for a missing file and for a forbidden command. If it is missing, RETR fails.
        """
        verb, _, _ = command.partition(" ")
        if verb in self._unknown:
            return None
        code, text = await self._client.attempt(command)
        if code.startswith("5") and _WRONG_MODE.search(text):
            # RFC 3659, section 4.1, lets a size depend on the mode; some servers fall back to ASCII by themselves.
            await self._client.command("TYPE I", "2xx")
            code, text = await self._client.attempt(command)
        if code == "213":
            return text.strip()
        if not code.startswith("5") or (verb == "SIZE" and is_in_use(text)):
            raise aioftp.StatusCodeError(aioftp.Code("213"), code, text)
        if code.matches("50x"):
            self._unknown.add(verb)
        self.refused[verb] = self._understand.readable(f"{code} {text}".strip())
        return None

    def _tls_context(self) -> ssl.SSLContext:
        try:
            return certificate.context(self._tls_ca, pinned=self._pinned is not None)
        except OSError as error:
            reason = phrase("tls-ca-unreadable", said=error.strerror or str(error))
            raise self._understand.untrusted(reason) from error
