"""Texts of an entry of the journal's catalog: the fields that it may quote, and its problem's effect on the import."""

import string
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import NamedTuple

from cpimportd.core.catalog import Effect, ProblemKind
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


class Consequence(Enum):
    """What a reader wants to know second: is anything published, and must I do something for it?"""

    RUN_FAILS = auto()
    RUN_STANDS_BACK = auto()
    SLOT_IS_DONE = auto()
    RUN_CUT_SHORT = auto()
    COMMIT_UNKNOWN = auto()
    CONFIGURATION_REFUSED = auto()
    COMMAND_REFUSED = auto()
    COMMAND_FAILS = auto()
    DAEMON_STANDS_BACK = auto()
    WORK_GIVEN_UP = auto()
    HELD = auto()
    HELD_UNTIL_ACCEPTED = auto()
    WARNING = auto()


_OF_CODE = {
    "commit-unknown": Consequence.COMMIT_UNKNOWN,
    "run-timeout": Consequence.RUN_CUT_SHORT,
    "run-crashed": Consequence.RUN_CUT_SHORT,
    "run-broken-off": Consequence.RUN_CUT_SHORT,
    "job-died": Consequence.COMMAND_FAILS,
    "daemon-running": Consequence.DAEMON_STANDS_BACK,
    "daemon-not-running": Consequence.COMMAND_FAILS,
    "daemon-permission": Consequence.COMMAND_FAILS,
    "daemon-silent": Consequence.COMMAND_FAILS,
    "check-timeout": Consequence.COMMAND_FAILS,
    "demo-server": Consequence.COMMAND_FAILS,
    "scratch-missing": Consequence.COMMAND_FAILS,
    "web-address": Consequence.COMMAND_FAILS,
    "web-unauthorized": Consequence.COMMAND_FAILS,
    "web-host": Consequence.COMMAND_FAILS,
    "web-foreign": Consequence.COMMAND_FAILS,
    "web-request": Consequence.COMMAND_FAILS,
    "web-not-found": Consequence.COMMAND_FAILS,
    "web-too-many": Consequence.COMMAND_FAILS,
    "workbook-gone": Consequence.COMMAND_FAILS,
    "workbook-unmarked": Consequence.COMMAND_FAILS,
    "outbox-failed": Consequence.COMMAND_FAILS,
    "internal": Consequence.WORK_GIVEN_UP,
}
_OF_EXIT_CODE = {
    2: Consequence.COMMAND_REFUSED,
    4: Consequence.RUN_STANDS_BACK,
    5: Consequence.SLOT_IS_DONE,
}
_OF_EFFECT = {
    Effect.FAILS: Consequence.RUN_FAILS,
    Effect.INTEGRITY: Consequence.HELD,
    Effect.PLAUSIBILITY: Consequence.HELD_UNTIL_ACCEPTED,
    Effect.WARNS: Consequence.WARNING,
}


def consequence_of(kind: ProblemKind) -> Consequence:
    """What this kind of problem does, as exactly as its code, its exit code and its effect tell."""
    if found := _OF_CODE.get(kind.code):
        return found
    if kind.effect is not Effect.FAILS:
        return _OF_EFFECT[kind.effect]
    if kind.code.startswith("config-"):
        return Consequence.CONFIGURATION_REFUSED
    return _OF_EXIT_CODE.get(kind.exit_code, Consequence.RUN_FAILS)


def may_pass(kind: ProblemKind) -> bool:
    """Whether to say that it may pass by itself: where something failed or is held that a later try can mend."""
    return kind.passing and consequence_of(kind) in {
        Consequence.RUN_FAILS,
        Consequence.RUN_CUT_SHORT,
        Consequence.HELD,
    }
