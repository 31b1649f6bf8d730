"""Uploads files for the people responsible for 1C into a folder of the FTP server, atomically."""

import asyncio
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import aioftp

from cpimportd.config import settings
from cpimportd.core.phrases import Reason
from cpimportd.core.problems import ProblemError, problem
from cpimportd.source.address import Address, parse
from cpimportd.source.client import UnexpectedPeerError
from cpimportd.source.control import bytewise
from cpimportd.source.ftp import BLOCK, FtpSession
from cpimportd.source.listing import parse_size

_PART: Final = ".part"


def require_outbox(source: settings.Source) -> str:
    """The folder.

    Raises:
        ProblemError: ``config-incomplete`` where it is not set.
    """
    if not source.outbox:
        raise ProblemError(
            problem("config-incomplete", key="source.outbox", place="[source]", variable="CPIMPORTD_SOURCE__OUTBOX")
        )
    return source.outbox


class _Outbox(FtpSession):
    """A session that also writes."""

    async def put(self, file: Path) -> None:
        """Send a file under a temporary name, and rename it once the server has all of it.

        Raises:
            aioftp.StatusCodeError: the server refuses.
            OSError: the file cannot be read, or the line broke; also TimeoutError.
            ValueError: less arrived than was sent.
        """
        name = bytewise(file.name, self._encoding)
        part = f"{name}{_PART}"
        async with asyncio.timeout(self._transfer_limit):
            async with self._client.data(f"STOR {part}") as stream:
                with await asyncio.to_thread(file.open, "rb") as content:
                    while block := await asyncio.to_thread(content.read, BLOCK):
                        await stream.write(block)
            size, told = (await asyncio.to_thread(file.stat)).st_size, await self._ask(f"SIZE {part}")
            stored = parse_size(told) if told else None
            if stored is not None and stored != size:
                raise ValueError(f"{stored} of {size} bytes arrived")
            await self._rename(part, name)

    async def _rename(self, part: str, name: str) -> None:
        await self._client.command(f"RNFR {part}", "350")
        try:
            await self._client.command(f"RNTO {name}", "2xx")
        except aioftp.StatusCodeError as error:
            if not error.received_codes[-1].matches("5xx"):
                raise
            # Some servers rename over nothing that is there (RFC 959 says nothing of it).
            await self._client.command(f"DELE {name}", "2xx")
            await self._client.command(f"RNFR {part}", "350")
            await self._client.command(f"RNTO {name}", "2xx")

    async def change_folder(self, folder: str) -> None:
        """Go to a folder, seen from the present one."""
        async with asyncio.timeout(self._command_limit):
            await self._client.command(f"CWD {bytewise(folder, self._encoding)}", "2xx")

    def describe_error(self, error: Exception) -> Reason:
        """What went wrong, without the password."""
        return self._understand.describe_error(error)


async def put(source: settings.Source, files: Iterable[Path]) -> None:
    """Put files into ``source.outbox`` under their own names; one that is there already is replaced.

    Args:
        source: where, and who logs in.
        files: what.

    Raises:
        ProblemError: ``outbox-failed``, ``config-incomplete``; source-unreachable, source-login and their kin.
    """
    folder, address, wanted = require_outbox(source), parse(source), list(files)
    if not wanted:
        return
    if address.scheme == "file":
        for file in wanted:
            await asyncio.to_thread(_put_in_folder, address, folder, file)
        return
    session = _Outbox(address, source)
    file = wanted[0]
    try:
        await session.connect()
        await session.login()
        await session.enter()
        await session.change_folder(folder)
        for file in wanted:
            await session.put(file)
        await session.quit()
    except (aioftp.AIOFTPException, UnexpectedPeerError, OSError, ValueError) as error:
        raise _failed(file, folder, session.describe_error(error)) from error
    finally:
        session.abort()


def _put_in_folder(address: Address, folder: str, file: Path) -> None:
    """The same into a folder of this machine."""
    target = Path(os.fsdecode(address.path)) / folder / file.name
    part = target.with_name(f".{file.name}{_PART}")
    try:
        shutil.copyfile(file, part)
        part.replace(target)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise _failed(file, folder, error.strerror or str(error)) from error


def _failed(file: Path, folder: str, reason: Reason) -> ProblemError:
    return ProblemError(problem("outbox-failed", file=file.name, folder=folder, reason=reason))
