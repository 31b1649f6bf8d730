"""What one entry of the catalog says, and which of the journal's fields it may quote."""

import string
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cpimportd.core.catalog import ProblemKind
from cpimportd.core.report import RunStatus

FIELDS = {
    "file": "CPIMPORTD_FILE",
    "row": "CPIMPORTD_ROW",
    "column": "CPIMPORTD_COLUMN",
    "value": "CPIMPORTD_VALUE",
    "organization": "CPIMPORTD_ORGANIZATION",
    "run": "CPIMPORTD_RUN",
}
"""Facts that a journal line carries as fields; what else its sentence names stands in its text alone."""

_FACTS = frozenset(FIELDS) - {"run"}
_NUMBERED = frozenset({RunStatus.PUBLISHED, RunStatus.UNCHANGED, RunStatus.PARTIAL, RunStatus.HELD})


class Text(NamedTuple):
    """A problem in one language: what happened and what to do."""

    sentence: str
    way_out: str


class Explanation(NamedTuple):
    """An entry: the subject, what it means for the import, and the way out."""

    subject: str
    meaning: str
    way_out: str


def parts(template: str) -> Iterator[tuple[str, str | None, bool]]:
    """A template's literal texts, each with the placeholder after it.

    Yields:
        Text, placeholder or None, and whether the placeholder is glued to what stands before it: such a one is a
        suffix, which may be empty.
    """
    before = ""
    for literal, name, _, _ in string.Formatter().parse(template):
        before += literal
        yield literal, name, bool(before) and (not literal or literal[-1].isalnum())
        before += "{}"


def fields_of(kind: ProblemKind) -> frozenset[str]:
    """The facts that every journal line of this kind carries: those that its own texts name.

    systemd puts the field's bare name where a line lacks it (sd_journal_get_catalog(3)), so others are not quoted.
    """
    named = [*parts(kind.sentence), *parts(kind.way_out)]
    return frozenset(name for _, name, suffix in named if name in _FACTS and not suffix)


def fits_journal(template: str, kind: ProblemKind) -> bool:
    """Whether a template names nothing but what every journal line of its kind carries."""
    return {name for _, name, _ in parts(template) if name is not None} <= fields_of(kind)


def fields_of_status(status: RunStatus) -> frozenset[str]:
    """The facts that the line which ends a run carries; a run that failed early, or a dry one, has no number."""
    return frozenset({"run"}) if status in _NUMBERED else frozenset()


def quote(template: str, allowed: Iterable[str]) -> str:
    """The template with fields of the journal in place of its placeholders.

    Raises:
        ValueError: a placeholder is not among those that the line is sure to carry.
    """
    known = frozenset(allowed)
    text = ""
    for literal, name, _ in parts(template):
        text += literal
        if name is None:
            continue
        if name not in known:
            raise ValueError(f"{{{name}}} is no field of this line: {template!r}")
        text += f"@{FIELDS[name]}@"
    return text
