"""Several sessions with one FTP server: one connection for each transfer, as many as the server grants."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cpimportd.config import settings
from cpimportd.core.problems import ProblemError
from cpimportd.source.address import Address
from cpimportd.source.ftp import FtpSession

_log = logging.getLogger(__name__)

FRESH_FOR = 20.0
"""Seconds for which an idle connection is trusted unasked; servers drop idle ones after a minute or more."""


class FtpSource:
    """An FTP server's folder. Connections are opened when they are needed, and used again.

    Servers limit the connections of a user or a host. Where one more is refused while at least one works, one less is
    used from then on; that is no failure.
    """

    def __init__(self, address: Address, source: settings.Source) -> None:
        self._address = address
        self._source = source
        self._permits = asyncio.Semaphore(source.parallel)
        self._idle: list[tuple[FtpSession, float]] = []
        self._open: set[FtpSession] = set()
        self._pasv_first = False

    @property
    def label(self) -> str:
        """The server."""
        return self._address.label

    @property
    def folder(self) -> str:
        """The folder on the server."""
        return self._address.folder

    @asynccontextmanager
    async def session(self) -> AsyncIterator[FtpSession]:
        """A logged-in conversation in the folder; it is kept for the next one if it ends in step.

        Raises:
            ProblemError: source-unreachable, source-login, source-busy, source-tls, source-listing, source-stalled.
        """
        session = await self._take()
        try:
            yield session
        finally:
            if session.in_step:
                self._idle.append((session, asyncio.get_running_loop().time()))
            else:
                self._drop(session)
            self._permits.release()

    async def _take(self) -> FtpSession:
        while True:
            await self._permits.acquire()
            try:
                return await self._reuse() or await self._connect()
            except ProblemError as error:
                if not (self._open and _too_many_connections(error)):
                    self._permits.release()
                    raise
                # The permit is not given back: the holders of open connections have their own permits.
                _log.info(
                    "%s grants %d connections, fewer than source.parallel: %s",
                    self.label,
                    len(self._open),
                    error,
                    extra={"action": "source.fewer_connections"},
                )
            except BaseException:
                self._permits.release()
                raise

    async def _reuse(self) -> FtpSession | None:
        while self._idle:
            session, since = self._idle.pop()
            if asyncio.get_running_loop().time() - since < FRESH_FOR or await self._is_alive(session):
                return session
            self._drop(session)
        return None

    async def _is_alive(self, session: FtpSession) -> bool:
        try:
            return await session.is_alive()
        except BaseException:
            self._drop(session)
            raise

    async def _connect(self) -> FtpSession:
        session = FtpSession(self._address, self._source, pasv_first=self._pasv_first)
        try:
            await session.connect()
            await session.login()
            await session.enter()
        except BaseException:
            session.abort()
            raise
        self._open.add(session)
        return session

    def _drop(self, session: FtpSession) -> None:
        self._pasv_first = self._pasv_first or session.failed_at_epsv
        session.abort()
        self._open.discard(session)

    async def close(self) -> None:
        """Say goodbye on idle connections, drop the others. Never raises."""
        idle = [session for session, _ in self._idle]
        self._idle.clear()
        try:
            await asyncio.gather(*(session.quit() for session in idle))
        finally:
            for session in tuple(self._open):
                self._drop(session)


def _too_many_connections(error: ProblemError) -> bool:
    """Whether a further connection was refused because there are too many.

    ProFTPD answers the login with 530, as for a wrong password, with a text that its administrator may have changed.
    The password was right a moment ago, on the connection that is open: so this refusal is about their number.
    """
    return error.problems[0].code in {"source-busy", "source-login"}
