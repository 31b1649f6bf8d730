"""Problems: a code and facts, an English sentence and a remedy, and a MESSAGE_ID for the journal.

Make a ``Problem`` with :func:`problem`; if the work cannot continue, raise :class:`ProblemError` with it. Every code
must be in the catalog. Texts from files or servers are data: their control characters are escaped here, before they can
reach a log line or a terminal. Sentences in other languages are made from code and facts where they are read
(:mod:`cpimportd.core.texts`).
"""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Final

from cpimportd.core.catalog import CATALOG, Effect, ProblemKind
from cpimportd.core.formatting import OURS, command
from cpimportd.core.phrases import MOST_ROWS, Phrase, fact
from cpimportd.core.phrases import printable as printable  # noqa: PLC0414 - what makes problems, or tells them, asks for it beside them
from cpimportd.core.sentences import Fact, sentence


def journal_fields(facts: Mapping[str, object]) -> dict[str, str]:
    """Facts as fields for ``journalctl FIELD=``: ``slot`` is ``CPIMPORTD_SLOT``; those that are None are left out."""
    return {f"CPIMPORTD_{name.upper()}": str(fact) for name, fact in facts.items() if fact is not None}


PLACES: Final = ("file", "row", "column", "value", "organization")
"""The facts that every problem has a place of its own for; the journal carries them as fields."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that went wrong, with everything needed to find it: file, row, column, value, and the way out.

    Attributes:
        message: the catalog's English sentence with the facts in it.
        way_out: what can be done about it, in English.
        facts: what the sentence names besides: numbers, names, places and phrases, as JSON has them. Empty of a problem
            that was stored before facts were. It has a place's name, too, where what stands there is no text: of
            ``value`` an instant, a span, a phrase.
    """

    code: str
    message: str
    way_out: str
    file: str | None = None
    row: int | None = None
    column: str | None = None
    value: str | None = None
    organization: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def kind(self) -> ProblemKind:
        """The catalog's line for this problem."""
        return CATALOG[self.code]

    @property
    def effect(self) -> Effect:
        """What the problem does to the run."""
        return self.kind.effect

    @property
    def fields(self) -> dict[str, str]:
        """The problem as the journal keeps it: MESSAGE_ID and CPIMPORTD_CODE, _FILE and so on, as far as known."""
        known = {name: getattr(self, name) for name in ("code", *PLACES)}
        return {"MESSAGE_ID": self.kind.message_id, **journal_fields(known)}

    def as_fact(self) -> Mapping[str, Fact]:
        """The problem as the reason for another: its code, and what its sentence names."""
        known = {name: getattr(self, name) for name in PLACES if getattr(self, name) is not None}
        own = {} if self.facts and self.code in CATALOG else {"message": self.message, "way_out": self.way_out}
        return {"problem": self.code, **own, **pasteable({**known, **self.facts})}

    def __str__(self) -> str:
        place = ", ".join(
            text
            for text in (
                self.file,
                f"row {self.row}" if self.row is not None else None,
                f"column {self.column}" if self.column else None,
            )
            if text
        )
        return f"{place}: {self.message} [{self.code}]" if place else f"{self.message} [{self.code}]"


class ProblemError(Exception):
    """What cannot go on; carries the problems that say why, the gravest first."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(str(p) for p in problems))
        self.problems = problems

    @property
    def passing(self) -> bool:
        """Whether trying again later may help."""
        return all(p.kind.passing for p in self.problems)

    @property
    def exit_code(self) -> int:
        """The command's exit code for this failure."""
        return self.problems[0].kind.exit_code


def problem(
    code: str,
    /,
    *,
    file: str | None = None,
    row: int | None = None,
    column: str | None = None,
    value: object = None,
    organization: str | None = None,
    every_row: Sequence[int] = (),
    **facts: object,
) -> Problem:
    """Make a problem from the catalog's sentence and the facts at hand.

    Args:
        code: a code of the catalog.
        file: the workbook's name.
        row: the sheet's row, from 1.
        column: the column's title.
        value: what stood there; a phrase, an instant or a span is a fact besides.
        organization: whose documents are concerned.
        every_row: of a problem of several rows all of them; the first :data:`MOST_ROWS` are kept, as a fact.
        **facts: further placeholders of the sentence.

    Raises:
        KeyError: the code, or a placeholder of its sentence, is unknown: a defect of ours.
    """
    kind = CATALOG[code]
    form = _form_of_value(kind)
    if isinstance(value, _TOLD) or (form and isinstance(value, _TIMES)):
        facts["value"] = value
        value = sentence(f"{{value:{form}}}", {"value": fact(value)})
    places: dict[str, Any] = {
        "file": None if file is None else printable(file),
        "row": row,
        "column": None if column is None else printable(column),
        "value": None if value is None else printable(value),
        "organization": None if organization is None else printable(organization),
    }
    if every_row:
        facts["every_row"] = every_row[:MOST_ROWS]
    kept = {name: fact(one) for name, one in facts.items()}
    named = pasteable({**places, **kept})
    return Problem(
        code=code, message=sentence(kind.sentence, named), way_out=sentence(kind.way_out, named), facts=kept, **places
    )


def with_facts(found: Problem, /, **facts: object) -> Problem:
    """The same problem with further facts, or others, in its sentence and its way out.

    Raises:
        KeyError: a fact that they name is missing.
    """
    kept = {**found.facts, **{name: fact(one) for name, one in facts.items()}}
    named = pasteable({**{name: getattr(found, name) for name in PLACES}, **kept})
    kind = found.kind
    return replace(found, message=sentence(kind.sentence, named), way_out=sentence(kind.way_out, named), facts=kept)


_TOLD: Final = (Phrase, list, tuple)
_TIMES: Final = (date, timedelta)


def _form_of_value(kind: ProblemKind) -> str:
    """In which form a kind's sentence names its value."""
    forms = (form for _, name, form, _ in string.Formatter().parse(kind.sentence) if name == "value")
    return next(forms, None) or ""


def pasteable(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """Facts as a sentence names them: a unit the way it is typed after ``accept``, in a command that people paste."""
    unit = facts.get("unit")
    return (
        {**facts, "unit": command("accept", unit).removeprefix(f"{OURS} accept ")}
        if isinstance(unit, str)
        else {**facts}
    )
