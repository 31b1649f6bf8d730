"""When two names are one document's: whatever a hand does to the text between 1C and the workbook."""

import pytest

from cpimportd.core.identity import are_same_document, numbered

NAME = "Списание с расчетного счета 0Л0Л-000001 от 22.04.2022 8:01:53"
WIDE = {ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"}
BOLD = {ord(str(digit)): 0x1D7CE + digit for digit in range(10)}

FORMS = {
    "wide digits": NAME.translate(WIDE),
    "bold digits": NAME.translate(BOLD),
    "wide digits an hour later": NAME.replace("8:01", "9:01").translate(WIDE),
    "a no-break space in the number": NAME.replace("-", "-\u00a0"),
    "a space before the dash": NAME.replace("-", " -"),
    "a space among the digits": NAME.replace("0000", "00 00"),
    "a dash of another kind and a space, an hour later": NAME.replace("-", "\u2013 ").replace("8:01", "9:01"),
    "a number sign": NAME.replace("0Л0Л", "№ 0Л0Л"),
    "a number sign without a space": NAME.replace("0Л0Л", "№0Л0Л"),
    "a comma before the moment": NAME.replace(" от ", ", от "),
    "a full stop": f"{NAME}.",
    "a full stop and no-break spaces, a day later": f"{NAME}.".replace("22.04", "23.04").replace(" ", "\u00a0"),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_a_name_that_a_hand_changed_is_that_document_whatever_its_amount(form):
    here, there = numbered(NAME), numbered(form)
    assert here is not None
    assert there is not None
    assert here.of_year("ЛОТОС ООО") == there.of_year("ЛОТОС ООО")
    assert are_same_document(here, 100, there, 200)


@pytest.mark.parametrize(
    "other",
    [
        NAME.replace("000001", "000002"),
        NAME.replace("000001", "00001"),
        NAME.replace("0Л0Л", "0Л1Л"),
        NAME.replace("2022", "2023"),
    ],
)
def test_another_number_or_year_is_another_document(other):
    here, there = numbered(NAME), numbered(other)
    assert here is not None
    assert there is not None
    assert here.of_year("ЛОТОС ООО") != there.of_year("ЛОТОС ООО")


def test_a_letter_of_the_number_that_only_looks_the_same_leaves_two_documents_unless_the_amounts_say_one():
    latin, cyrillic = numbered(NAME.replace("0Л0Л", "0M0M")), numbered(NAME.replace("0Л0Л", "0М0М"))
    assert latin is not None
    assert cyrillic is not None
    assert not are_same_document(latin, 100, cyrillic, 200)
    assert are_same_document(latin, 100, cyrillic, 100)


@pytest.mark.parametrize("text", ["Списание", "Списание от 22.04.2022", "Списание 5 от вчера", ""])
def test_a_name_without_number_or_moment_says_nothing(text):
    assert numbered(text) is None
