"""The journal's lines about a run: one sentence on the result, and lines with the details."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cpimportd.core.catalog import Effect
from cpimportd.core.formatting import amount, count
from cpimportd.core.model import Kind
from cpimportd.core.problems import Problem, printable
from cpimportd.core.report import (
    Bridge,
    FileReport,
    FileStatus,
    RunReport,
    RunStatus,
    UnitReport,
    UnitStatus,
    run_message_id,
)
from cpimportd.render.bridge import added_up, unexplained
from cpimportd.render.layout import clean

_NAMED_AT_MOST = 5
_MOST_UNITS = 100
"""Units that went well and have lines of their own. journald keeps 10,000 lines of a service in 30 s (RateLimitBurst=,
journald.conf(5)) and drops what comes after: with more organizations those would be the problems."""

_RUN_LEVELS = {
    RunStatus.FAILED: logging.ERROR,
    RunStatus.HELD: logging.ERROR,
    RunStatus.PARTIAL: logging.WARNING,
}


class JournalLine(NamedTuple):
    """One line for the journal: a level of :mod:`logging`, a text on one line, and fields for ``journalctl FIELD=``."""

    level: int
    text: str
    fields: Mapping[str, str]


def summary_line(report: RunReport, number: Callable[[int], str] = count) -> str:
    """The run in one sentence, without a full stop.

    Such as ``published 1 050 documents of 6 files in 1.3 s (12 changed, 4 removed); 1 unit held: ЛОТОС ООО/expenses
    (control-total)``.
    """
    if report.status is RunStatus.FAILED:
        return _failure(report)
    parts = [_result(report, number), *_held(report, number)]
    if warnings := sum(p.effect is Effect.WARNS for p in report.all_problems):
        parts.append(_counted(warnings, "warning", number))
    return "; ".join(parts)


def journal_lines(report: RunReport) -> list[JournalLine]:
    """What the journal keeps of a run: the summary, each unit with its bridge, each problem with its way out.

    Where more than a hundred units were published without anything to say of them, they share a bridge per kind.

    Every problem has its own MESSAGE_ID; the fields CPIMPORTD_RUN, _STATUS, _UNIT, _CODE, _FILE, _ROW, _COLUMN and
    _ORGANIZATION serve ``journalctl``. No text holds a control character.
    """
    run = {} if report.run is None else {"CPIMPORTD_RUN": str(report.run)}
    level = logging.INFO if _was_skipped(report) else _RUN_LEVELS.get(report.status, logging.INFO)
    head = {"MESSAGE_ID": run_message_id(report.status), "CPIMPORTD_STATUS": report.status.value}
    lines = [JournalLine(level, summary_line(report), {**head, **run})]
    single, well = _by_weight(report.units)
    of_units = (*(line for unit in single for line in _unit_lines(unit)), *_together(well))
    lines += [line._replace(fields={**line.fields, **run}) for line in of_units]
    # A problem of a whole file names no organization, yet it is looked for by its organization, too.
    owners = {printable(file.name): file.organizations[0] for file in report.files if len(file.organizations) == 1}
    for found in report.all_problems:
        owner = owners.get(found.file or "")
        lines.append(_problem_line(found, {**({"CPIMPORTD_ORGANIZATION": owner} if owner else {}), **run}, level))
    return lines


_SAY_WHAT_WAS_PUBLISHED = frozenset({"commit-unknown", "run-crashed", "run-timeout"})
"""Codes of problems whose message says whether anything was published, or that it is unknown."""


def _failure(report: RunReport) -> str:
    if not report.problems:
        return f"failed after {report.seconds:.1f} s; nothing was published"
    worst = report.problems[0]
    more = len(report.problems) - 1
    others = f", and {_counted(more, 'more problem', count)}" if more else ""
    begin = "did nothing" if _was_skipped(report) else f"failed after {report.seconds:.1f} s"
    sentence = f"{begin}: {clean(worst)}{others}"
    if worst.code == "run-broken-off":
        return clean(worst)
    is_clear = worst.code in _SAY_WHAT_WAS_PUBLISHED or "nothing was published" in worst.message or _was_skipped(report)
    return sentence if is_clear else f"{sentence}; nothing was published"


def _was_skipped(report: RunReport) -> bool:
    """Whether the run was skipped, which is no failure: another run does or did it, or 1C's upload is awaited."""
    waits = report.run is None and any(found.code == "upload-missing" for found in report.problems)
    return report.code in {4, 5} or waits


def _result(report: RunReport, number: Callable[[int], str]) -> str:
    took = f"in {report.seconds:.1f} s"
    published = [unit for unit in report.units if unit.status is UnitStatus.PUBLISHED]
    files = [file for file in report.files if file.status is FileStatus.PUBLISHED]
    dry = report.status is RunStatus.DRY_RUN
    if not published:
        looked_at = _counted(len(report.files), "file", number)
        if report.held:
            return f"{'would publish' if dry else 'published'} nothing of {looked_at} {took}"
        return f"nothing new in {looked_at}, looked at {took}"
    verb = "would publish" if dry else "published"
    if files:
        what = f"{verb} {_contents(files, number)} of {_counted(len(files), 'file', number)}"
    else:
        direction = "right" if report.files else "back"  # an undo reads no files
        what = f"{'would put' if dry else 'put'} {direction} {_counted(len(published), 'unit', number)}"
    changes = _changes(published, number)
    return f"{what} {took} ({changes or 'no document changed'})"


