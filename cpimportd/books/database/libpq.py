"""Finds the target of a connection as libpq does: a URL, a service, ``PG*`` variables, in this order.

https://www.postgresql.org/docs/current/libpq-connect.html (connection URIs, keywords), libpq-pgservice.html,
libpq-envars.html and libpq-pgpass.html; in PostgreSQL's sources ``src/interfaces/libpq/fe-connect.c``.
No text made here repeats what may be a part of a password.
"""

import os
import pwd
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cpimportd.core import addresses
from cpimportd.core.addresses import KEYWORDS, UnknownOptionError
from cpimportd.core.phrases import Reason, phrase, reason_of
from cpimportd.core.problems import ProblemError, problem

_SYSTEM_FOLDERS: Final = ("/etc/postgresql-common", "/etc/sysconfig/pgsql", "/etc")
"""Where distributions have ``pg_service.conf``; ``PGSYSCONFDIR`` names another."""


def refused(reason: Reason) -> ProblemError:
    """``config-value``: ``database.url`` cannot be used as it is."""
    return ProblemError(problem("config-value", key="database.url", place=phrase("the-configuration"), reason=reason))


def parse_url(url: str) -> dict[str, str]:
    """The keywords that a URL sets, as :func:`cpimportd.core.addresses.parse` finds them.

    Raises:
        ProblemError: ``config-value``: it cannot be read; ``database-option``: libpq knows no such keyword.
    """
    try:
        return addresses.parse(url)
    except UnknownOptionError as error:
        reason, way = phrase("no-such-option"), phrase("way-server-setting", name=error.name)
        raise ProblemError(problem("database-option", value=error.name, reason=reason, way=way)) from None
    except ValueError as error:
        raise refused(reason_of(error)) from None


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
                raise refused(phrase("service-file-missing", file=file)) from None
            continue
        except (OSError, UnicodeDecodeError):
            raise refused(phrase("service-file-unreadable", file=file)) from None
        if (found := _section(text, name, file)) is not None:
            return found
    raise refused(phrase("service-missing", name=name, files=files))


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
                raise refused(phrase("service-line", file=file, line=number))
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
        raise refused(phrase("no-user-name"))
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


_SSLMODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

# What each word may say.
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "sslmode": _SSLMODES,
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": ("disable", "random"),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "sslcertmode": ("disable", "allow", "require"),
    "gsslib": ("gssapi", "sspi"),
}
_NUMBERS: Final = (
    "connect_timeout",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "tcp_user_timeout",
)

_REMOVE: Final = "way-remove"
_TLS_INSTEAD: Final = "way-verify-full"


def _is(*harmless: str) -> Callable[[str], bool]:
    return lambda value: value.lower() in harmless


def _never(_value: str) -> bool:
    return False


# Keyword → which values change nothing for us; the phrases that say why the others cannot be honoured, and what to do.
_UNSUPPORTED: Final[Mapping[str, tuple[Callable[[str], bool], str, str]]] = {
    "channel_binding": (_is("disable", "prefer"), "no-channel-binding", _TLS_INSTEAD),
    "gssencmode": (_is("disable", "prefer"), "no-gssapi-encryption", "way-use-tls"),
    "gssdelegation": (_is("0"), "no-delegation", _REMOVE),
    "require_auth": (_never, "no-required-login", _TLS_INSTEAD),
    "requirepeer": (
        _never,
        "no-peer-check",
        "way-socket-modes",
    ),
    "client_encoding": (
        _is("utf8", "utf-8", "unicode", "auto"),
        "always-utf8",
        _REMOVE,
    ),
    "sslcertmode": (_is("allow"), "certificate-sent-anyway", _REMOVE),
    "sslsni": (_is("1"), "sni-always", _REMOVE),
    "sslcrldir": (_never, "one-crl-file", "way-sslcrl"),
    "sslkeylogfile": (_never, "no-key-log", _REMOVE),
    "replication": (_is("false", "off", "no", "0"), "no-replication", _REMOVE),
    "min_protocol_version": (_is("3.0"), "protocol-3-0", _REMOVE),
    "max_protocol_version": (_is("3.0", "3.2", "latest"), "protocol-3-0", _REMOVE),
    **dict.fromkeys(
        ("scram_client_key", "scram_server_key"),
        (_never, "keys-from-password", "way-database-password"),
    ),
    **dict.fromkeys(
        ("oauth_client_id", "oauth_client_secret", "oauth_issuer", "oauth_scope"),
        (_never, "no-oauth", "way-no-oauth"),
    ),
}
_HOSTADDR: Final = (
    "hostaddr-is-no-name",
    "way-no-hostaddr",
)


def refuse_unsupported(found: Mapping[str, str], named: Mapping[str, str], *, on_network: bool) -> None:
    """Make sure that everything that was asked for can be had.

    Args:
        found: every keyword, wherever it was said.
        named: those of the URL itself.
        on_network: some host is no Unix socket; on a socket no name is verified.

    Raises:
        ProblemError: ``database-option`` for each that cannot, ``config-value`` where a value means nothing.
    """
    for name, words in _WORDS.items():
        if found.get(name) and found[name] not in words:
            raise refused(phrase("none-of", name=name, words=words))
    for name in _NUMBERS:
        if found.get(name) and not found[name].removeprefix("-").isdecimal():
            raise refused(phrase("no-whole-number", name=name))
    weak = _SSLMODES[: _SSLMODES.index("verify-full")]
    if found.get("sslrootcert") == "system" and found.get("sslmode") in weak:
        raise refused(phrase("system-needs-verify-full"))
    problems = [
        problem("database-option", value=_said(name, named), reason=phrase(reason), way=phrase(way))
        for name, (harmless, reason, way) in _UNSUPPORTED.items()
        if found.get(name) and not harmless(found[name])
    ]
    verified = found.get("sslmode") == "verify-full" or found.get("sslrootcert") == "system"
    if found.get("hostaddr") and on_network and verified:
        reason, way = _HOSTADDR
        problems.append(
            problem("database-option", value=_said("hostaddr", named), reason=phrase(reason), way=phrase(way))
        )
    if problems:
        raise ProblemError(*problems)


def _said(name: str, named: Mapping[str, str]) -> Reason:
    """The option as its author wrote it: in the URL (or its service), or as a variable."""
    variable = KEYWORDS[name]
    return name if name in named or not variable else phrase("option-from-variable", name=name, variable=variable)
