"""Parses the URLs and paths of a configuration; the URLs of a PostgreSQL database as libpq does."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from cpimportd.core.phrases import Phrase, UnfitError, phrase

_ENCODED: Final = {"@": "%40", "/": "%2F", "?": "%3F", "#": "%23", "%": "%25"}
_SPECIAL: Final = re.compile(r"[@/?#]|%(?![0-9A-Fa-f]{2})")
_AUTHORITY: Final = re.compile(r"[^/?#]*")
"""RFC 3986, 3.2: an authority ends at the first of these three."""


def misplaced(url: str) -> bool:
    """Whether an ``@`` follows the authority, because an unencoded character ended the login too early.

    This is for URLs whose paths and queries hold no ``@`` of their own.
    """
    rest = url.partition("://")[2]
    authority = _AUTHORITY.match(rest)
    return authority is not None and "@" in rest[authority.end() :]


def advice(url: str) -> Phrase | None:
    """How the login has to be written: each character up to the last ``@`` that cannot stand there as it is.

    Returns:
        None if there is no such character.
    """
    login = url.partition("://")[2].rpartition("@")[0]
    found = dict.fromkeys(match[0] for match in _SPECIAL.finditer(login))
    if not found:
        return None
    ways = [phrase("character-as", character=character, code=_ENCODED[character]) for character in found]
    return phrase("login-not-encoded", ways=ways)


_OTHER_SOURCES: Final = {
    **dict.fromkeys(("sftp", "ssh", "scp"), "mount-or-ftps"),
    **dict.fromkeys(("ftpes", "ftptls"), "write-ftps"),
    **dict.fromkeys(("smb", "cifs", "nfs", "webdav", "dav", "davs", "http", "https", "s3"), "mount"),
}
"""Schemes that people may try, and the phrase that says what they do instead."""

_REDIS: Final = re.compile(
    r"rediss?://(?:[^/?#]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^/?#@:\[\]]*)(?::(?P<port>\d{1,5}))?(?:/\d*)?(?:\?[^#]*)?"
)
_REDIS_SOCKET: Final = re.compile(r"unix://(?:[^/?#]*@)?/[^?#]+(?:\?[^#]*)?")
_MAIL: Final = ("mailto", "mailtos")


def absolute(path: Path) -> Path:
    """A path that means the same to the daemon, its runs and an administrator, who stand in different folders."""
    if not path.is_absolute():
        raise UnfitError("expected-absolute")
    if not str(path).isprintable():
        raise UnfitError("expected-plain-path")
    return path


def source(url: str) -> str:
    """``source.url``, its scheme in small letters (RFC 3986, 3.1), made sure that it can be taken apart."""
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if separator and scheme in _OTHER_SOURCES:
        raise UnfitError(_OTHER_SOURCES[scheme], scheme=scheme)
    if not separator or not re.match(r"file:///|ftps?://[^/?#]", f"{scheme}://{rest}"):
        raise UnfitError("expected-source")
    _parts(f"{scheme}://{rest}")
    return f"{scheme}://{rest}"


def _parts(url: str) -> None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise UnfitError("host-or-port-wrong") from None
    if parts.query or parts.fragment:
        raise UnfitError("encode-query")
    if parts.scheme != "file" and not parts.hostname:
        raise UnfitError("names-no-host")
    if any(byte in unquote_to_bytes(parts.path) for byte in b"\0\r\n"):
        raise UnfitError("folder-has-line-break")


def cache(url: str) -> str:
    """``cache.url``, as redis-py reads it: https://redis.readthedocs.io/en/stable/connections.html."""
    scheme, separator, rest = url.partition("://")
    url = f"{scheme.lower()}://{rest}"
    if not separator or scheme.lower() not in {"redis", "rediss", "unix"}:
        raise UnfitError("expected-redis")
    found = (_REDIS_SOCKET if scheme.lower() == "unix" else _REDIS).fullmatch(url)
    if found is None:
        wrong = advice(url) if misplaced(url) else None
        raise UnfitError(wrong or "expected-redis-parts")
    if scheme.lower() != "unix" and found["port"] and not 0 < int(found["port"]) < 1 << 16:
        raise UnfitError("expected-port")
    return url


def alert(url: str) -> str:
    """One address of ``alerts.urls``; Apprise itself checks whether it supports the service."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", url):
        raise UnfitError("expected-apprise")
    scheme, _, rest = url.partition("://")
    authority = re.match(r"[^/?#]*", rest)
    login, _, host = authority[0].rpartition("@") if authority else ("", "", "")
    if "@" in login or (scheme.lower() in _MAIL and _mail_is_unencoded(url, login, host)):
        raise UnfitError(advice(url.partition("?")[0]) or advice(url) or "expected-encoded-login")
    return url


def _mail_is_unencoded(url: str, login: str, host: str) -> bool:
    """Whether the password of a mail address ended it too early; a path of such a URL may hold addresses with @."""
    if "#" in url:  # no part of such a URL
        return True
    if not login:  # mailto://user:pass/word@host: what stands for a port is none
        return misplaced(url) and not re.fullmatch(r"[^:]*(?::\d{1,5})?", host)
    return misplaced(url.partition("?")[0]) and "." not in host and host.partition(":")[0] != "localhost"


def heartbeat(url: str) -> str:
    """``alerts.heartbeat_url``: a check's address, to which /start and /fail can be added."""
    if not re.fullmatch(r"https?://[^\s/?#]+/[^\s?#]*[^\s/?#]", url):
        raise UnfitError("expected-check")
    if misplaced(url):
        raise UnfitError(advice(url) or "expected-encoded-login")
    return url


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
