"""Removes the password from a server's texts, in plain form and in every form that a program may give it.

A server that repeats what it was sent may quote, escape or encode it, write it in capitals or in another code page, cut
it off after some characters or break it over several lines.
"""

import base64
import re
import unicodedata
from functools import lru_cache
from html.entities import codepoint2name
from typing import Final

MASK: Final = "***"

_HEAD: Final = 8
"""Characters of its beginning that count as the password: crypt(3) and old servers look at no more."""
_SHORTEST: Final = 6
"""Characters of an encoded whole; fewer are in too many words."""
_GAP: Final = r"[\s\\\u00ad\u200b-\u200f\u2060\ufeff]{0,4}?"
"""What may occur between two characters: line breaks, escapes, invisible marks."""
_CHARSETS: Final = ("utf-8", "cp1251", "latin-1")
_QUOTES: Final = frozenset("'\"`")


def redact(text: str, secret: str) -> str:
    """A text without a password.

    Args:
        text: what a server said.
        secret: the password; empty if there is none.
    """
    return _pattern(secret).sub(MASK, text) if secret else text


@lru_cache(maxsize=8)
def _pattern(secret: str) -> re.Pattern[str]:
    characters = [_any_of(_forms(character)) for character in secret]
    head, rest = characters[:_HEAD], characters[_HEAD:]
    written = _GAP.join(head) + "".join(f"(?:{_GAP}{character})?" for character in rest)
    encoded = {form for charset in _CHARSETS for form in _encoded(secret.encode(charset, "replace"))}
    return re.compile("|".join([*map(re.escape, sorted(encoded, key=len, reverse=True)), written]), re.IGNORECASE)


def _any_of(forms: set[str]) -> str:
    return f"(?:{'|'.join(map(re.escape, sorted(forms, key=len, reverse=True)))})"


def _forms(character: str) -> set[str]:
    """How one character may be written."""
    number = ord(character)
    found = {character, character.upper(), character.lower(), character.casefold()}
    found |= {unicodedata.normalize(form, character) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    found |= {f"\\x{number:02x}", f"\\u{number:04x}", f"&#{number};", f"&#x{number:x};"}
    if number in codepoint2name:
        found.add(f"&{codepoint2name[number]};")
    if character in _QUOTES:
        found |= {character * 2, "&apos;"}
    if character == " ":
        found.add("+")
    if not character.isascii():
        found |= {"?", "\ufffd"}
    for charset in _CHARSETS:
        data = character.encode(charset, "ignore")
        found |= {"".join(f"{mark}{byte:02x}" for byte in data) for mark in ("%", "\\x")}
        found |= {data.decode(other, "ignore") for other in _CHARSETS}
    return found - {""}


def _encoded(data: bytes) -> set[str]:
    """The encodings in hexadecimal and base64, with any text before and after."""
    found = {data.hex(), data.hex(" "), data.hex(":")}
    for before in range(3):
        letters = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        # The first letters hold bits of what stands before; the last one those of what follows.
        kept = letters[(0, 2, 3)[before] : -1]
        found |= {kept, kept.replace("+", "-").replace("/", "_")}
    return {form for form in found if len(form) >= _SHORTEST}
