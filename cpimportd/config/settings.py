"""What can be set, with its default: one frozen Settings. Where the values come from is configuration's business."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from cpimportd.config.values import (
    AbsolutePath,
    AlertUrls,
    CacheUrl,
    Calendar,
    Channel,
    ClosedBefore,
    DatabaseUrl,
    Encoding,
    Fingerprint,
    HeartbeatUrl,
    HostName,
    KindName,
    Line,
    Listen,
    Password,
    Percent,
    PositiveSpan,
    ScheduleName,
    Scheduler,
    Size,
    SourceUrl,
    Span,
    Times,
    Token,
    Whole,
    Words,
    Zone,
)
from cpimportd.core import statefolder


class Section(BaseModel):
    """A part of the configuration: frozen, and closed to keys that nobody reads."""

    # A part is validated with the whole only, so a validator of its own is not built before somebody asks for it.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


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
    user: Line = Field("anonymous", description="Who logs in.")
    password: Password | None = Field(
        None, description="Better a credential named source.password than a line here.", examples=["secret"]
    )
    encoding: Encoding = Field("utf-8", description="Of the file names; an old Windows server may need cp1251.")
    parallel: Annotated[Whole, Field(ge=1, le=16)] = Field(4, description="Connections at once.")
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
        timedelta(hours=36), description="A workbook that 1C has not uploaded anew for so long is told of."
    )
    outbox: Line | None = Field(
        None,
        description="A folder of the same server, seen from that of the url, for `rejects --upload`.",
        examples=["../to-correct"],
    )


class Retry(Section):
    """How long passing faults (an FTP server that is away, a database that restarts) are tried again."""

    within: Span = Field(timedelta(minutes=20), description="Since the run began; 0 tries once.")
    wait_first: PositiveSpan = Field(timedelta(seconds=2), description="Before the second try; doubled each time.")
    wait_longest: PositiveSpan = Field(timedelta(minutes=2), description="Between two tries.")


class Reader(Section):
    """Limits of the child process that reads one workbook, and of the zip it reads."""

    parallel: Annotated[Whole, Field(ge=1, le=64)] = Field(2, description="Workbooks read at once.")
    memory: Size = Field(1024**3, description="Address space of one child.")
    cpu_time: PositiveSpan = Field(timedelta(minutes=5), description="Of one child.")
    wall_time: PositiveSpan = Field(timedelta(minutes=10), description="For one workbook.")
    max_entries: Annotated[Whole, Field(gt=0)] = Field(1000, description="Parts in a workbook's zip.")
    max_unpacked: Size = Field(2 * 1024**3, description="Of all parts together.")
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
        timedelta(seconds=15), description="How long the scheduler may take to answer, also when its line was lost."
    )

    @field_validator("dask_scheduler", mode="after")
    @classmethod
    def _named_where_it_is_needed(cls, address: str | None, others: ValidationInfo) -> str | None:
        if address is None and others.data.get("executor") == "dask":
            raise ValueError("expected tcp://host:port or tls://host:port, since engine.executor is dask")
        return address


class Guards(Section):
    """When a snapshot is too different from the books to be believed without a human."""

    removed_documents: Annotated[Whole, Field(ge=0)] = Field(
        3, description="Fewer or as many removed documents are always believed."
    )
    removed_percent: Percent = Field(1.0, description="Of an organization's documents that may be removed.")
    removed_sum_percent: Percent = Field(1.0, description="Of their sum that may be removed.")
    added_documents: Annotated[Whole, Field(ge=0)] = Field(
        20, description="Fewer or as many new documents are always believed."
    )
    added_times: Times = Field(
        5.0, description="Of a busy day's documents that may come new, per day since the last ones; 0 asks nobody."
    )
    closed_before: ClosedBefore | None = Field(
        None,
        description="The first open day: documents of earlier days change only if a human accepts it; "
        "previous-month: its first.",
        examples=["previous-month"],
    )
    strict: bool = Field(False, description="One held unit holds all.")


class Cache(Section):
    """The backend's Redis cache; without a url nothing is deleted and reports may be 5 minutes old."""

    url: CacheUrl | None = Field(
        None, description="redis://, rediss:// (TLS) or unix://", examples=["redis://redis.example.org:6379/0"]
    )
    password: Password | None = Field(
        None, description="Better a credential named cache.password than a line here.", examples=["secret"]
    )
    pattern: Annotated[Line, Field(min_length=1)] = Field(
        "itbudget:cache:credit_portfolio:*", description="Redis keys that match this pattern are deleted."
    )
    again_after: Span = Field(
        timedelta(seconds=5), description="They are deleted twice: a request under way may write an old answer."
    )
    timeout: PositiveSpan = Field(timedelta(seconds=5), description="How long Redis may be silent.")


