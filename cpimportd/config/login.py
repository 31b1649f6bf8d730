"""A user and password inside source.url are taken out of it, so that the url can be shown anywhere."""

import re
from urllib.parse import unquote

from cpimportd.config.sources import ConfigFile, Found, place
from cpimportd.core.addresses import advice
from cpimportd.core.problems import problem

_URL, _USER, _PASSWORD = ("source", "url"), ("source", "user"), ("source", "password")

_AUTHORITY = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?:(?P<login>[^/?#]*)@)?(?P<host>(?:\[[0-9a-f:.]+\]|[^/?#@:\[\]]*)(?::\d+)?)"
    r"(?P<rest>(?:[/?#][^@]*)?)",
    re.IGNORECASE,
)


def split_login(found: Found, file: ConfigFile | None) -> None:
    """Move a login inside source.url to source.user and source.password of the same place (RFC 3986, 3.2.1).

    A key of its own in the same place is stronger than the url. A url that cannot be split without doubt is taken
    out with a ``config-value`` that does not repeat it: an unencoded ``/``, ``#`` or ``@`` in a password would make
    part of it look like a folder.

    Args:
        found: the values of one place.
        file: the TOML file, for the line in it.
    """
    url = found.get(_URL)
    if not isinstance(url, str) or "://" not in url or url.startswith("file:"):
        return
    origin = found.origins[_URL]
    parts = _AUTHORITY.fullmatch(url)
    try:
        user, _, password = (unquote(text, errors="strict") for text in _login(parts["login"] if parts else None))
    except UnicodeDecodeError:
        parts = None
    if parts is None:
        del found.values["source"]["url"]
        reason = f"{advice(url) or _EXPECTED}, or better: use source.user and source.password"
        found.problems.append(problem("config-value", key="source.url", place=place(_URL, found, file), reason=reason))
        return
    found.put(_URL, parts["scheme"] + parts["host"] + parts["rest"], origin)
    for path, text in ((_USER, user), (_PASSWORD, password)):
        if text and found.get(path) is None:
            found.put(path, text, f"{origin} (inside source.url)")


def _login(text: str | None) -> tuple[str, str, str]:
    return (text or "").partition(":")


_EXPECTED = (
    "expected ftp://host:port/folder; special characters of a user, a password or a folder must be percent-encoded "
    "(@ as %40, / as %2F)"
)
