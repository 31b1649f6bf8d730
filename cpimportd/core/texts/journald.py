"""The catalog in the form that systemd reads: an id, a header, and a body per entry; one file per language.

The form is described at https://systemd.io/CATALOG; what systemd's reader does beyond that was read in its
``src/libsystemd/sd-journal/catalog.c``: the language is taken from the file's name, lines that begin with # or ; are
comments wherever they stand, and several empty lines are one.
"""

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cpimportd.core.problems import CATALOG, ProblemKind
from cpimportd.core.report import RunStatus, run_message_id
from cpimportd.core.texts import english, russian
from cpimportd.core.texts.consequences import Consequence, consequence_of, may_pass
from cpimportd.core.texts.explanation import Explanation, Text, fields_of_status, quote

_WIDTH = 78
_HEAD = """\
# What `journalctl -x` says about the lines of cpimportd.
# Made by `python -m cpimportd.core.texts`; change cpimportd/core/problems.py and cpimportd/core/texts/ instead.
"""
_COMMAND = re.compile(r"`[^`]*`|cpimportd accept UNIT")
_UNBROKEN = "\u00a0"


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the catalog.

    Attributes:
        file: the catalog file's name, which tells systemd the language: ``NAME.LANGUAGE.catalog``.
        text_of: a problem's sentence and way out.
        consequences: what each consequence means for the import.
        may_pass: what is added where a later try may help.
        statuses: the line that ends a run.
        what_to_do: what stands before the way out.
        all_such: what stands before the command that finds all lines of a kind.
    """

    file: str
    text_of: Callable[[ProblemKind], Text]
    consequences: Mapping[Consequence, str]
    may_pass: str
    statuses: Mapping[RunStatus, Explanation]
    what_to_do: str
    all_such: str


LANGUAGES = (
    Language(
        "cpimportd.catalog",
        english.text_of,
        english.CONSEQUENCES,
        english.MAY_PASS,
        english.STATUSES,
        "What to do:",
        "All such lines:",
    ),
    Language(
        "cpimportd.ru.catalog",
        russian.text_of,
        russian.CONSEQUENCES,
        russian.MAY_PASS,
        russian.STATUSES,
        "Что делать:",
        "Все такие строки:",
    ),
)


def write(folder: Path) -> list[Path]:
    """Write the catalog's files, one per language.

    Args:
        folder: an existing one.

    Returns:
        The files written.
    """
    files = []
    for language in LANGUAGES:
        file = folder / language.file
        file.write_text(render(language), encoding="utf-8")
        files.append(file)
    return files


def render(language: Language) -> str:
    """The catalog file in one language: the ends of runs first, then the problems in the order of problems.py."""
    return "\n".join([_HEAD, *_statuses(language), *_problems(language)])


def _statuses(language: Language) -> Iterator[str]:
    for status in RunStatus:
        fields = fields_of_status(status)
        quoted = Explanation(*(quote(text, fields) for text in language.statuses[status]))
        search = f"journalctl MESSAGE_ID={run_message_id(status)}"
        yield _entry(language, f"run {status.value}", run_message_id(status), quoted, search)


def _problems(language: Language) -> Iterator[str]:
    for kind in CATALOG.values():
        text = language.text_of(kind)
        meaning = language.consequences[consequence_of(kind)]
        if may_pass(kind):
            meaning += f" {language.may_pass}"
        found = Explanation(text.sentence, meaning, text.way_out)
        yield _entry(language, kind.code, kind.message_id, found, f"journalctl CPIMPORTD_CODE={kind.code}")


def _entry(language: Language, name: str, message_id: str, found: Explanation, search: str) -> str:
    return "\n".join(
        (
            f"# {name}",
            f"-- {message_id}",
            f"Subject: {found.subject}",
            "Defined-By: cpimportd",
            "Documentation: man:cpimportd(8)",
            "",
            _wrapped(found.meaning),
            "",
            _wrapped(f"{language.what_to_do} {found.way_out}"),
            "",
            f"{language.all_such} {search}",
            "",
        )
    )


def _wrapped(paragraph: str) -> str:
    """The paragraph in lines; a command stays on one, so that it can be copied."""
    whole = _COMMAND.sub(lambda command: command[0].replace(" ", _UNBROKEN), paragraph)
    lines = textwrap.fill(whole, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return lines.replace(_UNBROKEN, " ")
