"""What makes a cell a reject is told in Russian, whatever it is."""

import ast
from pathlib import Path

import pytest

import cpimportd.documents
from cpimportd.core.texts.russian_reasons import russian_reason
from cpimportd.documents.items import Fault

ROOM = Path(cpimportd.documents.__file__).parent


def reasons() -> set[str]:
    """Every text in the room that continues a sentence which begins with a cell."""
    found = set()
    for file in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            elif isinstance(node, ast.JoinedStr):
                text = "".join(part.value if isinstance(part, ast.Constant) else "7" for part in node.values)
            else:
                continue
            if text.startswith(("is ", "has ", "holds ")) and "\n" not in text and not text.endswith((" ", "«")):
                found.add(text)
    return found


def test_every_reason_of_the_documents_room_is_translated():
    found = reasons()
    assert {"is no number", "is empty", "is no date"} <= found
    whole = {
        text for text in found if not any(other != text and other.startswith(text) and "7" in other for other in found)
    }
    untranslated = {text for text in whole if russian_reason(text) == text}
    assert untranslated == set()


@pytest.mark.parametrize("value", ["x", "сто «рублей»", "a\nb"])
def test_the_value_in_front_does_not_matter(value):
    message = Fault("Сумма", value, "is no number").reject("f.xlsx", 2).message
    assert russian_reason(message) == "не число"


def test_facts_are_carried_over():
    assert russian_reason("«7,123» has more than 2 decimals") == "знаков после запятой больше 2"
    assert russian_reason("is empty, and the account is «52», not 51, which holds roubles").endswith(
        "«52», не 51, на котором рубли"
    )


def test_what_nobody_has_translated_is_told_as_it_is():
    assert russian_reason("is blue") == "is blue"
