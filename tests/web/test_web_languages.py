"""Problems as the page tells them, in both languages, also those that an older version stored."""

import pytest
from starlette.requests import Request

from cpimportd.core.catalog import CATALOG
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import problem
from cpimportd.core.typed import to_json
from cpimportd.web.problem_details import in_language, language_of


def asking(header: str | None) -> Request:
    headers = [] if header is None else [(b"accept-language", header.encode())]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("header", "language"),
    [(None, "en"), ("", "en"), ("ru", "ru"), ("ru-RU,ru;q=0.9,en-US;q=0.8", "ru"), ("en,ru;q=0.9", "en"), ("de,ru;q=0.1", "ru"),
     ("en;q=0.1,ru;q=0.2", "ru"), ("*", "en"), ("ru;q=x", "en"), (";;;,,,", "en"), ("ru;q=0", "en")],
)  # fmt: skip
def test_the_language_is_the_preferred_one_of_two(header, language):
    assert language_of(asking(header)) == language


def test_every_problem_can_be_reported_even_with_nothing_but_its_code():
    for code in CATALOG:
        for language in ("en", "ru"):
            found = in_language({"code": code, "message": "m", "way_out": "w"}, language)
            assert found["sentence"]
            assert "{" not in found["sentence"] + found["way_out"]


def test_a_code_of_another_version_is_reported_in_its_own_words():
    found = in_language({"code": "from-the-future", "message": "something", "way_out": "wait"}, "ru")
    assert (found["sentence"], found["way_out"], found["effect"]) == ("something", "wait", None)


def test_russian_tells_the_facts_and_of_a_problem_without_them_the_message():
    sums = {"sum": "1.00", "total": "2.00", "difference": "-1.00"}
    stored = to_json(problem("control-total", column="Сумма", **sums))
    found = in_language(stored, "ru")
    assert found["sentence"] == "Сумма по колонке «Сумма» — 1,00, а «Итого» — 2,00: разница -1,00"
    assert found["details"] is None
    found = in_language({name: fact for name, fact in stored.items() if name != "facts"}, "ru")
    assert "difference -1,00" in found["details"]
    assert in_language(to_json(problem("file-empty", file="a.xlsx")), "ru")["details"] is None


def test_a_reject_says_why_in_russian():
    cell, reason = phrase("cell", text="x"), phrase("no-number")
    found = in_language(to_json(problem("reject", cell=cell, reason=reason, row=7, column="Сумма", value="x")), "ru")
    assert (found["sentence"], found["details"], found["row"]) == ("«x»: не число", None, 7)


def test_a_message_that_begins_without_its_file_gets_a_head():
    assert in_language(to_json(problem("file-empty", file="a.xlsx")), "en")["sentence"].startswith(
        "the file has 0 bytes"
    )
