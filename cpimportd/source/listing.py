"""Parses a listing (MLSD: RFC 3659, section 7; two common forms of LIST), and selects the workbooks.

LIST's times are not read: they have no seconds, and their zone is unknown. A parser that decodes and trims the line
would lose names in another encoding and spaces at a name's ends; so bytes are parsed here. A name is data: it is shown,
matched and sent back, and never used as a path on this machine.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import Problem, problem
from cpimportd.source.interface import Entry, FileState, FileTooLargeError, Listing

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
    look: FileState


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


def refusal(name: str, wire: bytes) -> Phrase | None:
    """Why a workbook with this name is not fetched; None if nothing is wrong with it."""
    if "/" in name or "\\" in name or name in {".", ".."}:
        return phrase("name-is-path")
    if any(unicodedata.category(c) in _INVISIBLE for c in name):
        return phrase("name-has-controls")
    if len(wire) > LONGEST:
        return phrase("name-too-long", size=len(wire), limit=LONGEST)
    if name != name.strip():
        return phrase("name-has-spaces")
    return None


def split_listing(lines: Iterable[Line], encoding: str) -> Listing:
    """Keep the workbooks, refuse what must be refused, ignore the rest.

    Only regular files are taken. Symbolic links are not followed anywhere: one server sends the file behind them, one
    refuses, one sends nothing and calls it success.

    Raises:
        FileTooLargeError: there are more than ``MOST`` workbooks.
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
            raise FileTooLargeError("many-workbooks", most=MOST)
    return Listing(
        tuple(sorted(_with_distinct_names(entries.values(), encoding), key=lambda e: (e.name, e.wire))),
        tuple(problems[wire] for wire in sorted(problems)),
    )


def _with_distinct_names(entries: Iterable[Entry], encoding: str) -> Iterable[Entry]:
    """Entries with distinct names: of equal names with different bytes, the one in the foreign encoding is marked."""
    kept = list(entries)
    count = Counter(entry.name for entry in kept)
    for entry in kept:
        if count[entry.name] > 1 and entry.name.encode(encoding, "replace") != entry.wire:
            yield Entry(f"{entry.name} [{_FALLBACK}]", entry.wire, entry.look)
        else:
            yield entry


_TIME = re.compile(rb"(\d{14})(?:\.(\d{1,6})\d*)?")
_SIZE = re.compile(r"\s*(\d{1,18})(?:\s.*)?", re.DOTALL)
_UNIX = re.compile(
    rb"(?P<type>[-a-zA-Z])[-a-zA-Z]{9}[+.@]?(?:\s.*?)?\s(?P<size>\d+)\s+"
    rb"(?:[^\s\d]{3,}\s+\d{1,2}|\d{1,2}\s+[^\s\d]{3,})\s+(?:\d{4}|\d{1,2}:\d{2}) (?P<name>.*)",
    re.DOTALL,
)
_DOS = re.compile(
    rb"\d\d-\d\d-\d{2,4}\s+\d\d:\d\d(?:[AP]M)?\s+(?:(?P<dir><[A-Z]+>\s+)|(?P<size>[\d,]+) )(?P<name>.*)", re.DOTALL
)


_LONGEST_NUMBER = 18


class ListingError(ValueError):
    """A line of a listing that cannot be read, though it may name a workbook; its bytes stand in it as Latin-1."""


def _parse_number(digits: bytes) -> int | None:
    """A size; None if it is no number, or one that no file has."""
    return int(digits) if digits.isdigit() and len(digits) <= _LONGEST_NUMBER else None


def _shown(line: bytes) -> str:
    return line.decode("latin-1")


def parse_time(text: bytes) -> datetime | None:
    """RFC 3659's ``YYYYMMDDHHMMSS[.sss]``, which is UTC; None if it is anything else."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    try:
        whole = datetime.strptime(match[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return whole + timedelta(microseconds=int(match[2].ljust(6, b"0"))) if match[2] else whole


def parse_size(text: str) -> int | None:
    """The bytes in an answer to SIZE, whatever follows them; None if it holds none."""
    match = _SIZE.fullmatch(text)
    return int(match[1]) if match else None


def parse_mlsd(lines: Iterable[bytes]) -> Iterator[Line]:
    """Lines such as ``type=file;size=12;modify=20250102030405; name``; one without facts begins with the space.

    Facts end at ``; ``, not at the first space: ProFTPD and Pure-FTPd write a link's target among them as it is.

    Raises:
        ListingError: a line's facts do not end.
    """
    for raw in lines:
        line = raw.rstrip(b"\r\n")
        facts_text, end, wire = (b"", b" ", line[1:]) if line.startswith(b" ") else line.partition(b"; ")
        if not end:
            raise ListingError(f"a line of MLSD that cannot be read: {_shown(line)}")
        facts = {
            key.lower(): value for key, _, value in (fact.partition(b"=") for fact in facts_text.split(b";") if fact)
        }
        look = FileState(_parse_number(facts.get(b"size", b"")), parse_time(facts.get(b"modify", b"")))
        yield Line(wire, _mlsd_kind(facts.get(b"type", b"file").lower()), look)


def _mlsd_kind(type_fact: bytes) -> FileKind:
    if type_fact == b"file":
        return "file"
    # OS.unix=symlink is ProFTPD's word, OS.unix=slink:target Pure-FTPd's.
    return "link" if type_fact.startswith((b"os.unix=symlink", b"os.unix=slink")) else "other"


def parse_list(lines: Iterable[bytes]) -> Iterator[Line]:
    """Lines as ``ls -l`` or MS-DOS's ``dir`` (IIS) write them.

    Raises:
        ListingError: a line that names a workbook cannot be read; others (``total 12``) are passed over.
    """
    for raw in lines:
        line = raw.rstrip(b"\r\n")
        if match := _UNIX.fullmatch(line):
            if match["type"] == b"l":
                yield Line(match["name"].partition(b" -> ")[0], "link", FileState(None, None))
            else:
                kind: FileKind = "file" if match["type"] == b"-" else "other"
                yield Line(match["name"], kind, FileState(_parse_number(match["size"]), None))
        elif match := _DOS.fullmatch(line):
            size = match["size"]
            look = FileState(_parse_number(size.replace(b",", b"")) if size else None, None)
            yield Line(match["name"], "other" if match["dir"] else "file", look)
        elif line.strip().lower().endswith(tuple(suffix.encode() for suffix in SUFFIXES)):
            raise ListingError(f"a line of LIST that cannot be read: {_shown(line)}")
