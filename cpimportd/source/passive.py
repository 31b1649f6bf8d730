"""Where a server offers a data connection: EPSV (RFC 2428) and PASV (RFC 959), as servers really answer them.

Only the port is taken. The address in an answer is never followed: behind a NAT it is often wrong, and whoever
forges it would send us elsewhere.
"""

import re
from collections.abc import Iterable
from typing import Final

import aioftp

_EPSV: Final = (
    # (<d><net-prt><d><net-addr><d><tcp-port><d>): RFC 2428, section 3, has the first two empty, and any delimiter.
    re.compile(r"\(([!-~])\d?\1[^()\s]*?\1(\d{1,5})\1\)"),
    re.compile(r"([!-/:-@\[-`{-~])\d?\1[^()\s]*?\1(\d{1,5})\1"),
)
# RFC 1123, section 4.1.2.6: an answer may have no brackets, so the digits are looked for.
_PASV: Final = re.compile(r"(?<!\d)(?:\d{1,3}\s*,\s*){4}(\d{1,3})\s*,\s*(\d{1,3})(?!\d)")
_LONGEST: Final = 1000
"""Characters of an answer that are looked at; no real one has a quarter of them."""


class PassiveError(aioftp.AIOFTPException):
    """No data connection is to be had; ``str`` of this says what was asked and what came of it, as the wire had it.

    Attributes:
        lasting: whether the server refuses it for good (5xx), rather than now.
    """

    def __init__(self, tries: Iterable[str], *, lasting: bool) -> None:
        super().__init__("; ".join(tries))
        self.lasting = lasting


def epsv_port(text: str) -> int | None:
    """The port in an answer to EPSV; None where it names none."""
    found = next((found for pattern in _EPSV for found in reversed(list(pattern.finditer(text[:_LONGEST])))), None)
    return _valid(int(found[2])) if found else None


def pasv_port(text: str) -> int | None:
    """The port in an answer to PASV; None where it names none."""
    found = _PASV.search(text[:_LONGEST])
    if found is None:
        return None
    high, low = int(found[1]), int(found[2])
    return _valid(high * 256 + low) if high < 256 and low < 256 else None


def _valid(port: int) -> int | None:
    return port if 0 < port < 65536 else None
