"""Recognizes a lack of memory, by a process's last words or by an exception that says something else.

A lack of memory does not mean that the file is damaged, and exporting it again does not help. The reader's child loads
this module, so it has none of asyncio (:mod:`cpimportd.core.system`).
"""

import errno
import zlib
from collections.abc import Iterator

_MESSAGES = (b"MemoryError", b"memory allocation of", b"annot allocate memory", b"out of memory",
         b"failed to map segment")  # fmt: skip
# Z_MEM_ERROR of zlib.h; Python's zlib passes on the number alone where inflate() finds no room for its window.
_ZLIB = "Error -4 "


def is_out_of_memory(complaint: bytes) -> bool:
    """Whether that is what a process says on stderr, in the words of Python, Rust, expat or ld.so."""
    return any(sign in complaint for sign in _MESSAGES)


def raise_if_memory_was_missing(error: BaseException) -> None:
    """Let an engine's exception pass for the file's fault only if memory has no part in it.

    Args:
        error: what an engine raised, with what it was raised from and during: openpyxl makes a TypeError of a
            MemoryError, and zipfile a ValueError.

    Raises:
        MemoryError: memory was missing.
    """
    if any(_memory_was_missing(each) for each in _chain(error)):
        raise MemoryError from error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _memory_was_missing(error: BaseException) -> bool:
    if isinstance(error, zlib.error):
        return str(error).startswith(_ZLIB)
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or is_out_of_memory(str(error).encode(errors="replace"))
