"""What the reader must know of one part of a workbook's zip, noticed while its bytes pass by for the digest."""

import re

from cpimportd.problems import ProblemError, problem

ZIP = b"PK\x03\x04"
"""How a zip begins (APPNOTE 4.3.7)."""

_OVERLAP = 4096
_NESTED = (ZIP, b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\x1f\x8b\x08", b"\xfd7zXZ\x00")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# A part must declare no DTD (ECMA-376 part 2, 6.2.5), and entities are what a few bytes grow to gigabytes by.
_DTD = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
_SEAM = 64
_BEFORE_XML = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
_ERROR_VALUE = re.compile(rb"""t\s*=\s*["']e["'](?!/>)[^<>]*(?<!/)>(?!\s*</|\s*<v\s*/|\s*<v>\s*</)""")
_ROW = re.compile(
    rb"""<row(?=[\s/>])(?:[^<>]*?\sr=["'](\d{1,9})["'])?[^<>]*>(?:\s*<c\b[^<>]*?\sr=["'][A-Za-z]{1,3}(\d{1,9})["'])?"""
)
# The anchor of a button or an object on the sheet has a number in an element of that name (ECMA-376 part 1, 20.5.2.27).
_PREFIXED_ROW = re.compile(rb"<(?!/|\w{1,9}:row>\d{1,7}</)[^<>:]{1,99}:row(?=[\s/>])")
_ODD_VALUE = re.compile(rb"<v(?!>[0-9]{1,9}</v>)(?=[\s>])")
_BOOK = re.compile(r"(?:^|[/\\])workbook\.xml$", re.IGNORECASE)
_SINCE_1904 = re.compile(rb"""\bdate1904\s*=\s*["'](?:1|true|on)["']""")
_LONGEST_PLACE = 9
_SHARED = re.compile(rb"""\bt\s*=\s*["']s["']""")


def suspicious(file: str, reason: str) -> ProblemError:
    """The problem of a workbook that is made to do harm, or looks as if it were."""
    return ProblemError(problem("zip-suspicious", file=file, reason=reason))


class Sight:
    """What is noticed in one part while its bytes pass by.

    Attributes:
        needs_openpyxl: it holds what calamine does not show, or shows wrong.
        odd_numbers: a cell's value does not begin with a digit; calamine may make a time of a negative number.
        since_1904: it says that the workbook counts its days from 1904.
    """

    def __init__(self, name: str, file: str) -> None:
        self.needs_openpyxl = self.since_1904 = self.odd_numbers = False
        self._name, self._file = name, file
        self._is_sheet = re.search(r"worksheets[/\\][^/\\]*\.xml$", name, re.IGNORECASE) is not None
        self._is_book = _BOOK.search(name) is not None
        self._rest: bytes | None = None
        self._row = 0
        self._is_xml = False
        self._seam = b""

    def see(self, piece: bytes) -> None:
        """Look at the next piece of the part.

        Raises:
            ProblemError: ``zip-suspicious`` for an archive or a DTD inside, ``file-damaged`` for rows out of
                order, rows whose names have a prefix, and values that are none.
        """
        if self._rest is None:
            if piece.startswith(_NESTED):
                raise suspicious(self._file, f"{self._name} is an archive itself")
            self.needs_openpyxl = self._name.casefold().endswith(".xml") and piece.startswith(_UTF16)
            self._is_xml = piece.lstrip(_BEFORE_XML).startswith(b"<")
            self._rest = b""
        window = self._seam + piece
        if self._is_xml and any(mark in window for mark in _DTD):
            raise suspicious(self._file, f"{self._name} declares a DTD, which no workbook does")
        if self._is_book:
            # UTF-16 without its zeros; the longest way in which anybody writes it fits into the seam, as UTF-16 too.
            self.since_1904 = self.since_1904 or _SINCE_1904.search(window.replace(b"\0", b"")) is not None
        self._seam = piece[-_SEAM:]
        if self._is_sheet:
            text = self._rest + piece
            self.needs_openpyxl = self.needs_openpyxl or _ERROR_VALUE.search(text) is not None
            # A tag that the piece's end cuts in two is seen whole with the next piece.
            cut = max(text.rfind(b"<", 0, -_OVERLAP), 0)
            self._cells(text, cut)
            self._rest = text[cut:]

    def end(self) -> None:
        """Look at what the last piece left over."""
        self._cells(self._rest or b"", len(self._rest or b""))

    def _cells(self, text: bytes, until: int) -> None:
        # A single byte is found ten times as fast as four, and 1C's sheets have hardly a colon.
        if b":" in text and b":row" in text and (prefixed := _PREFIXED_ROW.search(text)):
            # calamine heeds no prefix, and nothing below would see what it reads.
            raise self._damaged(f"its rows are written as {prefixed[0].decode(errors='replace')!r}")
        for match in _ROW.finditer(text):
            if match.start() >= until:
                break
            self._in_order(*match.groups())
        for match in _ODD_VALUE.finditer(text, 0, until + len("<v>")):
            self._make_sense(text, match.start())

    def _in_order(self, own: bytes | None, cell: bytes | None) -> None:
        """Refuse rows out of order, by their own numbers or those of their first cells.

        The further cells of a row are not looked at: that would take longer than all else here.
        """
        if own and cell and int(own) != int(cell):
            raise self._damaged(f"row {int(own)} begins with a cell of row {int(cell)}")
        # A row without a number is the next one (ECMA-376 part 1, 18.3.1.73), unless its cells say otherwise.
        row = int(own or cell or self._row + 1)
        if row <= self._row:
            # calamine, and for numbered rows openpyxl too, would keep only one of two with one number, in silence.
            raise self._damaged(f"row {row} stands after row {self._row}")
        self._row = row

    def _make_sense(self, text: bytes, value: int) -> None:
        """Refuse a value with markup inside, a comment too, and a shared text's place that is no number."""
        start = text.find(b">", value) + 1
        end = text.find(b"<", start)
        if not start or text.endswith(b"/>", value, start):
            return
        inside = text[start:end]
        markup = end >= 0 and not text.startswith(b"</v", end)
        # calamine would show an empty cell, half a number, or the first of all shared texts, in silence.
        if markup or (
            inside
            and not (inside.isdigit() and len(inside) <= _LONGEST_PLACE)
            and self._is_no_place(text, value, inside)
        ):
            raise self._damaged(f"a cell's value is {text[start : start + 40]!r}")
        if inside and not inside[:1].isdigit():
            self.odd_numbers = True

    def _is_no_place(self, text: bytes, value: int, inside: bytes) -> bool:
        """Whether a cell names its shared text by what is no number; openpyxl knows one with spaces, or only spaces."""
        if not _SHARED.search(text, max(text.rfind(b"<c", 0, value), 0), value):
            return False
        self.needs_openpyxl = True
        place = inside.strip()
        return bool(place) and not (place.isdigit() and len(place) <= _LONGEST_PLACE)

    def _damaged(self, reason: str) -> ProblemError:
        return ProblemError(problem("file-damaged", file=self._file, reason=f"in {self._name}, {reason}"))
