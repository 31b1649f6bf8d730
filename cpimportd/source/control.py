"""The control connection: replies are complete, of bounded length, and matched to their commands."""

import asyncio
import base64
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from html.entities import codepoint2name
from typing import Final

import aioftp
from aioftp.common import ThrottleStreamIO

from cpimportd.core.phrases import PhraseError
from cpimportd.source.interface import FileTooLargeError

TRANSPARENT = "latin-1"
"""The encoding in which aioftp reads and writes lines: every byte is one character and comes back as the same byte, so
names in any mixture of encodings survive; what they mean is decided elsewhere."""

MOST_REPLY_LINES: Final = 1000
MOST_REPLY_BYTES: Final = 256 * 1024
"""Of one reply. Greetings with the conditions of use have a hundred lines; whatever has more never ends."""

MOST_PRELIMINARY: Final = 100
"""Replies such as ``120 ready in 3 minutes`` before the one that counts."""

_ANSWER: Final = re.compile(r"(\d{3})([ -].*)?", re.DOTALL)
_OTHER_PROTOCOLS: Final = ("SSH-", "HTTP/", "* OK", "+OK", "<")
_TLS_RECORDS: Final = (b"\x15\x03", b"\x16\x03")
"""How an alert and a handshake message begin (RFC 8446, section 5.1)."""

_SECRET_VERBS: Final = frozenset({"PASS", "ACCT"})


class OtherProtocolError(aioftp.AIOFTPException):
    """Something answers that is no FTP server; ``str`` of this is how it begins."""


class ImplicitTlsError(aioftp.AIOFTPException):
    """The server speaks TLS from the first byte."""


def has_unread_bytes(reader: asyncio.StreamReader) -> bytes:
    """Take what has arrived and was not read, at most 512 bytes of it; never waits."""
    looking = reader.read(512)
    try:
        looking.send(None)
    except StopIteration as found:
        return bytes(found.value)
    looking.close()  # it would have waited: nothing is there
    return b""


def reply_text(lines: Iterable[str]) -> str:
    """The text of a reply: its lines less the character after the code."""
    return " ".join(line[1:].strip() for line in lines)


def bytewise(text: str, encoding: str) -> str:
    """Text as the client must be given it, so that the wire carries it in the server's encoding.

    What that encoding cannot write goes in UTF-8 (RFC 2640): a login with question marks in it is never right.
    """
    try:
        return text.encode(encoding).decode(TRANSPARENT)
    except UnicodeEncodeError:
        return text.encode().decode(TRANSPARENT)


