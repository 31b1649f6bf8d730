"""Every problem is explained in both languages, and nothing is promised that a journal line does not carry."""

import ast
import re
import string
from pathlib import Path

import pytest
from pydantic import BaseModel

import cpimportd
from cpimportd.config.settings import Settings
from cpimportd.core.catalog import CATALOG, Effect, ProblemKind
from cpimportd.core.problems import problem, sentence
from cpimportd.core.report import RunStatus, run_message_id
from cpimportd.core.texts import english
from cpimportd.core.texts.explanation import FIELDS, Consequence, consequence_of, fields_of, fields_of_status, quote
from cpimportd.core.texts.translation import journal_text, spoken, translated, whole_text

FIELD = re.compile(r"@([A-Z_]+)@")
KINDS = pytest.mark.parametrize("kind", CATALOG.values(), ids=list(CATALOG))


def kind_of(sentence: str, way_out: str = "Nothing.", **more) -> ProblemKind:
    return ProblemKind("made-up", Effect.FAILS, sentence, way_out, **more)


def test_no_plainer_english_sentence_is_left_over():
    assert english._PLAINER.keys() <= CATALOG.keys()


def test_every_consequence_and_every_end_of_a_run_is_explained():
    assert set(english.CONSEQUENCES) == set(Consequence)
    assert set(english.STATUSES) == set(RunStatus)


def test_every_consequence_happens():
    assert {consequence_of(kind) for kind in CATALOG.values()} == set(Consequence)


def test_problems_quote_only_fields_that_their_lines_carry(entries):
    for kind in CATALOG.values():
        carried = {FIELDS[name] for name in fields_of(kind)}
        assert set(FIELD.findall(entries[kind.message_id].text)) <= carried, kind.code


def test_ends_of_runs_quote_only_fields_that_their_lines_carry(entries):
    for status in RunStatus:
        carried = {FIELDS[name] for name in fields_of_status(status)}
        assert set(FIELD.findall(entries[run_message_id(status)].text)) <= carried, status


@KINDS
def test_a_field_that_is_quoted_is_in_the_line(kind):
    """A problem made with everything that its texts name has the fields that the catalog quotes."""
    names = {name for text in (kind.sentence, kind.way_out) for name in re.findall(r"\{(\w+)[:}]", text)}
    found = problem(kind.code, **dict.fromkeys(names, "7"))
    assert {FIELDS[name] for name in fields_of(kind)} <= found.fields.keys()


@KINDS
def test_a_sum_in_a_sentence_is_written_as_in_the_tables(kind):
    """A fact that is a sum says so, in every language: else it would stand there as scripts get it."""
    texts = [kind.sentence, kind.way_out, *whole_text(kind, "ru"), *journal_text(kind, "ru")]
    named = [(name, spec) for text in texts for _, name, spec, _ in string.Formatter().parse(text) if name]
    assert {spec for name, spec in named if name in {"sum", "total", "difference", "expected"}} <= {"money"}
    assert {spec for _, spec in named} <= {
        "",
        "money",
        "count",
        "number",
        "shell",
        "word",
        "day",
        "date",
        "moment",
        "span",
        "seconds",
        "said",
        "lines",
        "signed",
        "offset",
        "way_out",
        "place",
        "either",
        "or",
    }
    assert {name for name, spec in named if spec == "count"} <= {
        "count", "before", "rows", "expected_rows", "got", "size",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fact", "told"),
    [
        ("813626.80", "813\u00a0626,80"),
        ("-0.01", "-0,01"),
        ("0.00", "0,00"),
        ("-1234567.5", "-1\u00a0234\u00a0567,50"),
        ("12", "12,00"),
        ("0.123456", "0,123456"),  # a control total of rates
        ("сто рублей", "сто рублей"),
        ("1e5", "1e5"),
    ],
)
def test_a_sum_keeps_every_digit_and_what_is_none_stays_as_it_is(fact, told):
    assert sentence("{value:money}", {"value": fact}) == told
    found = problem("settlement-mismatch", value=fact, expected="1.00")
    assert (found.value, found.message) == (fact, f"settlement amount {told} is not payment × rate (1,00)")
    assert f" {told} " in spoken(found, "ru").sentence


def test_whoever_makes_a_problem_gives_it_the_facts_that_its_line_must_carry():
    """The placeholders of a sentence are formatted, None too; so a caller that forgets one is found only here."""
    seen = set()
    for file in Path(cpimportd.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "problem"):
                continue
            given = {keyword.arg for keyword in call.keywords}
            if call.args and isinstance(call.args[0], ast.Constant) and None not in given:
                code = call.args[0].value
                assert fields_of(CATALOG[code]) <= given, f"{file.name}:{call.lineno}: {code}"
                seen.add(code)
    assert len(seen) > len(CATALOG) / 2, "most problems are made by their code"


def test_nothing_that_looks_like_a_placeholder_is_left(entries):
    for entry in entries.values():
        assert not re.search(r"\{\w*(:\w+)?\}", entry.text), entry


