"""Where a connection goes, found out as libpq does: a URL, a service, ``PG*`` variables, in this order.

https://www.postgresql.org/docs/current/libpq-connect.html (connection URIs, keywords), libpq-pgservice.html,
libpq-envars.html and libpq-pgpass.html; in PostgreSQL's sources ``src/interfaces/libpq/fe-connect.c``.
No text made here repeats what may be a part of a password.
"""

import os
import pwd
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from cpimportd.core.logins import advice
from cpimportd.problems import ProblemError, problem

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
"""Every keyword that libpq 18 knows, and its variable."""

UNREADABLE: Final = "it cannot be read: special characters of a password must be percent-encoded (@ as %40, / as %2F)"

_SYSTEM_FOLDERS: Final = ("/etc/postgresql-common", "/etc/sysconfig/pgsql", "/etc")
"""Where distributions have ``pg_service.conf``; ``PGSYSCONFDIR`` names another."""

_HOST: Final = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<name>[^:\[\]@]*))(?::(?P<port>[^:@]*))?")


def refused(reason: str) -> ProblemError:
    """``config-value``: ``database.url`` cannot be used as it is."""
    return ProblemError(problem("config-value", key="database.url", place="the configuration", reason=reason))


def parse_url(url: str) -> dict[str, str]:
    """The keywords that a URL sets, decoded; a ``+driver`` of its scheme does not count.

    A keyword of the query replaces what stands before it, as ``host``, ``port``, ``user``, ``password`` and ``dbname``.

    Raises:
        ProblemError: ``config-value``: it cannot be read; ``database-option``: libpq knows no such keyword.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise refused("expected postgresql://user@host/database")
    try:
        return _parsed(url.partition("://")[2])
    except _UnencodedError:
        raise refused(advice(url) or UNREADABLE) from None


class _UnencodedError(Exception):
    """Something stands where no URL has it; it may be a part of a password."""


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
            raise refused(f"the value of {name} holds a bare =: write %3D")
        name, value = _decoded(name), _decoded(value)
        if (name, value) == ("ssl", "true"):  # as in JDBC
            name, value = "sslmode", "require"
        if name not in KEYWORDS:
            if "@" in query:
                raise _UnencodedError
            raise _unknown(name)
        found[name] = value
    return found


def _unknown(name: str) -> ProblemError:
    reason = "libpq has no such option"
    way = f"Remove it, or, if it is a setting of the server, write options=-c%20{name}%3DVALUE."
    return ProblemError(problem("database-option", value=name, reason=reason, way=way))


def _decoded(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})|%00", text):
        raise _UnencodedError
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise _UnencodedError from None


def with_defaults(named: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """What a URL names, completed by its service, then by ``PG*`` variables.

    Args:
        named: as of :func:`parse_url`.
        environment: the process's variables.

    Raises:
        ProblemError: ``config-value``: the service is not there, or its file is wrong.
    """
    variables = {name: environment[variable] for name, variable in KEYWORDS.items() if environment.get(variable)}
    if environment.get("PGREQUIRESSL", "").startswith("1"):
        variables.setdefault("sslmode", "require")
    return {**variables, **_service(named, environment), **named}


def _service(named: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    name = named.get("service") or environment.get("PGSERVICE")
    if not name:
        return {}
    own = named.get("servicefile") or environment.get("PGSERVICEFILE")
    folders = [environment["PGSYSCONFDIR"]] if environment.get("PGSYSCONFDIR") else list(_SYSTEM_FOLDERS)
    files = [Path(own) if own else home(environment) / ".pg_service.conf"]
    files += [Path(folder) / "pg_service.conf" for folder in folders]
    for number, file in enumerate(files):
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            if own and number == 0:
                raise refused(f"service file {file} is not there") from None
            continue
        except (OSError, UnicodeDecodeError):
            raise refused(f"service file {file} cannot be read") from None
        if (found := _section(text, name, file)) is not None:
            return found
    raise refused(f"service {name} is in none of {', '.join(map(str, files))}")


def _section(text: str, name: str, file: Path) -> dict[str, str] | None:
    found: dict[str, str] | None = None
    for number, line in enumerate((line.strip() for line in text.splitlines()), start=1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if found is not None:
                break
            found = {} if line == f"[{name}]" else None
        elif found is not None:
            key, separator, value = line.partition("=")
            if not separator or key not in KEYWORDS or key in {"service", "servicefile"}:
                raise refused(f"service file {file}, line {number}: expected KEYWORD=VALUE as libpq has it")
            found.setdefault(key, value)
    return found


def home(environment: Mapping[str, str]) -> Path:
    """Where ``~/.pgpass`` and ``~/.pg_service.conf`` are looked for."""
    return Path(environment.get("HOME") or _account().pw_dir or "/")


def user_name() -> str:
    """Who logs in where nobody says it: the user of the operating system.

    Raises:
        ProblemError: ``config-value``: the process's user has no name.
    """
    found = _account().pw_name
    if not found:
        raise refused("it names no user, and the user of the operating system has no name")
    return found


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(os.geteuid())
    except KeyError:
        return pwd.struct_passwd(("", "", os.geteuid(), os.getegid(), "", "", ""))


def stored_password(file: Path, wanted: tuple[str, str, str, str]) -> str | None:
    """The password that a password file has for host, port, database and user; None where it has none.

    A file that others can read is not used; libpq does the same.

    Args:
        file: lines ``hostname:port:database:username:password``; ``*`` fits everything.
        wanted: what the first four fields have to fit.
    """
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077:
            return None
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for line in lines:
        if line.startswith("#"):
            continue
        # Within a field ":" and "\" stand behind a backslash; a password needs that to libpq alone.
        fields = [re.sub(r"\\(.)", r"\1", field) for field in _split(line)]
        if len(fields) > len(wanted) and all(field in {"*", want} for field, want in zip(fields, wanted, strict=False)):
            return fields[len(wanted)] or None
    return None


def _split(line: str) -> tuple[str, ...]:
    found = re.fullmatch(r"((?:\\.|[^:\\])*):" * 4 + "(.*)", line)
    return found.groups() if found else ()
