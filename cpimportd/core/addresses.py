"""URLs and paths as a configuration may have them: each function takes one and gives it as it is used.

They raise ValueError with what was expected, and never repeat what they were given: it may be a secret.
"""

import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

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
