"""What is marked in a workbook for each problem: every row that it concerns, and two amounts that should be one.

A problem of several rows is told once everywhere else; here each of them has its own mark. One that names a second row
(a document that stands twice, the expense whose details are others) marks that, too, in whichever workbook it stands.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from cpimportd.core.catalog import CATALOG, Effect
from cpimportd.core.model import MAIN_AMOUNT, Kind
from cpimportd.core.problems import printable
from cpimportd.core.texts.translation import Translated, told
from cpimportd.render.workbooks.notes import Compared, Note

Found = Mapping[str, Any]
"""A problem as it is stored."""

_RUSSIAN: Final = Translated("ru")


class _Pair(NamedTuple):
    """Two amounts that should be one: the facts that hold them, what they are, and which is the smaller or larger."""

    here: str
    there: str
    names: tuple[str, str]
    less: str
    more: str


_PAIRS: Final[Mapping[str, _Pair]] = {
    "control-total": _Pair("sum", "total", ("sum-of-rows", "sum-of-total"), "total-less", "total-more"),
    "details-sum": _Pair("sum", "total", ("sum-of-details", "sum-of-expense"), "details-less", "details-more"),
    "totals-disagree": _Pair(
        "sum", "total", ("sum-of-all-details", "sum-of-all-expenses"), "all-details-less", "all-details-more"
    ),
    "settlement-mismatch": _Pair("value", "expected", ("sum-settled", "sum-at-rate"), "settled-less", "settled-more"),
}
"""Problems that compare two amounts."""

_OF_EXPENSES: Final = frozenset({"details-sum"})
"""Problems of details whose second row is their expense."""

_OF_BOTH: Final = frozenset({"totals-disagree"})
"""Problems of an organization's expenses and details, which stand in no row."""


def compares(code: str) -> bool:
    """Whether a problem tells of two amounts that should be one."""
    return code in _PAIRS


def concerns(found: Found, file: str, listed: Found) -> bool:
    """Whether a workbook has to do with a problem of its run.

    Args:
        found: the problem.
        file: the workbook's name.
        listed: the report's line of it.
    """
    if found["file"] == printable(file):
        return True
    if found["code"] in _OF_BOTH:
        owners = map(printable, listed.get("organizations", ()))
        return listed.get("kind") in Kind.EXPENSES.group.kinds and found["organization"] in owners
    return found["code"] in _OF_EXPENSES and _second(found, file) is not None


def one_line_each(problems: Iterable[Found]) -> list[Found]:
    """The problems, each once, with one line for all units that wait for the same workbook."""
    kept: dict[object, Found] = {}
    for found in problems:
        waits = found["code"] == "partner-held"
        key = ("partner-held", found["file"]) if waits else _content(found)
        before = kept.get(key)
        if waits and before is not None:
            owners = dict.fromkeys([*str(before["organization"]).split(", "), str(found["organization"])])
            kept[key] = {**before, "organization": ", ".join(owners)}
        else:
            kept.setdefault(key, found)
    return list(kept.values())


def _content(found: Found) -> str:
    return repr(sorted((name, repr(value)) for name, value in found.items()))


def in_order(problems: Sequence[Found]) -> list[Found]:
    """What holds documents back first, then by row; what is about the whole workbook before its rows."""
    return sorted(problems, key=lambda one: (not _grave(one["code"]), one["row"] or 0))


def note_of(found: Found) -> Note:
    """A problem in Russian, marked in its own row."""
    text, whole = told(found, "ru")
    sentence = text.sentence if whole else f"{text.sentence}: {found['message']}"
    return Note(found["row"], found["column"], found["value"], sentence, text.way_out, _grave(found["code"]))


def notes_of(problems: Sequence[Found], file: str) -> tuple[Note, ...]:
    """What is marked in one workbook: one note for each row that a problem concerns.

    Args:
        problems: those that concern it.
        file: its name.
    """
    taken = {(found["code"], found["row"]) for found in problems if _is_own(found, file)}
    notes: list[Note] = []
    for found in in_order(problems):
        note = note_of(found)._replace(compared=_compared(found))
        places = [(one, note.column) for one in (_rows(found) if _is_own(found, file) else ())]
        twin = _second(found, file)
        if twin is not None and (found["code"], twin) not in taken:
            taken.add((found["code"], twin))
            places.append((twin, MAIN_AMOUNT[Kind.EXPENSES] if found["code"] in _OF_EXPENSES else note.column))
        notes += [note._replace(row=row, column=column) for row, column in places]
    return tuple(sorted(notes, key=lambda note: (not note.grave, note.row or 0)))


def _is_own(found: Found, file: str) -> bool:
    """Whether a problem's row is one of this workbook; one without a file stands in no row."""
    return found.get("file") in {None, printable(file)}


def _rows(found: Found) -> list[int | None]:
    every = _facts(found).get("every_row")
    return list(dict.fromkeys([found["row"], *(every if isinstance(every, list) else ())]))


def _second(found: Found, file: str) -> int | None:
    """The row of a workbook that a problem names beside its own; None where it names none there."""
    other = _facts(found).get("other")
    if not isinstance(other, Mapping):
        return None
    here = other.get("phrase") == "row" and _is_own(found, file)
    there = other.get("phrase") == "row-of-file" and other.get("file") == printable(file)
    return int(other["row"]) if here or there else None


def _compared(found: Found) -> Compared | None:
    """Two amounts that should be one; None where there are none."""
    pair, facts = _PAIRS.get(found["code"]), {**_facts(found), "value": found["value"]}
    if pair is None or facts.get(pair.here) is None or facts.get(pair.there) is None:
        return None
    here, there = Decimal(str(facts[pair.here])), Decimal(str(facts[pair.there]))
    first, second = (_RUSSIAN.phrase(name, {}) for name in pair.names)
    words = _RUSSIAN.phrase(pair.less if here < there else pair.more, {"gap": f"{abs(here - there):f}"})
    return Compared(first, f"{here:f}", second, f"{there:f}", words)


def _facts(found: Found) -> Mapping[str, Any]:
    facts = found.get("facts")
    return facts if isinstance(facts, Mapping) else {}


def _grave(code: str) -> bool:
    return code not in CATALOG or CATALOG[code].effect is not Effect.WARNS
