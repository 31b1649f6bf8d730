"""Texts in another language, from the gettext catalogue beside this module; numbers and days by Babel.

Loaded only where somebody reads: neither by the daemon nor by the child that reads a workbook.
"""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from gettext import GNUTranslations
from importlib.resources import files
from typing import Final, Literal

from cpimportd.core.phrases import PHRASES
from cpimportd.core.problems import Fact, Sentence

Language = Literal["en", "ru"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "ru")

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
