"""The catalogue of translations is whole, current and compiled, and names the facts that its source names."""

import ast
import gettext
import re
import string
from io import BytesIO

import pytest

from cpimportd.core.catalog import CATALOG
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, problem
from cpimportd.core.texts import page, po
from cpimportd.core.texts.translation import Translated, spoken, told
from cpimportd.core.typed import to_json

FILE = po.FOLDER / "ru.po"
CATALOGUE = po.read(FILE)
TRANSLATIONS = {
    (one.context, one.id if isinstance(one.id, str) else one.id[0]): one for one in CATALOGUE if one.id
}  # fmt: skip


def places(text: str) -> set[tuple[str, str | None]]:
    return {(name, spec) for _, name, spec, _ in string.Formatter().parse(text) if name}


def test_every_text_is_translated_and_no_translation_is_stale():
    assert TRANSLATIONS.keys() == {(source.context, source.text) for source in po.sources()}
    assert not CATALOGUE.obsolete


def test_none_is_empty_or_fuzzy():
    assert [key for key, one in TRANSLATIONS.items() if one.fuzzy or not all(po.forms_of(one.string))] == []


@pytest.mark.parametrize("key", TRANSLATIONS, ids=lambda key: f"{key[0]}: {key[1][:30]}")
def test_a_translation_names_the_facts_of_its_source(key):
    """All of them, written alike; a text of the journal those that are fields of its line."""
    context, _ = key
    one = TRANSLATIONS[key]
    if context.startswith("journal "):
        kind = CATALOG[context.removeprefix("journal ")]
        allowed = {name for name, _ in places(kind.sentence) | places(kind.way_out)}
        assert {name for name, _ in places(str(one.string))} <= allowed
        return
    named = set.union(*map(places, po.forms_of(one.id)))
    # Of a text that depends on a number, the form for one thing may do without it.
    first, *others = po.forms_of(one.string)
    assert all(places(form) == named for form in others or [first])
    assert places(first) <= named


def test_a_text_that_counts_has_a_form_for_each_kind_of_number():
    plural = {(source.context, source.text) for source in po.sources() if source.plural}
    for (context, text), one in TRANSLATIONS.items():
        counted = "{count:count}" in text or (context, text) in plural
        assert len(po.forms_of(one.string)) == (3 if counted else 1), text


def test_the_words_of_the_page_are_made_of_the_catalogue():
    assert po.PAGE.read_text(encoding="utf-8") == page.render(), "run: python -m cpimportd.core.texts.po"


def test_no_word_of_the_page_is_anywhere_else():
    """Its modules name words by their keys; what a sentence says stands in the catalogue alone."""
    said = re.compile(r"""["'`][^"'`\n]*(?:[А-Яа-яЁё]|[a-z]+ [a-z]+ [a-z]+)[^"'`\n]*["'`]""")
    found = [
        match[0]
        for file in po.PAGE.parent.glob("*.js")
        if file != po.PAGE
        for line in file.read_text(encoding="utf-8").splitlines()
        if not line.lstrip().startswith(("//", "*", "/*"))
        for match in said.finditer(line)
    ]
    assert found == []


def test_every_text_that_is_reported_is_found():
    """Where it is said inside another text's braces, gettext's extraction does not see it."""
    said = {
        (call.args[0].value, call.args[1].value)
        for file in (po.FOLDER.parents[1] / "notify").rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "say"
        if all(isinstance(one, ast.Constant) for one in call.args)
    }
    assert len(said) > 20
    assert said <= TRANSLATIONS.keys()


def test_the_committed_file_is_what_the_translations_compile_to():
    committed, made = (
        gettext.GNUTranslations(BytesIO(content))._catalog
        for content in (FILE.with_suffix(".mo").read_bytes(), po.compiled(CATALOGUE))
    )
    assert {key: text for key, text in committed.items() if key} == {key: text for key, text in made.items() if key}, (
        "run: python -m cpimportd.core.texts.po"
    )


def test_bringing_it_up_to_date_changes_nothing_where_it_is():
    catalogue = po.read(FILE)
    catalogue.update(po.template(catalogue))
    assert po.written(catalogue) == po.written(CATALOGUE)


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 документ на 12,50 не подтверждён"), (3, "3 документа на"), (11, "11 документов на"),
                        (1021, "1\u00a0021 документ на 12,50 не подтверждён")],
)  # fmt: skip
def test_words_take_the_form_of_their_number(count, said):
    assert spoken(problem("unconfirmed", count=count, sum="12.50"), "ru").sentence.startswith(said)


def test_figures_days_and_words_are_written_in_russian():
    found = problem(
        "books-moved",
        organization="ООО «А»",
        value="-1234567.5",
        kind="expenses",
        run=7,
        total="0.00",
        date="2026-11-24",
    )
    day = Translated("ru").day("2026-11-24")  # its last blank is another one in each version of the CLDR
    assert day.startswith("24 ноября 2026")
    assert told(to_json(found), "ru")[0].sentence == (
        f"ООО «А»: суммы в базе не те, которые оставила загрузка 7 от {day}: "
        "списания -1\u00a0234\u00a0567,50, а было 0,00"
    )


def test_a_phrase_is_shown_in_the_readers_language():
    limit = phrase("limit-sum", documents=20, percent="1", sum="1000.00")
    found = problem("shrunk", organization="ООО", count=2, before=30, sum="5.00", limit=limit, unit="ООО/receipts")
    assert "(allowed: 20 documents, or 1 % of the sum: 1\u00a0000,00)" in found.message
    text = told(to_json(found), "ru")[0]
    assert "из 30 документов в базе исчезло бы 2 документа на 5,00" in text.sentence
    assert "1 % суммы: 1\u00a0000,00" in text.sentence
    assert text.way_out.endswith("cpimportd accept 'ООО/receipts'.")


@pytest.mark.parametrize("code", CATALOG)
def test_every_problem_is_reported_whole_where_its_facts_are_known(code):
    kind = CATALOG[code]
    named = {name: "7" for name, _ in places(kind.sentence) | places(kind.way_out)}
    text, whole = told(to_json(problem(code, **named)), "ru")
    assert whole
    assert not re.search(r"[{}]", text.sentence + text.way_out.replace("{", ""))


def test_a_problem_that_was_stored_without_facts_is_reported_as_the_journal_explains_it():
    stored = to_json(problem("control-total", column="Сумма", sum="1.00", total="2.00", difference="-1.00"))
    del stored["facts"]
    text, whole = told(stored, "ru")
    assert (text.sentence, whole) == ("Сумма по колонке «Сумма» не сходится с «Итого»", False)
    assert stored["message"] in spoken(Problem(**stored), "ru").sentence


def test_what_no_catalogue_knows_is_reported_in_its_own_words():
    text, whole = told({"code": "from-the-future", "message": "something", "way_out": "wait", "facts": {}}, "ru")
    assert (text, whole) == (("something", "wait"), True)


@pytest.mark.parametrize("facts", ["x", {"cell": {"phrase": "{"}, "reason": ""}, {"cell": {"text": "x"}, "reason": ""}])
def test_facts_that_are_none_do_no_harm(facts):
    stored = {"code": "reject", "message": "m", "way_out": "w", "facts": facts}
    assert told(stored, "ru") == (
        ("Строку не удалось разобрать, она отклонена", "Исправьте документ в 1С и выгрузите снова."),
        False,
    )
