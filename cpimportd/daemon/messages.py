"""What a run tells the daemon that started it: one JSON object per line on standard error, and how they are read back.

Six kinds, told apart by their keys: its number (``begun``), how far it is (``stage``), what it waits for (``waits``), a
line for the journal (``level``), a workbook that it saw (``seen``), and how it ended (``result``). Whatever else comes
is text, such as Python's own last words. Both sides stand on this page, so that they cannot drift apart. It is
imported by the daemon, and so imports nothing that is heavy.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from cpimportd.core.problems import Problem, printable
from cpimportd.core.waiting import Wait

LONGEST_LINE = 1024 * 1024
"""Bytes; whoever reads may take a longer line for a defect."""

_LONGEST_TEXT = 10_000


@dataclass(frozen=True, slots=True)
class Stage:
    """How far the run is; the fields are those of :class:`cpimportd.core.model.Progress`."""

    stage: str
    file: str | None = None
    done: int = 0
    total: int | None = None
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """The run has its row in the database: nothing was published before."""

    run: int


@dataclass(frozen=True, slots=True)
class Waits:
    """All that the run waits for now; empty where it waits for nothing any more."""

    waits: tuple[Wait, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """A line for the journal: a level of :mod:`logging`, a text, and fields for ``journalctl FIELD=``."""

    level: int
    text: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """A workbook that the run saw on the server.

    Attributes:
        name: as the server has it.
        kind: receipts, expenses or details; None where nothing tells.
        organizations: whose documents it holds, as far as it could be read.
        modified: when it was uploaded, by the server's clock; None where the server does not tell.
        status: how it fared, see :class:`cpimportd.core.report.FileStatus`.
    """

    name: str
    kind: str | None
    organizations: tuple[str, ...]
    modified: datetime | None
    status: str


@dataclass(frozen=True, slots=True)
class Result:
    """How the run ended.

    Attributes:
        run: its number in the database; None where it did not get so far.
        status: see :class:`cpimportd.core.report.RunStatus`.
        code: the exit code that the process is about to end with.
        summary: one sentence without a full stop.
        passing: whether the run failed of something that may be over in a while.
        codes: of the problems that made it fail; empty where it did not.
        held: all units of the department that are held when it ends, by name; None where the books could not be asked.
        problem: what made it fail, or held the first unit; None where nothing did.
        way_out: what can be done about that.
        untold: whether readers of the books have still to be told of a run.
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


Message = Begun | Stage | Waits | Said | Seen | Result


def said(found: Problem, level: int) -> Said:
    """A problem as a line for the journal, with its way out."""
    return Said(level, f"{found} → {found.way_out}", found.fields)


def encode(message: Message) -> str:
    """One line, without its end."""
    match message:
        case Begun():
            return json.dumps({"begun": message.run})
        case Stage():
            return json.dumps(asdict(message))
        case Waits():
            return json.dumps({"waits": [wait.as_json() for wait in message.waits]})
        case Said():
            return json.dumps({"level": message.level, "text": message.text, "fields": dict(message.fields)})
        case Seen():
            moment = None if message.modified is None else message.modified.isoformat()
            return json.dumps({"seen": {**asdict(message), "modified": moment}})
        case Result():
            return json.dumps({"result": asdict(message)})


def decode(line: bytes) -> Message:
    """Read a line back; what is none of ours is a text that is said as an error.

    Control characters in texts are escaped: the run may have died while it wrote whatever a workbook held.
    """
    try:
        return _decoded(json.loads(line))
    except (ValueError, TypeError, KeyError, AttributeError):
        return Said(logging.ERROR, _clean(line.decode(errors="replace").rstrip()))


def _decoded(found: Mapping[str, Any]) -> Message:
    if "stage" in found:
        return Stage(**found)
    if "begun" in found:
        return Begun(int(found["begun"]))
    if "waits" in found:
        return Waits(tuple(map(_wait, found["waits"])))
    if "level" in found:
        return Said(int(found["level"]), _clean(found["text"]), {k: str(v) for k, v in found["fields"].items()})
    return _seen(found["seen"]) if "seen" in found else _result(found["result"])


def _wait(found: Mapping[str, Any]) -> Wait:
    again, until = (None if text is None else datetime.fromisoformat(text) for text in (found["next"], found["until"]))
    if any(instant is not None and instant.tzinfo is None for instant in (again, until)):
        raise ValueError("an instant without an offset")
    return Wait(_clean(found["for"]), _clean(found["why"]), again, until, bool(found["trouble"]))


def _seen(found: Mapping[str, Any]) -> Seen:
    moment = found["modified"]
    return Seen(
        _clean(found["name"]),
        found["kind"],
        tuple(map(_clean, found["organizations"])),
        None if moment is None else datetime.fromisoformat(moment),
        found["status"],
    )


def _result(found: Mapping[str, Any]) -> Result:
    lists = {name: found[name] for name in ("codes", "held")}
    tuples = {name: None if texts is None else tuple(map(_clean, texts)) for name, texts in lists.items()}
    texts = {name: None if found[name] is None else _clean(found[name]) for name in ("problem", "way_out")}
    return Result(**{**found, **tuples, **texts, "summary": _clean(found["summary"])})


def _clean(text: str) -> str:
    return printable(text, limit=_LONGEST_TEXT)


class MessageHandler(logging.Handler):
    """Sends the run's own log lines the same way, so that the daemon's journal has them with their level."""

    def __init__(self, write: Callable[[Message], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as one message; a traceback is part of its text."""
        try:
            self._write(Said(record.levelno, self.format(record)))
        except Exception:  # noqa: BLE001 - logging's own way with what goes wrong in a handler
            self.handleError(record)
