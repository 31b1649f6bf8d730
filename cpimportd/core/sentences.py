"""Inserts facts into a sentence: English sentences here, other languages in ``core/texts``."""

import re
import shlex
import string
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from cpimportd.core.catalog import CATALOG
from cpimportd.core.formatting import amount, document_day, from_zoned_text, moment, signed, span
from cpimportd.core.formatting import count as grouped
from cpimportd.core.wordings import PHRASES

Fact = str | int | float | bool | Sequence[object] | Mapping[str, object] | None
"""A fact as JSON has it.

A sum is a string with a point, a span its seconds, an instant as of
:func:`~cpimportd.core.formatting.zoned_text`; a mapping with the key ``phrase`` is a
:class:`~cpimportd.core.phrases.Phrase`, one with ``problem`` the problem that is the reason for another.
"""


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
                return self.count(value) if isinstance(value, int) and _NUMBER.fullmatch(text) else text
            case "span" | "seconds" | "offset":
                known = isinstance(value, int | float) and abs(value) <= _LONGEST_SPAN
                return str(getattr(self, format_spec)(value)) if known else text
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


_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")
"""More digits has no sum or number of ours, nor can every library write them."""

_LONGEST_SPAN = 10**10
"""Seconds; what is longer is no span of ours, and may be longer than any that Python knows."""
