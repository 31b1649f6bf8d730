"""Problems in the language of whoever asks: English as they were made, Russian from the catalog."""

import string
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from starlette.requests import Request

from cpimportd.core.problems import CATALOG
from cpimportd.core.problems import sentence as written
from cpimportd.core.texts.russian import TEXTS
from cpimportd.core.texts.russian_reasons import russian_reason

Language = Literal["en", "ru"]

_FACTS: Final = ("file", "row", "column", "value", "organization")
_HEADLESS: Final = ("is ", "has ", "holds ", "could ", "was ")
"""How the message of a problem with a file begins: in a log the file's name stands before it."""


class _Facts(dict[str, object]):
    """What a sentence may name; of a problem that an older version stored, something can be missing."""

    def __missing__(self, key: str) -> str:
        return "…"


def language_of(request: Request) -> Language:
    """The language that a request prefers (RFC 9110, 12.5.4), of the two that there are; English where it says none."""
    best: tuple[float, Language] = (0.0, "en")
    for part in request.headers.get("accept-language", "")[:200].split(","):
        tag, _, weight = part.strip().lower().partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        primary = tag.strip().partition("-")[0]
        if primary in {"en", "ru"} and quality > best[0]:
            best = (quality, "ru" if primary == "ru" else "en")
    return best[1]


def told(found: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """A problem as it is stored, with ``effect``, and ``sentence`` and ``way_out`` in a language.

    The Russian sentence is the catalog's, which names fewer facts than the message; ``details`` is the message where it
    knows more than the sentence says, else None.
    """
    kind = CATALOG.get(str(found["code"]))
    effect, message = None if kind is None else kind.effect.value, str(found["message"])
    text = TEXTS.get(str(found["code"])) if language == "ru" else None
    if text is None:
        sentence = f"the file {message}" if found.get("file") and message.startswith(_HEADLESS) else message
        return {**found, "effect": effect, "sentence": sentence, "details": None}
    if found["code"] == "reject" and (reason := russian_reason(message)) != message:
        return {**found, "effect": effect, "sentence": reason, "way_out": text.way_out, "details": None}
    facts = _Facts({name: found[name] for name in _FACTS if found.get(name) is not None})
    return {
        **found,
        "effect": effect,
        "sentence": written(text.sentence, facts),
        "way_out": written(text.way_out, facts),
        "details": message if kind is None or _names_more(kind.sentence, text.sentence) else None,
    }


def _names_more(template: str, other: str) -> bool:
    """Whether a sentence has a place for a fact that the other one lacks."""
    places = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (template, other)]
    return bool(places[0] - places[1] - set(_FACTS))


def all_told(found: Iterable[Mapping[str, Any]], language: Language) -> list[dict[str, Any]]:
    """Several problems, see :func:`told`."""
    return [told(one, language) for one in found]
