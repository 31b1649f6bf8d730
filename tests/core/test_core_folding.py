"""One folded form for titles, names and ids; and which characters of two texts that fold alike differ."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpimportd.core.folding import describe_differences, differences, fold

NAME = "Списание с расчетного счёта «Лотос»"


@pytest.mark.parametrize(
    "other",
    [
        NAME.upper(),
        NAME.replace("ё", "е"),
        NAME.replace(" ", "  "),
        NAME.replace(" ", "\u00a0"),
        NAME.replace(" ", "\u202f"),
        NAME.replace(" ", "\u2028"),
        f"\ufeff{NAME}\u200e",
        NAME.replace("пис", "п\u00adис"),
        NAME.replace("пис", "п\u200bи\u2060с"),
        NAME.replace("пис", "пи\ufe0fс"),
        NAME.replace("С", "C"),  # Latin
        NAME.replace("о", "o").replace("е", "e").replace("а", "a"),  # Latin
        NAME.replace("о", "ο"),  # Greek
        NAME.replace("«", '"').replace("»", "”"),
        unicodedata.normalize("NFD", NAME),
    ],
)
def test_what_looks_alike_folds_alike(other):
    assert other != NAME
    assert fold(other) == fold(NAME)
    assert differences(other, NAME)


@pytest.mark.parametrize("other", ["Списание с расчетных счетов", "0А00-000523", "0А00–000524", "Поступление"])
def test_what_looks_different_does_not_fold_alike(other):
    assert fold(other) != fold(NAME)


def test_dashes_and_wide_letters_are_those_of_the_keyboard():
    assert fold("0А00\u2013000523") == fold("0A00\u2011000523") == fold("０Ａ００-０００５２３")


def test_short_i_is_another_letter():
    assert fold("край") != fold("краи")


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing(text):
    assert fold(fold(text)) == fold(text)


def test_a_difference_is_named_by_position_and_code_point():
    assert str(describe_differences("Cум\u00adма", "Сумма")) == (
        "character 1: U+0043 LATIN CAPITAL LETTER C, not U+0421 CYRILLIC CAPITAL LETTER ES; "
        "character 4: U+00AD SOFT HYPHEN, not nothing"
    )
    assert differences("Сумма", "Сумма") == ()
