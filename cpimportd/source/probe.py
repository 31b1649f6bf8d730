"""Whether the source works, step by step: for ``cpimportd check``."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

from cpimportd import settings
from cpimportd.instants import moment
from cpimportd.problems import Problem, ProblemError, printable, problem
from cpimportd.source import address
from cpimportd.source.contract import Listing
from cpimportd.source.folder import FolderSource
from cpimportd.source.ftp import FtpSession


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a check.

    Attributes:
        name: ``reach``, ``log in`` or ``list``.
        detail: what was found; empty where the step failed.
        problem: why it failed; None where it did not. Later steps were then not tried.
    """

    name: str
    detail: str
    problem: Problem | None = None


async def probe(source: settings.Source, zone: tzinfo = UTC) -> Sequence[Step]:
    """Reach the source, log in and list the folder, each once; nothing is downloaded and nothing is retried.

    Args:
        source: which.
        zone: in which instants are told.

    Returns:
        The steps that were tried, in order; the last one may have failed.
    """
    try:
        place = address.parse(source)
    except ProblemError as error:
        return (Step("reach", "", error.problems[0]),)
    if place.scheme == "file":
        return await _probe_folder(FolderSource(place, source), zone)
    session = FtpSession(place, source)
    steps: list[Step] = []
    name = "reach"
    try:
        steps.append(Step(name, printable(f"{place.label}: {await session.connect()}")))
        name = "log in"
        steps.append(Step(name, printable(await session.login())))
        name = "list"
        await session.enter()
        steps.append(_listed(place.label, place.folder, await session.list(), zone))
        await session.leave()
    except ProblemError as error:
        steps.append(Step(name, "", error.problems[0]))
    finally:
        session.abort()
    return steps


async def _probe_folder(source: FolderSource, zone: tzinfo) -> Sequence[Step]:
    try:
        listing = await source.list()
    except ProblemError as error:
        return (Step("list", "", error.problems[0]),)
    return (_listed(source.label, os.fspath(source.folder), listing, zone),)


def _listed(server: str, folder: str, listing: Listing, zone: tzinfo) -> Step:
    if not listing.entries:
        return Step("list", "", problem("source-empty", server=server, folder=folder))
    times = [entry.look.modified for entry in listing.entries if entry.look.modified]
    newest = f", the newest of {moment(max(times), zone)}" if times else ""
    refused = f", {len(listing.problems)} refused" if listing.problems else ""
    workbooks = "1 workbook" if len(listing.entries) == 1 else f"{len(listing.entries)} workbooks"
    return Step("list", printable(f"{workbooks} in {folder}{newest}{refused}"))
