"""Checks a configuration when it is read for errors that would otherwise appear only during a run.

The types in :mod:`values` judge each value alone. This module calls the rooms that will use the values: whether the
addresses can be parsed, the keys that a job needs are set, and the required packages are installed.
"""

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from cpimportd.config.keys import KeyPath, variable
from cpimportd.config.libraries import outdated_packages
from cpimportd.config.load import Loaded
from cpimportd.config.settings import Settings
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, ProblemError, problem, with_facts
from cpimportd.core.state_folder import DEFAULT_PATH


def require_usable(loaded: Loaded) -> None:
    """Make sure of everything that can be known before a run begins.

    Raises:
        ProblemError: all that is wrong, at once.
    """
    wrong = (*address_faults(loaded), *target_faults(loaded), *need_faults(loaded))
    if wrong:
        raise ProblemError(*dict.fromkeys(wrong))


def require_addresses(loaded: Loaded) -> None:
    """Make sure that the addresses agree with what else is set, which costs nothing and needs nobody.

    Raises:
        ProblemError: all that cannot, at once.
    """
    if wrong := tuple(address_faults(loaded)):
        raise ProblemError(*wrong)


def address_faults(loaded: Loaded) -> Iterator[Problem]:
    """What is wrong with the source's address together with other keys: its encoding, a certificate that is pinned."""
    source = loaded.settings.source
    if source.url and (source.tls_fingerprint is not None or not source.url.isascii()):
        from cpimportd.source.address import parse  # noqa: PLC0415 - the room is heavy, and this is seldom asked

        yield from _wrong(lambda: parse(source), loaded, ("source", "url"))


def target_faults(loaded: Loaded) -> Iterator[Problem]:
    """What of the database's options, its service and ``PG*`` variables cannot be had, or not by this user."""
    database, variables = loaded.settings.database, any(name.startswith("PG") for name in os.environ)
    for direct, path in enumerate((("database", "url"), ("database", "direct_url"))):
        url = database.direct_url if direct else database.url
        if url is not None and (variables or "?" in url.get_secret_value()):
            from cpimportd.books.database.target import Target  # noqa: PLC0415 - the room is heavy: only where options are set

            yield from _wrong(lambda direct=bool(direct): Target.of(database, direct=direct), loaded, path)  # type: ignore[misc]


def need_faults(loaded: Loaded) -> Iterator[Problem]:
    """What jobs and other parts of the configuration need and do not have."""
    yield from outdated_packages()
    yield from _jobs_without_receiver(loaded)
    yield from _packages(loaded.settings)
    yield from _unknown_alerts(loaded)
    yield from _authority(loaded)
    yield from _cache(loaded)


def _cache(loaded: Loaded) -> Iterator[Problem]:
    from cpimportd.notify.cache import url_problem  # noqa: PLC0415 - so that nobody without a cache loads its client

    if loaded.settings.cache.url is not None and (reason := url_problem(loaded.settings.cache)) is not None:
        yield problem("config-value", key="cache.url", place=loaded.place("cache.url"), reason=reason)


def _jobs_without_receiver(loaded: Loaded) -> Iterator[Problem]:
    """A job that imports nothing is sent by the alerts: without any, it would fail at its slot."""
    settings, path = loaded.settings, ("alerts", "urls")
    for name, schedule in settings.schedules.items():
        if schedule.enabled and schedule.job != "import" and not settings.alerts.urls:
            key = phrase("needed-by-job", job=schedule.job, name=name)
            place = str(loaded.path or DEFAULT_PATH)
            yield problem("config-incomplete", key=key, place=place, variable=variable(path))


def _packages(settings: Settings) -> Iterator[Problem]:
    wanted = (
        (settings.alerts.urls, "apprise", "alerts-not-installed"),
        (settings.metrics.textfile, "prometheus_client", "metrics-not-installed"),
        (settings.engine.executor == "dask", "distributed", "cluster-not-installed"),
    )
    for asked_for, package, code in wanted:
        if asked_for and find_spec(package) is None:
            yield problem(code, reason=phrase("no-module", package=package))


def _unknown_alerts(loaded: Loaded) -> Iterator[Problem]:
    urls = [url.get_secret_value() for url in loaded.settings.alerts.urls]
    if not urls or find_spec("apprise") is None:
        return
    from cpimportd.notify.sending import is_valid_url, label_of  # noqa: PLC0415 - Apprise is heavy

    for number, url in enumerate(urls, 1):
        if not is_valid_url(url):
            reason = phrase("address-unknown", name=label_of(number, url), why=phrase("apprise-unknown"))
            yield problem("config-value", key="alerts.urls", place=loaded.place("alerts.urls"), reason=reason)


def _authority(loaded: Loaded) -> Iterator[Problem]:
    from cpimportd.source.certificate import context  # noqa: PLC0415

    authority, pinned = loaded.settings.source.tls_ca, loaded.settings.source.tls_fingerprint is not None
    if authority is None or pinned:
        return
    try:
        context(authority, pinned=pinned)
    except OSError as error:
        reason = phrase("authority-unreadable", file=authority, said=error.strerror or str(error))
        yield problem("config-value", key="source.tls_ca", place=loaded.place("source.tls_ca"), reason=reason)


def _wrong(ask: Callable[[], object], loaded: Loaded, path: KeyPath) -> Iterator[Problem]:
    """What a room refuses, with the place where the key stands, which it does not know."""
    try:
        ask()
    except ProblemError as error:
        for found in error.problems:
            if found.code != "config-value":
                yield found
                continue
            named = str(found.facts["key"])
            key = named if named.startswith(f"{path[0]}.") and path[0] == "source" else ".".join(path)
            yield with_facts(found, key=key, place=loaded.place(key))
