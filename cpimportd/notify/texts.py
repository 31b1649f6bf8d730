"""What an alert says, in Russian or English: a title of one line, what is wrong and the way out, and the report."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from cpimportd.core.outcomes import JOB
from cpimportd.core.problems import Problem, printable
from cpimportd.core.time import moment
from cpimportd.notify.conditions import RUN, UPLOAD, Change, Event, is_upload

LONGEST_TITLE: Final = 150
LONGEST_BODY: Final = 30_000
_MOST_PROBLEMS: Final = 10
_MOST_MESSAGES: Final = 20

Explain = Callable[[Problem], tuple[str, str]]
"""A problem's sentence and way out in the language of the alert."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: why (failure, held, upload, recovery, reminder, report, reconciliation), of what, and the text."""

    occasion: str
    subject: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language."""

    place: str
    run: str
    upload: str
    groups: Mapping[str, str]
    jobs: Mapping[str, str]
    failed: str
    broken_off: str
    undone: str
    held: str
    missing: str
    over: str
    event: Mapping[Event, str]
    since: str
    was: str
    more: str
    report: str
    several: str
    cut: str
    test: str


WORDS: Final = {
    "ru": Words(
        "cpimportd, подразделение {department}: ",
        "загрузка",
        "выгрузка из 1С",
        {"receipts": "поступления", "expenses": "списания", UPLOAD: "неизвестного вида"},
        {"report": "сводка", "reconcile": "сверка"},
        "загрузка не удалась",
        "загрузка записана, но оборвалась",
        "не выполнена: {names}",
        "задержано: {names}",
        "1С не выгрузила файлы: {names}",
        "снова в порядке: {names}",
        {Event.APPEARED: "", Event.CHANGED: "изменилось: ", Event.LASTS: "всё ещё: ", Event.OVER: "снова в порядке: "},
        "с {since}",
        "было",
        "… и ещё {count}",
        "Отчёт загрузки:",
        "оповещений: {count}; последнее: {title}",
        "… дальше обрезано",
        "проверка: это оповещение отправил `cpimportd alerts --test`, делать ничего не нужно",
    ),
    "en": Words(
        "cpimportd, department {department}: ",
        "the import",
        "1C's upload",
        {"receipts": "receipts", "expenses": "expenses", UPLOAD: "of an unknown kind"},
        {"report": "the summary", "reconcile": "the reconciliation"},
        "the import failed",
        "the import is in the books, but broke off",
        "not done: {names}",
        "held: {names}",
        "1C has not uploaded: {names}",
        "well again: {names}",
        {Event.APPEARED: "", Event.CHANGED: "changed: ", Event.LASTS: "still: ", Event.OVER: "well again: "},
        "since {since}",
        "was",
        "… and {count} more",
        "The run's report:",
        "{count} alerts, the last: {title}",
        "… the rest is cut off",
        "a test: sent by `cpimportd alerts --test`, nothing has to be done",
    ),
}


def of_changes(
    changes: Sequence[Change], report: str, *, language: str, department: int, zone: tzinfo, explain: Explain
) -> Message:
    """The alert of what changed in one run or job.

    Args:
        changes: at least one.
        report: the run's report as people read it, plain; empty of a job, which has none.
        language: ``ru`` or ``en``.
        department: whose books.
        zone: in which instants are shown.
        explain: a problem in that language.
    """
    words = WORDS[language]
    title = place(language, department) + "; ".join(_headlines(changes, words))
    lines = [line for change in changes for line in (*_paragraph(change, words, zone, explain), "")]
    body = "\n".join([*lines, words.report, "", report] if report else lines).strip()
    subjects = ", ".join(printable(change.subject) for change in changes)
    return Message(_occasion(changes), subjects, _one_line(title), shortened(body, language))


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


def _headlines(changes: Sequence[Change], words: Words) -> Iterator[str]:
    wrong = [change.subject for change in changes if change.event is not Event.OVER]
    yield from (_name(change, words) for change in changes if change.subject == RUN and change.event is not Event.OVER)
    if missing := [_group(subject, words) for subject in wrong if is_upload(subject)]:
        yield words.missing.format(names=", ".join(missing))
    if undone := [_job(subject, words) for subject in wrong if subject.startswith(JOB)]:
        yield words.undone.format(names=", ".join(undone))
    if held := [printable(one) for one in wrong if one != RUN and not one.startswith(JOB) and not is_upload(one)]:
        yield words.held.format(names=", ".join(held))
    if over := [_name(change, words) for change in changes if change.event is Event.OVER]:
        yield words.over.format(names=", ".join(over))


def _name(change: Change, words: Words) -> str:
    if change.subject.startswith(JOB):
        name = _job(change.subject, words)
        return name if change.event is Event.OVER else words.undone.format(names=name)
    if is_upload(change.subject):
        name = _group(change.subject, words)
        return f"{words.upload} ({name})" if change.event is Event.OVER else words.missing.format(names=name)
    if change.event is Event.OVER:
        return words.run if change.subject == RUN else printable(change.subject)
    if change.subject == RUN:
        return words.broken_off if _broken_off(change) else words.failed
    return words.held.format(names=printable(change.subject))


def _broken_off(change: Change) -> bool:
    """Whether the run published all the same."""
    return {found.code for found in change.problems} == {"run-broken-off"}


def _job(subject: str, words: Words) -> str:
    name = subject.removeprefix(JOB)
    return words.jobs.get(name, printable(name))


def _group(subject: str, words: Words) -> str:
    return words.groups[subject.rpartition("/")[2]]


def _paragraph(change: Change, words: Words, zone: tzinfo, explain: Explain) -> Iterator[str]:
    since = words.since.format(since=moment(change.since, zone))
    head = words.event[change.event] + _name(change, words)
    if change.event is Event.OVER:
        yield f"{head} ({words.was}: {printable(change.state)}, {since})"
        return
    yield head if change.event is Event.APPEARED else f"{head} ({since})"
    for sentence, way_out in dict.fromkeys(explain(found) for found in change.problems[:_MOST_PROBLEMS]):
        yield f"  {sentence}"
        yield f"    → {way_out}"
    if len(change.problems) > _MOST_PROBLEMS:
        yield "  " + words.more.format(count=len(change.problems) - _MOST_PROBLEMS)


def coalesced(messages: Sequence[tuple[datetime, str, str]], *, language: str, zone: tzinfo) -> tuple[str, str]:
    """Title and body of everything that waits, as one message.

    Args:
        messages: when each was made, its title and its body; at least one, the oldest first.
        language: ``ru`` or ``en``.
        zone: in which instants are shown.
    """
    words = WORDS[language]
    _, title, body = messages[-1]
    if len(messages) == 1:
        return title, body
    shown = messages[-_MOST_MESSAGES:]
    parts = [f"{moment(at, zone)}  {head}\n\n{text}" for at, head, text in reversed(shown)]
    if len(shown) < len(messages):
        parts.append(words.more.format(count=len(messages) - len(shown)))
    rule = f"\n\n{'—' * 20}\n\n"
    return _one_line(words.several.format(count=len(messages), title=title)), shortened(rule.join(parts), language)


def test_title(language: str, department: int) -> str:
    """What a test message says."""
    return place(language, department) + WORDS[language].test


def place(language: str, department: int) -> str:
    """What every title begins with: whose books it is about."""
    return WORDS[language].place.format(department=department)


def shortened(body: str, language: str) -> str:
    """A body that a mail or a chat takes; what is cut off is the end of the report."""
    return body if len(body) <= LONGEST_BODY else f"{body[:LONGEST_BODY]}\n{WORDS[language].cut}"


def _one_line(title: str) -> str:
    flat = printable(" ".join(title.split()), limit=10 * LONGEST_TITLE)
    return flat if len(flat) <= LONGEST_TITLE else f"{flat[: LONGEST_TITLE - 1]}…"
