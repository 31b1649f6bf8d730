"""A URL of a PostgreSQL database, taken apart as libpq does: which keywords it sets.

https://www.postgresql.org/docs/current/libpq-connect.html (connection URIs, keywords); in PostgreSQL's sources
``src/interfaces/libpq/fe-connect.c``. No text made here repeats what may be a part of a password.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from cpimportd.core.addresses import advice
from cpimportd.core.phrases import UnfitError

KEYWORDS: Final[Mapping[str, str]] = {
    "application_name": "PGAPPNAME",
    "channel_binding": "PGCHANNELBINDING",
    "client_encoding": "PGCLIENTENCODING",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "dbname": "PGDATABASE",
    "fallback_application_name": "",
    "gssdelegation": "PGGSSDELEGATION",
    "gssencmode": "PGGSSENCMODE",
    "gsslib": "PGGSSLIB",
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "keepalives": "",
    "keepalives_count": "",
    "keepalives_idle": "",
    "keepalives_interval": "",
    "krbsrvname": "PGKRBSRVNAME",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
    "max_protocol_version": "PGMAXPROTOCOLVERSION",
    "min_protocol_version": "PGMINPROTOCOLVERSION",
    "oauth_client_id": "",
    "oauth_client_secret": "",
    "oauth_issuer": "",
    "oauth_scope": "",
    "options": "PGOPTIONS",
    "passfile": "PGPASSFILE",
    "password": "PGPASSWORD",
    "port": "PGPORT",
    "replication": "",
    "require_auth": "PGREQUIREAUTH",
    "requirepeer": "PGREQUIREPEER",
    "scram_client_key": "",
    "scram_server_key": "",
    "service": "PGSERVICE",
    "servicefile": "PGSERVICEFILE",
    "sslcert": "PGSSLCERT",
    "sslcertmode": "PGSSLCERTMODE",
    "sslcompression": "PGSSLCOMPRESSION",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
    "sslkey": "PGSSLKEY",
    "sslkeylogfile": "",
    "sslmode": "PGSSLMODE",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslpassword": "",
    "sslrootcert": "PGSSLROOTCERT",
    "sslsni": "PGSSLSNI",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "tcp_user_timeout": "",
    "user": "PGUSER",
}
"""Every keyword of libpq 18, and its variable."""

_HOST: Final = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<name>[^:\[\]@]*))(?::(?P<port>[^:@]*))?")


class UnknownOptionError(UnfitError):
    """The URL has an option that libpq does not know."""

    def __init__(self, name: str) -> None:
        super().__init__("libpq-knows-no-option", name=name)
        self.name = name


def parse(url: str) -> dict[str, str]:
    """The keywords that a URL sets, decoded; a ``+driver`` of its scheme does not count.

    A keyword of the query replaces what stands before it, as ``host``, ``port``, ``user``, ``password`` and ``dbname``.

    Raises:
        ValueError: it cannot be read; the error repeats nothing of it.
        UnknownOptionError: not a keyword of libpq.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise UnfitError("expected-postgresql")
    try:
        return _parsed(url.partition("://")[2])
    except _UnencodedError:
        raise UnfitError(advice(url) or "url-needs-encoding") from None


class _UnencodedError(Exception):
    """An unexpected character; it may be a part of a password."""


def _parsed(rest: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at, slash = rest.find("@"), rest.find("/")
    if at >= 0 and (slash < 0 or at < slash):
        login, rest = rest[:at], rest[at + 1 :]
        found["user"], _, found["password"] = login.partition(":")
    hosts = re.match(r"[^/?]*", rest)
    authority = hosts[0] if hosts else ""
    path, _, query = rest[len(authority) :].partition("?")
    # A bare "@" behind the login is what is left of a password that was not encoded: none of it may be shown.
    if "@" in authority or "@" in path:
        raise _UnencodedError
    found["host"], found["port"] = _hosts(authority)
    found["dbname"] = path.removeprefix("/")
    return {name: _decoded(value) for name, value in found.items() if value} | _query(query)


def _hosts(authority: str) -> tuple[str, str]:
    specs = [_HOST.fullmatch(spec) for spec in authority.split(",")]
    if not all(specs):
        raise _UnencodedError
    found = [spec for spec in specs if spec]
    ports = [spec["port"] or "" for spec in found]
    if not all(port == "" or unquote(port).isdecimal() for port in ports):
        raise _UnencodedError
    return ",".join(spec["v6"] or spec["name"] or "" for spec in found), ",".join(ports)


def _query(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in query.removesuffix("&").split("&") if query else ():
        name, separator, value = word.partition("=")
        if not separator or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.%]*", name):
            raise _UnencodedError
        if "=" in value and name in KEYWORDS:
            raise UnfitError("bare-equals", name=name)
        name, value = _decoded(name), _decoded(value)
        if (name, value) == ("ssl", "true"):  # as in JDBC
            name, value = "sslmode", "require"
        if name not in KEYWORDS:
            if "@" in query:
                raise _UnencodedError
            raise UnknownOptionError(name)
        found[name] = value
    return found


def _decoded(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})|%00", text):
        raise _UnencodedError
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise _UnencodedError from None
