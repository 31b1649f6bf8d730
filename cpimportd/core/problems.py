"""Every way a run can go wrong: a code and facts, an English sentence and a way out, and a MESSAGE_ID for the journal.

Whoever notices something makes a ``Problem`` with :func:`problem`; what cannot go on raises :class:`ProblemError` with
it. A code that is not in the catalog does not exist. Texts that come from files or servers are data: their control
characters are escaped here, before they can reach a log line or a terminal. Other languages are made of code and facts
where somebody reads them (:mod:`cpimportd.core.texts`).
"""

import re
import shlex
import string
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from cpimportd.core.catalog import CATALOG, Effect, ProblemKind
from cpimportd.core.figures import amount
from cpimportd.core.figures import count as grouped
from cpimportd.core.phrases import PHRASES, Phrase
from cpimportd.core.shell import OURS, command
from cpimportd.core.time import document_day


def journal_fields(facts: Mapping[str, object]) -> dict[str, str]:
    """Facts as fields for ``journalctl FIELD=``: ``slot`` is ``CPIMPORTD_SLOT``; those that are None are left out."""
    return {f"CPIMPORTD_{name.upper()}": str(fact) for name, fact in facts.items() if fact is not None}


Fact = str | int | float | bool | Mapping[str, object] | None
"""A fact as JSON has it. A sum is a string with a point; a mapping with the key ``phrase`` is a :class:`Phrase`."""

PLACES: Final = ("file", "row", "column", "value", "organization")
"""The facts that every problem has a place of its own for; the journal carries them as fields."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that went wrong, with everything needed to find it: file, row, column, value, and the way out.

    Attributes:
        message: the catalog's English sentence with the facts in it.
        way_out: what can be done about it, in English.
        facts: what the sentence names besides: numbers, names, places and phrases, as JSON has them. Empty of a problem
            that was stored before facts were.
    """

    code: str
    message: str
    way_out: str
    file: str | None = None
    row: int | None = None
    column: str | None = None
    value: str | None = None
    organization: str | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict, hash=False)

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

    def as_json(self) -> dict[str, object]:
        """The problem as scripts see it: code, message, file, row, column, value, organization, way_out, facts."""
        return asdict(self)

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
    **facts: object,
) -> Problem:
    """Make a problem from the catalog's sentence and the facts at hand.

    Args:
        code: a code of the catalog.
        file: the workbook's name.
        row: the sheet's row, from 1.
        column: the column's title.
        value: what stood there.
        organization: whose documents are concerned.
        **facts: further placeholders of the sentence.

    Raises:
        KeyError: the code, or a placeholder of its sentence, is unknown: a defect of ours.
    """
    kind = CATALOG[code]
    places: dict[str, Fact] = {
        "file": None if file is None else printable(file),
        "row": row,
        "column": None if column is None else printable(column),
        "value": None if value is None else printable(value),
        "organization": None if organization is None else printable(organization),
    }
    kept = {name: _fact(one) for name, one in facts.items()}
    named = typed({**places, **kept})
    return Problem(
        code=code,
        message=sentence(kind.sentence, named),
        way_out=sentence(kind.way_out, named),
        facts=kept,
        **places,  # type: ignore[arg-type]
    )


def typed(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """Facts as a sentence names them: a unit the way it is typed after ``accept``, in a command that people paste."""
    unit = facts.get("unit")
    return (
        {**facts, "unit": command("accept", unit).removeprefix(f"{OURS} accept ")}
        if isinstance(unit, str)
        else {**facts}
    )


_MOST_FACTS: Final = 20


def _fact(value: object) -> Fact:
    """A fact as JSON has it; texts are safe for one line."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):  # of a problem that is made again
        return {str(name): _fact(one) for name, one in value.items()}
    if isinstance(value, Phrase):
        return {"phrase": value.code, **{name: _fact(one) for name, one in value.facts.items()}}
    return printable(value)


def received_facts(told: object) -> dict[str, Fact]:
    """Facts that somebody else's process tells, such as the one that read a workbook: few, short, escaped anew.

    Raises:
        ValueError: they are no facts.
    """
    if not isinstance(told, Mapping) or len(told) > _MOST_FACTS:
        raise ValueError("its facts are none")
    return {printable(name, 40): _received(one) for name, one in told.items()}


def _received(value: object) -> Fact:
    if isinstance(value, Mapping):
        if str(value.get("phrase")) not in PHRASES or any(isinstance(one, Mapping) for one in value.values()):
            raise ValueError("its facts are none")
        return received_facts(value)
    return _fact(value)


def printable(value: object, limit: int = 300) -> str:
    """Text from outside, safe for one line of a log or a terminal: control and format characters are escaped.

    Args:
        value: anything; its ``str`` is taken.
        limit: characters kept; what is cut is counted.
    """
    text = str(value)
    cut = text[:limit]
    if not cut.isprintable():
        # NBSP and its kin are not printable to Python, yet harmless and common in 1C's texts.
        cut = "".join(
            c if c.isprintable() or c in "\u00a0\u202f\u2007" else c.encode("unicode_escape").decode() for c in cut
        )
    return cut if len(text) <= limit else f"{cut}… ({len(text)} characters)"


def sentence(template: str, facts: Mapping[str, Fact]) -> str:
    """An English sentence of the catalog with its facts, see :class:`Sentence`.

    Raises:
        KeyError: a fact is missing.
    """
    return Sentence().vformat(template, (), facts)


class Sentence(string.Formatter):
    """How facts are written into a sentence; the methods that a language has its own of are those of English.

    ``{name:money}`` is a sum, written as in every table (``1 234,50``), while the fact itself stays ``1234.50`` for
    scripts; ``{name:count}`` is a number of things; ``{name:day}`` and ``{name:date}`` are days; ``{name:word}`` is one
    of :data:`cpimportd.core.phrases.WORDS`; ``{name:shell}`` a word of a command that people paste. A fact that is none
    of these stays as it is. Of facts only the names are looked up, neither attributes nor indices.
    """

    def get_field(self, field_name: str, args: Sequence[object], kwargs: Mapping[str, object]) -> tuple[object, str]:
        """The fact of that name."""
        return kwargs[field_name], field_name

    def format_field(self, value: object, format_spec: str) -> str:
        """The fact as its place in the sentence asks for."""
        if isinstance(value, Mapping):
            return self.phrase(str(value["phrase"]), value)
        match format_spec:
            case "money":
                return self.money(Decimal(str(value))) if _NUMBER.fullmatch(str(value)) else str(value)
            case "count":
                return self.count(value) if isinstance(value, int) else str(value)
            case "shell":
                return shlex.quote(str(value))
            case "day" | "date" | "word":
                return str(getattr(self, format_spec)(str(value)))
            case _:
                return str(super().format_field(value, format_spec))

    def money(self, value: Decimal) -> str:
        """A sum."""
        return amount(value)

    def count(self, value: int) -> str:
        """A number of things."""
        return grouped(value)

    def day(self, value: str) -> str:
        """The day of an instant, from ISO 8601."""
        return value

    def date(self, value: str) -> str:
        """A date of the books, from ISO 8601, as 1C writes it; as it is where it is none."""
        try:
            return document_day(date.fromisoformat(value))
        except ValueError:
            return value

    def word(self, value: str) -> str:
        """One of our values as a word."""
        return value

    def phrase(self, code: str, facts: Mapping[str, Fact]) -> str:
        """A part of a sentence with facts of its own."""
        return self.vformat(PHRASES[code], (), facts)


_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
