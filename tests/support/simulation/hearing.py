"""What the daemon tells, as the journal would have it; the log's fields, not its internals."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from cpimportd.daemon.log import logger

_STANDS_FOR = re.compile(r"stands for ([\d\u00a0]+) older")
_NOTHING = re.compile(r"\bNone\b")
"""Nobody says this of anything."""

_MISSED = re.compile(r"([\d\u00a0]+) slots were missed")
HEARD = frozenset(
    {"slot-due", "misfired", "state-future", "slot-given-up", "retry", "slot-done", "state-unsaved", "state-saved",
     "reloaded", "config-refused", "state-damaged"}
)  # fmt: skip
DEFECTS = frozenset({"internal"})


@dataclass(frozen=True)
class Told:
    """One line about slots or the memory; ``detail`` is how many slots, or how one was done."""

    event: str
    schedule: str | None = None
    slot: datetime | None = None
    detail: int | str = 0

    def __repr__(self) -> str:
        slot = "" if self.slot is None else f" {self.slot:%Y-%m-%d %H:%M}Z"
        return f"<{self.event} {self.schedule or ''}{slot} {self.detail or ''}>"


class Hearing(logging.Handler):
    """Hears the daemon's lines while a story is played; they go nowhere else.

    Args:
        told: is given each line about slots or the memory.
        log: is given every line's text.
    """

    def __init__(self, told: Callable[[Told], None], log: Callable[[str], None]) -> None:
        super().__init__()
        self._told = told
        self._log = log
        self._before = (logger.level, logger.propagate)

    def __enter__(self) -> Self:
        logger.addHandler(self)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        logger.removeHandler(self)
        logger.level, logger.propagate = self._before

    def handle(self, record: logging.LogRecord) -> bool:
        """Without locks and filters: one thread, and thirty years of lines; errors go up to the daemon and fail it."""
        fields: dict[str, str] = record.__dict__["fields"]
        event = fields.get("CPIMPORTD_EVENT") or fields["CPIMPORTD_CODE"]
        text = record.getMessage()
        self._log(text)
        assert event not in DEFECTS, text
        assert not _NOTHING.search(text), text
        if event in HEARD:
            slot = fields.get("CPIMPORTD_SLOT")
            self._told(
                Told(
                    event,
                    fields.get("CPIMPORTD_SCHEDULE"),
                    None if slot is None else datetime.fromisoformat(slot),
                    _detail(event, text, fields),
                )
            )
        return True


def _detail(event: str, text: str, fields: dict[str, str]) -> int | str:
    if event == "slot-done":
        return fields["CPIMPORTD_STATUS"]
    if event in {"slot-due", "misfired"}:
        found = (_STANDS_FOR if event == "slot-due" else _MISSED).search(text)
        return int(found[1].replace("\u00a0", "")) if found else 0
    return 0
