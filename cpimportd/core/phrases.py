"""Phrases inside sentences: each has a code, so that it can be translated.

A fact of a problem that is not a number, a name or a place is a phrase: the reason of a reject, the exceeded limit.
Messages of a server or the system stay as they are. The list is in :mod:`cpimportd.core.wordings`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol, runtime_checkable

from cpimportd.core.catalog import CATALOG
from cpimportd.core.formatting import zoned_text
from cpimportd.core.sentences import Fact, Sentence
from cpimportd.core.wordings import PHRASES


@runtime_checkable
class Told(Protocol):
    """What is told by a code and facts of its own."""

    def as_fact(self) -> Mapping[str, Fact]:
        """The code, and the facts beside it."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase and its facts, such as ``too-many-decimals`` of 2."""

    code: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def as_fact(self) -> Mapping[str, Fact]:
        """The phrase as JSON has it."""
        return {"phrase": self.code, **{name: fact(one) for name, one in self.facts.items()}}

    def __str__(self) -> str:
        return Sentence().format_field(self.as_fact(), "")


def phrase(code: str, /, **facts: object) -> Phrase:
    """A phrase of the list.

    Raises:
        KeyError: there is none of this code: a defect of ours.
    """
    PHRASES[code]
    return Phrase(code, facts)


Reason = Phrase | str
"""Why: a phrase of ours, or the words of a server, a library or the system."""


def as_phrase(why: Reason) -> Phrase:
    """The same as a phrase, whoever says it."""
    return why if isinstance(why, Phrase) else phrase("said", said=why)


class PhraseError(Exception):
    """What goes wrong for a reason that a phrase says; its text is that in English."""

    def __init__(self, why: str | Phrase, /, **facts: object) -> None:
        """Take a phrase, or its code and facts."""
        self.phrase = why if isinstance(why, Phrase) else phrase(why, **facts)
        super().__init__(str(self.phrase))


class UnfitError(PhraseError, ValueError):
    """A value that cannot be taken."""


def reason_of(error: BaseException) -> Reason:
    """Why something cannot be taken, as a fact of a problem: a phrase of ours, or what somebody else says."""
    return error.phrase if isinstance(error, PhraseError) else str(error)


def exception(error: BaseException) -> Phrase:
    """What an exception that nobody expected says, by its own name."""
    return phrase("exception", kind=type(error).__name__, said=str(error))


class Statement(str):
    """A statement, or a command, that people paste: as a fact it is kept whole."""

    __slots__ = ()


_LONGEST: Final = 300
_LONGEST_STATEMENT: Final = 2000
_MOST: Final = 20

MOST_ROWS: Final = 300
"""So many rows a problem of many names one by one, in its fact ``every_row``; ``count`` tells of all."""


def fact(value: object) -> Fact:  # noqa: PLR0911 - one line a type
    """A fact as JSON has it; texts are safe for one line."""
    match value:
        case None | bool() | int() | float():
            return value
        case Decimal():
            return f"{value:f}"
        case timedelta():
            return value.total_seconds()
        case datetime():
            return zoned_text(value)
        case date():
            return value.isoformat()
        case Mapping():  # of a problem that is made again
            return {str(name): fact(one) for name, one in value.items()}
        case list() | tuple():
            return [fact(one) for one in value]
        case Statement():
            return printable(value, _LONGEST_STATEMENT)
        case str():
            return printable(value)
        case Told():
            return value.as_fact()
    return printable(value)


def received_facts(told: object, depth: int = 0) -> dict[str, Fact]:
    """Facts that somebody else's process tells, such as the one that read a workbook: few, short, escaped anew.

    Raises:
        ValueError: they are no facts.
    """
    if not isinstance(told, Mapping) or len(told) > _MOST:
        raise ValueError("its facts are none")
    return {
        printable(name, 40): _received_rows(one) if name == "every_row" else _received(one, depth + 1)
        for name, one in told.items()
    }


def _received_rows(value: object) -> Fact:
    if not isinstance(value, list) or len(value) > MOST_ROWS or not all(type(one) is int and one > 0 for one in value):
        raise ValueError("its facts are none")
    return value


_DEEPEST: Final = 6
"""Of facts within facts; the deepest of ours has four: what a part of a row of a file is said to be."""


def _received(value: object, depth: int) -> Fact:
    if depth > _DEEPEST:
        raise ValueError("its facts are none")
    if isinstance(value, Mapping):
        if str(value.get("phrase")) not in PHRASES and str(value.get("problem")) not in CATALOG:
            raise ValueError("its facts are none")
        return received_facts(value, depth)
    if isinstance(value, list | tuple):
        if len(value) > _MOST:
            raise ValueError("its facts are none")
        return [_received(one, depth + 1) for one in value]
    return fact(value)


def printable(value: object, limit: int = _LONGEST) -> str:
    """Text from outside, safe for one line of a log or a terminal: control and format characters are escaped.

    Args:
        value: anything; its ``str`` is taken.
        limit: characters kept; what is cut is counted.
    """
    text = str(value)
    cut = text[:limit]
    if not cut.isprintable():
        # NBSP and its kin are not printable to Python, yet harmless and common in 1C's texts.
        cut = "".join(
            c if c.isprintable() or c in "\u00a0\u202f\u2007" else c.encode("unicode_escape").decode() for c in cut
        )
    return cut if len(text) <= limit else f"{cut}… ({len(text)} characters)"
