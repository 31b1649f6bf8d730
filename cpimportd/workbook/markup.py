"""Parses XML by expat, resolving namespaces and never expanding an entity that the document defines.

It uses ElementTree's parser: that of ``xml.parsers.expat`` crashes when memory runs out (CPython 3.11).
"""

import re
from collections.abc import Callable, Collection, Mapping
from enum import Enum, auto
from typing import Any, NamedTuple, TypeVar
from xml.etree.ElementTree import ParseError, XMLParser

from cpimportd.core.phrases import phrase, reason_of
from cpimportd.core.problems import ProblemError, problem
from cpimportd.workbook.memory import raise_if_memory_was_missing

MAIN = frozenset(
    {
        "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
        "http://purl.oclc.org/ooxml/spreadsheetml/main",
    }
)
"""The namespace of workbooks, Transitional and Strict (ECMA-376 part 1, annex A; part 4)."""

_Result = TypeVar("_Result")


class DoctypeError(ValueError):
    """A part declares a DTD, which ECMA-376 part 2, 6.2.5, forbids: by entities a few bytes grow to gigabytes."""


class Target:
    """What a parser calls for elements and text; names are ``{namespace}name``, however the document binds prefixes."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""

    def data(self, text: str) -> None:
        """A piece of text; one text may come in several."""

    def doctype(self, *_: object) -> None:
        """Refuse a DTD.

        Raises:
            DoctypeError: always.
        """
        raise DoctypeError

    def close(self) -> None:
        """The document ends."""


def parser_for(target: Target) -> "XMLParser[Any]":
    """A parser that reports to a target; it raises ParseError for what is no XML, and :class:`DoctypeError`."""
    return XMLParser(target=target)  # noqa: S314 - a DTD is refused before its first entity


def local_names(names: Collection[str]) -> Mapping[str, str]:
    """From a parser's name of each of these elements of a workbook, Transitional or Strict, to its plain name."""
    return {f"{{{namespace}}}{name}": name for namespace in MAIN for name in names}


class Element(NamedTuple):
    """A start tag: its namespace, its name in it, and its attributes, named ``{namespace}name`` or ``name``."""

    namespace: str
    name: str
    attributes: Mapping[str, str]


def start_tags(content: bytes, wanted: Collection[str]) -> list[Element]:
    """The start tags with these names, of whatever namespace, in the document's order.

    Raises:
        ParseError: it is no XML.
        DoctypeError: it declares a DTD.
    """
    found: list[Element] = []

    class Tags(Target):
        def start(self, name: str, attributes: dict[str, str]) -> None:
            namespace, _, local = name.rpartition("}")
            if local in wanted:
                found.append(Element(namespace[1:], local, attributes))

    parser = parser_for(Tags())
    parser.feed(content)
    parser.close()
    return found


def as_problem(file: str, part: str, work: Callable[[], _Result]) -> _Result:
    """What the work gives; what is wrong with a part's XML becomes a problem of its file.

    Raises:
        ProblemError: ``zip-suspicious`` for a DTD, ``file-damaged`` for what is no XML.
        MemoryError: there was no room to parse it.
    """
    try:
        try:
            return work()
        except ParseError as error:
            raise_if_memory_was_missing(error)
            # expat may call a missing byte of memory a fault of the document; a real one is there again.
            return work()
    except DoctypeError as error:
        reason = phrase("declares-dtd", part=part)
        raise ProblemError(problem("zip-suspicious", file=file, reason=reason)) from error
    except ParseError as error:
        raise_if_memory_was_missing(error)
        raise ProblemError(
            problem("file-damaged", file=file, reason=phrase("in-a-part", part=part, said=reason_of(error)))
        ) from error


_NAMES = local_names({"si", "is", "t", "rPh"})
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_ESCAPED = re.compile(r"_x([Dd][89ABab][0-9A-Fa-f]{2})__x([Dd][C-Fc-f][0-9A-Fa-f]{2})_|_x([0-9A-Fa-f]{4})_")
_XML_BLANKS = " \t\r\n"


def decoded(text: str) -> str:
    """The text that is meant: ``_x0041_`` is A, and ``_x005F_x0041_`` is ``_x0041_`` itself.

    Half of a UTF-16 pair, which is no character, and U+FFFE and U+FFFF stay as they are written.
    """
    return _ESCAPED.sub(_character, text) if "_x" in text else text


