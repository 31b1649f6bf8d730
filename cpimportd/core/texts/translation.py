"""Translates problems, numbers and days, with the gettext catalogue beside this module."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from gettext import GNUTranslations
from importlib.resources import files
from typing import Any, Final, Literal

from cpimportd.core.catalog import CATALOG, ProblemKind
from cpimportd.core.formatting import span
from cpimportd.core.problems import PLACES, Problem, pasteable
from cpimportd.core.sentences import Fact, Sentence
from cpimportd.core.texts import english
from cpimportd.core.texts.explanation import Text, fits_journal
from cpimportd.core.typed import to_json
from cpimportd.core.wordings import PHRASES

Language = Literal["en", "ru"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "ru")

_FORMS: Final = {"one": 1, "few": 2, "many": 5}
"""CLDR's plurals of Russian, each with a number that takes it."""

_SUM: Final = "#,##0.00##########"
_MANY: Final = 5
"""The number whose form a text takes that names a number of things which is not known."""


def translated(text: str, context: str, language: Language, count: object = None) -> str:
    """A text in a language; as it is where that is English.

    Args:
        text: in English.
        context: what it belongs to, such as a problem's code (msgctxt).
        language: wanted.
        count: the number of things that it names, if any: its form depends on that.
    """
    if language == "en":
        return text
    if not counts(text):
        return _catalogue(language).pgettext(context, text)
    return _catalogue(language).npgettext(context, text, text, count if isinstance(count, int) else _MANY)


def translated_forms(forms: tuple[str, str], context: str, language: Language) -> dict[str, str]:
    """A text that depends on a number, in all forms of a language, by the names that CLDR has for them.

    Args:
        forms: in English, of one thing and of several.
        context: what it belongs to (msgctxt).
        language: wanted.
    """
    one, other = forms
    if language == "en":
        return {"one": one, "other": other}
    catalogue = _catalogue(language)
    form = {name: catalogue.npgettext(context, one, other, number) for name, number in _FORMS.items()}
    return {**form, "other": form["few"]}  # of a fraction


def say_in(language: Language) -> Callable[[str, str], str]:
    """What says a text in a language: given what it belongs to (msgctxt), and the text in English."""
    return lambda context, text: translated(text, context, language)


def counts(text: str) -> bool:
    """Whether a text names a number of things, whose form its words take (msgid_plural)."""
    return "{count:count}" in text


@cache
def _catalogue(language: Language) -> GNUTranslations:
    with files(__package__).joinpath(f"{language}.mo").open("rb") as stream:
        return GNUTranslations(stream)


