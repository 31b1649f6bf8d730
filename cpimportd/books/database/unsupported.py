"""Options of libpq that our driver cannot honour: each is named, none is silently ignored."""

from collections.abc import Callable, Mapping
from typing import Final

from cpimportd.books.database.libpq import refused
from cpimportd.core.postgresurl import KEYWORDS
from cpimportd.core.problems import ProblemError, problem

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

_REMOVE: Final = "Remove it"
_TLS_INSTEAD: Final = "Remove it; sslmode=verify-full makes sure of the server instead"


def _is(*harmless: str) -> Callable[[str], bool]:
    return lambda value: value.lower() in harmless


def _never(_value: str) -> bool:
    return False


# Keyword → which values change nothing for us, why the others cannot be honoured, and what to do instead.
_UNSUPPORTED: Final[Mapping[str, tuple[Callable[[str], bool], str, str]]] = {
    "channel_binding": (_is("disable", "prefer"), "our driver does not bind a login to its TLS channel", _TLS_INSTEAD),
    "gssencmode": (_is("disable", "prefer"), "our driver does not encrypt by GSSAPI", "Use TLS: sslmode=verify-full"),
    "gssdelegation": (_is("0"), "our driver delegates no credentials", _REMOVE),
    "require_auth": (_never, "our driver cannot insist on a way of logging in", _TLS_INSTEAD),
    "requirepeer": (
        _never,
        "our driver does not look at who runs the server",
        "Remove it; the modes of the socket's folder say who may listen there",
    ),
    "client_encoding": (
        _is("utf8", "utf-8", "unicode", "auto"),
        "our driver speaks UTF-8, whatever the database's encoding",
        _REMOVE,
    ),
    "sslcertmode": (_is("allow"), "our driver sends a client certificate where there is one", _REMOVE),
    "sslsni": (_is("1"), "our driver always names the host in the TLS handshake", _REMOVE),
    "sslcrldir": (_never, "our driver reads one file of revoked certificates", "Name that file by sslcrl instead"),
    "sslkeylogfile": (_never, "the keys of a connection are written nowhere", _REMOVE),
    "replication": (_is("false", "off", "no", "0"), "a replication connection holds no books", _REMOVE),
    "min_protocol_version": (_is("3.0"), "our driver speaks version 3.0 of the protocol", _REMOVE),
    "max_protocol_version": (_is("3.0", "3.2", "latest"), "our driver speaks version 3.0 of the protocol", _REMOVE),
    **dict.fromkeys(
        ("scram_client_key", "scram_server_key"),
        (_never, "our driver makes its keys from a password", "Use database.password instead"),
    ),
    **dict.fromkeys(
        ("oauth_client_id", "oauth_client_secret", "oauth_issuer", "oauth_scope"),
        (_never, "our driver does not log in by OAuth", "Use a password, a client certificate or a Unix socket"),
    ),
}
_HOSTADDR: Final = (
    "our driver verifies the name that it connects to, and hostaddr is none",
    "Name the server by host alone (an entry in /etc/hosts leads it to the address), or use sslmode=verify-ca",
)


def refuse(found: Mapping[str, str], named: Mapping[str, str], *, on_network: bool) -> None:
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
            raise refused(f"{name} is none of {', '.join(words)}")
    for name in _NUMBERS:
        if found.get(name) and not found[name].removeprefix("-").isdecimal():
            raise refused(f"{name} is no whole number")
    weak = _SSLMODES[: _SSLMODES.index("verify-full")]
    if found.get("sslrootcert") == "system" and found.get("sslmode") in weak:
        raise refused("sslrootcert=system needs sslmode=verify-full")
    problems = [
        problem("database-option", value=_said(name, named), reason=reason, way=f"{way}.")
        for name, (harmless, reason, way) in _UNSUPPORTED.items()
        if found.get(name) and not harmless(found[name])
    ]
    verified = found.get("sslmode") == "verify-full" or found.get("sslrootcert") == "system"
    if found.get("hostaddr") and on_network and verified:
        reason, way = _HOSTADDR
        problems.append(problem("database-option", value=_said("hostaddr", named), reason=reason, way=f"{way}."))
    if problems:
        raise ProblemError(*problems)


def _said(name: str, named: Mapping[str, str]) -> str:
    """The option as its author wrote it: in the URL (or its service), or as a variable."""
    variable = KEYWORDS[name]
    return name if name in named or not variable else f"{name} ({variable}, or the service)"
