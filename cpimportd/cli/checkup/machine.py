"""The machine: the state folder, its disk, the time zone's rules, and the programs that we call."""

import os
import stat
import zoneinfo
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from cpimportd.cli.checkup.line import CheckLine, bad, good
from cpimportd.config.settings import Settings
from cpimportd.core.files import foreign
from cpimportd.core.problems import problem
from cpimportd.core.time import moment

NEEDED: Final = 500 * 1024**2
"""Bytes that shall be free: a month of snapshots, and seven backups."""

_STATE: Final = "state folder"
_FREE: Final = "disk space"


def state_folder(settings: Settings) -> Sequence[CheckLine]:
    """Whether the state folder is ours, private and writable, and whether its disk has room."""
    folder = settings.state_directory
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    refused = foreign(folder) if there == folder else None
    return (_usable(folder, there) if refused is None else bad(_STATE, refused), _room(there))


def _usable(folder: Path, there: Path) -> CheckLine:
    if not there.is_dir():
        return bad(_STATE, problem("disk", path=str(there), reason="it is no folder"))
    if not _writable(there):
        return bad(_STATE, problem("disk", path=str(there), reason=f"user {os.geteuid()} cannot write to it"))
    if there != folder:
        return good(_STATE, f"{folder} will be made in {there}")
    found = folder.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid():
        reason = f"it belongs to user {found.st_uid}, this check runs as user {os.geteuid()}"
        return bad(_STATE, problem("state-folder", path=str(folder), reason=reason))
    if mode & 0o077:
        reason = f"others can look into it (mode {mode:04o}), and it holds the holding's payments"
        return bad(_STATE, problem("state-folder", path=str(folder), reason=reason))
    return good(_STATE, f"{folder}, mode {mode:04o}")


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def _room(there: Path) -> CheckLine:
    system = os.statvfs(there)
    free = system.f_bavail * system.f_frsize
    if free < NEEDED:
        reason = f"{free // 1024**2} MB are free, {NEEDED // 1024**2} MB are needed"
        return bad(_FREE, problem("disk", path=str(there), reason=reason))
    return good(_FREE, f"{free / 1024**3:.1f} GB free")


def time_zone(settings: Settings) -> Sequence[CheckLine]:
    """Which rules the time zone goes by: they change with every decree, and schedules follow them."""
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
