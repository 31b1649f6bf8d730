"""Log lines: to the journal with their fields, to a terminal, or as JSON lines for a container.

Modules of this room log with :func:`log_event` and :func:`log_problem`; the destination is chosen once, at the start.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import IO, Any, Final, Literal

from logging_journald import Facility, JournaldTransport, check_journal_stream

from cpimportd.core.catalog import message_id
from cpimportd.core.problems import Problem, journal_fields
from cpimportd.core.process import lost_error
from cpimportd.core.system import exhausted

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
    """The MESSAGE_ID (sd-id128(3)) of a daemon event."""
    return message_id(f"event {event}")


def log_event(level: int, event: str, text: str, **facts: object) -> None:
    """Log one event.

    Args:
        level: of :mod:`logging`.
        event: its name, which never changes: ``started``, ``slot-due`` and so on.
        text: one sentence.
        **facts: become fields: ``schedule`` is ``CPIMPORTD_SCHEDULE``; those that are None are left out.
    """
    log_line(level, text, {"MESSAGE_ID": event_id(event), **journal_fields({"event": event, **facts})})


def log_problem(found: Problem, level: int | None = None, /, **facts: object) -> None:
    """Log a problem of the catalog, with its remedy and its journal fields."""
    log_level = found.effect.level if level is None else level
    log_line(log_level, f"{found} {found.way_out}", {**found.fields, **journal_fields(facts)})


def log_line(level: int, text: str, fields: Mapping[str, str]) -> None:
    """Log a line with given fields, such as one of a run."""
    logger.log(level, "%s", text, extra={"fields": fields})


def set_up_logging(form: Form = "auto", fallback: IO[str] | None = None) -> None:
    """Choose the destination of log lines.

    A line that standard error does not take, because it was closed or has no reader, goes to the journal if there is
    one, else to the fallback stream: a process that lives for months must not lose its log.

    Args:
        form: ``journal``, ``text`` or ``json`` on standard error; ``auto`` is the journal if standard error is
            connected to it (systemd.exec(5), ``$JOURNAL_STREAM``), else text.
        fallback: another stream for lines that would be lost.

    Raises:
        OSError: ``journal`` was requested, and there is none.
    """
    handler: logging.Handler
    if form == "journal" or (form == "auto" and check_journal_stream()):
        handler = JournalHandler()
    else:
        handler = _FallbackStreamHandler(sys.stderr, fallback)
        handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter(colour=sys.stderr.isatty()))
    root = logging.getLogger()
    root.handlers = [handler]
    logging.getLogger("cpimportd").setLevel(logging.INFO)


def set_log_timezone(zone: tzinfo) -> None:
    """Set the time zone of text lines; the journal and JSON lines show no local time."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, TextFormatter):
            handler.formatter.zone = zone


def _priority(level: int) -> int:
    return next(priority for least, priority in _PRIORITIES if level >= least)


def _fields(record: logging.LogRecord) -> Mapping[str, str]:
    return getattr(record, "fields", {})


class _FallbackStreamHandler(logging.StreamHandler[IO[str]]):
    """Writes to standard error, or to the fallback if that fails."""

    def __init__(self, stream: IO[str], fallback: IO[str] | None) -> None:
        super().__init__(stream)
        self._fallback = fallback
        self._fallback_handler: logging.Handler | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        super().emit(record)
        if lost_error(self.stream) is None:
            return
        if self._fallback_handler is None:
            self._fallback_handler = self._make_fallback()
        self._fallback_handler.emit(record)

    def _make_fallback(self) -> logging.Handler:
        try:
            return JournalHandler()
        except OSError:  # no journal here
            if self._fallback is None:
                return logging.NullHandler()
            handler = logging.StreamHandler(self._fallback)
            handler.setFormatter(self.formatter)
            return handler


class JournalHandler(logging.Handler):
    """Sends each line over the journal's native protocol, so that its fields can be searched."""

    def __init__(self) -> None:
        super().__init__()
        self._transport = JournaldTransport()

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record; if the journal refuses it, write it to standard error, which systemd reads too."""
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
        zone: time zone of the instants; None, until the configuration is known: the machine's.
    """

    zone: tzinfo | None = None

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows on lines of its own."""
        moment = datetime.fromtimestamp(record.created, UTC).astimezone(self.zone)
        # Always with seconds, unlike in a sentence, so that the texts are aligned.
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


_LOG_EVERY: Final = 60.0
"""Seconds."""

_PAUSE: Final = 0.1
"""Seconds before the loop retries; short beside any watchdog interval."""


class LoopExceptionHandler:
    """An exception handler of an event loop."""

    def __init__(self) -> None:
        self._last_logged: float | None = None

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle an error of a callback."""
        error = context.get("exception")
        found = None if error is None else exhausted(error)
        if found is None:
            loop.default_exception_handler(context)
            return
        if self._last_logged is None or loop.time() - self._last_logged >= _LOG_EVERY:
            self._last_logged = loop.time()
            log_problem(found)
        time.sleep(_PAUSE)
