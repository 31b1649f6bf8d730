"""Folds titles, names and document ids for comparison; describes how two differ; finds the name meant by a typo.

Texts are stored as they came and compared folded: two texts with one folded form look alike and mean the same.
The look-alike letters are those among Unicode's confusables (UTS #39) that a Russian keyboard's user types by mistake:
Latin and Greek letters for Cyrillic ones.
"""

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import Final

from cpimportd.core.phrases import Phrase, phrase

# By their case-folded forms: Latin B is a look-alike of В by its capital alone.
_LETTERS: Final = {
    **dict(zip("abcehijkmopstxy", "авсеніјкморѕтху", strict=True)),
    **dict(zip("αβεηικμορτυχ", "авенікмортух", strict=True)),
    **dict.fromkeys("ёëѐ", "е"),
    "ѝ": "и",
}
# Shown as nothing or as a blank, though no format character by their category.
_BLANK: Final = dict.fromkeys("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0", "")
_SIGNS: Final = {
    **dict.fromkeys("‐‑‒–—―−⁃", "-"),
    **dict.fromkeys("«»„“”‟″", '"'),
    **dict.fromkeys("‘’‚‛′`´", "'"),
    **_BLANK,
}
_LOOKALIKES: Final = {**_LETTERS, **_SIGNS}


class _Table(dict[int, str]):
    """What ``str.translate`` makes of each character; filled as characters are met.

    Args:
        replaced: characters that become others.
        dropped: categories of Unicode whose characters are left out.
    """

    def __init__(self, replaced: Mapping[str, str], dropped: Collection[str]) -> None:
        super().__init__()
        self._replaced, self._dropped = replaced, dropped

    def __missing__(self, code: int) -> str:
        self[code] = folded = self._character(chr(code))
        return folded

    def _character(self, character: str) -> str:
        if character in self._replaced:
            return self._replaced[character]
        if character.isspace():
            return " "
        return "" if unicodedata.category(character) in self._dropped else character


_INVISIBLE: Final = frozenset({"Cc", "Cf"})
_FOLDED: Final = _Table(_LOOKALIKES, _INVISIBLE | {"Mn", "Me"})
_VISIBLE: Final = _Table(_BLANK, _INVISIBLE)


def fold(text: str) -> str:
    """The form in which a text is compared.

    Two texts are equal in it that differ in nothing but compatibility forms (NFKC), case, ``ё`` for ``е``, number and
    kind of spaces, invisible characters, kinds of dashes and quotes, or Latin and Greek letters that look Cyrillic.
    """
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_FOLDED)
    return " ".join(plain.split())


def fold_case(text: str) -> str:
    """The form in which a text equals other ways to type it, but not texts that only look like it.

    Case, ``ё`` for ``е``, composed marks, a BOM or spaces around it do not matter; a Latin letter
    for a Cyrillic one does.
    """
    return unicodedata.normalize("NFC", text).strip("\ufeff ").casefold().replace("ё", "е")


def visible(text: str) -> str:
    """A text as it looks: letters as they are (NFC), without invisible characters, every run of spaces one space."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_VISIBLE).split())


def without_format_characters(text: str) -> str:
    """A text without characters that only say how others are shown, such as U+200B and U+FEFF; spaces stay."""
    return "".join(character for character in text if unicodedata.category(character) != "Cf")


@dataclass(frozen=True, slots=True)
class CharacterDifference:
    """Where two texts that look alike differ.

    Attributes:
        position: of the character in the first text, from 1.
        here: the first text's characters there; "" where it has none.
        there: the second text's characters there; "" where it has none.
    """

    position: int
    here: str
    there: str

    @property
    def told(self) -> Phrase:
        """The same by the characters' names."""
        return phrase("character-differs", position=self.position, here=_named(self.here), there=_named(self.there))

    @property
    def code_points(self) -> str:
        """The same without words, for texts in any language: ``1: U+0043 ≠ U+0421``."""
        return f"{self.position}: {_points(self.here)} ≠ {_points(self.there)}"


def differences(here: str, there: str) -> tuple[CharacterDifference, ...]:
    """Which characters of two texts differ, from left to right; none if they are equal."""
    matcher = SequenceMatcher(None, here, there, autojunk=False)
    return tuple(
        CharacterDifference(start + 1, here[start:end], there[other_start:other_end])
        for tag, start, end, other_start, other_end in matcher.get_opcodes()
        if tag != "equal"
    )


def describe_differences(here: str, there: str, limit: int = 3) -> Phrase:
    """The first differences of two texts that look alike, each with position, code point and Unicode name."""
    found = differences(here, there)
    more = [phrase("and-more", more=len(found) - limit)] if len(found) > limit else []
    return phrase("several", all=[*(difference.told for difference in found[:limit]), *more])


def with_code_points(here: str, there: str, limit: int = 3) -> str:
    """The first text, and by code points where it differs from the second: ``Cумма (1: U+0043 ≠ U+0421)``."""
    found = [difference.code_points for difference in differences(here, there)]
    more = "; …" if len(found) > limit else ""
    return f"{here} ({'; '.join(found[:limit])}{more})" if found else here


def lookalike(text: str, others: Iterable[str]) -> str | None:
    """The first of other texts that folds like this one and is not it; None if none does."""
    folded = fold(text)
    return next((other for other in others if other != text and fold(other) == folded), None)


def lookalike_hint(text: str, others: Iterable[str]) -> Phrase | str:
    """How the end of a sentence says that a text was looked for and another one looks the same; "" where none does."""
    other = lookalike(text, others)
    if other is None:
        return ""
    return phrase("looks-the-same", name=other, characters=describe_differences(text, other, 2))


def _points(characters: str) -> str:
    return " ".join(f"U+{ord(c):04X}" for c in characters[:4]) or "–"


def _named(characters: str) -> Phrase | str:
    if not characters:
        return phrase("no-character")
    return " ".join(character_name(c) for c in characters[:4])


def character_name(character: str) -> str:
    """A character by its number and name, in ASCII: it may stand where it cannot stand itself."""
    return f"U+{ord(character):04X} {unicodedata.name(character, 'without a name')}"


def nearest(name: str, known: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The known name that is most like one that is not known.

    Args:
        name: as the user wrote it.
        known: what there is.
        likeness: how much of both has to be the same, from 0 to 1 (:meth:`difflib.SequenceMatcher.ratio`).

    Returns:
        The name as it is known; None if none is so much like it.
    """
    folded = {fold(one): one for one in known}
    close = get_close_matches(fold(name), folded, n=1, cutoff=likeness)
    return folded[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> Phrase | str:
    """The same as a sentence, with a blank after it; "" where none is like it."""
    found = nearest(name, known)
    return "" if found is None else phrase("did-you-mean-this", name=found)


def near_hint(name: str, known: Iterable[str]) -> Phrase | str:
    """How the end of a sentence names what was probably meant, and how it differs if it looks the same; "" without."""
    names = list(known)
    found = nearest(name, names)
    return lookalike_hint(name, names) or ("" if found is None else phrase("did-you-mean", name=found))
