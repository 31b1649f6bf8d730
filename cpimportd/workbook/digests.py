"""Digests of workbooks' contents, which show by which version of the reader they were made.

A file that lies on the server as it lay yesterday is not even unpacked; so whether a newer reader is to look at it anew
must be seen in the digest that is remembered.
"""

import hashlib
from typing import Final

READER_VERSION: Final = 3
"""Part of every digest: raise it when a file that did not change must be read anew; at most 255."""


class ContentDigest:
    """The SHA-256 of this reader's version and of a workbook's content."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(b"%d\0" % READER_VERSION)
        self.update = self._hash.update

    def text(self) -> str:
        """64 hexadecimal digits, the last two of which are the version instead."""
        return f"{self._hash.hexdigest()[:-2]}{READER_VERSION:02x}"


def is_current(digest: str) -> bool:
    """Whether a digest was made by this version of the reader."""
    return digest.endswith(f"{READER_VERSION:02x}")
