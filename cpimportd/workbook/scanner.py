"""Collects the facts for the reader from one part of a workbook's zip, while its bytes are read for the digest."""

import re
from enum import Enum, auto

from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem
from cpimportd.workbook.markup import MAIN
from cpimportd.workbook.sheets import LAST_COLUMN, LAST_ROW, column_number

ZIP = b"PK\x03\x04"
"""How a zip begins (APPNOTE 4.3.7)."""

# A formula has at most 8,192 characters (Excel's specifications and limits), which XML may write longer.
_OVERLAP = 16_384
_NESTED = (ZIP, b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\x1f\x8b\x08", b"\xfd7zXZ\x00")
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
_ENCODING = re.compile(rb"""<\?xml[^<>]*?\sencoding\s*=\s*["'](?!(?i:utf-8|us-ascii)["'])""")
# A part must declare no DTD (ECMA-376 part 2, 6.2.5), and entities are what a few bytes grow to gigabytes by.
_DTD = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
_SEAM = 64
_BEFORE_XML = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
_ERROR_VALUE = re.compile(rb"""t\s*=\s*["']e["'](?!/>)[^<>]*(?<!/)>(?!\s*</|\s*<v\s*/|\s*<v>\s*</)""")
_ROW = re.compile(
    rb"""<row(?=[\s/>])(?:[^<>]*?\sr=["'](\d{1,9})["'])?[^<>]*>(?:\s*<c\b[^<>]*?\sr=["'][A-Za-z]{1,3}(\d{1,9})["'])?"""
)
# The anchor of a button or an object on the sheet has a number in an element of that name (ECMA-376 part 1, 20.5.2.27).
_PREFIXED = re.compile(rb"<(?!/|\w{1,9}:row>\d{1,7}</)([^<>:/\s]{1,99}):(?:row|c|v)(?=[\s/>])")
_ODD_VALUE = re.compile(rb"<v(?!>[0-9]{1,9}</v>)(?=[\s>])")
_LONGEST_PLACE = 9
_SHARED = re.compile(rb"""\bt\s*=\s*["']s["']""")
_TEXT = re.compile(rb"""\bt\s*=\s*["'](?:str|d)["']""")
# What only a reader of XML understands: characters by their numbers in tags, and names bound anew within the rows.
_REFERENCE_IN_TAG = re.compile(rb"<(?:row|c)\s[^<>]*&")
_BOUND_IN_ROW = re.compile(rb"<(?:row|c|v|f|is|t)\s[^<>]*?\sxmlns")
# calamine decodes no more than Latin-1 of these.
_ESCAPED = re.compile(rb"_x(?!00)[0-9A-Fa-f]{4}_")
_UNCALCULATED = re.compile(
    rb"<f(?=[\s/>])(?:[^<>]*/>|[^<>]*>(?:[^<]|<(?!/))*</f>)\s*(?:</c>|<v(?:\s[^<>]*)?/>|<v(?:\s[^<>]*)?>\s*</v>)"
)
# 1C's widest exports have 50 columns; cells beyond AZ are checked more closely.
_FAR_COLUMN = re.compile(rb"""r=["']([A-Z]{3,9}|[B-Z][A-Z])(\d{1,9})["']""", re.IGNORECASE)
_FAR_COLUMN_AS_USUAL = re.compile(rb'r="([A-Z]{3,9}|[B-Z][A-Z])(\d{1,9})"')
_WIDTH = 52


class Role(Enum):
    """What a part is for the reader."""

    SHEET = auto()
    READ = auto()
    """An engine opens it: the workbook, shared texts, styles."""
    PACKAGE = auto()
    """It belongs to the package, and nothing but its bytes counts."""
    ENCLOSED = auto()
    """A picture or a file that is only enclosed: no engine opens it, whatever it is."""


def suspicious(file: str, code: str, **facts: object) -> ProblemError:
    """The problem of a workbook that is made to do harm, or looks as if it were: why is a phrase."""
    return ProblemError(problem("zip-suspicious", file=file, reason=phrase(code, **facts)))


class PartScanner:
    """What is noticed in one part while its bytes pass by.

    Attributes:
        needs_second_engine: it holds what calamine does not show, or no more than a part of it.
        odd_numbers: a cell's value does not begin with a digit; calamine may make a time of a negative number.
        places: of a sheet, how many cells a table up to its last row and column has, at 1C's width at least.
        size: of a sheet, in bytes.
    """

    def __init__(self, name: str, file: str, role: Role) -> None:
        self.needs_second_engine = self.odd_numbers = False
        self._name, self._file, self._role = name, file, role
        self._rest: bytes | None = None
        self._head = b""
        self._row, self._last_row, self._column = 0, 0, _WIDTH
        self.places = self.size = 0
        self._is_xml = self._is_prefixed = False
        self._seam = b""

    def scan(self, piece: bytes) -> None:
        """Look at the next piece of the part.

        Raises:
            ProblemError: ``zip-suspicious`` for an archive or a DTD inside, ``file-damaged`` for rows out of
                order, rows whose names have a foreign prefix, and values that are none.
        """
        if self._role is Role.ENCLOSED:
            return
        if self._rest is None:
            self._begin(piece)
        window = self._seam + piece
        if self._is_xml and any(mark in window for mark in _DTD):
            raise suspicious(self._file, "declares-dtd", part=self._name)
        if self._role is not Role.PACKAGE and b"_" in window and _ESCAPED.search(window):
            self.needs_second_engine = True
        self._seam = piece[-_SEAM:]
        if self._role is Role.SHEET:
            self.size += len(piece)
            text = (self._rest or b"") + piece
            # A tag that the piece's end cuts in two is seen whole with the next piece.
            cut = max(text.rfind(b"<", 0, -_OVERLAP), 0)
            self._check_text(text, cut)
            self._rest = text[cut:]

    def end(self) -> None:
        """Look at what the last piece left over."""
        self._check_text(self._rest or b"", len(self._rest or b""))
        self.places = max(self._row, self._last_row) * self._column
        if self._column > LAST_COLUMN or self._row > LAST_ROW:
            self.needs_second_engine = True  # which refuses it

    def _begin(self, piece: bytes) -> None:
        if piece.startswith(_NESTED):
            raise suspicious(self._file, "archive-inside", part=self._name)
        is_read = self._role in {Role.SHEET, Role.READ}
        self.needs_second_engine = is_read and (
            piece.startswith(_UTF16) or _ENCODING.search(piece[:_OVERLAP]) is not None
        )
        self._is_xml = piece.lstrip(_BEFORE_XML).startswith(b"<")
        self._rest, self._head = b"", piece[:_OVERLAP]

    def _check_text(self, text: bytes, until: int) -> None:
        # A single byte is found ten times as fast as several, and 1C's sheets have hardly one of these.
        if b":" in text:
            self._prefixed(text)
        if self._is_prefixed:
            return  # the second engine heeds the order of rows, and values, by itself
        self.needs_second_engine = (
            self.needs_second_engine
            or _ERROR_VALUE.search(text) is not None
            or (b"f" in text and _UNCALCULATED.search(text) is not None)
            or (b"x" in text and b"xmlns" in text and _BOUND_IN_ROW.search(text) is not None)
            or (b"&" in text and _REFERENCE_IN_TAG.search(text) is not None)
        )
        far = _FAR_COLUMN if b"'" in text else _FAR_COLUMN_AS_USUAL
        for match in far.finditer(text):
            self._column = max(self._column, column_number(match[1].decode()))
            self._last_row = max(self._last_row, int(match[2]))
        for match in _ROW.finditer(text):
            if match.start() >= until:
                break
            self._check_order(*match.groups())
        for match in _ODD_VALUE.finditer(text, 0, until + len("<v>")):
            self._check_value(text, match.start())

    def _prefixed(self, text: bytes) -> None:
        """Leave rows and cells with a prefix to the second engine; refuse them where it is no workbook's.

        calamine heeds no prefix, and nothing here would see what it reads.
        """
        match = _PREFIXED.search(text)
        if match is None:
            return
        names = "|".join(re.escape(name) for name in MAIN).encode()
        bound = rb"""xmlns:%s\s*=\s*["'](?:%s)["']""" % (re.escape(match[1]), names)
        if re.search(bound, self._head) is None and re.search(bound, text) is None:
            raise self._damaged("prefixed-rows", tag=match[0].decode(errors="replace"))
        self.needs_second_engine = self._is_prefixed = True

    def _check_order(self, own: bytes | None, cell: bytes | None) -> None:
        """Refuse rows out of order, by their own numbers or those of their first cells.

        The further cells of a row are not looked at: that would take longer than all else here.
        """
        if own and cell and int(own) != int(cell):
            raise self._damaged("row-of-other-cell", row=int(own), other=int(cell))
        # A row without a number is the next one (ECMA-376 part 1, 18.3.1.73), unless its cells say otherwise.
        row = int(own or cell or self._row + 1)
        if row <= self._row:
            # calamine would keep only one of two with one number, in silence.
            raise self._damaged("row-after", row=row, other=self._row)
        self._row = row

    def _check_value(self, text: bytes, value: int) -> None:
        """Refuse a value with markup inside, a comment too, and a shared text's place that is no number."""
        start = text.find(b">", value) + 1
        end = text.find(b"<", start)
        if not start or text.endswith(b"/>", value, start):
            return
        written = text[start:end]
        inside = written.strip()
        tag = text[text.rfind(b"<c", 0, value) : value]
        markup = end >= 0 and not text.startswith(b"</v", end)
        shared = not (inside.isdigit() and len(inside) <= _LONGEST_PLACE) and _SHARED.search(tag)
        if markup or (inside and shared):
            # calamine would show an empty cell, half a number, or the first of all shared texts, in silence.
            raise self._damaged("value-is", text=text[start : start + 40].decode(errors="replace"))
        if (inside != written or b"&" in inside) and not _TEXT.search(tag):
            # calamine would show the first shared text, a text in place of a number, or a number up to the reference.
            self.needs_second_engine = True
        if inside and not inside[:1].isdigit():
            self.odd_numbers = True

    def _damaged(self, code: str, **facts: object) -> ProblemError:
        reason = phrase("in-a-part", part=self._name, said=phrase(code, **facts))
        return ProblemError(problem("file-damaged", file=self._file, reason=reason))
