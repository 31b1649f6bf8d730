"""What a run tells the daemon that started it: one JSON object per line on standard error, and how they are read back.

Six kinds, told apart by their keys: its number (``begun``), how far it is (``stage``), what it waits for (``waits``), a
line for the journal (``level``), a workbook that it saw (``seen``), and how it ended (``result``). Whatever else comes
is text, such as Python's own last words. Both sides stand on this page, so that they cannot drift apart. It is
imported by the daemon, and so imports nothing that is heavy.
"""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from cpimportd.core.problems import Problem, printable
from cpimportd.core.seen import SeenWorkbook
from cpimportd.core.typed import from_tree, to_json
from cpimportd.core.waiting import Wait

LONGEST_LINE = 1024 * 1024
"""Bytes; whoever reads may take a longer line for a defect."""

_LONGEST_TEXT = 10_000


class Stage(msgspec.Struct, frozen=True):
    """How far the run is; the fields are those of :class:`cpimportd.core.model.Progress`."""

    stage: str
    file: str | None = None
    done: int = 0
    total: int | None = None
    finished: bool = False


class Begun(msgspec.Struct, frozen=True):
    """The run has its row in the database: nothing was published before."""

    run: int = msgspec.field(name="begun")


class Waits(msgspec.Struct, frozen=True):
    """All that the run waits for now; empty where it waits for nothing any more."""

    waits: tuple[Wait, ...]


class Said(msgspec.Struct, frozen=True):
    """A line for the journal: a level of :mod:`logging`, a text, and fields for ``journalctl FIELD=``."""

    level: int
    text: str
    fields: Mapping[str, str] = {}


class Result(msgspec.Struct, frozen=True):
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


Message = Begun | Stage | Waits | Said | SeenWorkbook | Result


def said(found: Problem, level: int) -> Said:
    """A problem as a line for the journal, with its way out."""
    return Said(level, f"{found} → {found.way_out}", found.fields)


_BY_KEY: Final[Mapping[str, type[Message]]] = {
    "stage": Stage, "begun": Begun, "waits": Waits, "level": Said, "seen": SeenWorkbook, "result": Result
}  # fmt: skip
"""What each kind is told by."""

_WITHIN: Final = frozenset({"seen", "result"})
"""Of these the key holds the message; of the others it is one of the message's own."""


def encode(message: Message) -> str:
    """One line, without its end; in ASCII, as names on a disk need not be text."""
    tree = to_json(message)
    key = next(key for key, kind in _BY_KEY.items() if isinstance(message, kind))
    return json.dumps({key: tree} if key in _WITHIN else tree)


def decode(line: bytes) -> Message:
    """Read a line back; what is none of ours is a text that is said as an error.

    Control characters in texts are escaped: the run may have died while it wrote whatever a workbook held.
    """
    try:
        tree = _clean(json.loads(line))
        key = next(key for key in _BY_KEY if key in tree)
        found: Message | None = from_tree(tree[key] if key in _WITHIN else tree, _BY_KEY[key])
    except (ValueError, TypeError, StopIteration):
        found = None
    if found is None or (isinstance(found, Waits) and to_json(found) != tree):  # a wait says all that it knows
        return Said(logging.ERROR, _clean(line.decode(errors="replace").rstrip()))
    return found


def _clean(found: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    match found:
        case str():
            return printable(found, limit=_LONGEST_TEXT)
        case list():
            return [_clean(one) for one in found]
        case dict():
            return {name: _clean(one) for name, one in found.items()}
    return found


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