def test_every_key_that_is_named_can_be_set(entries):
    sections = {
        name: field.annotation.model_fields
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    keys = re.compile(rf"(?<!/)\b({'|'.join(sections)})\.([a-z_]+)")
    named = [match for entry in entries.values() for match in keys.finditer(entry.joined)]
    assert len(named) > 20
    assert [match[0] for match in named if match[2] not in sections[match[1]]] == []


@KINDS
def test_the_russian_way_out_names_the_same_commands(kind):
    assert _commands(journal_text(kind, "ru").way_out) == _commands(journal_text(kind, "en").way_out)


def _commands(text: str) -> set[str]:
    """What is to be typed, less the words that stand for something else."""
    commands = re.findall(r"`([^`]+)`", text) + re.findall(r"cpimportd accept UNIT", text)
    return {" ".join(re.findall(r"(?:^|(?<=\s))[^\sА-ЯA-Z]+", command)) for command in commands}


@KINDS
def test_russian_texts_are_sentences_in_russian(kind):
    text = journal_text(kind, "ru")
    assert re.search("[а-яё]{3}", text.sentence)
    assert not text.sentence.endswith(".")
    assert text.way_out.endswith((".", "'"))
    assert "…" not in text.sentence + text.way_out


@KINDS
def test_english_subjects_say_something_and_are_no_fragments(kind):
    sentence = english.text_of(kind).sentence
    assert len(re.findall("[a-z]{2,}", sentence)) >= 2
    assert not sentence[0].islower()
    assert not sentence.endswith((".", "…", ":"))


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("the database cannot be reached: {reason}", "The database cannot be reached"),
        ("{server} has no free connection: {reason}", "The server has no free connection"),
        ("department {value} is not active", "Department {value} is not active"),
        ("is damaged: {reason}", "A file is damaged"),
        ("the server names a file {value}: {reason}; it was not fetched",
         "The server names a file {value}; it was not fetched"),
        ("{count} expenses, {sum}, have no details (first: {value})",
         "… expenses have no details (first: {value})"),
        ("has {size} bytes, more than allowed ({limit})", "A file has … bytes, more than allowed"),
        ("it was set aside as {aside}", "It was set aside"),
        ("another run is under way{value}", "Another run is under way"),
        ("unknown key {key} in {place}{hint}", "Unknown key …"),
    ],
)  # fmt: skip
def test_english_sentences_without_the_facts_that_are_no_fields(sentence, expected):
    assert english.text_of(kind_of(sentence)).sentence == expected


@pytest.mark.parametrize(
    ("way_out", "expected"),
    [
        ("If it is right: cpimportd accept {unit}.", "If it is right: cpimportd accept UNIT."),
        ("`cpimportd show {run}` lists it.", "`cpimportd show RUN` lists it."),
        ('Set schedules.{schedule}.job = "import".', 'Set schedules.SCHEDULE.job = "import".'),
        ("Reports show what was before. {remedy}", "Reports show what was before."),
        ("Run `rm {value}`.", "Run `rm VALUE`."),
        ("Look at {value}, {when}.", "Look at {value}, …."),
    ],
)
def test_english_ways_out_keep_their_commands_readable(way_out, expected):
    """Nor does a text from outside ever become part of a command that somebody may paste."""
    assert english.text_of(kind_of("it failed", way_out)).way_out == expected


def test_a_translation_that_names_a_fact_which_the_line_may_lack_is_refused():
    assert quote("«{value}» of {file}", {"value", "file"}) == "«@CPIMPORTD_VALUE@» of @CPIMPORTD_FILE@"
    with pytest.raises(ValueError, match="file"):
        quote("«{value}» of {file}", {"value"})


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("source-login", Consequence.RUN_FAILS),
        ("config-value", Consequence.CONFIGURATION_REFUSED),
        ("wrong-use", Consequence.COMMAND_REFUSED),
        ("run-under-way", Consequence.RUN_STANDS_BACK),
        ("slot-done", Consequence.SLOT_IS_DONE),
        ("commit-unknown", Consequence.COMMIT_UNKNOWN),
        ("control-total", Consequence.HELD),
        ("shrunk", Consequence.HELD_UNTIL_ACCEPTED),
        ("config-refused", Consequence.WARNING),
    ],
)
def test_what_a_problem_does_to_the_import(code, expected):
    assert consequence_of(CATALOG[code]) is expected


def test_only_plausibility_problems_offer_to_be_accepted(entries):
    for kind in CATALOG.values():
        if "cpimportd accept" in entries[kind.message_id].text:
            assert kind.effect is Effect.PLAUSIBILITY, kind.code


def test_a_transient_problem_is_marked_as_such(entries):
    text = (english.MAY_PASS, translated(english.MAY_PASS, "consequence", "ru"))
    assert any(one in entries[CATALOG["source-unreachable"].message_id].joined for one in text)
    assert not any(one in entries[CATALOG["source-login"].message_id].joined for one in text)


@KINDS
def test_no_way_out_promises_a_try_that_only_a_slot_gets(kind):
    """Whether a failed import is tried again depends on who asked for it: a slot's is, one by hand is not."""
    assert "It is tried again" not in kind.way_out
    assert "Попытка повторится" not in whole_text(kind, "ru").way_out + journal_text(kind, "ru").way_out
