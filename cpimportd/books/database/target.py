"""The target of a connection as one value, used alike by asyncpg, Alembic and pg_dump."""

import os
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from cpimportd.books.database import libpq
from cpimportd.books.database.libpq import refused
from cpimportd.config.settings import Database
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem

_SOCKET_FOLDERS: Final = ("/run/postgresql", "/var/run/postgresql", "/tmp")  # noqa: S108 - as distributions build libpq
_PORT: Final = 5432
_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
# What asyncpg makes a TLS context of; it reads them from a URL alone.
_TLS: Final = (
    "sslmode",
    "sslnegotiation",
    *_FILES,
    "sslpassword",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
)
_KEEPALIVES: Final = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Seconds of silence, seconds between two questions, and how many may stay unanswered before a peer counts as gone.

Both ends ask. A host that was cut off in the middle of a run would else hold the run's lock for as long as its server's
kernel pleases, which is two hours, and no standby could take over; and its own run would wait as long for an answer.
"""


@dataclass(frozen=True, slots=True)
class Host:
    """One server of a list.

    Attributes:
        name: a host's name or address, or the folder of a Unix socket.
        address: its network address, where that is said beside the name (``hostaddr``).
        port: 1 to 65535.
    """

    name: str
    port: int
    address: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a connection goes: the URL, its service and the ``PG*`` variables, taken apart once, as libpq does.

    Attributes:
        hosts: in the order in which they are tried.
        user: who logs in.
        database: into which database.
        password: the URL's own, else ``database.password``, a service's, ``PGPASSWORD`` or a password file's.
        options: the other keywords that were said, as libpq spells them.
        secrets: keywords whose values are shown nowhere.
    """

    hosts: tuple[Host, ...]
    user: str
    database: str
    password: str | None = field(repr=False)
    options: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, database: Database, *, direct: bool) -> "Target":
        """Take the configured URL apart.

        Args:
            database: the settings.
            direct: past the pooler, where ``database.direct_url`` is set.

        Raises:
            ProblemError: ``config-incomplete``, ``config-value``, ``database-option``; no text holds a secret.
        """
        named = libpq.parse_url(_url(database, direct=direct))
        found = libpq.with_defaults(named, os.environ)
        user = found.get("user") or libpq.user_name()
        name = found.get("dbname") or user
        hosts = _hosts(found)
        libpq.refuse_unsupported(found, named, on_network=any(not host.name.startswith("/") for host in hosts))
        _check_files(found)
        configured = None if database.password is None else database.password.get_secret_value()
        password = named.get("password") or configured or found.get("password")
        taken = {"host", "hostaddr", "port", "user", "dbname", "password", "passfile", "service", "servicefile"}
        secrets = {key: value for key, value in found.items() if key == "sslpassword" and value}
        options = {
            key: value for key, value in sorted(found.items()) if value and key not in taken and key not in secrets
        }
        if not password:
            passfile = Path(found.get("passfile") or libpq.home(os.environ) / ".pgpass")
            password = _stored_password(passfile, hosts, name, user)
        return cls(hosts, user, name, password or None, options, secrets)

    @property
    def place(self) -> str:
        """Hosts and database, for messages."""
        return f"{', '.join(host.name for host in self.hosts)}, database {self.database}"

    @property
    def url(self) -> str:
        """As libpq's programs understand it, complete and without a secret: they need no variable beside it."""
        return self.url_of(self.database)

    def url_with(self, options: str) -> str:
        """The same, with further settings for the server, which stand above those that the URL has.

        Args:
            options: such as ``-c idle_session_timeout=0``.
        """
        said = self.options.get("options")
        return replace(self, options={**self.options, "options": f"{said} {options}" if said else options}).url

    def url_of(self, database: str) -> str:
        """The same server and login, another database."""
        where = {"host": ",".join(host.name for host in self.hosts), "port": ",".join(str(h.port) for h in self.hosts)}
        if any(host.address for host in self.hosts):
            where["hostaddr"] = ",".join(host.address for host in self.hosts)
        query = urlencode({**where, **self.options}, quote_via=quote)
        return f"postgresql://{quote(self.user, safe='')}@/{quote(database, safe='')}?{query}"

    def connect_timeout(self, usual: timedelta) -> float:
        """How long one connection may take, in seconds: the URL's own limit, else the configured one."""
        said = int(self.options.get("connect_timeout", "0"))
        return float(said) if said > 0 else usual.total_seconds()

    @property
    def application_name(self) -> str | None:
        """What ``pg_stat_activity`` is to show, where somebody has said so."""
        return self.options.get("application_name") or self.options.get("fallback_application_name")

    @property
    def keepalives(self) -> Mapping[str, int]:
        """How a silent peer is asked whether it is still there; empty where nobody is to ask."""
        if self.options.get("keepalives", "1") == "0":
            return {}
        return {name: int(self.options.get(name) or usual) or usual for name, usual in _KEEPALIVES.items()}

    def driver_arguments(self) -> dict[str, Any]:
        """What ``asyncpg.connect`` is given; it finds nothing out by itself."""
        hosts = list(self.hosts)
        if self.options.get("load_balance_hosts") == "random":
            random.shuffle(hosts)
        tls = {name: {**self.options, **self.secrets}.get(name, "") for name in _TLS}
        context: ssl.SSLContext | None = None
        if tls["sslrootcert"] == "system":  # libpq 16: any authority that the system trusts, host name checked
            tls["sslrootcert"] = tls["sslmode"] = ""
            context = ssl.create_default_context()
        query = urlencode({name: value for name, value in tls.items() if value}, quote_via=quote)
        more = {name: self.options[name] for name in ("krbsrvname", "gsslib") if name in self.options}
        return {
            "dsn": f"postgresql://?{query}",
            "host": [host.address or host.name for host in hosts],
            "port": [host.port for host in hosts],
            "user": self.user,
            "database": self.database,
            "password": self.password or "",
            "ssl": context,
            "target_session_attrs": self.options.get("target_session_attrs") or "any",
            **more,
        }


