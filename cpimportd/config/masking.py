"""What may be shown of a value: never a secret."""

import re

from pydantic import SecretStr

from cpimportd.config.keys import KeyPath, find

MASK = "********"

_WHOLE = frozenset({"alerts"})
"""Sections whose secret URLs are secret in every part: a token may stand where others have a host."""

# Greedy to the last @: a password with an unencoded / or @ is covered whole, at worst with a bit of what follows it.
_LOGIN = re.compile(r"(://[^:/?#@]*:).*@", re.DOTALL)
_PARAMETER = re.compile(r"([?&](?:ssl)?password=)[^&#]*", re.IGNORECASE)


def mask_url(text: str) -> str:
    """A URL without its password; user, host and path stay, so that a reader knows which server is meant."""
    return _PARAMETER.sub(rf"\g<1>{MASK}", _LOGIN.sub(rf"\g<1>{MASK}@", text))


def masked(path: KeyPath, value: object) -> object:
    """A key's value as it may be shown: secrets hidden, passwords inside URLs too, whatever the key."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    key = find(path)
    if key is not None and key.secret and path[0] in _WHOLE and text:
        return MASK
    if not isinstance(text, str):
        return MASK if key is not None and key.secret and text is not None else text
    login = "@" in text and path[-1].endswith("url")  # of a url whose scheme was forgotten
    hidden = isinstance(value, SecretStr) or key is None or key.secret or login
    return MASK if hidden and "://" not in text else mask_url(text)


def holds_secret(path: KeyPath, value: object) -> bool:
    """Whether a value of a file is one that others should not read."""
    key = find(path)
    return isinstance(value, str | list) and key is not None and (masked(path, value) != value)
