"""The keys of the configuration with their defaults: one frozen Settings. :mod:`.load` fills it."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationInfo, field_validator

from cpimportd.config.sections import Alerts, Cache, Daemon, Journal, Metrics, Section, Spool, Tell, Web
from cpimportd.config.values import (
    AbsolutePath,
    Calendar,
    ClosedBefore,
    DatabaseUrl,
    Encoding,
    Fingerprint,
    KindName,
    Line,
    Password,
    Percent,
    PositiveSpan,
    ScheduleName,
    Scheduler,
    Size,
    SourceUrl,
    Span,
    Times,
    Whole,
    Words,
    Zone,
)
from cpimportd.core import state_folder
from cpimportd.core.phrases import UnfitError


class Database(Section):
    """Where the books are: the backend's PostgreSQL."""

    url: DatabaseUrl | None = Field(
        None,
        description="Any libpq URL: ?host=/run/postgresql for a Unix socket, sslmode and sslrootcert for TLS.",
        examples=["postgresql://cpimportd@db.example.org/backend"],
    )
    direct_url: DatabaseUrl | None = Field(
        None,
        description="The same database past a pooler in transaction mode, for migrations and locks.",
        examples=["postgresql://cpimportd@db.example.org:5432/backend"],
    )
    password: Password | None = Field(
        None,
        description="Where the url holds none; better a credential named database.password than a line here.",
        examples=["secret"],
    )
    connect_timeout: PositiveSpan = Field(timedelta(seconds=10), description="How long one connection may take.")
    statement_timeout: PositiveSpan = Field(timedelta(minutes=10), description="How long one statement may take.")
    lock_timeout: PositiveSpan = Field(
        timedelta(seconds=5), description="How long a statement waits for a lock before it is tried again."
    )


class Source(Section):
    """Where 1C uploads its workbooks."""

    url: SourceUrl | None = Field(
        None,
        description="ftp://, ftps:// (explicit TLS) or file://; user and password have keys of their own.",
        examples=["ftps://ftp.example.org/1c"],
    )
    user: Line = Field("anonymous", description="User name for the login.")
    password: Password | None = Field(
        None, description="Better a credential named source.password than a line here.", examples=["secret"]
    )
    encoding: Encoding = Field(
        "utf-8", description="Encoding of the file names; an old Windows server may need cp1251."
    )
    parallel: Annotated[Whole, Field(ge=1, le=16)] = Field(4, description="Simultaneous connections.")
    stable_for: Span = Field(
        timedelta(seconds=10), description="A file that grew within this time is still being uploaded."
    )
    max_file_size: Size = Field(200 * 1024**2, description="A larger file is refused.")
    tls_ca: AbsolutePath | None = Field(
        None,
        description="The authority that signed the server's certificate, where the system does not know it.",
        examples=["/etc/cpimportd/ca.pem"],
    )
    tls_fingerprint: Fingerprint | None = Field(
        None,
        description="SHA-256 of the server's certificate: this one is trusted, whoever signed it, and no other.",
        examples=["5f" * 32],
    )
    connect_timeout: PositiveSpan = Field(timedelta(seconds=15), description="How long one connection may take.")
    command_timeout: PositiveSpan = Field(timedelta(seconds=30), description="How long the server may be silent.")
    transfer_timeout: PositiveSpan = Field(timedelta(minutes=10), description="How long one file may take.")
    stale_after: PositiveSpan = Field(
        timedelta(hours=36), description="A workbook that 1C has not uploaded for so long is reported."
    )
    outbox: Line | None = Field(
        None,
        description="A folder of the same server, seen from that of the url, for `rejects --upload`.",
        examples=["../to-correct"],
    )


class Retry(Section):
    """How long passing faults (an FTP server that is away, a database that restarts) are tried again."""

    within: Span = Field(timedelta(minutes=20), description="Time for retries since the run began; 0: no retry.")
    wait_first: PositiveSpan = Field(
        timedelta(seconds=2), description="Pause before the second try; doubled each time."
    )
    wait_longest: PositiveSpan = Field(timedelta(minutes=2), description="Longest pause between two tries.")


class Reader(Section):
    """Limits of the child process that reads one workbook, and of the zip it reads."""

    parallel: Annotated[Whole, Field(ge=1, le=64)] = Field(2, description="Workbooks read at once.")
    memory: Size = Field(1024**3, description="Address space of one child process.")
    cpu_time: PositiveSpan = Field(timedelta(minutes=5), description="CPU time of one child process.")
    wall_time: PositiveSpan = Field(timedelta(minutes=10), description="Time for one workbook.")
    max_entries: Annotated[Whole, Field(gt=0)] = Field(1000, description="Parts in a workbook's zip.")
    max_unpacked: Size = Field(2 * 1024**3, description="Unpacked size of all parts together.")
    max_ratio: Annotated[Whole, Field(gt=0)] = Field(400, description="Unpacked to packed size of one part.")
    max_problems: Annotated[Whole, Field(gt=0, le=1_000_000)] = Field(
        200, description="Problems of one kind in one workbook that are listed one by one; the rest is counted."
    )