def _contents(files: Sequence[FileReport], number: Callable[[int], str]) -> str:
    """What the files hold: documents, and the detail lines of some of them."""
    lines = sum(file.rows for file in files if file.kind is Kind.DETAILS)
    documents = sum(file.rows for file in files) - lines
    parts = [
        _counted(count, noun, number) for count, noun in ((documents, "document"), (lines, "detail line")) if count
    ]
    return " and ".join(parts) or "no document"


def _changes(units: Sequence[UnitReport], number: Callable[[int], str]) -> str:
    """How many documents changed in which way, each counted once; moved ones are counted again."""
    whole = len(units) > 1
    moved_in, moved_out = sum(u.moved_in for u in units), sum(u.moved_out for u in units)
    counts = (
        ("new", sum(u.inserted for u in units)),
        ("changed", sum(u.updated for u in units)),
        ("removed", sum(u.removed for u in units)),
        ("re-timed", sum(u.retimed for u in units)),
        ("normalised", sum(u.normalised for u in units)),
        ("put right", sum(u.put_right for u in units)),
        ("moved to another organization", moved_in if whole else 0),
        ("moved in", 0 if whole else moved_in),
        ("moved out", 0 if whole else moved_out),
    )
    return ", ".join(f"{number(n)} {what}" for what, n in counts if n)


def _held(report: RunReport, number: Callable[[int], str]) -> Iterator[str]:
    """The held units, and the held files that belong to none of them."""
    units = [unit for unit in report.units if unit.status is UnitStatus.HELD]
    holding = {unit.unit.organization for unit in units}
    files = [f for f in report.files if f.status is FileStatus.HELD and not holding & set(f.organizations)]
    if units:
        yield f"{_counted(len(units), 'unit', number)} held: {_named(units)}"
    if files:
        yield f"{_counted(len(files), 'file', number)} held: {_named(files)}"


def _named(held: Sequence[UnitReport] | Sequence[FileReport]) -> str:
    names = []
    for one in held[:_NAMED_AT_MOST]:
        codes = dict.fromkeys(p.code for p in one.problems if p.effect is not Effect.WARNS)
        name = clean(one.unit.name if isinstance(one, UnitReport) else one.name)
        names.append(f"{name} ({', '.join(codes)})" if codes else name)
    more = len(held) - _NAMED_AT_MOST
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _counted(count: int, noun: str, number: Callable[[int], str]) -> str:
    return f"{number(count)} {noun if count == 1 else noun + 's'}"


def _by_weight(units: Sequence[UnitReport]) -> tuple[list[UnitReport], list[UnitReport]]:
    """The units that have lines of their own, and those that share lines."""
    well = [
        unit
        for unit in units
        if unit.status is UnitStatus.PUBLISHED
        and not (unit.problems or unit.accepted or any(bridge.unexplained for bridge in unit.bridges))
    ]
    if len(well) <= _MOST_UNITS:
        return list(units), []
    together = {unit.unit for unit in well}
    return [unit for unit in units if unit.unit not in together], well


def _together(units: Sequence[UnitReport]) -> Iterator[JournalLine]:
    if not units:
        return
    fields = {"CPIMPORTD_STATUS": UnitStatus.PUBLISHED.value}
    name = f"{_counted(len(units), 'unit', count)} without a problem"
    changes = _changes(units, count) or "no document changed"
    yield JournalLine(logging.INFO, f"{name}: {changes}; cpimportd show has each of them", fields)
    for bridge, _ in added_up(units):
        yield _bridge_line(name, bridge, fields)


def _unit_lines(unit: UnitReport) -> Iterator[JournalLine]:
    fields = {"CPIMPORTD_UNIT": unit.unit.name, "CPIMPORTD_STATUS": unit.status.value}
    name = clean(unit.unit.name)
    if unit.status is UnitStatus.HELD:
        yield JournalLine(logging.WARNING, f"{name}: held; its books stay as they were", fields)
    elif unit.status is UnitStatus.PUBLISHED:
        accepted = f", accepted by hand: {', '.join(unit.accepted)}" if unit.accepted else ""
        changes = _changes([unit], count) or "no document changed"
        yield JournalLine(logging.INFO, f"{name}: {changes}{accepted}", fields)
    for bridge in unit.bridges:
        yield _bridge_line(name, bridge, fields)
    for sentence in unexplained([unit]):
        yield JournalLine(logging.CRITICAL, clean(sentence), fields)


def _bridge_line(name: str, bridge: Bridge, fields: Mapping[str, str]) -> JournalLine:
    total = "" if bridge.control_total is None else f" = Итого {amount(bridge.control_total)}"
    text = (
        f"{name}: {bridge.kind.value}: opening {amount(bridge.opening)} + added {amount(bridge.added)} - removed "
        f"{amount(bridge.removed)} + changed {amount(bridge.changed)} = closing {amount(bridge.closing)}{total}, "
        f"unexplained {amount(bridge.unexplained)}"
    )
    return JournalLine(logging.ERROR if bridge.unexplained else logging.INFO, text, fields)


def _problem_line(found: Problem, known: Mapping[str, str], at_most: int) -> JournalLine:
    level = min(found.effect.level, at_most) if found.effect is Effect.FAILS else found.effect.level
    return JournalLine(level, clean(f"{found} {found.way_out}"), {**known, **found.fields})
