"""A problem as it is told to somebody, in a language: its sentence and its way out, made of its code and its facts."""

from collections.abc import Mapping
from typing import Any

from cpimportd.core.catalog import CATALOG, ProblemKind
from cpimportd.core.problems import PLACES, Problem, pasteable
from cpimportd.core.sentences import Fact
from cpimportd.core.texts import english
from cpimportd.core.texts.explanation import Text, fits_journal
from cpimportd.core.texts.translation import Language, Translated, translated
from cpimportd.core.typed import to_json


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
