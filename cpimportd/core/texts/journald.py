"""The catalog in the form that systemd reads: an id, a header, and a body per entry; one file per language.

The form is described at https://systemd.io/CATALOG; what systemd's reader does beyond that was read in its
``src/libsystemd/sd-journal/catalog.c``: the language is taken from the file's name, lines that begin with # or ; are
comments wherever they stand, and several empty lines are one.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from cpimportd.core.catalog import CATALOG
from cpimportd.core.report import RunStatus, run_message_id
from cpimportd.core.texts import english
from cpimportd.core.texts.explanation import Explanation, consequence_of, fields_of, fields_of_status, may_pass, quote
from cpimportd.core.texts.translation import Language, journal_text, translated

_WIDTH = 78
_HEAD = """\
# What `journalctl -x` says about the lines of cpimportd.
# Made by `python -m cpimportd.core.texts`; change cpimportd/core/catalog.py and cpimportd/core/texts/ instead.
"""
_COMMAND = re.compile(r"`[^`]*`|cpimportd accept UNIT")
_UNBROKEN = "\u00a0"


FILES: Final[Mapping[str, Language]] = {"cpimportd.catalog": "en", "cpimportd.ru.catalog": "ru"}
"""The catalog's files, by whose names systemd knows the language: ``NAME.LANGUAGE.catalog``."""

WHAT_TO_DO: Final = "What to do:"
ALL_SUCH: Final = "All such lines:"


def write(folder: Path) -> list[Path]:
    """Write the catalog's files, one per language.

    Args:
        folder: an existing one.

    Returns:
        The files written.
    """
    files = []
    for name, language in FILES.items():
        file = folder / name
        file.write_text(render(language), encoding="utf-8")
        files.append(file)
    return files


def render(language: Language) -> str:
    """The catalog file in one language: the ends of runs first, then the problems in the order of problems.py."""
    return "\n".join([_HEAD, *_statuses(language), *_problems(language)])


def _statuses(language: Language) -> Iterator[str]:
    for status in RunStatus:
        fields = fields_of_status(status)
        texts = (translated(text, f"run {status.value}", language) for text in english.STATUSES[status])
        quoted = Explanation(*(quote(text, fields) for text in texts))
        search = f"journalctl MESSAGE_ID={run_message_id(status)}"
        yield _entry(language, f"run {status.value}", run_message_id(status), quoted, search)


def _problems(language: Language) -> Iterator[str]:
    for kind in CATALOG.values():
        sentence, way_out = (quote(text, fields_of(kind)) for text in journal_text(kind, language))
        meaning = translated(english.CONSEQUENCES[consequence_of(kind)], "consequence", language)
        if may_pass(kind):
            meaning += f" {translated(english.MAY_PASS, 'consequence', language)}"
        found = Explanation(sentence, meaning, way_out)
        yield _entry(language, kind.code, kind.message_id, found, f"journalctl CPIMPORTD_CODE={kind.code}")


def _entry(language: Language, name: str, message_id: str, found: Explanation, search: str) -> str:
    what_to_do, all_such = (translated(text, "journal", language) for text in (WHAT_TO_DO, ALL_SUCH))
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
            _wrapped(f"{what_to_do} {found.way_out}"),
            "",
            f"{all_such} {search}",
            "",
        )
    )


def _wrapped(paragraph: str) -> str:
    """The paragraph in lines; a command stays on one, so that it can be copied."""
    whole = _COMMAND.sub(lambda command: command[0].replace(" ", _UNBROKEN), paragraph)
    lines = textwrap.fill(whole, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return lines.replace(_UNBROKEN, " ")