class Engine(Section):
    """Where workbooks are read: here, or on a Dask cluster, which needs the extra `dask`."""

    executor: Literal["local", "dask"] = Field(
        "local", description="local: child processes of this machine; dask: those of a cluster's workers."
    )
    dask_scheduler: Scheduler | None = Field(
        None,
        description="Where the cluster's scheduler answers; tls:// by Dask's own configuration.",
        examples=["tls://scheduler.example.org:8786"],
        validate_default=True,
    )
    scheduler_timeout: PositiveSpan = Field(
        timedelta(seconds=15), description="How long the scheduler may take to answer, also after a lost connection."
    )

    @field_validator("dask_scheduler", mode="after")
    @classmethod
    def _check_scheduler_address(cls, address: str | None, others: ValidationInfo) -> str | None:
        if address is None and others.data.get("executor") == "dask":
            raise UnfitError("expected-scheduler-for-dask")
        return address


class Guards(Section):
    """When a snapshot is too different from the books to be believed without a human."""

    removed_documents: Annotated[Whole, Field(ge=0)] = Field(
        3, description="Fewer or as many removed documents are always believed."
    )
    removed_percent: Percent = Field(
        1.0, description="Share of an organization's documents that may be removed, in percent."
    )
    removed_sum_percent: Percent = Field(1.0, description="Share of their sum that may be removed, in percent.")
    added_documents: Annotated[Whole, Field(ge=0)] = Field(
        20, description="Fewer or as many new documents are always believed."
    )
    added_times: Times = Field(
        5.0,
        description="New documents that are believed per day, as a multiple of a busy day's; 0 switches the guard off.",
    )
    closed_before: ClosedBefore | None = Field(
        None,
        description="The first open day: documents of earlier days change only if a human accepts it; "
        "previous-month: its first.",
        examples=["previous-month"],
    )
    strict: bool = Field(False, description="One held unit holds all.")


class Schedule(Section):
    """When a job runs. More schedules may stand beside this one, each in a section of its own name."""

    at: Calendar = Field(
        "*-*-* 06:00:00", description="A systemd OnCalendar expression; `systemd-analyze calendar` explains it."
    )
    job: Literal["import", "report", "reconcile"] = Field("import", description="import, report or reconcile.")
    enabled: bool = Field(True, description="false leaves it out.")
    grace: PositiveSpan = Field(
        timedelta(hours=1), description="A run that is overdue by more than this is not started."
    )
    catch_up: bool = Field(True, description="Whether a run missed while the daemon was down is started late.")
    only: Annotated[tuple[KindName, ...], Words] = Field(
        (), description="Which of receipts, expenses and details; empty means all."
    )
    wait_for_upload: Span = Field(
        timedelta(0), description="How long after the slot to keep looking while 1C has uploaded nothing new."
    )


class Settings(Section):
    """Everything that can be set."""

    department_id: Annotated[Whole, Field(gt=0, lt=2**31)] = Field(
        8, description="Whose books these are: departments.id in the backend."
    )
    timezone: Zone = Field(
        "Europe/Moscow",
        description="Time zone of 1C's dates and times, and of the schedules.",
        validate_default=True,  # a machine may have no time zone data at all
    )
    state_directory: AbsolutePath = Field(
        state_folder.USUAL, description="For the spool and the daemon's memory; private to its user."
    )
    database: Database = Database()
    source: Source = Source()
    retry: Retry = Retry()
    reader: Reader = Reader()
    engine: Engine = Engine()
    guards: Guards = Guards()
    cache: Cache = Cache()
    tell: Tell = Tell()
    alerts: Alerts = Alerts()
    spool: Spool = Spool()
    journal: Journal = Journal()
    metrics: Metrics = Metrics()
    daemon: Daemon = Daemon()
    web: Web = Web()
    schedules: Mapping[ScheduleName, Schedule] = Field(default_factory=lambda: {"import": Schedule()})

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which 1C writes its moments and in which slots are computed."""
        return ZoneInfo(self.timezone)

    @property
    def spool_directory(self) -> Path:
        """Where fetched files lie: private to the daemon's user."""
        return self.state_directory / "spool"
