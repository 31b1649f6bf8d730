"""A login inside a URL: which of its characters had to be percent-encoded. No text made here repeats any of it."""

import re
from typing import Final

_ENCODED: Final = {"@": "%40", "/": "%2F", "?": "%3F", "#": "%23", "%": "%25"}
_SPECIAL: Final = re.compile(r"[@/?#]|%(?![0-9A-Fa-f]{2})")
_AUTHORITY: Final = re.compile(r"[^/?#]*")
"""RFC 3986, 3.2: an authority ends at the first of these three."""


def misplaced(url: str) -> bool:
    """Whether an ``@`` stands behind the authority, as where an unencoded character ended the login too early.

    This is for URLs whose paths and queries hold no ``@`` of their own.
    """
    rest = url.partition("://")[2]
    authority = _AUTHORITY.match(rest)
    return authority is not None and "@" in rest[authority.end() :]


def advice(url: str) -> str | None:
    """How the login has to be written: each character up to the last ``@`` that cannot stand there as it is.

    Returns:
        None where there is no such character.
    """
    login = url.partition("://")[2].rpartition("@")[0]
    found = dict.fromkeys(match[0] for match in _SPECIAL.finditer(login))
    if not found:
        return None
    ways = ", ".join(f"{character} as {_ENCODED[character]}" for character in found)
    return f"the user or the password is not percent-encoded: before the last @ write {ways}"
