"""Log lines: to the journal with their fields, to a terminal, or as JSON lines for a container.

Modules of this room log with :func:`tell` and :func:`tell_problem`; where the lines go is decided once, at the start.
"""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import IO, Final, Literal

from logging_journald import Facility, JournaldTransport, check_journal_stream

from cpimportd.core.catalog import message_id
from cpimportd.core.problems import Problem, journal_fields
from cpimportd.core.streams import loss

Form = Literal["auto", "text", "json", "journal"]

_IDENTIFIER: Final = "cpimportd"

# syslog(3)
_PRIORITIES: Final = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (logging.NOTSET, 7),
)
_COLOURS: Final = {3: "\x1b[31m", 2: "\x1b[1;31m", 4: "\x1b[33m"}

logger = logging.getLogger("cpimportd.daemon")


def event_id(event: str) -> str:
    """The MESSAGE_ID (sd-id128(3)) of an event in the daemon's life."""
    return message_id(f"event {event}")


def tell(level: int, event: str, text: str, **facts: object) -> None:
    """Log one event.

    Args:
        level: of :mod:`logging`.
        event: its name, which never changes: ``started``, ``slot-due`` and so on.
        text: one sentence.
        **facts: become fields: ``schedule`` is ``CPIMPORTD_SCHEDULE``; those that are None are left out.
    """
    tell_line(level, text, {"MESSAGE_ID": event_id(event), **journal_fields({"event": event, **facts})})


def tell_problem(found: Problem, level: int | None = None, /, **facts: object) -> None:
    """Log a problem of the catalog, with its way out and everything that ``journalctl`` can look for."""
    chosen = found.effect.level if level is None else level
    tell_line(chosen, f"{found} {found.way_out}", {**found.fields, **journal_fields(facts)})


def tell_line(level: int, text: str, fields: Mapping[str, str]) -> None:
    """Log a line whose fields are known already, such as one that a run has sent."""
    logger.log(level, "%s", text, extra={"fields": fields})


def set_up(form: Form = "auto", spare: IO[str] | None = None) -> None:
    """Decide where log lines go.

    A line that standard error does not take, because it was closed or nobody reads it any more, goes to the journal
    where there is one, else to the spare stream: a process that lives for months must not fall silent.

    Args:
        form: ``journal``, ``text`` or ``json`` on standard error; ``auto`` takes the journal where standard error is
            connected to it (systemd.exec(5), ``$JOURNAL_STREAM``), else text.
        spare: another stream for lines that would be lost.

    Raises:
        OSError: ``journal`` was asked for, and there is none.
    """
    handler: logging.Handler
    if form == "journal" or (form == "auto" and check_journal_stream()):
        handler = JournalHandler()
    else:
        handler = _SteadyHandler(sys.stderr, spare)
        handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter(colour=sys.stderr.isatty()))
    root = logging.getLogger()
    root.handlers = [handler]
    logging.getLogger("cpimportd").setLevel(logging.INFO)


def tell_in(zone: tzinfo) -> None:
    """Let lines of text tell their instants in a zone; the journal and JSON lines tell no local time."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, TextFormatter):
            handler.formatter.zone = zone


def _priority(level: int) -> int:
    return next(priority for least, priority in _PRIORITIES if level >= least)


def _fields(record: logging.LogRecord) -> Mapping[str, str]:
    return getattr(record, "fields", {})


class _SteadyHandler(logging.StreamHandler[IO[str]]):
    """Writes to standard error, and what it does not take somewhere else."""

    def __init__(self, stream: IO[str], spare: IO[str] | None) -> None:
        super().__init__(stream)
        self._spare = spare
        self._instead: logging.Handler | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        super().emit(record)
        if loss(self.stream) is None:
            return
        if self._instead is None:
            self._instead = self._other()
        self._instead.emit(record)

    def _other(self) -> logging.Handler:
        try:
            return JournalHandler()
        except OSError:  # no journal here
            if self._spare is None:
                return logging.NullHandler()
            handler = logging.StreamHandler(self._spare)
            handler.setFormatter(self.formatter)
            return handler


class JournalHandler(logging.Handler):
    """Sends each line over the journal's native protocol, so that its fields can be searched."""

    def __init__(self) -> None:
        super().__init__()
        self._transport = JournaldTransport()

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record; where the journal does not take it, it goes to standard error, which systemd reads too."""
        line = self.format(record)
        try:
            self._transport.send(
                [
                    ("MESSAGE", line),
                    ("PRIORITY", _priority(record.levelno)),
                    ("SYSLOG_IDENTIFIER", _IDENTIFIER),
                    ("SYSLOG_FACILITY", int(Facility.DAEMON)),
                    *_fields(record).items(),
                ]
            )
        except OSError:
            sys.stderr.write(f"<{_priority(record.levelno)}>{line}\n")  # sd-daemon(3)


class TextFormatter(logging.Formatter):
    """``2026-11-24 06:00:01 MSK WARNING text``, coloured by its level for a terminal.

    Attributes:
        zone: in which instants are told; None, until the configuration is known: the machine's.
    """

    zone: tzinfo | None = None

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows on lines of its own."""
        moment = datetime.fromtimestamp(record.created, UTC).astimezone(self.zone)
        # With the seconds always, unlike in a sentence: the texts stand below each other.
        line = f"{moment:%Y-%m-%d %H:%M:%S %Z} {record.levelname:<7} {super().format(record)}"
        colour = _COLOURS.get(_priority(record.levelno))
        return f"{colour}{line}\x1b[0m" if self._colour and colour else line


class JsonFormatter(logging.Formatter):
    """One JSON object per line: ``time``, ``level``, ``priority`` (of syslog), ``message`` and the journal's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        moment = datetime.fromtimestamp(record.created).astimezone()
        head = {"time": moment.isoformat(), "level": record.levelname.lower(), "priority": _priority(record.levelno)}
        return json.dumps({**head, "message": super().format(record), **_fields(record)}, ensure_ascii=False)
