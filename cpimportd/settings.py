"""What can be set, with its default: one frozen Settings. Where the values come from is configuration.py's business."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*")
_SECONDS = {
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec"), 0.001),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604800.0),
}
_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def parse_span(value: object) -> object:
    """Read a time span as systemd.time(7) writes it (``90``, ``90s``, ``1h 30min``); other types pass through."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    if not isinstance(value, str):
        return value
    text, seconds, at = value.strip().lower(), 0.0, 0
    while at < len(text):
        match = _SPAN.match(text, at)
        if match is None or match[2] not in _SECONDS:
            raise ValueError(f"{value!r} is not a time span such as 90s, 20min or 1h 30min")
        seconds += float(match[1]) * _SECONDS[match[2]]
        at = match.end()
    if not text:
        raise ValueError("an empty text is not a time span such as 90s, 20min or 1h 30min")
    return timedelta(seconds=seconds)


def parse_size(value: object) -> object:
    """Read a size in bytes with systemd's suffixes K, M, G (base 1024); anything but text passes through."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+)\s*([kmg]?)i?b?\s*", value.lower())
    if match is None:
        raise ValueError(f"{value!r} is not a size such as 200M or 1G")
    return int(match[1]) * _BYTES[match[2]]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone of this machine's tz database") from error
    return name


Span = Annotated[timedelta, BeforeValidator(parse_span)]
Size = Annotated[int, BeforeValidator(parse_size), Field(gt=0)]
Zone = Annotated[str, AfterValidator(_known_zone)]


class Section(BaseModel):
    """A part of the configuration: frozen, and closed to keys that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Database(Section):
    """Where the books are.

    ``url`` is any libpq URL; ``?host=/folder`` for a Unix socket, ``sslmode``, ``sslrootcert`` for TLS.
    ``direct_url`` goes past a connection pooler in transaction mode.
    """

    url: SecretStr | None = None
    direct_url: SecretStr | None = None
    password: SecretStr | None = None
    connect_timeout: Span = timedelta(seconds=10)
    statement_timeout: Span = timedelta(minutes=10)
    lock_timeout: Span = timedelta(seconds=5)


class Source(Section):
    """Where 1C uploads: ``ftp://``, ``ftps://`` (explicit TLS) or ``file://``."""

    url: str | None = None
    user: str = "anonymous"
    password: SecretStr | None = None
    encoding: str = "utf-8"
    parallel: Annotated[int, Field(ge=1, le=16)] = 4
    stable_for: Span = timedelta(seconds=10)
    max_file_size: Size = 200 * 1024**2
    tls_ca: Path | None = None
    connect_timeout: Span = timedelta(seconds=15)
    command_timeout: Span = timedelta(seconds=30)
    transfer_timeout: Span = timedelta(minutes=10)


class Retry(Section):
    """How long passing faults (an FTP server that is away, a database that restarts) are tried again."""

    within: Span = timedelta(minutes=20)
    wait_first: Span = timedelta(seconds=2)
    wait_longest: Span = timedelta(minutes=2)


class Reader(Section):
    """Limits of the child process that reads one workbook, and of the zip it reads."""

    parallel: Annotated[int, Field(ge=1, le=64)] = 2
    memory: Size = 1024**3
    cpu_time: Span = timedelta(minutes=5)
    wall_time: Span = timedelta(minutes=10)
    max_entries: int = 1000
    max_unpacked: Size = 2 * 1024**3
    max_ratio: int = 400


class Guards(Section):
    """When a snapshot is too different from the books to be believed without a human."""

    removed_documents: Annotated[int, Field(ge=0)] = 3
    removed_percent: Annotated[float, Field(ge=0, le=100)] = 1.0
    removed_sum_percent: Annotated[float, Field(ge=0, le=100)] = 1.0
    strict: bool = False


class Cache(Section):
    """The backend's Redis cache; without a url (``redis://…``) nothing is deleted and reports may be 5 minutes old."""

    url: SecretStr | None = None
    password: SecretStr | None = None
    pattern: str = "itbudget:cache:credit_portfolio:*"
    again_after: Span = timedelta(seconds=5)
    timeout: Span = timedelta(seconds=5)


class Tell(Section):
    """What is told after COMMIT."""

    channel: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")] = "cpimportd"
    refresh_views: bool = True
    allow_blocking_refresh: bool = False


class Spool(Section):
    """Where fetched files lie."""

    keep: Span = timedelta(days=30)


class Schedule(Section):
    """When a job runs: ``at`` is a systemd OnCalendar expression."""

    at: str = "*-*-* 06:00:00"
    job: Literal["import", "report", "reconcile"] = "import"
    enabled: bool = True
    grace: Span = timedelta(hours=1)
    catch_up: bool = True
    only: tuple[Literal["receipts", "expenses", "details"], ...] = ()
    wait_for_upload: Span = timedelta(0)


class Settings(Section):
    """Everything that can be set."""

    department_id: int = 8
    timezone: Zone = "Europe/Moscow"
    state_directory: Path = Path("/var/lib/cpimportd")
    database: Database = Database()
    source: Source = Source()
    retry: Retry = Retry()
    reader: Reader = Reader()
    guards: Guards = Guards()
    cache: Cache = Cache()
    tell: Tell = Tell()
    spool: Spool = Spool()
    schedules: Mapping[str, Schedule] = Field(default_factory=lambda: {"import": Schedule()})

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which 1C writes its moments and in which slots are computed."""
        return ZoneInfo(self.timezone)

    @property
    def spool_directory(self) -> Path:
        """Where fetched files lie: private to the daemon's user."""
        return self.state_directory / "spool"
