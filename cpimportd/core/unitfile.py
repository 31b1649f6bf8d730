r"""The variables of a file that systemd reads by ``EnvironmentFile=`` (systemd.exec(5), ``src/basic/env-file.c``).

It looks like a ``.env`` and is none: there is no ``export``, ``${NAME}`` and whatever stands behind a ``#`` are part of
the value, and ``\n`` between double quotes is no line break.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPED: Final = frozenset('"\\`$')


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a file.

    Attributes:
        value: as the program behind it gets it.
        line: its line, from 1.
    """

    value: str
    line: int


def systemd(text: str) -> dict[str, Variable]:
    """The variables of an ``EnvironmentFile=``; as with systemd, what is none is passed over."""
    return dict(_assignments(text))


def _assignments(text: str) -> Iterator[tuple[str, Variable]]:
    reader = _Characters(text)
    while not reader.ended:
        character = reader.take()
        if character.isspace():
            continue
        if character in "#;":
            reader.comment()
            continue
        line = reader.line
        name = (character + reader.until("=\n")).strip()
        if reader.ended or reader.take() != "=":
            continue
        value = reader.value()
        if _NAME.fullmatch(name):
            yield name, Variable(value, line)


class _Characters:
    """A text, character by character, with the line that it is in."""

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n").replace("\r", "\n")
        self._at = 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._text)

    @property
    def line(self) -> int:
        return self._text.count("\n", 0, max(self._at - 1, 0)) + 1

    def take(self) -> str:
        self._at += 1
        return self._text[self._at - 1 : self._at]

    def until(self, ends: str) -> str:
        """The text before the next of these characters, which stays unread."""
        begun = self._at
        while not self.ended and self._text[self._at] not in ends:
            self._at += 1
        return self._text[begun : self._at]

    def comment(self) -> None:
        """Pass over a comment; a backslash at the end of its line continues it."""
        while not self.ended and (character := self.take()) != "\n":
            if character == "\\":
                self.take()

    def value(self) -> str:
        """A value up to the end of its line; quoted parts may go over several lines and end where they please."""
        kept: list[str] = []
        plain = False  # within an unquoted part, where quotes are characters like others
        trailing = 0
        while not self.ended and (character := self.take()) != "\n":
            if character == "\\":
                escaped = self.take()
                kept += [] if escaped == "\n" else [escaped]
                plain, trailing = True, 0
            elif not plain and character in "'\"":
                kept.append(self.until("'") if character == "'" else self._double())
                trailing = 0
                if character == "'":
                    self.take()
            elif plain or not character.isspace():
                kept.append(character)
                plain = True
                trailing = trailing + 1 if character.isspace() else 0
        return "".join(kept[: len(kept) - trailing] if trailing else kept)

    def _double(self) -> str:
        kept = []
        while not self.ended and (character := self.take()) != '"':
            if character == "\\":
                escaped = self.take()
                character = escaped if escaped in _ESCAPED else "" if escaped == "\n" else f"\\{escaped}"
            kept.append(character)
        return "".join(kept)
