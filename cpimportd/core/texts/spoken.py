"""A problem as it is told to somebody who reads no journal: its sentence and its way out, in a language."""

from typing import Literal

from cpimportd.core.problems import Problem, sentence
from cpimportd.core.texts.explanation import Text
from cpimportd.core.texts.russian import TEXTS

SpokenLanguage = Literal["ru", "en"]


def spoken(found: Problem, language: SpokenLanguage) -> Text:
    """What happened, with file, row and column as far as known, and what can be done about it.

    In Russian the facts that only the English sentence has are left out; the report that goes along names them.
    """
    if language == "en" or found.code not in TEXTS:
        return Text(str(found), found.way_out)
    text = TEXTS[found.code]
    facts = {name: getattr(found, name) for name in ("file", "row", "column", "value", "organization")}
    shown = {name: "?" if fact is None else fact for name, fact in facts.items()} | {"run": "?"}
    places = [
        found.file,
        f"строка {found.row}" if found.row else None,
        f"колонка {found.column}" if found.column else None,
    ]
    place = ", ".join(one for one in places if one)
    said = f"{sentence(text.sentence, shown)} [{found.code}]"
    return Text(f"{place}: {said}" if place else said, sentence(text.way_out, shown))
