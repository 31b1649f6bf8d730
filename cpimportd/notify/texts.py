"""The text of an alert in a language: a title of one line, the problems with their remedies, and the report."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from cpimportd.core.formatting import moment
from cpimportd.core.model import JOB
from cpimportd.core.problems import Problem, printable
from cpimportd.notify.assessment import RUN, UPLOAD, Change, Event, is_upload

LONGEST_TITLE: Final = 150
LONGEST_BODY: Final = 30_000
_MOST_PROBLEMS: Final = 10
_MOST_MESSAGES: Final = 20

Explain = Callable[[Problem], tuple[str, str]]
"""A problem's sentence and way out in the language of the alert."""
Say = Callable[[str, str], str]
"""A text in that language: what it belongs to (msgctxt) and the text in English, both written out, for gettext."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: why (failure, held, upload, recovery, reminder, report, reconciliation), of what, and the text."""

    occasion: str
    subject: str
    title: str
    body: str


def of_changes(
    changes: Sequence[Change],
    report: str,
    *,
    say: Say,
    department: int,
    zone: tzinfo,
    explain: Explain,
    differences: Mapping[str, Sequence[str]],
) -> Message:
    """The alert of what changed in one run or job.

    Args:
        changes: at least one.
        report: the run's report as people read it, plain; empty of a job, which has none.
        say: a text in the language of the alert.
        department: whose books.
        zone: in which instants are shown.
        explain: a problem in that language.
        differences: of held units, by their names: what they would change, line by line.
    """
    title = place(say, department) + "; ".join(_headlines(changes, say))
    lines = []
    for change in changes:
        more = () if change.event is Event.OVER else differences.get(change.subject, ())
        lines += [*_paragraph(change, say, zone, explain), *(f"  {line}" for line in more), ""]
    body = "\n".join([*lines, say("alert", "The run's report:"), "", report] if report else lines).strip()
    subjects = ", ".join(printable(change.subject) for change in changes)
    return Message(_occasion(changes), subjects, _one_line(title), shortened(body, say))


def _occasion(changes: Sequence[Change]) -> str:
    """The gravest of them."""
    news = [change.subject for change in changes if change.event in {Event.APPEARED, Event.CHANGED}]
    if RUN in news or any(subject.startswith(JOB) for subject in news):
        return "failure"
    if not all(is_upload(subject) for subject in news):
        return "held"
    if news:
        return "upload"
    return "reminder" if any(change.event is Event.LASTS for change in changes) else "recovery"


def _headlines(changes: Sequence[Change], say: Say) -> Iterator[str]:
    wrong = [change.subject for change in changes if change.event is not Event.OVER]
    yield from (_name(change, say) for change in changes if change.subject == RUN and change.event is not Event.OVER)
    if missing := [_group(subject, say) for subject in wrong if is_upload(subject)]:
        yield say("alert", "1C has not uploaded: {names}").format(names=", ".join(missing))
    if undone := [_job(subject, say) for subject in wrong if subject.startswith(JOB)]:
        yield say("alert", "not done: {names}").format(names=", ".join(undone))
    if held := [printable(one) for one in wrong if one != RUN and not one.startswith(JOB) and not is_upload(one)]:
        yield say("alert", "held: {names}").format(names=", ".join(held))
    if over := [_name(change, say) for change in changes if change.event is Event.OVER]:
        yield say("alert", "well again: {names}").format(names=", ".join(over))


def _name(change: Change, say: Say) -> str:
    if change.event is Event.OVER:
        return _name_when_over(change.subject, say)
    if change.subject.startswith(JOB):
        return say("alert", "not done: {names}").format(names=_job(change.subject, say))
    if is_upload(change.subject):
        return say("alert", "1C has not uploaded: {names}").format(names=_group(change.subject, say))
    if change.subject != RUN:
        return say("alert", "held: {names}").format(names=printable(change.subject))
    if _broken_off(change):
        return say("alert", "the import is in the books, but broke off")
    return say("alert", "the import failed")


def _name_when_over(subject: str, say: Say) -> str:
    if subject.startswith(JOB):
        return _job(subject, say)
    if is_upload(subject):
        return say("alert", "1C's upload ({name})").format(name=_group(subject, say))
    return say("alert", "the import") if subject == RUN else printable(subject)


def _broken_off(change: Change) -> bool:
    """Whether the run published all the same."""
    return {found.code for found in change.problems} == {"run-broken-off"}


def _job(subject: str, say: Say) -> str:
    name = subject.removeprefix(JOB)
    known = {"report": say("alert", "the summary"), "reconcile": say("alert", "the reconciliation")}
    return known.get(name, printable(name))


def _group(subject: str, say: Say) -> str:
    group = subject.rpartition("/")[2]
    return say("alert", "of an unknown kind") if group == UPLOAD else say("word", group)


def _paragraph(change: Change, say: Say, zone: tzinfo, explain: Explain) -> Iterator[str]:
    since = say("alert", "since {since}").format(since=moment(change.since, zone))
    name = _name(change, say)
    if change.event is Event.OVER:
        head = say("alert", "well again: {names}").format(names=name)
        was = say("alert", "was")
        yield f"{head} ({was}: {printable(change.state)}, {since})"
        return
    if change.event is Event.CHANGED:
        name = say("alert", "changed: {name}").format(name=name)
    elif change.event is Event.LASTS:
        name = say("alert", "still: {name}").format(name=name)
    yield name if change.event is Event.APPEARED else f"{name} ({since})"
    for sentence, way_out in dict.fromkeys(explain(found) for found in change.problems[:_MOST_PROBLEMS]):
        yield f"  {sentence}"
        yield f"    → {way_out}"
    if len(change.problems) > _MOST_PROBLEMS:
        yield "  " + _more(len(change.problems) - _MOST_PROBLEMS, say)


def _more(count: int, say: Say) -> str:
    return say("alert", "… and {count} more").format(count=count)


def coalesced(messages: Sequence[tuple[datetime, str, str]], *, say: Say, zone: tzinfo) -> tuple[str, str]:
    """Title and body of everything that waits, as one message.

    Args:
        messages: when each was made, its title and its body; at least one, the oldest first.
        say: a text in the language of the alert.
        zone: in which instants are shown.
    """
    _, title, body = messages[-1]
    if len(messages) == 1:
        return title, body
    shown = messages[-_MOST_MESSAGES:]
    parts = [f"{moment(at, zone)}  {head}\n\n{text}" for at, head, text in reversed(shown)]
    if len(shown) < len(messages):
        parts.append(_more(len(messages) - len(shown), say))
    rule = f"\n\n{'—' * 20}\n\n"
    several = say("alert", "{count} alerts, the last: {title}").format(count=len(messages), title=title)
    return _one_line(several), shortened(rule.join(parts), say)


def test_title(say: Say, department: int) -> str:
    """The title of a test message."""
    test = say("alert", "a test: sent by `cpimportd alerts --test`, nothing has to be done")
    return place(say, department) + test


def place(say: Say, department: int) -> str:
    """What every title begins with: whose books it is about."""
    return say("alert", "cpimportd, department {department}: ").format(department=department)


def shortened(body: str, say: Say) -> str:
    """A body short enough for a mail or a chat; the end of the report is cut off."""
    cut = say("alert", "… the rest is cut off")
    return body if len(body) <= LONGEST_BODY else f"{body[:LONGEST_BODY]}\n{cut}"


def _one_line(title: str) -> str:
    flat = printable(" ".join(title.split()), limit=10 * LONGEST_TITLE)
    return flat if len(flat) <= LONGEST_TITLE else f"{flat[: LONGEST_TITLE - 1]}…"
