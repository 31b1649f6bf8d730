"""Parts of sentences that are words of ours: each has a code, so that a language can say it in its own way.

A fact of a problem that is not a number, a name or a place is one of them: what makes a cell a reject, which limit was
exceeded. What a server or the system says stays as it is. The list is in :mod:`cpimportd.core.wordings`.
"""

import re
import shlex
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol, runtime_checkable

from cpimportd.core.catalog import CATALOG
from cpimportd.core.figures import amount, signed
from cpimportd.core.figures import count as grouped
from cpimportd.core.time import document_day, from_zoned_text, moment, span, zoned_text
from cpimportd.core.wordings import PHRASES

Fact = str | int | float | bool | Sequence[object] | Mapping[str, object] | None
"""A fact as JSON has it. A sum is a string with a point, a span its seconds, an instant as of :func:`zoned_text`; a
mapping with the key ``phrase`` is a :class:`Phrase`, one with ``problem`` a problem that is the reason for another."""


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
        case Told():
            return value.as_fact()
        case Statement():
            return printable(value, _LONGEST_STATEMENT)
    return printable(value)


def received_facts(told: object, depth: int = 0) -> dict[str, Fact]:
    """Facts that somebody else's process tells, such as the one that read a workbook: few, short, escaped anew.

    Raises:
        ValueError: they are no facts.
    """
    if not isinstance(told, Mapping) or len(told) > _MOST:
        raise ValueError("its facts are none")
    return {printable(name, 40): _received(one, depth + 1) for name, one in told.items()}


_DEEPEST: Final = 4


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


def sentence(template: str, facts: Mapping[str, Fact]) -> str:
    """An English sentence of the catalog with its facts, see :class:`Sentence`.

    Raises:
        KeyError: a fact is missing.
    """
    return Sentence().vformat(template, (), facts)


class Sentence(string.Formatter):
    """How facts are written into a sentence; the methods that a language has its own of are those of English.

    ============================== ============================================================================
    ``{name:money}``               a sum, written as in every table (``1 234,50``); the fact itself stays ``1234.50``
    ``{name:signed}``              a sum whose direction matters: ``+12,00``
    ``{name:count}``               a number of things
    ``{name:number}``              another number, as short as it is: ``0.5``
    ``{name:day}``, ``{name:date}`` a day, a date of the books
    ``{name:moment}``              an instant in its zone
    ``{name:span}``                a span of time as people say it: ``5 h 12 min``
    ``{name:seconds}``             a limit of time, exactly: ``0.5 s``
    ``{name:offset}``              a difference of two clocks: ``+12 s``
    ``{name:word}``                one of :data:`cpimportd.core.wordings.WORDS`
    ``{name:place}``               where a key of the configuration stands: ``environment NAME``, ``FILE, line 3``
    ``{name:either}``              one of several facts: ``A, B or C``; ``{name:or}``: ``A or B or C``
    ``{name:said}``                what a server, a library or the system says, in its own words
    ``{name:shell}``               a word of a command that people paste
    ``{name:way_out}``             of a problem its way out, in place of its sentence
    ``{name:lines}``               several facts, with semicolons between them; without it: with commas
    ============================== ============================================================================

    A fact that is none of these stays as it is: of a problem that was stored by another version. Of facts only the
    names are looked up, neither attributes nor indices.
    """

    def get_field(self, field_name: str, args: Sequence[object], kwargs: Mapping[str, object]) -> tuple[object, str]:
        """The fact of that name."""
        return kwargs[field_name], field_name

    def format_field(self, value: object, format_spec: str) -> str:  # noqa: PLR0911 - one line a form
        """The fact as its place in the sentence asks for."""
        match value:
            case Mapping():
                return self._told(value, format_spec)
            case list() | tuple():
                if format_spec in {"either", "or"}:
                    return self.either([self.format_field(one, "") for one in value], format_spec)
                between, each = ("; ", "") if format_spec == "lines" else (", ", format_spec)
                return between.join(self.format_field(one, each) for one in value)
            case bool() | None:
                return str(value)
        text = str(value)
        match format_spec:
            case "money" | "signed" | "number":
                return str(getattr(self, format_spec)(Decimal(text))) if _NUMBER.fullmatch(text) else text
            case "count":
                return self.count(value) if isinstance(value, int) else text
            case "span" | "seconds" | "offset":
                return getattr(self, format_spec)(value) if isinstance(value, int | float) else text
            case "moment":
                return text if (at := from_zoned_text(text)) is None else self.moment(at)
            case "shell":
                return shlex.quote(text)
            case "day" | "date" | "word" | "place" | "said":
                return str(getattr(self, format_spec)(text))
        return text

    def _told(self, value: Mapping[str, object], part: str) -> str:
        """A phrase; or a problem that is the reason for another: its sentence, or its way out."""
        facts: Mapping[str, Fact] = value  # type: ignore[assignment]
        if "phrase" in value:
            return self.phrase(str(value["phrase"]), facts)
        try:
            return self.problem(str(value["problem"]), facts, way_out=part == "way_out")
        except KeyError:  # it was stored before facts were, or by another version
            return str(value["way_out" if part == "way_out" else "message"])

    def money(self, value: Decimal) -> str:
        """A sum."""
        return amount(value)

    def signed(self, value: Decimal) -> str:
        """A sum whose direction matters."""
        return signed(value)

    def number(self, value: Decimal) -> str:
        """A number that is no number of things."""
        return f"{value:f}"

    def count(self, value: int) -> str:
        """A number of things."""
        return grouped(value)

    def day(self, value: str) -> str:
        """The day of an instant, from ISO 8601."""
        return value

    def date(self, value: str) -> str:
        """A date of the books, from ISO 8601, as 1C writes it; as it is where it is none."""
        try:
            return document_day(date.fromisoformat(value))
        except ValueError:
            return value

    def moment(self, value: datetime) -> str:
        """An instant, in its zone."""
        return moment(value, value.tzinfo)

    def span(self, value: float) -> str:
        """A span of time, from seconds."""
        return span(timedelta(seconds=value))

    def seconds(self, value: float) -> str:
        """A limit of time, from seconds."""
        return f"{value:g} s"

    def offset(self, value: float) -> str:
        """A difference of two clocks, from seconds."""
        return f"{value:+.0f} s"

    def word(self, value: str) -> str:
        """One of our values as a word."""
        return value

    def place(self, value: str) -> str:
        """Where a key of the configuration stands, as ``config show`` writes it."""
        return value

    def either(self, values: Sequence[str], form: str) -> str:
        """One of several; in the form ``or`` with that word between all of them."""
        commas, last = ([], values) if form == "or" else (values[:-1], values[-1:])
        return " or ".join([*([", ".join(commas)] if commas else []), *last])

    def said(self, value: str) -> str:
        """What somebody else says."""
        return value

    def phrase(self, code: str, facts: Mapping[str, Fact]) -> str:
        """A part of a sentence with facts of its own."""
        return self.vformat(PHRASES[code], (), facts)

    def problem(self, code: str, facts: Mapping[str, Fact], *, way_out: bool) -> str:
        """A problem that is the reason for another: its sentence, or its way out.

        Raises:
            KeyError: there is no such problem, or a fact that it names is missing.
        """
        kind = CATALOG[code]
        return self.vformat(kind.way_out if way_out else kind.sentence, (), facts)


_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
