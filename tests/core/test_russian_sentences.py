"""The Russian sentence of every problem carries every fact of the English one, in Russian, and no English of ours.

Facts are of the kinds that the code really gives: which phrases, instants and spans go into a problem is read from it.
"""

import ast
import re
import string
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import cpimportd
from cpimportd.books.database import libpq, remedies
from cpimportd.config import load
from cpimportd.core import addresses, system
from cpimportd.core.catalog import CATALOG
from cpimportd.core.phrases import Phrase, fact, phrase
from cpimportd.core.problems import pasteable, problem
from cpimportd.core.sentences import Sentence
from cpimportd.core.texts import po
from cpimportd.core.texts.translation import Translated, told, translated
from cpimportd.core.typed import to_json
from cpimportd.core.wordings import PHRASES, WORDS
from cpimportd.notify import cache
from cpimportd.run import remarks

AT = datetime(2026, 11, 24, 6, 0, tzinfo=ZoneInfo("Europe/Moscow"))
SAID = "Connection refused"
"""What the operating system says, in its own words."""

BY_FORM: Mapping[str, object] = {
    "money": Decimal("812625.80"), "signed": Decimal("-812625.80"), "number": Decimal("0.5"), "count": 1234,
    "day": date(2026, 11, 24), "date": date(2026, 11, 24), "moment": AT, "span": timedelta(hours=5, minutes=12),
    "seconds": timedelta(seconds=30), "offset": timedelta(seconds=12), "word": "receipts", "said": SAID,
    "shell": "/srv/Мои файлы/cpimportd.toml", "lines": ["первое", "второе"], "either": ["первое", "второе"],
    "or": ["первое", "второе"], "place": "/etc/cpimportd/cpimportd.toml, line 3",
}  # fmt: skip
BY_NAME: Mapping[str, object] = {
    "file": "Поступления.xlsx", "row": 17, "column": "Сумма", "organization": "ООО «Ромашка»",
    "unit": "ООО «Ромашка»/receipts", "value": "Поступление 0001 от 01.02.2026", "path": "/var/lib/cpimportd", "run": 12,
    "pid": 4711, "user": "cpimportd", "schedule": "import", "key": "source.url", "variable": "CPIMPORTD_SOURCE__URL",
    "limit": 300, "part": "xl/worksheets/sheet1.xml", "other": 3, "twin": "Поступление 0001", "index": "uq_lines",
    "host": "db.example.com", "name": "ООО «Василёк»", "code": "550", "status": 3, "signal": 9, "size": 4096, "line": 3,
    "tables": ["fin_receipts"], "near": "", "of": "", "meant": "", "choices": ["receipts", "details"],
    "problem": problem("file-empty", file="Списания.xlsx"), "latest": phrase("latest-run", run=11),
    "characters": phrase("several", all=[phrase("character-differs", position=1, here="U+0043", there="U+0421"),
                                         phrase("and-more", more=2)]),
}  # fmt: skip
CACHE = problem("cache-unreachable", reason=SAID, way=phrase("way-redis"))
OTHER_ROW = phrase("row-of-file", row=3, file="Списания.xlsx")
LIMIT = phrase("limit-sum", documents=20, percent="1", sum=Decimal("1000.00"))
OF_CODE: Mapping[str, Mapping[str, object]] = {
    "reject": {"cell": phrase("cell", text="12,345,6"), "reason": phrase("no-number")},
    "shrunk": {"limit": LIMIT}, "grown": {"limit": phrase("limit-usual", documents=20, times="3", usual="12.5")},
    "duplicate-document": {"other": OTHER_ROW}, "document-lookalike": {"other": OTHER_ROW}, "same-content": {"other": "Старые.xlsx"},
    "number-twice": {"other": OTHER_ROW, "letters": phrase("numbers-differ", characters=BY_NAME["characters"])},
    "orphan-lookalike": {"other": phrase("in-todays-expenses")}, "expense-unseen": {"other": "Списания.xlsx"},
    "document-twin": {"owner": phrase("owner", owner="ООО «Василёк»"), "characters": phrase("differ", characters=BY_NAME["characters"])},
    "organization-lookalike": {"place": phrase("in-todays-files")}, "partner-held": {"others": phrase("and-so-is", names="Списания.xlsx")},
    "details-sum": {"other": OTHER_ROW}, "partner-missing": {"missing": "details"}, "accept-unknown": {"near": phrase("did-you-mean", name="ООО «Ромашка»/expenses")},
    "database-login": {"way": phrase("way-password")}, "database-tls": {"way": phrase("way-tls")},
    "database-option": {"value": "sslcertmode", "reason": phrase("certificate-sent-anyway"), "way": phrase("way-remove")},
    "database-rights": {"grant": phrase("grant-to", grant="GRANT SELECT ON departments", user="cpimportd")},
    "database-row-security": {"reason": [phrase("pg-policy", name="ours")]}, "database-triggers": {"reason": [phrase("pg-trigger", name="audit")]},
    "database-interference": {"reason": [phrase("pg-trigger", name="audit"), phrase("pg-rule", name="drop_all")]},
    "undo-refused": {"reason": phrase("run-published-since", runs="13"), "way": "cpimportd undo 12 --through"},
    "foreign-writes": {"sums": [phrase("figure-sum", figure="receipts", sum=Decimal("-12.50"))], "outcome": phrase("put-right")},
    "books-written": {"sums": [phrase("named-figure-sum", figure="contract", name="Д-1", sum=Decimal("812625.80"))]},
    "cache-stale": {"way": phrase("way-redis-loading")}, "cache-unreachable": {"way": phrase("way-redis-keys", user="default", pattern="fin:*")},
    "cache-outstanding": {"runs": [7, 8], "why": [phrase("because", problem=CACHE)], "remedy": [phrase("and-its-way-out", problem=CACHE)]},
    "views-outstanding": {"runs": [7], "why": [], "remedy": []},
    "views-stale": {"remedy": phrase("way-by-hand", statement="REFRESH MATERIALIZED VIEW CONCURRENTLY v")},
    "run-timeout": {"known": phrase("nothing-published")}, "run-crashed": {"reason": phrase("killed", signal=9), "known": phrase(
        "published-unknown", run=12, why=phrase("coded", problem=CACHE, code="cache-unreachable"))},
    "run-broken-off": {"reason": phrase("ended", status=1), "part": phrase("in-part")}, "job-died": {"value": "report"},
    "misfired": {"reason": phrase("older-than-grace", grace=timedelta(hours=1))}, "slot-irregular": {"reason": phrase("exists-twice", times="02:30")},
    "reader-unconfined": {"value": ["read files", "start processes"], "reason": phrase("no-walls")},
    "nothing-found": {"what": "run", "hint": phrase("hint-run-of-department", of="", latest=phrase("no-run-yet"))},
    "name-ambiguous": {"what": "organizations", "candidates": ["'ООО А'", "'ООО Б'", phrase("and-more", more=3)]},
    "nothing-to-import": {"kinds": ["receipts", "expenses"]}, "config-unknown-key": {"hint": phrase("did-you-mean-keys", keys=["[source] url"])},
    "state-foreign": {"reason": phrase("foreign-folder", user="1000")}, "machine-exhausted": {"reason": phrase("memory")},
    "not-in-snapshot": {"organization": "(no organization)", "value": "receipts"}, "totals-unread": {"reason": CACHE},
    "library-wrong": {"reason": phrase("gives-other-sums")}, "download-failed": {"reason": problem("source-tls", server="ftps://h:21", reason=SAID)},
}  # fmt: skip
"""What the code gives these problems that is more than a number, a name or a place."""


