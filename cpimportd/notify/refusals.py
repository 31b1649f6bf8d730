"""What Redis means by its refusals, what mends them, and a key that is nobody's."""

import re
import ssl
import uuid
from typing import Final
from urllib.parse import unquote, urlsplit

from cpimportd.config.settings import Cache

_SAVED: Final = "then ACL SAVE, or CONFIG REWRITE where there is no aclfile."
_WAYS: Final[tuple[tuple[str, str], ...]] = (
    (
        r"permissions? to run the '",
        f"Let Redis' administrator run: ACL SETUSER {{user}} +scan +unlink +select; {_SAVED}",
    ),
    (
        r"NOPERM|NoPermission|permissions? to access",
        f"Let Redis' administrator run: ACL SETUSER {{user}} ~{{pattern}}; {_SAVED}",
    ),
    (
        r"NOAUTH|Authentication required|HELLO must be called",
        "Set cache.password, better as a credential of that name.",
    ),
    (
        r"without any password configured|no password is set",
        "That Redis asks for no password: remove cache.password, and the one in cache.url.",
    ),
    (
        r"WRONGPASS|invalid username-password|invalid password|AuthenticationError",
        "Correct cache.password, and the user in cache.url.",
    ),
    (
        r"LOADING|loading the dataset",
        "Redis reads its data after a start; every run tries again, and `cpimportd notify` does.",
    ),
    (r"READONLY|read only replica", "cache.url names a replica: name the primary there."),
    (
        r"DB index|out of range",
        "Correct the database's number at the end of cache.url; Redis has 16, from 0, unless told otherwise.",
    ),
    (r"max number of clients", "Raise maxclients of Redis, or see in CLIENT LIST who holds its connections."),
    (r"MISCONF", "Redis cannot write its snapshot and takes no change: see its log and its disk."),
    (r"MOVED|CLUSTERDOWN", "cache.url leads to a Redis Cluster, which is not supported: name a single server."),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "Let Redis show a certificate that this machine trusts for the name in cache.url, or name its authority there: "
        "?ssl_ca_certs=/path/ca.pem.",
    ),
    (
        r"(?i)wrong.version.number|record.layer.failure",
        "That port speaks no TLS: write redis:// in cache.url instead of rediss://, or name Redis' tls-port.",
    ),
    (
        r"Timeout connecting.* rediss:",
        "See whether that port speaks TLS: if not, write redis:// in cache.url instead of rediss://; else see its log.",
    ),
    (
        r"closed by server|reset by peer|Timeout reading|Protocol Error|InvalidResponse",
        "If that port speaks TLS, write rediss:// in cache.url; else see in Redis' log why it does not answer.",
    ),
    (r"cannot be read", "Write it as redis://HOST:PORT/DATABASE."),
)
_OTHERWISE: Final = "See whether Redis runs, and whether cache.url names it."

# https://redis.io/docs/latest/commands/keys/
_SPECIAL: Final = re.compile(r"\\(.)|\[(.)[^]]*\]|(\?)|\*+")


def way_out(error: Exception, cache: Cache) -> str:
    """What mends it that Redis refuses, by its own words."""
    url = "" if cache.url is None else cache.url.get_secret_value()
    said = f"{type(error).__name__}: {error} {url.partition('/')[0]}"
    if isinstance(error, ValueError):
        said = "cannot be read"
    elif isinstance(error.__cause__, ssl.SSLError):
        said += f" {error.__cause__}"
    for pattern, way in _WAYS:
        if re.search(pattern, said):
            user = "" if isinstance(error, ValueError) else unquote(urlsplit(url).username or "")
            return way.format(user=user or "default", pattern=cache.pattern)
    return _OTHERWISE


def nobodys_key(pattern: str) -> str:
    """A key that fits a pattern of Redis and that nobody has: to delete it changes nothing.

    A pattern without a star fits few keys, any of which may be somebody's: then the key is its beginning and more.
    """
    unique = f"cpimportd-check-{uuid.uuid4().hex}"
    found = _SPECIAL.sub(lambda one: one[1] or one[2] or (one[3] and "x") or unique, pattern)
    return found if unique in found else f"{found}{unique}"
