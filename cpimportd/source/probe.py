"""Tests the source step by step, for ``cpimportd check``."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, tzinfo

from cpimportd.config import settings
from cpimportd.core.formatting import count, moment
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, ProblemError, printable, problem
from cpimportd.source import address
from cpimportd.source.folder import FolderSource
from cpimportd.source.ftp import BLOCK, FtpSession
from cpimportd.source.interface import InUseError, Listing, Session


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a check.

    Attributes:
        name: ``reach``, ``log in``, ``list`` or ``read``.
        detail: what was found; empty if the step failed.
        problem: why it failed, and later steps were not tried; or a warning of what it showed; None if all is well.
    """

    name: str
    detail: str
    problem: Problem | None = None


class _FirstBlockReadError(Exception):
    """As much came as was wanted."""


async def probe(source: settings.Source, zone: tzinfo = UTC, *, read: bool = True) -> Sequence[Step]:
    """Reach the source, log in, list the folder, look at one workbook and fetch its first block.

    Nothing is retried, but for a server that has no answer to EPSV.

    Args:
        source: which.
        zone: in which instants are shown.
        read: whether a workbook is looked at and begun; a monitor that asks every minute need not.

    Returns:
        The steps that were tried, in order; the last one may have failed.
    """
    try:
        place = address.parse(source)
    except ProblemError as error:
        return (Step("reach", "", error.problems[0]),)
    if place.scheme == "file":
        return await _probe_folder(FolderSource(place, source), zone, read=read)
    session = FtpSession(place, source)
    steps = await _probe_server(session, place, zone, read=read)
    if session.failed_at_epsv:  # a run's next connection begins with PASV, too
        steps = await _probe_server(FtpSession(place, source, pasv_first=True), place, zone, read=read)
    return steps


async def _probe_server(session: FtpSession, place: address.Address, zone: tzinfo, *, read: bool) -> Sequence[Step]:
    steps: list[Step] = []
    name = "reach"
    try:
        steps.append(Step(name, printable(f"{place.label}: {await session.connect()}")))
        name = "log in"
        steps.append(Step(name, printable(await session.login())))
        name = "list"
        await session.enter()
        listing = await session.list()
        steps.append(_listed(place.label, place.folder, listing, zone))
        if read and listing.entries:
            name = "read"
            steps.extend(await _read_first_block(session, listing, zone, session.refused, place.label))
        if session.in_step:
            await session.quit()
    except ProblemError as error:
        steps.append(Step(name, "", error.problems[0]))
    finally:
        session.abort()
    return steps


async def _probe_folder(source: FolderSource, zone: tzinfo, *, read: bool) -> Sequence[Step]:
    name, steps = "list", []
    try:
        listing = await source.list()
        steps.append(_listed(source.label, os.fspath(source.folder), listing, zone))
        if read and listing.entries:
            name = "read"
            steps.extend(await _read_first_block(source, listing, zone, {}, source.label))
    except ProblemError as error:
        steps.append(Step(name, "", error.problems[0]))
    return steps


async def _read_first_block(
    session: Session, listing: Listing, zone: tzinfo, refused: Mapping[str, str], server: str
) -> Sequence[Step]:
    """Look at the smallest workbook that is not empty, and fetch its first block.

    Args:
        session: a conversation.
        listing: what it showed.
        zone: in which instants are shown.
        refused: the session's answers to what it asked and was refused.
        server: how problems name it.

    Raises:
        ProblemError: as the session does.
    """
    entry = min(listing.entries, key=lambda one: (not one.look.size, one.look.size or 0, one.wire))
    arrived = 0

    def take(block: bytes) -> None:
        nonlocal arrived
        arrived += len(block)
        if arrived >= BLOCK:
            raise _FirstBlockReadError

    try:
        look = await session.look(entry)
        with suppress(_FirstBlockReadError):
            await session.download(entry, take)
    except InUseError as error:
        return (Step("read", printable(f"{entry.name} is being written at this moment: {error}")),)
    if look.size and not arrived:
        short = problem("download-short", file=entry.name, got=0, size=look.size)
        return (Step("read", "", short),)
    size = "of unknown size" if look.size is None else f"has {count(look.size)} bytes"
    modified = look.modified or entry.look.modified
    written = f", last written {moment(modified, zone)}" if modified else ""
    begun = Step("read", printable(f"{entry.name} {size}{written}; its first {count(min(arrived, BLOCK))} arrived"))
    other_state = {"MDTM"} if modified else set()
    missing = [
        phrase("answer-to", command=verb, answer=answer) for verb, answer in refused.items() if verb not in other_state
    ]
    if not missing:
        return (begun,)
    return (begun, Step("read", "", problem("source-untold", server=server, reason=missing)))


def _listed(server: str, folder: str, listing: Listing, zone: tzinfo) -> Step:
    if not listing.entries:
        return Step("list", "", problem("source-empty", server=server, folder=folder))
    times = [entry.look.modified for entry in listing.entries if entry.look.modified]
    newest = f", the newest of {moment(max(times), zone)}" if times else ""
    refused = f", {len(listing.problems)} refused" if listing.problems else ""
    workbooks = "1 workbook" if len(listing.entries) == 1 else f"{len(listing.entries)} workbooks"
    return Step("list", printable(f"{workbooks} in {folder}{newest}{refused}"))
