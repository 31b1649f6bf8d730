"""The catalog's files as systemd takes them apart."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from cpimportd.core.texts.journald import FILES

FOLDER = Path(__file__).parents[2] / "systemd"


class Entry(NamedTuple):
    message_id: str
    header: dict[str, str]
    body: str

    @property
    def text(self) -> str:
        return f"{self.header['Subject']}\n{self.body}"

    @property
    def joined(self) -> str:
        """The entry with each paragraph on one line."""
        return re.sub(r"(?<!\n)\n(?!\n)", " ", self.text)


def entries_of(text: str) -> list[Entry]:
    """Entries of a catalog file, or of what ``journalctl --dump-catalog`` prints."""
    lines = [line for line in text.splitlines() if not line.startswith(("#", ";"))]
    parts = re.split(r"(?m)^-- ([0-9a-f]{32})$", "\n".join(lines))[1:]
    found = []
    for message_id, content in zip(parts[::2], parts[1::2], strict=True):
        head, _, body = content.strip().partition("\n\n")
        header = dict(line.split(": ", 1) for line in head.splitlines())
        found.append(Entry(message_id, header, re.sub(r"\n{2,}", "\n\n", body.strip())))
    return found


@pytest.fixture(params=list(FILES))
def file(request) -> Path:
    return FOLDER / request.param


@pytest.fixture
def entries(file) -> dict[str, Entry]:
    return {entry.message_id: entry for entry in entries_of(file.read_text(encoding="utf-8"))}


@pytest.fixture
def parse() -> Callable[[str], list[Entry]]:
    return entries_of