class Translated(Sentence):
    """How facts are written into a sentence of a language."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def money(self, value: Decimal) -> str:
        """A sum; never rounded."""
        from babel.numbers import format_decimal  # noqa: PLC0415 - slow to load, and English texts do without

        return str(format_decimal(value, _SUM, self._language, decimal_quantization=False))

    def count(self, value: int) -> str:
        """A number of things."""
        from babel.numbers import format_decimal  # noqa: PLC0415

        return str(format_decimal(value, locale=self._language))

    def day(self, value: str) -> str:
        """A day in words, from ISO 8601; as it is where it is none."""
        from babel.dates import format_date  # noqa: PLC0415

        try:
            return format_date(date.fromisoformat(value), "long", self._language)
        except ValueError:
            return value

    date = day

    def signed(self, value: Decimal) -> str:
        """A sum whose direction matters."""
        return f"+{self.money(value)}" if value > 0 else self.money(value)

    def number(self, value: Decimal) -> str:
        """A number that is no number of things."""
        from babel.numbers import format_decimal  # noqa: PLC0415

        return str(format_decimal(value, locale=self._language, decimal_quantization=False))

    def moment(self, value: datetime) -> str:
        """An instant, in its zone."""
        from babel.dates import format_datetime  # noqa: PLC0415

        clock = "HH:mm:ss" if value.second else "HH:mm"
        return f"{format_datetime(value, f'dd.MM.y {clock}', locale=self._language)} {value:%Z}"

    def span(self, value: float) -> str:
        """A span of time, from seconds: its two largest units."""
        return _UNIT.sub(lambda found: self._unit(int(found[1]), found[2]), span(timedelta(seconds=value)))

    def seconds(self, value: float) -> str:
        """A limit of time, from seconds."""
        return self._unit(value, "s")

    def offset(self, value: float) -> str:
        """A difference of two clocks, from seconds."""
        return f"{'+' if value >= 0 else ''}{self._unit(round(value), 's')}"

    def _unit(self, value: float, name: str) -> str:
        from babel.units import format_unit  # noqa: PLC0415

        return format_unit(value, _UNITS[name], "short", locale=self._language)

    def place(self, value: str) -> str:
        """Where a key of the configuration stands, as ``config show`` writes it."""
        return _PLACE.sub(lambda found: translated(found[0], "word", self._language), value)

    def either(self, values: Sequence[str], form: str) -> str:
        """One of several."""
        from babel.lists import format_list  # noqa: PLC0415

        return format_list(values, "or", self._language)

    def said(self, value: str) -> str:
        """What somebody else says, in quotation marks: it is in his language."""
        return f"«{value}»" if value else value

    def word(self, value: str) -> str:
        """One of our values as a word."""
        return translated(value, "word", self._language)

    def phrase(self, code: str, facts: Mapping[str, Fact]) -> str:
        """A part of a sentence with facts of its own.

        Raises:
            KeyError: there is no such phrase.
        """
        text = PHRASES[code]
        return self.vformat(translated(text, f"phrase {code}", self._language, facts.get("count")), (), facts)

    def problem(self, code: str, facts: Mapping[str, Fact], *, way_out: bool) -> str:
        """A problem that is the reason for another: its sentence, or its way out.

        Raises:
            KeyError: there is no such problem, or a fact that it names is missing.
        """
        text = CATALOG[code].way_out if way_out else CATALOG[code].sentence
        template = translated(text, code, self._language, facts.get("count"))
        if not way_out and template[1:2].islower():  # within a sentence; no abbreviation
            template = template[:1].lower() + template[1:]
        return self.vformat(template, (), facts)


_PLACE: Final = re.compile(r"\b(?:environment|credential|line|default|inside)\b")
_UNITS: Final = {"s": "second", "min": "minute", "h": "hour", "d": "day"}
_UNIT: Final = re.compile(r"(\d+) (s|min|h|d)\b")


def told(found: Mapping[str, Any], language: Language) -> tuple[Text, bool]:
    """A problem as it is stored, in a language, and whether that tells all that its message does.

    One that was stored before facts were lacks some that its sentence names: it is told as the journal explains it, and
    its message says the rest. What no catalogue knows is told in the words that it was stored with.
    """
    own = Text(str(found["message"]), str(found["way_out"]))
    kind = CATALOG.get(str(found["code"]))
    if language == "en" or kind is None:
        return own, True
    more = found.get("facts")
    named = {**{name: found.get(name) for name in PLACES}, **(more if isinstance(more, Mapping) else {})}
    facts = {name: fact for name, fact in named.items() if fact is not None}
    for text, whole in ((whole_text(kind, language, facts.get("count")), True), (journal_text(kind, language), False)):
        try:
            return Text(*(Translated(language).vformat(part, (), pasteable(facts)) for part in text)), whole
        except KeyError:
            continue
    return own, True


def whole_text(kind: ProblemKind, language: Language, count: object = None) -> Text:
    """A kind's sentence and way out, with places for all facts.

    Args:
        kind: of problem.
        language: wanted.
        count: of the things that it counts, whose form the words take.
    """
    return Text(*(translated(text, kind.code, language, count) for text in (kind.sentence, kind.way_out)))


def journal_text(kind: ProblemKind, language: Language) -> Text:
    """A kind's sentence and way out in the journal's catalogue, with places for what its lines carry as fields."""
    short = english.text_of(kind)
    if language == "en":
        return short
    whole = whole_text(kind, language)
    return Text(
        whole.sentence if fits_journal(kind.sentence, kind) else _short(kind, short.sentence, language),
        whole.way_out if fits_journal(kind.way_out, kind) else _short(kind, short.way_out, language),
    )


def _short(kind: ProblemKind, text: str, language: Language) -> str:
    return translated(text, f"journal {kind.code}", language)


def spoken(found: Problem, language: Language) -> Text:
    """What happened, with file, row and column as far as known, and what can be done about it."""
    if language == "en":
        return Text(str(found), found.way_out)
    text, whole = told(to_json(found), language)
    places = (("row {row}", found.row), ("column {column}", found.column))
    near = [_place(template, place, language) for template, place in places if place]
    said = f"{text.sentence} [{found.code}]" if whole else f"{text.sentence} [{found.code}]: {found.message}"
    head = ", ".join([*([found.file] if found.file else []), *near])
    return Text(f"{head}: {said}" if head else said, text.way_out)


def _place(template: str, place: Fact, language: Language) -> str:
    name = template.partition(" ")[0]
    return Translated(language).vformat(translated(template, "place", language), (), {name: place})