def _url(database: Database, *, direct: bool) -> str:
    chosen = (database.direct_url if direct else None) or database.url
    if chosen is None:
        raise ProblemError(
            problem(
                "config-incomplete",
                key="database.url",
                place=phrase("the-configuration-file"),
                variable="CPIMPORTD_DATABASE__URL",
            )
        )
    return chosen.get_secret_value()


def _hosts(found: Mapping[str, str]) -> tuple[Host, ...]:
    names, addresses = found.get("host", "").split(","), found.get("hostaddr", "").split(",")
    if not found.get("hostaddr"):
        addresses = [""] * len(names)
    elif not found.get("host"):
        names = list(addresses)
    if len(names) != len(addresses):
        raise refused(phrase("hosts-and-addresses", hosts=len(names), addresses=len(addresses)))
    ports = _ports(found.get("port", ""), len(names))
    return tuple(
        Host(name or _local_folder(port), port, address)
        for name, address, port in zip(names, addresses, ports, strict=True)
    )


def _ports(said: str, hosts: int) -> list[int]:
    words = said.split(",")
    if len(words) == 1:
        words *= hosts
    if len(words) != hosts:
        raise refused(phrase("hosts-and-ports", hosts=hosts, ports=len(words)))
    if not all(word == "" or (word.isdecimal() and 0 < int(word) < 1 << 16) for word in words):
        raise refused(phrase("no-port"))
    return [int(word) if word else _PORT for word in words]


def _local_folder(port: int) -> str:
    """Where a server on this machine listens: each libpq is built with an idea of its own, ours is for all."""
    for folder in _SOCKET_FOLDERS:
        if Path(folder, f".s.PGSQL.{port}").exists():
            return folder
    return "localhost"


def _check_files(found: Mapping[str, str]) -> None:
    # The driver's own error would not say which file.
    for name in _FILES:
        file = found.get(name)
        if not file or (name == "sslrootcert" and file == "system"):
            continue
        if not Path(file).is_absolute():  # the daemon, its runs and an administrator stand in different folders
            raise refused(phrase("no-absolute-path", name=name))
        if not os.access(file, os.R_OK):
            raise refused(phrase("named-unreadable", name=name, file=file))


def _stored_password(file: Path, hosts: tuple[Host, ...], database: str, user: str) -> str | None:
    found = []
    for host in hosts:
        names = [host.name, "localhost"] if host.name.startswith("/") else [host.name]
        stored = (libpq.stored_password(file, (name, str(host.port), database, user)) for name in names)
        found.append(next((password for password in stored if password), None))
    if len(set(found)) > 1:
        raise refused(phrase("passwords-differ", file=file))
    return found[0]
