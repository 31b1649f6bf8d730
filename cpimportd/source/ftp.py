"""A conversation with an FTP server, plain or under explicit TLS (RFC 4217)."""

import ssl
from collections.abc import Callable
from contextlib import suppress

import aioftp

from cpimportd import settings
from cpimportd.problems import ProblemError, problem
from cpimportd.source import listing, names
from cpimportd.source.address import Address
from cpimportd.source.client import TRANSPARENT, Client
from cpimportd.source.contract import Entry, Listing, Look, PermanentError
from cpimportd.source.failures import Interpreter, Step

BLOCK = 64 * 1024
MOST_LINES = 100_000
"""Lines of a listing; a folder of exports has dozens. More is a server that never ends."""


class FtpSession:
    """One logged-in control connection. Use it for one thing at a time.

    ``in_step`` says whether the last exchange ended as the protocol wants; otherwise only :meth:`abort` is left.
    """

    def __init__(self, address: Address, source: settings.Source) -> None:
        self._address = address
        self._source = source
        self._password = source.password.get_secret_value() if source.password else ""
        self._client = Client(
            connect_timeout=source.connect_timeout.total_seconds(),
            socket_timeout=source.command_timeout.total_seconds(),
        )
        self._understand = Interpreter(address.label, address.folder, source.user, self._password, encrypted=False)
        self._machine_listing = True
        self.in_step = False

    async def connect(self) -> str:
        """Reach the server and, for ``ftps``, secure the connection; returns the server's greeting.

        Raises:
            ProblemError: source-unreachable, source-busy, source-stalled, source-tls.
        """
        limit = self._source.connect_timeout.total_seconds()
        async with self._understand.step(Step.CONNECT, limit):
            await super(Client, self._client).__class__.__mro__[0] and None  # placeholder
        return ""
