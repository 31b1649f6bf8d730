"""The work of ``check``: tests whether everything is there that a run needs. It changes nothing."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cpimportd.cli.checkup import machine
from cpimportd.cli.checkup.line import CheckLine, attempt, bad, good
from cpimportd.config.load import Loaded, load, require_source
from cpimportd.config.settings import Settings
from cpimportd.core.problems import ProblemError, problem
from cpimportd.daemon.client import with_rescheduled
from cpimportd.run.usable import need_faults, require_addresses

WITHIN: Final = timedelta(seconds=30)
"""How long one line may take."""


async def checkup(configuration: Loaded | Path | None = None, *, within: timedelta = WITHIN) -> tuple[CheckLine, ...]:
    """Try everything that a run needs, each by itself: one failure never hides another.

    Args:
        configuration: what was loaded, or the file to load; None means the usual one.
        within: how long one line may take.

    Returns:
        A line for each thing, always in the same order: configuration, source, reading, reader confinement, database,
        cache, machine, slots.
    """
    if isinstance(configuration, Loaded):
        loaded = configuration
    else:
        try:
            loaded = load(configuration)
            require_addresses(loaded)
        except ProblemError as error:
            return tuple(bad("configuration", found) for found in error.problems)
    from cpimportd.cli.checkup.database import database

    settings = loaded.settings
    found = await asyncio.gather(
        attempt("configuration", _configuration(loaded), within),
        attempt("source", _source(loaded), within),
        attempt("reading", _reading(settings), within),
        attempt("reader confinement", machine.reader_confinement(settings.reader), within),
        database(loaded, within),
        attempt("cache", _cache(settings), within),
        attempt("state folder", asyncio.to_thread(machine.state_folder, settings), within),
        attempt("time zone", asyncio.to_thread(machine.time_zone, settings), within),
        attempt(
            "slots", asyncio.to_thread(machine.regular_slots, with_rescheduled(settings), datetime.now(UTC)), within
        ),
        attempt("closed period", asyncio.to_thread(machine.first_open_day, settings, datetime.now(UTC)), within),
    )
    return tuple(line for lines in found for line in lines)


async def _configuration(loaded: Loaded) -> Sequence[CheckLine]:
    place = str(loaded.path) if loaded.path else "no file: environment and defaults"
    notes = (CheckLine("configuration", ok=True, warning=True, text=note) for note in loaded.notes)
    enabled = [f"{name} at {schedule.at}" for name, schedule in loaded.settings.schedules.items() if schedule.enabled]
    return (
        good("configuration", place),
        *(bad("configuration", found) for found in loaded.problems),
        *(bad("configuration", found) for found in await asyncio.to_thread(lambda: tuple(need_faults(loaded)))),
        *notes,
        good("schedules", ", ".join(enabled))
        if enabled
        else CheckLine("schedules", ok=True, warning=True, text="none is enabled: nothing is imported by itself"),
    )


async def _source(loaded: Loaded) -> Sequence[CheckLine]:
    from cpimportd.source.probe import probe

    require_source(loaded.settings, loaded.path)
    return [
        bad(f"source: {step.name}", step.problem) if step.problem else good(f"source: {step.name}", step.detail)
        for step in await probe(loaded.settings.source, loaded.settings.zone)
    ]


async def _reading(settings: Settings) -> Sequence[CheckLine]:
    if settings.engine.executor == "local":
        from cpimportd.workbook.sample import sample_problem

        if (fault := await sample_problem(settings.reader)) is not None:
            return (bad("reading", fault),)
        place = f"on this machine, {settings.reader.parallel} workbooks at once"
        return (good("reading", f"{place}; a sample workbook of our own is read right"),)
    from cpimportd.workbook.cluster.parent import connected, versions_differ
    from cpimportd.workbook.cluster.task import reader_identity

    address = settings.engine.dask_scheduler
    async with connected(settings.engine, settings.reader, look=True) as (_, found):
        others = [reader for reader in found.readers if reader != reader_identity()]
    if others:
        return [bad("reading", versions_differ(reader)) for reader in others]
    if not found.workers:
        return (bad("reading", problem("cluster-empty", value=str(address))),)
    amount = f"{found.workers} workers, {found.threads} workbooks at once"
    return (good("reading", f"the Dask cluster at {address} answers: {amount}"),)


async def _cache(settings: Settings) -> Sequence[CheckLine]:
    from cpimportd.notify.cache import count_cached

    if settings.cache.url is None:
        return (good("cache", "no cache.url: nothing is deleted, reports may be up to 5 minutes old"),)
    return (good("cache", f"Redis answers; {await count_cached(settings.cache)} keys match cache.pattern"),)
