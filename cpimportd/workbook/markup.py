"""XML read by expat, with namespaces as they are bound and without ever expanding an entity of the document's own.

By way of ElementTree's parser: that of ``xml.parsers.expat`` dies of a missing byte of memory (CPython 3.11).
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, TypeVar
from xml.etree.ElementTree import ParseError, XMLParser

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
    """What a parser tells of elements and text; names are ``{namespace}name``, however the document binds prefixes."""

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
    """A parser that tells a target; it raises ParseError for what is no XML, and :class:`DoctypeError`."""
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
        reason = f"{part} declares a DTD, which no workbook does"
        raise ProblemError(problem("zip-suspicious", file=file, reason=reason)) from error
    except ParseError as error:
        raise_if_memory_was_missing(error)
        raise ProblemError(problem("file-damaged", file=file, reason=f"in {part}, {error}")) from error
