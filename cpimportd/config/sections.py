"""The sections of the configuration beside the import itself: who is notified, what is kept, the clock, the web."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cpimportd.config.values import (
    AbsolutePath,
    AlertUrls,
    CacheUrl,
    Channel,
    DatabaseUrl,
    HeartbeatUrl,
    HostName,
    Line,
    Listen,
    Password,
    PositiveSpan,
    Span,
    Token,
    Whole,
    Words,
)


class Section(BaseModel):
    """A section of the configuration: frozen, without unknown keys."""

    # A section is validated only with the whole, so its own validator is built on demand.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


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
        timedelta(seconds=5),
        description="Keys are deleted again after this time: a request under way may write an old answer.",
    )
    timeout: PositiveSpan = Field(timedelta(seconds=5), description="How long Redis may be silent.")


class Tell(Section):
    """What is notified after COMMIT."""

    channel: Channel = Field("cpimportd", description="PostgreSQL's NOTIFY channel; its payload is the run's number.")
    refresh_views: bool = Field(True, description="Refresh the materialized views that can be refreshed CONCURRENTLY.")
    allow_blocking_refresh: bool = Field(False, description="Refresh the others too: readers wait meanwhile.")


class Alerts(Section):
    """Who is notified when something is wrong, changes, or is well again; and who watches that runs take place."""

    urls: AlertUrls = Field(
        (),
        description="Where alerts go: URLs of Apprise (mailtos://, tgram:// and many more), whole secrets; better a "
        "credential named alerts.urls, one a line.",
    )
    language: Literal["ru", "en"] = Field("ru", description="Language of the alerts: ru or en.")
    remind_every: Span = Field(
        timedelta(days=1),
        description="Time between reminders while a problem lasts; a run up to a tenth early reminds, too. 0: never.",
    )
    timeout: PositiveSpan = Field(timedelta(seconds=15), description="How long sending may hold up the end of a run.")
    heartbeat_url: HeartbeatUrl | None = Field(
        None,
        description="A check of Healthchecks.io or its like, notified when a scheduled run begins, ends or fails; a "
        "whole secret, better a credential named alerts.heartbeat_url.",
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
        (), description="Host names under which it is reached, beside IP addresses and localhost; others are refused."
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
