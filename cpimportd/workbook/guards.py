"""Determines a file's format, whether it is safe to unpack, and its content's digest, in one pass over its bytes.

Runs in the child process. A zip's directory is checked before its parts are read. Then every part is unpacked once, in
pieces, and the facts for the reader are collected in the same pass.
"""

import codecs
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from cpimportd.core.phrases import PhraseError, phrase, reason_of
from cpimportd.core.problems import ProblemError, problem
from cpimportd.workbook.compound import is_protected
from cpimportd.workbook.memory import raise_if_memory_was_missing
from cpimportd.workbook.openfile import ContentDigest, Workbook
from cpimportd.workbook.package import MANIFEST, Package, fold_name, resolve
from cpimportd.workbook.scanner import ZIP, PartScanner, Role, suspicious

_PIECE = 1024 * 1024
_OLE2 = bytes.fromhex("d0cf11e0a1b11ae1")
# Document properties (ECMA-376 part 1, 15.2.12.1 and 15.2.12.3), as every program calls their parts.
_STAMPS = frozenset({"docprops/core.xml", "docprops/app.xml"})
# Logos and enclosed files. A picture of a kind that is no archive must not be one.
_ENCLOSED = re.compile(r"(?:^|/)(?:embeddings/[^/]+|media/[^/]+(?<!\.png)(?<!\.jpg)(?<!\.jpeg)(?<!\.gif)(?<!\.bmp))$")
# An entry of a zip's directory is 46 bytes, the name and extra fields (APPNOTE 4.3.12): a workbook's are far shorter.
_DIRECTORY_BYTES_PER_ENTRY = 1024
_SMALL_PART = 1024 * 1024
_SMALL_HEAD = 16
_HEADROOM = 12_000_000
_BYTES_PER_PLACE = 8
_LONGEST_NAME = 512
_DAMAGE_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    struct.error,
    OSError,
    ValueError,
    IndexError,
    NotImplementedError,
)


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """What a workbook's zip may be at most: parts, bytes of all parts unpacked, unpacked to packed size of one part."""

    entries: int
    unpacked: int
    ratio: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What one look over a file's bytes says.

    Attributes:
        digest: of every part less ``docProps/core.xml`` and ``docProps/app.xml``, which are stamped anew each day; of
            the whole file where it is no zip.
        is_zip: XLSX or XLSB; else it is the binary XLS.
        needs_second_engine: something is inside that calamine does not show, or not as it is meant: an error value such
            as ``#REF!``, which it gives as empty, or a part in UTF-16, which it takes for an empty sheet.
        since_1904: an XLSX counts its days from 1904; both engines heed it in cells that are formatted as dates, and
            cannot in others.
        odd_numbers: an XLSX holds negative numbers, or what is none, where calamine makes times and dates of them.
        package: which part of an XLSX is what; None for XLSB and XLS.
    """

    digest: str
    is_zip: bool
    needs_second_engine: bool = False
    since_1904: bool = False
    odd_numbers: bool = False
    package: Package | None = None


def inspect(workbook: Workbook, limits: ZipLimits, file: str) -> Contents:
    """Say what a file is and digest its content.

    Args:
        workbook: the file.
        limits: refused beyond these.
        file: the name to use in problems.

    Raises:
        ProblemError: ``file-empty``, ``file-not-workbook``, ``file-damaged``, ``file-encrypted``, ``zip-suspicious``.
        MemoryError: there was no room to look.
    """
    with workbook.open("rb") as handle:
        head = handle.read(8)
        if not head:
            raise ProblemError(problem("file-empty", file=file))
        if head.startswith(_OLE2):
            return _inspect_ole2(handle, file)
        if not head.startswith(ZIP):
            raise ProblemError(
                problem(
                    "file-not-workbook",
                    file=file,
                    reason=phrase("begins-with", head=head.decode("ascii", "backslashreplace")),
                )
            )
        try:
            return _inspect_zip(handle, limits, file)
        except _DAMAGE_ERRORS as error:
            raise_if_memory_was_missing(error)
            raise ProblemError(
                problem("file-damaged", file=file, reason=reason_of(error) or type(error).__name__)
            ) from error


class BrokenZipError(PhraseError, zipfile.BadZipFile):
    """A zip that zipfile takes, and that is damaged all the same."""


def _inspect_ole2(handle: IO[bytes], file: str) -> Contents:
    handle.seek(0)
    whole = handle.read()
    if is_protected(whole):
        raise ProblemError(problem("file-encrypted", file=file))
    digest = ContentDigest()
    digest.update(whole)
    return Contents(digest.text(), is_zip=False)


def _inspect_zip(handle: IO[bytes], limits: ZipLimits, file: str) -> Contents:
    entries, directory = _directory_size(handle)
    if max(entries, directory // _DIRECTORY_BYTES_PER_ENTRY) > limits.entries:
        raise suspicious(file, "large-directory", entries=entries, size=directory, most=limits.entries)
    with zipfile.ZipFile(handle) as archive:
        parts = [part for part in archive.infolist() if not part.is_dir()]
        _check_parts(parts, limits, file)
        names = [part.filename for part in parts]
        if MANIFEST not in {name.casefold() for name in names}:
            raise ProblemError(problem("file-not-workbook", file=file, reason=phrase("no-manifest")))
        package = resolve(names, archive.read, file)
        total = ContentDigest()
        needs_second_engine = odd_numbers = False
        places = size = 0
        for part in sorted(parts, key=lambda part: part.filename):
            scanner = PartScanner(part.filename, file, _role(part.filename, package))
            digested = ContentDigest() if _is_stamp(archive, part, package) else total
            digested.update(f"{part.filename}\0{part.file_size}\0".encode(errors="surrogatepass"))
            for piece in _unpacked(archive, part):
                digested.update(piece)
                scanner.scan(piece)
            scanner.end()
            needs_second_engine = needs_second_engine or scanner.needs_second_engine
            odd_numbers = odd_numbers or scanner.odd_numbers
            places, size = places + scanner.places, size + scanner.size
        # calamine keeps a table of all places; where few are filled, a cell lies far away.
        needs_second_engine = needs_second_engine or places > max(_HEADROOM, size // _BYTES_PER_PLACE)
    return Contents(
        total.text(),
        is_zip=True,
        needs_second_engine=needs_second_engine and package is not None,
        since_1904=package is not None and package.since_1904,
        odd_numbers=odd_numbers,
        package=package,
    )


def _role(name: str, package: Package | None) -> Role:
    if package is not None:
        if any(sheet.part == name for sheet in package.sheets):
            return Role.SHEET
        if name in package.read:
            return Role.READ
    return Role.ENCLOSED if _ENCLOSED.search(fold_name(name)) else Role.PACKAGE


def _is_stamp(archive: zipfile.ZipFile, part: zipfile.ZipInfo, package: Package | None) -> bool:
    """Whether a part says no more than who wrote the workbook when; what an engine reads counts under every name."""
    if fold_name(part.filename) not in _STAMPS:
        return False
    if package is not None:
        return part.filename not in package.read
    # What the reader of XLSB opens is records, and properties are XML.
    with archive.open(part) as stream:
        return stream.read(_SMALL_HEAD).removeprefix(codecs.BOM_UTF8).startswith(b"<?xml")


def _directory_size(handle: IO[bytes]) -> tuple[int, int]:
    """Entries and bytes of a zip's central directory as its end record says; the larger where two records speak.

    zipfile makes an object of every entry before anybody can count them, so this must be known earlier (APPNOTE 4.3.14
    and 4.3.16).
    """
    size = handle.seek(0, 2)
    start = max(0, size - 65_557)
    handle.seek(start)
    tail = handle.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        raise BrokenZipError("zip-end-missing")
    entries, directory = struct.unpack_from("<HI", tail, at + 10)
    locator = at - 20
    if locator >= 0 and tail.startswith(b"PK\x06\x07", locator):
        handle.seek(struct.unpack_from("<Q", tail, locator + 8)[0])
        record = handle.read(56)
        if record.startswith(b"PK\x06\x06"):
            large_entries, large_directory = struct.unpack_from("<QQ", record, 32)
            return max(entries % 0xFFFF, large_entries), max(directory % 0xFFFFFFFF, large_directory)
    return entries, directory


def _check_parts(parts: list[zipfile.ZipInfo], limits: ZipLimits, file: str) -> None:
    """Refuse by what the directory declares; zipfile never unpacks more of a part than it declares."""
    seen: set[str] = set()
    total = 0
    for part in parts:
        name = part.filename
        if part.flag_bits & 0x1:
            raise ProblemError(problem("file-encrypted", file=file))
        if len(name) > _LONGEST_NAME or name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name):
            raise suspicious(file, "part-named", name=name[:80])
        if not name.isprintable() or name.casefold() in seen:
            raise suspicious(file, "part-name-odd", name=name[:80])
        if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise suspicious(file, "packed-oddly", part=name, method=part.compress_type)
        if part.file_size > _SMALL_PART and part.file_size > limits.ratio * max(part.compress_size, 1):
            times = part.file_size // max(part.compress_size, 1)
            raise suspicious(file, "unpacks-to", part=name, times=times)
        seen.add(name.casefold())
        total += part.file_size
        if total > limits.unpacked:
            raise suspicious(file, "unpacks-too-large", limit=limits.unpacked)


def _unpacked(package: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """A part's bytes in pieces; zipfile checks the CRC at the end of them."""
    got = 0
    with package.open(part) as stream:
        while piece := stream.read(_PIECE):
            got += len(piece)
            yield piece
    if got != part.file_size:
        raise BrokenZipError("size-undeclared", part=part.filename, got=got, declared=part.file_size)