def places(text: str) -> dict[str, str]:
    return {name: spec or "" for _, name, spec, _ in string.Formatter().parse(text) if name}


def test_the_facts_of_this_page_are_those_of_the_catalog():
    for code, facts in OF_CODE.items():
        kind = CATALOG[code]
        assert facts.keys() <= places(kind.sentence).keys() | places(kind.way_out).keys(), code


def facts_of(*texts: str) -> dict[str, object]:
    """A realistic fact for each placeholder: by the form that it has there, else by its name."""
    named: dict[str, str] = {}
    for text in texts:
        named = {**{name: spec for name, spec in places(text).items() if spec or name not in named}, **named}
        named.update({name: spec for name, spec in places(text).items() if spec})
    return {name: BY_FORM[spec] if spec in BY_FORM else BY_NAME.get(name, "7") for name, spec in named.items()}


class Calls:
    """What the package's code makes problems and phrases of, by their codes."""

    def __init__(self) -> None:
        self.given: list[tuple[str, str, str, dict[str, ast.expr]]] = []
        for file in sorted(Path(cpimportd.__file__).parent.rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for call in ast.walk(tree):
                if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant):
                    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
                    keywords = {one.arg: one.value for one in call.keywords}
                    if isinstance(call.args[0].value, str) and None not in keywords:
                        self.given.append((f"{file.name}:{call.lineno}", name, call.args[0].value, keywords))

    def of(self, *names: str) -> Iterator[tuple[str, str, dict[str, ast.expr]]]:
        yield from ((where, code, facts) for where, name, code, facts in self.given if name in names)


