"""XML read by expat, with namespaces as they are bound and without ever expanding an entity of the document's own."""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, TypeVar
from xml.parsers import expat

from cpimportd.problems import ProblemError, problem

MAIN = frozenset(
    {
        "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
        "http://purl.oclc.org/ooxml/spreadsheetml/main",
    }
)
"""The namespace of workbooks, Transitional and Strict (ECMA-376 part 1, annex A; part 4)."""

_SEPARATOR = " "
_Result = TypeVar("_Result")


class Element(NamedTuple):
    """A start tag: its namespace, its name in it, and its attributes, each named ``namespace name`` or ``name``."""

    namespace: str
    name: str
    attributes: Mapping[str, str]


class DoctypeError(ValueError):
    """A part declares a DTD, which ECMA-376 part 2, 6.2.5, forbids: by entities a few bytes grow to gigabytes."""


def parser() -> expat.XMLParserType:
    """A parser whose names are ``namespace name``, however the document binds prefixes; text comes in one piece.

    Its ``Parse`` raises ExpatError for what is no XML, and :class:`DoctypeError`.
    """
    made = expat.ParserCreate(namespace_separator=_SEPARATOR)
    made.buffer_text = True
    made.StartDoctypeDeclHandler = _refuse_doctype
    return made


def local_names(names: Collection[str]) -> Mapping[str, str]:
    """From a parser's name of each of these elements of a workbook, Transitional or Strict, to its plain name."""
    return {f"{namespace}{_SEPARATOR}{name}": name for namespace in MAIN for name in names}


def start_tags(content: bytes, wanted: Collection[str]) -> list[Element]:
    """The start tags with these names, of whatever namespace, in the document's order.

    Raises:
        ExpatError: it is no XML.
        DoctypeError: it declares a DTD.
    """
    found: list[Element] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(_SEPARATOR)
        if local in wanted:
            found.append(Element(namespace, local, attributes))

    made = parser()
    made.StartElementHandler = start
    made.Parse(content, True)
    return found


def as_problem(file: str, part: str, work: Callable[[], _Result]) -> _Result:
    """What the work gives; what is wrong with a part's XML becomes a problem of its file.

    Raises:
        ProblemError: ``zip-suspicious`` for a DTD, ``file-damaged`` for what is no XML.
    """
    try:
        return work()
    except DoctypeError as error:
        reason = f"{part} declares a DTD, which no workbook does"
        raise ProblemError(problem("zip-suspicious", file=file, reason=reason)) from error
    except expat.ExpatError as error:
        raise ProblemError(problem("file-damaged", file=file, reason=f"in {part}, {error}")) from error


def _refuse_doctype(*_: object) -> None:
    raise DoctypeError
