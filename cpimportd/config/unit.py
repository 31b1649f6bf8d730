"""The variables and credentials of the daemon's unit, so that root's verbs use the same.

systemd gives ``Environment=``, ``EnvironmentFile=`` and ``LoadCredential=`` only to the unit. Without them, a check by
hand would test another configuration than that of the run at 06:00. Keep the imports few: every verb calls this module.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cpimportd.core.state_folder import DEFAULT_PATH

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


_BOOTED: Final = Path("/run/systemd/system")
"""It is there where systemd runs (sd_booted(3))."""

_CREDENTIALS: Final = Path("/run/credentials")
_WITHIN: Final = 5.0
"""Seconds that systemd may take to answer."""

_OWN: Final = ("NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY")
"""Who has one of these is started by systemd, and has the rest from it, too."""

Seen = Mapping[str, tuple[str, str]]
"""Variables by name: the value, and its place in words."""

_adopted: dict[str, tuple[str, str]] = {}


def adopted() -> Seen:
    """What :func:`adopt` found; a variable of the process itself is stronger."""
    return _adopted


def adopt(config: Path | None = None) -> None:
    """Where root asks by hand, take over what the unit that reads this configuration is given.

    libpq's variables, the state folder and that of the credentials go into the environment, for those who look there
    alone; the others are kept with their places. Nothing happens where systemd does not run, or does not answer.

    Args:
        config: the file that ``--config`` names; None means ``CPIMPORTD_CONFIG``, else the usual place.
    """
    if os.geteuid() != 0 or not _BOOTED.is_dir() or any(os.environ.get(name) for name in _OWN):
        return
    unit = unit_of(config or Path(os.environ.get("CPIMPORTD_CONFIG") or DEFAULT_PATH))
    if unit is None:
        return
    _adopted.update(variables_of(unit))
    for name, (value, _) in _adopted.items():
        if name.startswith("PG") or name == "CPIMPORTD_STATE_DIRECTORY":
            os.environ.setdefault(name, value)
    if (folder := _CREDENTIALS / unit).is_dir():
        os.environ["CREDENTIALS_DIRECTORY"] = str(folder)


def unit_of(config: Path) -> str | None:
    """The packaged unit that reads this file; None for other files."""
    file = config.absolute()
    if file.parent != DEFAULT_PATH.parent or file.suffix != ".toml":
        return None
    return "cpimportd.service" if file.name == DEFAULT_PATH.name else f"cpimportd@{file.stem}.service"


def variables_of(unit: str) -> Seen:
    """What the unit's process would be given by ``Environment=`` and ``EnvironmentFile=``, the latter being stronger.

    Nothing where systemd does not answer, and of a file that systemd could not read either.
    """
    found: dict[str, tuple[str, str]] = {}
    files: list[Path] = []
    for key, value in _properties(unit, "Environment", "EnvironmentFiles"):
        if key == "Environment":
            pairs = (word.partition("=") for word in _words(value))
            found |= {name: (text, f"Environment= of {unit}: {name}") for name, _, text in pairs}
        else:
            files.append(Path(re.sub(r" \(ignore_errors=(yes|no)\)$", "", value)))
    for file in files:
        found |= _of_file(file)
    return found


def _of_file(path: Path) -> dict[str, tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return {}
    return {name: (one.value, f"{path}, line {one.line}: {name}") for name, one in systemd(text).items()}


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []


def _properties(unit: str, *names: str) -> Iterator[tuple[str, str]]:
    asked = [f"--property={name}" for name in names]
    try:
        answer = subprocess.run(  # noqa: S603
            ["systemctl", "show", *asked, "--", unit],  # noqa: S607 - systemd's own, wherever it lies
            capture_output=True,
            check=True,
            text=True,
            timeout=_WITHIN,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return
    for line in answer.stdout.splitlines():
        key, separator, value = line.partition("=")
        if separator and value:
            yield key, value
