"""Fetches over a bad line, and what is looked at after each."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from cpimportd.core.problems import ProblemError
from cpimportd.source.fetch import fetch
from tests.support.faults.carriers import Carrier, whole
from tests.support.faults.proxy import Proxy
from tests.support.source.real_servers import Running
from tests.support.source.serving import files_in, retry_for, settings_for

WHOLE: Final = "whole file"
NEVER_LONGER: Final = 60.0
"""Seconds within which a fetch has to end whatever happens; it is a hang otherwise."""

ALWAYS: Final = 10**9


def content(size: int, seed: int = 1) -> bytes:
    """As packed data is: no part of it is like another."""
    return Random(seed).randbytes(size)


@dataclass
class Line:
    """A server, the proxy before it, and a folder for what comes."""

    server: Running
    proxy: Proxy
    spool: Path

    async def fetch(self, within: float = 20, **changes: Any) -> str:
        """Fetch, and see that nothing wrong, unfinished or open is left.

        Args:
            within: how long faults are tried again.
            changes: of the settings.

        Returns:
            ``whole file``, or the codes of what was said instead.
        """
        place = {"url": f"ftp://127.0.0.1:{self.proxy.port}/", "stable_for": 0.2}
        source = settings_for(self.server, **(place | changes))
        try:
            async with asyncio.timeout(NEVER_LONGER):
                fetched = await fetch(source, retry_for(within), self.spool)
            files, problems = fetched.files, fetched.problems
        except ProblemError as error:
            files, problems = (), error.problems
        async with asyncio.timeout(NEVER_LONGER):
            await self.proxy.quiet()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert (files_in(self.spool) if self.spool.exists() else []) == sorted(file.path.name for file in files)
        for file in files:
            arrived, truth = file.path.read_bytes(), (self.server.root / file.name).read_bytes()
            assert arrived == truth
            assert (file.size, file.sha256) == (len(truth), hashlib.sha256(truth).hexdigest())
        shutil.rmtree(self.spool, ignore_errors=True)
        return ", ".join(sorted({f"`{problem.code}`" for problem in problems})) or WHOLE


@asynccontextmanager
async def line_to(server: Running, spool: Path) -> AsyncIterator[Line]:
    """A line without a fault so far."""
    async with Proxy(server.port) as proxy:
        yield Line(server, proxy, spool)


def first(times: int, verb: str, carrier: Carrier) -> Callable[[str], Carrier]:
    """A choice of carriers: this one for the first transfers by a command."""
    left = times

    def choose(asked: str) -> Carrier:
        nonlocal left
        if asked != verb or left == 0:
            return whole
        left -= 1
        return carrier

    return choose


def first_replies(times: int, verb: str, change: Callable[[bytes], bytes]) -> Callable[[str, bytes], bytes]:
    """What becomes of replies: the first lines that answer a command are changed."""
    left = times

    def reply(asked: str, said: bytes) -> bytes:
        nonlocal left
        if asked != verb or left == 0:
            return said
        left -= 1
        return change(said)

    return reply


def sample(places: Iterable[int], count: int, *, take_all: bool) -> list[int]:
    """All places, or so many of them, spread evenly, with both ends."""
    ordered = sorted(set(places))
    if take_all or len(ordered) <= count:
        return ordered
    return [ordered[round(number * (len(ordered) - 1) / (count - 1))] for number in range(count)]