class Tell(Section):
    """What is told after COMMIT."""

    channel: Channel = Field("cpimportd", description="PostgreSQL's NOTIFY channel; its payload is the run's number.")
    refresh_views: bool = Field(True, description="Refresh the materialized views that can be refreshed CONCURRENTLY.")
    allow_blocking_refresh: bool = Field(False, description="Refresh the others too: readers wait meanwhile.")


class Alerts(Section):
    """Who is told when something is wrong, changes, or is well again; and who watches that runs take place at all."""

    urls: AlertUrls = Field(
        (),
        description="Where alerts go: URLs of Apprise (mailtos://, tgram:// and many more), whole secrets; better a "
        "credential named alerts.urls, one a line.",
    )
    language: Literal["ru", "en"] = Field("ru", description="Of the alerts: ru or en.")
    remind_every: Span = Field(
        timedelta(days=1), description="While it lasts; a run that comes up to a tenth early reminds, too. 0: never."
    )
    timeout: PositiveSpan = Field(timedelta(seconds=15), description="How long sending may hold up the end of a run.")
    heartbeat_url: HeartbeatUrl | None = Field(
        None,
        description="A check of Healthchecks.io or its like, told when a scheduled run begins, ends or fails; a whole "
        "secret, better a credential named alerts.heartbeat_url.",
        examples=["https://hc-ping.com/00000000-0000-0000-0000-000000000000"],
    )


class Spool(Section):
    """Where fetched files lie: in the folder spool of state_directory."""

    keep: Span = Field(timedelta(days=30), description="Older ones are deleted.")


class Journal(Section):
    """The journal of changes in the database: what each run changed and removed, with what was before."""

    keep: Span = Field(timedelta(0), description="Entries of runs longer ago are deleted; 0 keeps them for ever.")


class Metrics(Section):
    """Figures for Prometheus, which need the extra `metrics`."""

    textfile: AbsolutePath | None = Field(
        None,
        description="Every run writes them here when it ends: a .prom file in the folder of node_exporter's textfile "
        "collector.",
        examples=["/var/lib/prometheus/node-exporter/cpimportd.prom"],
    )


class Daemon(Section):
    """The clock that starts the runs."""

    run_time_limit: PositiveSpan = Field(timedelta(hours=2), description="A run that takes longer is stopped.")
    look_again: PositiveSpan = Field(
        timedelta(minutes=5), description="Between two looks at a server on which 1C has uploaded nothing yet."
    )


class Web(Section):
    """The interface over HTTP and the dashboard: `cpimportd web`, a process of its own. The daemon does not need it."""

    listen: Listen = Field("127.0.0.1:8008", description="Address and port; a proxy in front of it does TLS.")
    token: Token | None = Field(
        None,
        description="What every request has to show; better a credential named web.token than a line here.",
        examples=["put-the-output-of-openssl-rand-here"],
    )
    open_on_loopback: bool = Field(
        False, description="Without a token: true lets every user of this machine in, on a loopback address only."
    )
    hosts: Annotated[tuple[HostName, ...], Words] = Field(
        (), description="Names under which it is asked, beside IP addresses and localhost; others are refused."
    )
    database_url: DatabaseUrl | None = Field(
        None,
        description="Of a role that may only read; else database.url, in sessions that may only read.",
        examples=["postgresql://cpimportd_reader@db.example.org/backend"],
    )
    database_password: Password | None = Field(
        None, description="Better a credential named web.database_password than a line here.", examples=["secret"]
    )
    statement_timeout: PositiveSpan = Field(timedelta(seconds=10), description="How long one query may take.")
    page_limit: Annotated[Whole, Field(ge=10, le=10_000)] = Field(
        500, description="The most entries that one answer holds."
    )


class Schedule(Section):
    """When a job runs. More schedules may stand beside this one, each in a section of its own name."""

    at: Calendar = Field(
        "*-*-* 06:00:00", description="A systemd OnCalendar expression; `systemd-analyze calendar` explains it."
    )
    job: Literal["import", "report", "reconcile"] = Field("import", description="import, report or reconcile.")
    enabled: bool = Field(True, description="false leaves it out.")
    grace: PositiveSpan = Field(timedelta(hours=1), description="A slot older than this is not started any more.")
    catch_up: bool = Field(True, description="Whether a slot missed while the daemon was down is made up for.")
    only: Annotated[tuple[KindName, ...], Words] = Field(
        (), description="Of receipts, expenses and details; empty means all."
    )
    wait_for_upload: Span = Field(
        timedelta(0), description="From the slot on, how long to look again while 1C has uploaded nothing new."
    )


class Settings(Section):
    """Everything that can be set."""

    department_id: Annotated[Whole, Field(gt=0, lt=2**31)] = Field(
        8, description="Whose books these are: departments.id in the backend."
    )
    timezone: Zone = Field(
        "Europe/Moscow",
        description="In which 1C writes its moments and in which schedules are computed.",
        validate_default=True,  # a machine may have no time zone data at all
    )
    state_directory: AbsolutePath = Field(
        statefolder.USUAL, description="For the spool and the daemon's memory; private to its user."
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
