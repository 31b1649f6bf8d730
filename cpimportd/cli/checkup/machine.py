"""Checks of the machine and its clock: state folder, disk, the reader's walls, time zone, slots, closed period."""

import os
import stat
import zoneinfo
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Final

from cpimportd.checks.guards import closed_before
from cpimportd.cli.checkup.line import CheckLine, bad, good
from cpimportd.config.settings import Reader, Settings
from cpimportd.core.files import foreign
from cpimportd.core.formatting import day, document_day, moment
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import problem
from cpimportd.timetable.calendar import next_slot
from cpimportd.timetable.irregular import irregular_dates
from cpimportd.workbook.confine import Walls
from cpimportd.workbook.forking import ForkServer
from cpimportd.workbook.reading import prefork_command
from cpimportd.workbook.sandbox import run_limited
from cpimportd.workbook.trial import parse_trial

NEEDED: Final = 500 * 1024**2
"""Bytes that shall be free: a month of snapshots, and seven backups."""

_STATE: Final = "state folder"
_FREE: Final = "disk space"

COMING: Final = timedelta(days=365)
"""The period for which the check computes slots."""

_CONFINEMENT: Final = "reader confinement"
_TRIAL: Final = b'{"try": "what is possible besides reading"}'
_SLOTS: Final = "slots"
_CLOSED: Final = "closed period"
_DAY: Final = timedelta(days=1)


def state_folder(settings: Settings) -> Sequence[CheckLine]:
    """Whether the state folder is ours, private and writable, and whether its disk has room."""
    folder = settings.state_directory
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    refused = foreign(folder) if there == folder else None
    return (_usable(folder, there) if refused is None else bad(_STATE, refused), _room(there))


def _usable(folder: Path, there: Path) -> CheckLine:
    if not there.is_dir():
        return bad(_STATE, problem("disk", path=str(there), reason=phrase("no-folder")))
    if not _writable(there):
        return bad(_STATE, problem("disk", path=str(there), reason=phrase("not-writable", user=os.geteuid())))
    if there != folder:
        return good(_STATE, f"{folder} will be made in {there}")
    found = folder.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid():
        reason = phrase("other-owner", owner=found.st_uid, user=os.geteuid())
        return bad(_STATE, problem("state-folder", path=str(folder), reason=reason))
    if mode & 0o077:
        reason = phrase("others-look-in", mode=f"{mode:04o}")
        return bad(_STATE, problem("state-folder", path=str(folder), reason=reason))
    return good(_STATE, f"{folder}, mode {mode:04o}")


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def _room(there: Path) -> CheckLine:
    system = os.statvfs(there)
    free = system.f_bavail * system.f_frsize
    if free < NEEDED:
        reason = phrase("megabytes-free", free=free // 1024**2, needed=NEEDED // 1024**2)
        return bad(_FREE, problem("disk", path=str(there), reason=reason))
    return good(_FREE, f"{free / 1024**3:.1f} GB free")


def time_zone(settings: Settings) -> Sequence[CheckLine]:
    """The version of the time zone rules: they change by law, and schedules follow them."""
    now = datetime.now(settings.zone)
    return (good("time zone", f"{settings.timezone}, now {moment(now, settings.zone)}, rules of {_rules(settings)}"),)


def _rules(settings: Settings) -> str:
    """The tz database's version, from where Python takes this zone: the system's folders, else the package tzdata."""
    for folder in map(Path, zoneinfo.TZPATH):
        if (folder / settings.timezone).is_file():
            return f"{next(_versions(folder), 'unknown version')} ({folder})"
    try:
        return f"{metadata.version('tzdata')} (the package tzdata)"
    except metadata.PackageNotFoundError:
        return "unknown version"


def _versions(folder: Path) -> Iterator[str]:
    if (version := folder / "+VERSION").is_file():  # the BSDs and macOS
        yield version.read_text().strip()
    if (compact := folder / "tzdata.zi").is_file():  # "# version 2025b", zic(8)
        with compact.open() as lines:
            yield next(lines, "").removeprefix("# version ").strip()


def regular_slots(settings: Settings, now: datetime) -> Sequence[CheckLine]:
    """A warning for each schedule without any slot, and for each coming date on which a local time is none or two.

    Args:
        settings: whose enabled schedules are looked at.
        now: an aware instant, from which a year is looked at.
    """
    until = now + COMING
    over = [
        bad(_SLOTS, problem("slot-none", schedule=name, at=schedule.at))
        for name, schedule in settings.schedules.items()
        if schedule.enabled and next_slot(schedule.at, settings.zone, now) is None
    ]
    irregular = [
        bad(
            _SLOTS,
            problem("slot-irregular", schedule=name, value=found.day, reason=found.told(settings.timezone)),
        )
        for name, schedule in settings.schedules.items()
        if schedule.enabled
        for found in irregular_dates(schedule.at, settings.zone, now, until)
    ]
    return [*over, *irregular] or (good(_SLOTS, f"no clock change until {day(until, settings.zone)} touches one"),)


def first_open_day(settings: Settings, now: datetime) -> Sequence[CheckLine]:
    """Name the first open day; warn if the last day of a month was probably meant to be closed, too.

    Args:
        settings: the effective settings.
        now: an aware instant.
    """
    first = closed_before(settings.guards.closed_before, now.astimezone(settings.zone).date())
    if first is None:
        return (good(_CLOSED, "none: guards.closed_before is not set"),)
    text = f"the first open day is {document_day(first)}; earlier documents change only if a human accepts it"
    following = first + _DAY
    if following.day != 1:
        return (good(_CLOSED, text),)
    way_out = f"To close {document_day(first)} as well: guards.closed_before = {following.isoformat()}"
    return (CheckLine(_CLOSED, ok=True, warning=True, text=text, way_out=way_out),)


async def reader_confinement(limits: Reader) -> Sequence[CheckLine]:
    """Whether a reader that is compromised by its workbook could do more than read that workbook.

    Args:
        limits: as a run sets them.

    Raises:
        ProblemError: ``reader-failed``, ``reader-limit``: there is no reader to be had.
        OSError: the machine has no process to give.
    """
    async with ForkServer(prefork_command()) as readers:
        said = b"".join([block async for block in run_limited(readers.fork, _TRIAL, limits, file="the trial")])
    trial = parse_trial(said)
    walls = _walls_in_words(trial.walls)
    if not trial.possible:
        return (
            good(_CONFINEMENT, f"a reader can do nothing but read its workbook; held by {walls or phrase('no-walls')}"),
        )
    return (bad(_CONFINEMENT, problem("reader-unconfined", value=trial.possible, reason=walls or phrase("no-walls"))),)


def _walls_in_words(walls: Walls) -> str:
    """By which means a reader is confined, such as ``Landlock 7, seccomp``."""
    there = {
        "seccomp": walls.seccomp,
        f"Landlock (ABI {walls.landlock})": walls.landlock > 0,
        "namespaces": walls.namespaces,
    }
    return ", ".join(name for name, stands in there.items() if stands)