def _character(match: re.Match[str]) -> str:
    high, low, single = match.groups()
    if single is None:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    code = int(single, 16)
    return match[0] if 0xD800 <= code <= 0xDFFF or code >= 0xFFFE else chr(code)


def text_of(content: str, *, preserved: bool) -> str:
    """The text of a ``t`` element: blanks at its ends count only where ``xml:space`` says ``preserve``."""
    return decoded(content if preserved else content.strip(_XML_BLANKS))


class TextCollector(Target):
    """The ``t`` elements of a shared or inline text, less those of phonetic runs, each decoded by itself."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._texts: list[str] = []
        self._pieces: list[str] = []
        self._phonetic = self._preserved = self._inside = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Begin a text, or one of its pieces."""
        local = _NAMES.get(name)
        if local in {"si", "is"}:
            self._begin()
        elif local == "rPh":
            self._phonetic = True
        elif local == "t" and not self._phonetic:
            self._pieces, self._inside = [], True
            self._preserved = attributes.get(_SPACE) == "preserve"

    def data(self, text: str) -> None:
        """Take what is a part of the text."""
        if self._inside:
            self._pieces.append(text)

    def end(self, name: str) -> None:
        """Decode the piece that ends."""
        local = _NAMES.get(name)
        if local == "rPh":
            self._phonetic = False
        elif local == "t" and self._inside:
            self._inside = False
            self._texts.append(text_of("".join(self._pieces), preserved=self._preserved))

    def text(self) -> str:
        """The whole text that ended last."""
        return "".join(self._texts)


class _SharedTexts(TextCollector):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def end(self, name: str) -> None:
        super().end(name)
        if _NAMES.get(name) == "si":
            self.found.append(self.text())


def shared_texts(content: bytes) -> list[str]:
    """The shared texts of a workbook, in their order; hints of how to pronounce them are no part of them.

    Raises:
        ParseError: it is no XML.
    """
    target = _SharedTexts()
    parser = parser_for(target)
    parser.feed(content)
    parser.close()
    return target.found


# A character that is shown as it stands (\x), a width (_x), a filling (*x), a text, a condition or colour, or a letter.
_TOKEN = re.compile(r'[\\_*].|"[^"]*"?|\[[^\]]*\]?|.', re.DOTALL)
_SPAN = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)


class Shown(Enum):
    """As what a number format shows a number."""

    NUMBER = auto()
    MOMENT = auto()
    """A date, a time, or both."""
    SPAN = auto()
    """Hours, minutes or seconds beyond a day: ``[h]:mm``."""


# The formats without a code in the file (18.8.30); those of East Asian locales are left out, as calamine does.
BUILT_IN = {**dict.fromkeys((*range(14, 23), 45, 47), Shown.MOMENT), 46: Shown.SPAN}


def shown_by(code: str) -> Shown:
    """As what a format's first section, the one of positive numbers, shows a number."""
    half_day = False
    for token in _TOKEN.findall(code):
        letter = token.casefold()
        if letter == ";":
            break
        if _SPAN.fullmatch(token):
            return Shown.SPAN
        if (half_day and letter in {"p", "m", "/"}) or (not half_day and letter in set("dmhys")):
            return Shown.MOMENT
        half_day = half_day or letter == "a"
    return Shown.NUMBER


def cell_formats(styles: bytes) -> list[Shown]:
    """Per cell format of a styles part, in its order, as what numbers are shown.

    Raises:
        ParseError: the part is no XML.
    """
    codes: dict[str, str] = {}
    formats: list[Shown] = []
    inside = ""
    for tag in start_tags(styles, {"numFmt", "cellXfs", "cellStyleXfs", "cellStyles", "dxfs", "numFmts", "xf"}):
        if tag.name == "numFmt":
            if inside == "numFmts" and (code := tag.attributes.get("formatCode")):
                codes[tag.attributes.get("numFmtId", "")] = code
        elif tag.name != "xf":
            inside = tag.name
        elif inside == "cellXfs":
            number = tag.attributes.get("numFmtId", "")
            built_in = BUILT_IN.get(int(number), Shown.NUMBER) if number.isdecimal() else Shown.NUMBER
            formats.append(shown_by(codes[number]) if number in codes else built_in)
    return formats
