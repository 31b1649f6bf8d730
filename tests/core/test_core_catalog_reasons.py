"""What makes a cell a reject is a phrase of the list, so that every language can tell it."""

import ast
from pathlib import Path

import pytest

import cpimportd.documents
from cpimportd.core.phrases import PHRASES, UnfitError, phrase, reason_of
from cpimportd.core.texts.translation import told
from cpimportd.core.typed import to_json
from cpimportd.documents.items import Fault

ROOM = Path(cpimportd.documents.__file__).parent


def test_no_reason_of_the_documents_room_is_a_sentence():
    """A text that continues a sentence which begins with a cell has a code in place of its words."""
    found = {
        node.value
        for file in ROOM.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.startswith(("is ", "has ", "holds ")) and "\n" not in node.value
    }
    assert found == set()


@pytest.mark.parametrize(
    ("value", "cell"), [("x", "«x»: "), ("сто «рублей»", "«сто «рублей»»: "), ("a\nb", "«a\\nb»: "), (None, "")]
)
def test_a_reject_names_the_cell_and_the_reason(value, cell):
    found = Fault("Сумма", value, phrase("no-number")).reject("f.xlsx", 2)
    assert told(to_json(found), "ru")[0].sentence == f"{cell}не число"


@pytest.mark.parametrize(
    ("reason", "english", "russian"),
    [
        (phrase("too-many-decimals", decimals=2), "has more than 2 decimals", "знаков после запятой больше 2"),
        (phrase("empty-and-no-roubles", account="52"), "is empty, and the account is «52», not 51, which holds roubles",
         "пусто, а счёт учёта — «52», не 51, на котором рубли"),
        ("is blue", "is blue", "is blue"),
    ],
)  # fmt: skip
def test_facts_are_carried_over_and_what_is_no_phrase_stays(reason, english, russian):
    found = Fault("Сумма", "7,123", reason).reject("f.xlsx", 2)
    assert found.message == f"«7,123» {english}"
    assert told(to_json(found), "ru")[0].sentence == f"«7,123»: {russian}"


def test_an_error_carries_its_phrase():
    error = UnfitError("too-large")
    assert (str(error), reason_of(error), reason_of(ValueError("is blue"))) == (
        "is too large",
        phrase("too-large"),
        "is blue",
    )


def test_a_phrase_that_is_not_on_the_list_is_refused():
    with pytest.raises(KeyError, match="made-up"):
        phrase("made-up")


def test_every_phrase_is_used():
    used = "\n".join(
        file.read_text(encoding="utf-8") for file in ROOM.parent.rglob("*.py") if file.name != "phrases.py"
    )
    assert [code for code in PHRASES if f'"{code}"' not in used] == []