CALLS = Calls()
RAISING = ("UnfitError", "PhraseError", "TooMuchError", "InUseError", "NotResumedError", "ImpostorError", "SheetError",
           "BrokenZipError", "NoFileError", "UnaskedError")  # fmt: skip


def phrase_in(node: ast.expr) -> Iterator[str]:
    """The phrases that an expression is made of, by their codes."""
    for call in ast.walk(node):
        if (
            isinstance(call, ast.Call)
            and getattr(call.func, "id", "") == "phrase"
            and isinstance(call.args[0], ast.Constant)
        ):
            yield call.args[0].value


def cases() -> Iterator[tuple[str, dict[str, object]]]:
    """Every problem with realistic facts: once with other people's words, once with each phrase that the code gives it."""
    for code, kind in CATALOG.items():
        facts = {**facts_of(kind.sentence, kind.way_out), **OF_CODE.get(code, {})}
        yield code, facts
        for _, of, given in CALLS.of("problem"):
            for name, node in given.items() if of == code else ():
                for one in phrase_in(node) if name in facts else ():
                    yield code, {**facts, name: phrase(one, **facts_of(PHRASES[one]))}


class Recording(Sentence):
    """Which facts were written, as they are."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def format_field(self, value: object, format_spec: str) -> str:
        if not isinstance(value, Mapping | list):
            self.written.append(str(value))
        return super().format_field(value, format_spec)


class RecordingRussian(Recording, Translated):
    def __init__(self) -> None:
        Recording.__init__(self)
        Translated.__init__(self, "ru")


NAMES = frozenset(
    re.findall(
        r"\w+",
        "a accept aclfile alerts calamine chmod chown config cpimportd credential dask demo departments extra "
        "false force grace host hostaddr hostssl install key libpq limit local loopback maxclients metrics min on "
        "only openpyxl pid pip postuplenie rasshifrovka reader root run scan scheduler seccomp section security "
        "select source spisanie ssl sslcrl sslmode sslrootcert strict systemd text through true tz tzdata ulimit "
        "undo unlink utf web worker workers xlrd xml zip row level tls port import receipts line toml etc mode "
        "vsftpd cp python template previous month schedules pixeltable pgserver initdb",
    )
)
"""Lower-case words that a Russian administrator reads in Latin letters: of commands, options, keys, libraries, values."""


def remnants(text: str, facts: Iterator[str] | list[str] = ()) -> set[str]:
    """English words of ours in a Russian text: not in commands, quotations, keys, addresses, nor in a fact itself."""
    for one in sorted(facts, key=len, reverse=True):
        if len(one) > 3:
            text = text.replace(one, " ")
    text = re.sub(r"`[^`]*`|«[^»]*»|'[^']*'|\{[^}]*\}|\S*[_=@]\S*|\w+://\S*|\S*/\S+|\w+(?:\.\w+)+", " ", text)
    words = re.findall(r"[A-Za-z]+", text)
    return {word for word in words if word.islower() and word not in NAMES and len(word) > 1}


def both(texts: tuple[str, str], facts: Mapping[str, object]) -> tuple[str, list[str], list[str]]:
    """A text in Russian, and the facts that its English and its Russian write."""
    english, russian = Recording(), RecordingRussian()
    as_json = pasteable({name: fact(one) for name, one in facts.items()})
    english.vformat(texts[0], (), as_json)
    return russian.vformat(texts[1], (), as_json), sorted(english.written), sorted(russian.written)


@pytest.mark.parametrize(
    ("code", "facts"), [pytest.param(*case, id=f"{case[0]}-{n}") for n, case in enumerate(cases())]
)
def test_a_problem_carries_every_fact_into_russian_and_no_english(code, facts):
    found = to_json(problem(code, **facts))
    text, whole = told(found, "ru")
    assert whole
    kind = CATALOG[code]
    for template, said in ((kind.sentence, text.sentence), (kind.way_out, text.way_out)):
        russian, written, carried = both((template, translated(template, code, "ru", facts.get("count"))), facts)
        assert said == russian
        assert set(written) == set(carried)
        assert remnants(said, [*carried, "FILE"]) == set(), said
        assert "812625.80" not in said
        assert re.search("[А-Яа-яЁё]", said) or not re.search("[a-z]", re.sub(r"\{[^}]*\}", "", template))


@pytest.mark.parametrize("code", PHRASES)
def test_a_phrase_carries_every_fact_into_russian_and_no_english(code):
    facts = facts_of(PHRASES[code])
    text, written, carried = both(
        (PHRASES[code], translated(PHRASES[code], f"phrase {code}", "ru", facts.get("count"))), facts
    )
    assert set(written) == set(carried)
    assert remnants(text, carried) == set(), text


def test_sums_days_instants_and_spans_are_written_in_russian():
    facts = {
        "sum": Decimal("812625.80"), "day": date(2026, 11, 24), "at": AT, "span": timedelta(hours=5, minutes=12),
        "limit": timedelta(seconds=0.5), "apart": timedelta(seconds=-12), "rate": Decimal("0.5"), "count": 1234,
    }  # fmt: skip
    template = "{sum:money}; {sum:signed}; {day:day}; {at:moment}; {span:span}; {limit:seconds}; {apart:offset}; {rate:number}; {count:count}"
    text = Translated("ru").vformat(template, (), {name: fact(one) for name, one in facts.items()})
    plain = " ".join(text.split())  # blanks that do not break
    assert plain == (
        "812 625,80; +812 625,80; 24 ноября 2026 г.; 24.11.2026 06:00 MSK; 5 ч 12 мин; 0,5 с; -12 с; 0,5; 1 234"
    )


def test_what_others_say_is_quoted_and_what_we_say_is_not():
    ours, theirs = phrase("no-answer"), "530 Login incorrect"
    for reason, said in ((ours, "ответа нет"), (theirs, "«530 Login incorrect»"),
                         (phrase("answer-to", command="PASS", answer=theirs), "PASS: «530 Login incorrect»")):  # fmt: skip
        text, _ = told(to_json(problem("source-login", server="ftp://h:21", user="u", reason=reason)), "ru")
        assert text.sentence.endswith(f": {said}")


def test_a_problem_is_told_as_the_reason_for_another_one():
    lost = problem("source-unreachable", server="ftp://h:21", reason=phrase("no-answer"))
    found = problem("download-failed", file="a.xlsx", reason=lost)
    assert found.message == f"could not be downloaded: {lost.message}"
    inner, outer = (told(to_json(one), "ru")[0].sentence for one in (lost, found))
    assert outer.endswith(f": {inner[0].lower()}{inner[1:]}")


def test_a_problem_of_another_version_is_told_as_a_reason_in_the_words_that_it_was_stored_with():
    old = {"problem": "from-the-future", "message": "something", "way_out": "Wait."}
    stored = to_json(problem("download-failed", file="a.xlsx", reason=old))
    assert told(stored, "ru")[0].sentence.endswith("something")


@pytest.mark.parametrize("value", [1e300, float("inf"), float("nan"), -(10**400), "x", True, None, [], [1e300]])
@pytest.mark.parametrize("form", ["span", "seconds", "offset", "moment", "money", "count", "day", "either", "way_out"])
def test_a_fact_of_another_form_than_its_sentence_has_does_no_harm(value, form):
    """A reader that was taken over may send anything."""
    for language in (Sentence(), Translated("ru")):
        assert isinstance(language.vformat(f"{{fact:{form}}}", (), {"fact": value}), str)


def test_facts_of_places_stay_texts_in_json_and_are_typed_besides():
    found = problem("upload-missing", value=AT)
    assert (found.value, found.facts) == ("2026-11-24 06:00 MSK", {"value": "2026-11-24T06:00:00+03:00[Europe/Moscow]"})
    assert "24.11.2026 06:00 MSK" in told(to_json(found), "ru")[0].sentence
    settled = problem(
        "settlement-mismatch", value=Decimal("100.00"), expected="201.00"
    )  # what stood in a cell, as scripts get it
    assert (settled.value, settled.facts) == ("100.00", {"expected": "201.00"})
    before = {**to_json(found), "facts": {}}  # as a report has it that was stored before
    assert "2026-11-24 06:00 MSK" in told(before, "ru")[0].sentence


def test_every_problem_is_given_all_that_its_sentences_name():
    for where, code, given in CALLS.of("problem"):
        kind = CATALOG[code]
        assert places(kind.sentence).keys() | places(kind.way_out).keys() <= given.keys(), f"{where}: {code}"


def test_every_phrase_is_on_the_list_and_given_all_that_it_names():
    seen = set()
    for where, code, given in CALLS.of("phrase", *RAISING):
        assert places(PHRASES[code]).keys() <= given.keys(), f"{where}: {code}"
        seen.add(code)
    assert len(seen) > len(PHRASES) / 2


def test_every_phrase_that_a_table_names_is_on_the_list():
    """Where what somebody else says decides which phrase it is."""
    named = {
        *(code for _, *codes in libpq._UNSUPPORTED.values() for code in codes), *libpq._HOSTADDR,
        *(code for _, code in remedies._LOGINS), *(code for _, code in cache._WAYS), *addresses._OTHER_SOURCES.values(),
        *(code for code in system._EXHAUSTED.values() if code), *load._EXPECTED.values(),
        *(code for pair in remarks._PAIRS.values() for code in (*pair.names, pair.less, pair.more)),
    }  # fmt: skip
    assert len(named) > 50
    assert named <= PHRASES.keys()


def prose(node: ast.expr | None) -> bool:
    """Whether an expression may be a sentence of ours, or a part of one."""
    match node:
        case ast.Constant(value=str() as text):
            return re.search("[a-z] [a-z]", text) is not None
        case ast.JoinedStr(values=values):
            literal = "".join(str(one.value) for one in values if isinstance(one, ast.Constant))
            return re.search("[a-z]{2}", literal) is not None
        case ast.IfExp(body=first, orelse=second) | ast.BinOp(left=first, right=second):
            return prose(first) or prose(second)
        case ast.BoolOp(values=values):
            return any(map(prose, values))
    return False


def test_no_fact_of_a_problem_is_english_prose():
    """Neither as it stands in the call, nor as a variable that was set to one in the same function."""
    found = set()
    for file in Path(cpimportd.__file__).parent.rglob("*.py"):
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            said = {
                target.id for one in ast.walk(function) if isinstance(one, ast.Assign) and prose(one.value)
                for target in one.targets if isinstance(target, ast.Name)
            }  # fmt: skip
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") in {"problem", "phrase", "with_facts"}:
                    for given in call.keywords:
                        name = given.value.id if isinstance(given.value, ast.Name) else None
                        word = given.value.value if isinstance(given.value, ast.Constant) else None
                        if word not in WORDS and (prose(given.value) or name in said):
                            text = ast.unparse(given.value)
                            found.add(f"{file.name}:{call.lineno} {given.arg}={text}")
    allowed = ("outcome.py", "sources.py")  # a word of WORDS chosen there; a place, as config show writes it
    assert [one for one in found if not one.startswith(allowed)] == []


def test_every_word_of_ours_has_its_translation():
    assert [word for word in WORDS if translated(word, "word", "ru") == word] == ["credential"]


def test_no_russian_text_of_the_catalogue_has_english_left_in_it():
    left = {
        (one.context, word)
        for one in po.read(po.FOLDER / "ru.po") if one.id
        for form in po.forms_of(one.string) for word in remnants(form)
    }  # fmt: skip
    assert left == set()


def test_a_phrase_that_was_made_of_typed_facts_says_so_in_json():
    assert fact(Phrase("no-answer-within", {"limit": timedelta(seconds=30)})) == {
        "phrase": "no-answer-within",
        "limit": 30.0,
    }
