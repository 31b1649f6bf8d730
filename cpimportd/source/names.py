"""Names that a server sends: which are workbooks, which are refused, and how their bytes are read.

A name is data. It is shown, matched and sent back, and never used as a path on this machine.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from cpimportd.core.problems import Problem, problem
from cpimportd.source.contract import Entry, Listing, Look, TooMuchError

SUFFIXES = (".xlsx", ".xls", ".xlsb")
LONGEST = 255
"""Bytes: NAME_MAX of Linux's file systems; what is longer was not uploaded as a file of that name."""

MOST: Final = 10_000
"""Workbooks of one folder, those of refused names too: each costs a task, a line of the report and room on the disk."""

FileKind = Literal["file", "link", "other"]

_FALLBACK = "cp1251"
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Unicode's categories of control, format and surrogate characters and of line and paragraph separators."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a listing, before its name is judged."""

    wire: bytes
    kind: FileKind
    look: Look


def decode(wire: bytes, encoding: str) -> str:
    """A name's bytes as text: in the encoding of the settings or, where that fails, as Windows programs write (cp1251).

    Bytes that neither knows become surrogates, which :func:`refusal` refuses.
    """
    for candidate in (encoding, _FALLBACK):
        try:
            return wire.decode(candidate)
        except UnicodeDecodeError:
            continue
    return wire.decode("utf-8", "surrogateescape")


def is_workbook(name: str) -> bool:
    """Whether a name looks like a workbook's: by suffix, in any case.

    Lock files of spreadsheet programs (``~$…``) and hidden files (``.in.…`` is ProFTPD's unfinished upload) are none.
    Invisible characters after the suffix do not hide a workbook: such a name is to be refused, not overlooked.
    """
    end = len(name)
    while end and (name[end - 1].isspace() or unicodedata.category(name[end - 1]) in _INVISIBLE):
        end -= 1
    last = name[:end].replace("\\", "/").rpartition("/")[2]
    return last.lower().endswith(SUFFIXES) and not last.startswith(("~$", "."))


def refusal(name: str, wire: bytes) -> str | None:
    """Why a workbook with this name is not fetched; None where nothing is wrong with it."""
    if "/" in name or "\\" in name or name in {".", ".."}:
        return "it holds a path"
    if any(unicodedata.category(c) in _INVISIBLE for c in name):
        return "it holds control or format characters, or bytes of no known encoding"
    if len(wire) > LONGEST:
        return f"it has {len(wire)} bytes, more than {LONGEST}"
    if name != name.strip():
        return "it begins or ends with a space"
    return None


def sort_out(lines: Iterable[Line], encoding: str) -> Listing:
    """Keep the workbooks, refuse what must be refused, ignore the rest.

    Only regular files are taken. Symbolic links are not followed anywhere: one server sends the file behind them, one
    refuses, one sends nothing and calls it success.

    Raises:
        TooMuchError: there are more than ``MOST`` workbooks.
    """
    entries: dict[bytes, Entry] = {}
    problems: dict[bytes, Problem] = {}
    for line in lines:
        name = decode(line.wire, encoding)
        if line.kind == "other" or not is_workbook(name):
            continue
        if reason := refusal(name, line.wire):
            problems[line.wire] = problem("name-refused", value=name, reason=reason)
        elif line.kind == "link":
            problems[line.wire] = problem("link-refused", file=name)
        else:
            entries[line.wire] = Entry(name, line.wire, line.look)
        if len(entries) + len(problems) > MOST:
            raise TooMuchError(f"it holds more than {MOST} workbooks")
    return Listing(
        tuple(sorted(_told_apart(entries.values(), encoding), key=lambda e: (e.name, e.wire))),
        tuple(problems[wire] for wire in sorted(problems)),
    )


def _told_apart(entries: Iterable[Entry], encoding: str) -> Iterable[Entry]:
    """Entries whose names read alike though their bytes differ: the one in the foreign encoding says so."""
    kept = list(entries)
    count = Counter(entry.name for entry in kept)
    for entry in kept:
        if count[entry.name] > 1 and entry.name.encode(encoding, "replace") != entry.wire:
            yield Entry(f"{entry.name} [{_FALLBACK}]", entry.wire, entry.look)
        else:
            yield entry
