"""A problem is a code and facts; they survive JSON, and a problem that was stored without them is still one."""

import json

import pytest

from cpimportd.core.phrases import received_facts
from cpimportd.core.problems import Problem, problem
from cpimportd.core.typed import from_json, json_text, to_json


def test_facts_are_typed_and_kept_beside_the_sentence():
    found = problem("shrunk", organization="ООО", count=3, before=1000, sum="12.50", limit="10 %", unit="ООО/receipts")
    assert found.facts == {"count": 3, "before": 1000, "sum": "12.50", "limit": "10 %", "unit": "ООО/receipts"}
    assert "3 of 1\u00a0000 documents, 12,50," in found.message


def test_facts_survive_json():
    found = problem("control-total", column="Сумма", sum="1.00", total="2.00", difference="-1.00")
    assert Problem(**json.loads(json.dumps(to_json(found)))) == found
    assert hash(Problem(**json.loads(json.dumps(to_json(found))))) == hash(found)


def test_its_json_is_its_fields_and_nothing_else():
    found = problem("source-empty", server="ftp.example.com", folder="/out")
    assert to_json(found) == {
        "code": "source-empty",
        "message": "ftp.example.com holds no workbook in /out",
        "way_out": "Check that 1C has uploaded, and that source.url names the right folder.",
        "file": None,
        "row": None,
        "column": None,
        "value": None,
        "organization": None,
        "facts": {"server": "ftp.example.com", "folder": "/out"},
    }
    assert list(to_json(found)) == [
        "code", "message", "way_out", "file", "row", "column", "value", "organization", "facts",
    ]  # fmt: skip
    assert from_json(json_text(found), Problem) == found


def test_a_problem_that_was_stored_without_facts_is_one():
    stored = to_json(problem("control-total", column="Сумма", sum="1.00", total="2.00", difference="-1.00"))
    del stored["facts"]
    assert Problem(**stored).facts == {}


def test_rows_are_told_as_numbers_so_many_as_there_is_room_for():
    found = problem("amount-zero", row=2, count=1000, every_row=tuple(range(2, 1002)))
    assert found.facts["every_row"] == list(range(2, 302))
    assert received_facts(json.loads(json.dumps(found.facts))) == found.facts


def test_texts_from_outside_are_escaped_in_facts_too():
    assert problem("file-damaged", file="a.xlsx", reason="a\x1b[31mb").facts == {"reason": "a\\x1b[31mb"}
    assert received_facts({"reason": "a\nb", "count": 1}) == {"reason": "a\\nb", "count": 1}


@pytest.mark.parametrize(
    "told",
    [
        [],
        "x",
        {str(number): number for number in range(21)},
        {"a": {"phrase": "cell", "text": {"c": 1}}},
        {"a": {"phrase": "{"}},
        {"every_row": list(range(1, 302))},
        {"every_row": [2, "3"]},
        {"every_row": [0]},
        {"every_row": [True]},
    ],
)
def test_what_is_no_fact_is_refused(told):
    with pytest.raises(ValueError, match="facts"):
        received_facts(told)
