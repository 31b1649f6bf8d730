"""The lines of a listing: MLSD (RFC 3659, section 7) and the two customary shapes of LIST.

LIST's times are not read: they come without seconds, in whatever zone the server likes. A client's parser that
decodes and trims the line would lose names in another encoding and spaces at a name's ends; so bytes are read here.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from cpimportd.source.contract import Look
from cpimportd.source.names import SUFFIXES, FileKind, Line

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


def _whole(digits: bytes) -> int | None:
    """A size; None where it is no number, or one that no file has."""
    return int(digits) if digits.isdigit() and len(digits) <= _LONGEST_NUMBER else None


def _shown(line: bytes) -> str:
    return line.decode("latin-1")


def parse_time(text: bytes) -> datetime | None:
    """RFC 3659's ``YYYYMMDDHHMMSS[.sss]``, which is UTC; None where it is anything else."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    try:
        whole = datetime.strptime(match[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return whole + timedelta(microseconds=int(match[2].ljust(6, b"0"))) if match[2] else whole


def parse_size(text: str) -> int | None:
    """The bytes in an answer to SIZE, whatever follows them; None where it tells none."""
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
        look = Look(_whole(facts.get(b"size", b"")), parse_time(facts.get(b"modify", b"")))
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
                yield Line(match["name"].partition(b" -> ")[0], "link", Look(None, None))
            else:
                kind: FileKind = "file" if match["type"] == b"-" else "other"
                yield Line(match["name"], kind, Look(_whole(match["size"]), None))
        elif match := _DOS.fullmatch(line):
            size = match["size"]
            look = Look(_whole(size.replace(b",", b"")) if size else None, None)
            yield Line(match["name"], "other" if match["dir"] else "file", look)
        elif line.strip().lower().endswith(tuple(suffix.encode() for suffix in SUFFIXES)):
            raise ListingError(f"a line of LIST that cannot be read: {_shown(line)}")
