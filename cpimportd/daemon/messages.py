"""What a run reports to the daemon: a JSON object per line on standard error; and its progress by them."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from cpimportd.core.problems import Problem, printable
from cpimportd.core.typed import from_tree, to_json
from cpimportd.core.waiting import Wait
from cpimportd.core.workbooks import SeenWorkbook

LONGEST_LINE = 1024 * 1024
"""Bytes; a reader may treat a longer line as a defect."""

_LONGEST_TEXT = 10_000


class Stage(msgspec.Struct, frozen=True):
    """How far the run is; the fields are those of :class:`cpimportd.core.model.Progress`."""

    stage: str
    file: str | None = None
    done: int = 0
    total: int | None = None
    finished: bool = False


class RunStarted(msgspec.Struct, frozen=True):
    """The run has its row in the database; before this message nothing was published."""

    run: int = msgspec.field(name="begun")


class CurrentWaits(msgspec.Struct, frozen=True):
    """All current waits of the run; empty when they are over."""

    waits: tuple[Wait, ...]


class LogLine(msgspec.Struct, frozen=True):
    """A line for the journal: a level of :mod:`logging`, a text, and fields for ``journalctl FIELD=``."""

    level: int
    text: str
    fields: Mapping[str, str] = {}


class RunResult(msgspec.Struct, frozen=True):
    """How the run ended.

    Attributes:
        run: its number in the database; None if it did not get that far.
        status: see :class:`cpimportd.core.report.RunStatus`.
        code: the exit code of the process.
        summary: one sentence without a full stop.
        passing: whether the run failed for a transient reason.
        codes: of the problems that made it fail; empty if it did not.
        held: names of the department's held units at its end; None if the database could not be queried.
        problem: what made it fail, or held the first unit; None if nothing did.
        way_out: the remedy for that problem.
        untold: whether notifications of a run are still outstanding.
    """

    run: int | None
    status: str
    code: int
    summary: str
    passing: bool = False
    codes: tuple[str, ...] = ()
    held: tuple[str, ...] | None = ()
    problem: str | None = None
    way_out: str | None = None
    untold: bool = False


Message = RunStarted | Stage | CurrentWaits | LogLine | SeenWorkbook | RunResult


def problem_line(found: Problem, level: int) -> LogLine:
    """A problem as a line for the journal, with its way out."""
    return LogLine(level, f"{found} → {found.way_out}", found.fields)


_BY_KEY: Final[Mapping[str, type[Message]]] = {
    "stage": Stage, "begun": RunStarted, "waits": CurrentWaits, "level": LogLine, "seen": SeenWorkbook,
    "result": RunResult,
}  # fmt: skip
"""The key that identifies each kind of message."""

_WITHIN: Final = frozenset({"seen", "result"})
"""Kinds whose key wraps the whole message; the key of the others is one of their own fields."""


def encode(message: Message) -> str:
    """One line, without its end; in ASCII, as names on a disk need not be text."""
    tree = to_json(message)
    key = next(key for key, kind in _BY_KEY.items() if isinstance(message, kind))
    return json.dumps({key: tree} if key in _WITHIN else tree)


def decode(line: bytes) -> Message:
    """Read a line; any other text becomes a log line of level ERROR.

    Control characters are escaped: a crashed run may have been writing the content of a workbook.
    """
    try:
        tree = _escape_control_characters(json.loads(line))
        key = next(key for key in _BY_KEY if key in tree)
        found: Message | None = from_tree(tree[key] if key in _WITHIN else tree, _BY_KEY[key])
    except (ValueError, TypeError, StopIteration):
        found = None
    if found is None or (isinstance(found, CurrentWaits) and to_json(found) != tree):  # a wait has no unknown keys
        return LogLine(logging.ERROR, _escape_control_characters(line.decode(errors="replace").rstrip()))
    return found


def _escape_control_characters(found: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    match found:
        case str():
            return printable(found, limit=_LONGEST_TEXT)
        case list():
            return [_escape_control_characters(one) for one in found]
        case dict():
            return {name: _escape_control_characters(one) for name, one in found.items()}
    return found


class MessageHandler(logging.Handler):
    """Sends the run's own log lines as messages, so that the daemon's journal has them with their level."""

    def __init__(self, write: Callable[[Message], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as one message; a traceback is part of its text."""
        try:
            self._write(LogLine(record.levelno, self.format(record)))
        except Exception:  # noqa: BLE001 - logging's own way with what goes wrong in a handler
            self.handleError(record)


STAGE_TEXTS: Final = {
    "fetch": "fetching",
    "read": "reading",
    "check": "checking",
    "publish": "publishing",
    "commit": "committing",
    "tell": "telling readers",
    "ask": "asking the database whether it published",
}
_BY_FILE: Final = frozenset({"fetch", "read"})


class Progress:
    """The progress of one run.

    Attributes:
        run: its number, once it has one.
        reached_commit: whether COMMIT has begun.
        waits: its current waits, those that need attention first.
    """

    def __init__(self) -> None:
        self.run: int | None = None
        self.reached_commit = False
        self.waits: tuple[Wait, ...] = ()
        self._stage = "fetch"
        self._files: dict[str, dict[str, Stage]] = {"fetch": {}, "read": {}}
        self._totals: dict[str, Stage] = {}

    @property
    def committing(self) -> bool:
        """Whether the run may be past COMMIT, so that a stop has to wait for it."""
        return self._stage in {"commit", "tell"}

    def update(self, message: RunStarted | Stage | CurrentWaits) -> None:
        """Apply a message of the run."""
        match message:
            case RunStarted():
                self.run = message.run
            case CurrentWaits():
                self.waits = message.waits
            case Stage():
                self._update_stage(message)

    def _update_stage(self, stage: Stage) -> None:
        self._stage = stage.stage
        self.reached_commit |= self.committing
        if stage.stage not in _BY_FILE:
            return
        if stage.file is not None:
            self._files[stage.stage][stage.file] = stage
            return
        before = self._totals.get(stage.stage)
        if before is not None and stage.done < before.done:
            self._files[stage.stage].clear()  # the server is listed again, or more has to be read
        self._totals[stage.stage] = stage

    def __str__(self) -> str:
        text = STAGE_TEXTS.get(self._stage, self._stage)
        files = self._files.get(self._stage, {})
        total = self._file_count(files)
        if not total:
            return text
        fraction = min(1.0, sum(_fraction_done(stage) for stage in files.values()) / total)
        finished_files = min(total, sum(stage.finished for stage in files.values()))
        return f"{text} {finished_files}/{total} files, {fraction:.0%}".replace("%", " %")

    def _file_count(self, files: Mapping[str, Stage]) -> int:
        """The number of files: as reported or, for a run of an older version, as many as were seen."""
        fraction = self._totals.get(self._stage)
        if fraction is not None and fraction.total is not None:
            return fraction.total
        return max(len(files), len(self._files["fetch"])) if files else 0


def _fraction_done(stage: Stage) -> float:
    if stage.finished:
        return 1.0
    return min(1.0, stage.done / stage.total) if stage.total else 0.0