class Stream(ThrottleStreamIO):
    """A connection with a limit for its silence.

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
        """Read a line, or what there is of it at the end.

        Raises:
            TimeoutError: nothing came.
            FileTooLargeError: the line has more than 64 KiB, asyncio's limit.
        """
        async with asyncio.timeout(self._limit):
            try:
                return await super().readline()
            except ValueError as error:
                raise FileTooLargeError("long-line") from error


class Control(aioftp.Client):
    """aioftp's client, which rejects incomplete, unsolicited and endless replies.

    Attributes:
        last_command: the last command, as it may be shown: without the password; empty before the first.
    """

    last_command = ""

    async def command(  # type: ignore[override]  # its overloads tell apart what is never left out here
        self,
        command: str | None = None,
        expected_codes: str | tuple[str, ...] = (),
        wait_codes: str | tuple[str, ...] = (),
        censor_after: int | None = None,
    ) -> tuple[aioftp.Code, list[str]]:
        """Send a command and read the reply, as aioftp does.

        An unsolicited reply would be taken for the next command's, and a file's time for another one's size.

        Raises:
            ConnectionError: there is one, so replies belong to commands no more.
            FileTooLargeError: the reply, or the line of preliminary ones before it, does not end.
        """
        if command:
            verb, _, _ = command.partition(" ")
            self.last_command = verb if verb in _SECRET_VERBS else command
            if said := has_unread_bytes(self.stream.reader):
                raise _unsolicited_reply(said)
        self._preliminary = 0
        return await super().command(command, expected_codes, wait_codes, censor_after)

    async def parse_response(self) -> tuple[aioftp.Code, list[str]]:
        """Read a reply: to the line that begins with its code and a space (RFC 959, section 4.2).

        Lines in between may begin with any number: a greeting may contain dates.

        Raises:
            FileTooLargeError: it has too many lines or bytes.
            OtherProtocolError: the peer is not an FTP server.
        """
        if self._preliminary > MOST_PRELIMINARY:
            raise FileTooLargeError("many-replies", most=MOST_PRELIMINARY)
        self._preliminary += 1
        first, size = None, 0
        lines: list[str] = []
        while True:
            code, rest = await self.parse_line()
            size += len(code) + len(rest)
            if len(lines) >= MOST_REPLY_LINES or size > MOST_REPLY_BYTES:
                raise FileTooLargeError("long-answer", lines=MOST_REPLY_LINES, size=MOST_REPLY_BYTES)
            answers = _ANSWER.fullmatch(code + rest)
            if first is None and answers:
                first = code
            if first is None and not self.last_command and (code + rest).startswith(_OTHER_PROTOCOLS):
                raise OtherProtocolError(code + rest)
            lines.append(rest if answers and code == first else f" {code}{rest}")
            if first is not None and answers and code == first and not rest.startswith("-"):
                return first, lines

    async def parse_line(self) -> tuple[aioftp.Code, str]:
        """Read a line of a reply.

        Raises:
            ConnectionResetError: the connection ended before the line did: half a size is a size too.
            ImplicitTlsError: it is no line but the beginning of TLS.
        """
        line = await self.stream.readline()
        if line.startswith(_TLS_RECORDS):
            raise ImplicitTlsError
        if not line.endswith(b"\n"):
            self.stream.close()
            raise ConnectionResetError
        text = line.decode(TRANSPARENT).rstrip()
        return aioftp.Code(text[:3]), text[3:]


class UnaskedError(PhraseError, ConnectionError):
    """The server says what it was not asked for."""


def _unsolicited_reply(said: bytes) -> ConnectionError:
    error = UnaskedError("unasked")
    if said.startswith(b"421"):
        error.__context__ = aioftp.StatusCodeError((), aioftp.Code("421"), said[3:].decode(TRANSPARENT).strip())
    return error


MASK: Final = "***"

_HEAD: Final = 8
"""Characters of its beginning that count as the password: crypt(3) and old servers look at no more."""
_SHORTEST: Final = 6
"""Characters of an encoded whole; fewer are in too many words."""
_GAP: Final = r"[\s\\\u00ad\u200b-\u200f\u2060\ufeff]{0,4}?"
"""What may occur between two characters: line breaks, escapes, invisible marks."""
_CHARSETS: Final = ("utf-8", "cp1251", "latin-1")
_QUOTES: Final = frozenset("'\"`")


def redact(text: str, secret: str) -> str:
    """A text without a password.

    Args:
        text: what a server said.
        secret: the password; empty if there is none.
    """
    return _pattern(secret).sub(MASK, text) if secret else text


@lru_cache(maxsize=8)
def _pattern(secret: str) -> re.Pattern[str]:
    characters = [_any_of(_forms(character)) for character in secret]
    head, rest = characters[:_HEAD], characters[_HEAD:]
    written = _GAP.join(head) + "".join(f"(?:{_GAP}{character})?" for character in rest)
    encoded = {form for charset in _CHARSETS for form in _encoded(secret.encode(charset, "replace"))}
    return re.compile("|".join([*map(re.escape, sorted(encoded, key=len, reverse=True)), written]), re.IGNORECASE)


def _any_of(forms: set[str]) -> str:
    return f"(?:{'|'.join(map(re.escape, sorted(forms, key=len, reverse=True)))})"


def _forms(character: str) -> set[str]:
    """How one character may be written."""
    number = ord(character)
    found = {character, character.upper(), character.lower(), character.casefold()}
    found |= {unicodedata.normalize(form, character) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    found |= {f"\\x{number:02x}", f"\\u{number:04x}", f"&#{number};", f"&#x{number:x};"}
    if number in codepoint2name:
        found.add(f"&{codepoint2name[number]};")
    if character in _QUOTES:
        found |= {character * 2, "&apos;"}
    if character == " ":
        found.add("+")
    if not character.isascii():
        found |= {"?", "\ufffd"}
    for charset in _CHARSETS:
        data = character.encode(charset, "ignore")
        found |= {"".join(f"{mark}{byte:02x}" for byte in data) for mark in ("%", "\\x")}
        found |= {data.decode(other, "ignore") for other in _CHARSETS}
    return found - {""}


def _encoded(data: bytes) -> set[str]:
    """The encodings in hexadecimal and base64, with any text before and after."""
    found = {data.hex(), data.hex(" "), data.hex(":")}
    for before in range(3):
        letters = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        # The first letters hold bits of what stands before; the last one those of what follows.
        kept = letters[(0, 2, 3)[before] : -1]
        found |= {kept, kept.replace("+", "-").replace("/", "_")}
    return {form for form in found if len(form) >= _SHORTEST}
