"""The variables in force: the process's own, those of the daemon's unit, those of a ``.env``; each with its place."""

import io
import logging
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from dotenv.main import DotEnv
from dotenv.parser import Binding, parse_stream

from cpimportd.config import unit
from cpimportd.config.filetext import decoded, read_bytes
from cpimportd.config.sources import Found, unreadable
from cpimportd.core.phrases import UnfitError
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.statefolder import ENV_FILE, env_file_beside
from cpimportd.core.unitfile import Variable


def dotenv(text: str) -> dict[str, Variable]:
    """The variables of a ``.env``: the last of a name counts, ``${NAME}`` is replaced.

    Raises:
        ValueError: a line is no ``NAME=value``; the error names it and repeats nothing of it.
    """
    lines: dict[str, int] = {}
    for found in parse_stream(io.StringIO(text)):
        if found.error:
            raise UnfitError("expected-variable", line=_line(found))
        if found.key is not None:
            lines[found.key] = _line(found)
    logging.getLogger("dotenv").setLevel(logging.ERROR)  # what it would warn of was raised above
    values = DotEnv(None, stream=io.StringIO(text)).dict()
    return {name: Variable(value, lines[name]) for name, value in values.items() if value is not None}


def _line(found: Binding) -> int:
    """The line of a variable; the parser's text of it begins with the empty lines above."""
    text = found.original.string
    return found.original.line + text[: len(text) - len(text.lstrip())].count("\n")


_ORIGIN: Final = re.compile(r"environment (?P<names>[A-Za-z0-9_]+(?:, [A-Za-z0-9_]+)*)")


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables, and where they stand.

    Attributes:
        variables: by name.
        places: of those that are none of the process's own, in words for people.
        file: the ``.env`` that was read; None if there is none.
        text: what it says, word for word.
        mode: of that file.
        problems: what is wrong with it.
    """

    variables: Mapping[str, str]
    places: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None
    text: str = field(default="", repr=False)
    mode: int = 0
    problems: tuple[Problem, ...] = ()

    def with_places(self, found: Found) -> Found:
        """The same, with the places of variables that stand in a file."""
        found.origins = {key: self._with_places(origin) for key, origin in found.origins.items()}
        found.problems = [self._placed(one) for one in found.problems]
        return found

    def _placed(self, found: Problem) -> Problem:
        facts = {name: self._with_places(fact) if isinstance(fact, str) else fact for name, fact in found.facts.items()}
        return replace(found, message=self._with_places(found.message), facts=facts)

    def _with_places(self, text: str) -> str:
        return _ORIGIN.sub(lambda match: self._place(match["names"].split(", ")) or match[0], text)

    def _place(self, names: list[str]) -> str | None:
        elsewhere = [self.places[name] for name in names if name in self.places]
        here = [name for name in names if name not in self.places]
        return "; ".join([*elsewhere, *([f"environment {', '.join(here)}"] if here else [])]) if elsewhere else None

    def readable_secrets(self, secret: Mapping[str, str]) -> Iterator[Problem]:
        """A warning for each secret of the file that every user of the machine can read.

        Args:
            secret: keys by the name of the variable that sets them.
        """
        if self.file is None or not self.mode & stat.S_IROTH:
            return
        for name, key in secret.items():
            if self.places.get(name, "").startswith(f"{self.file}, "):
                mode = f"{stat.S_IMODE(self.mode):04o}"
                yield problem("config-readable", path=str(self.file), key=key, mode=mode)


def read_environment(config: Path, environ: Mapping[str, str]) -> Environment:
    """Gather the variables that hold for a configuration file.

    Args:
        config: the file; a ``.env`` beside it is read where none is named (``CPIMPORTD_ENV_FILE``, ``--env-file``).
        environ: the variables of the process.
    """
    of_the_unit = dict(unit.adopted()) if environ is os.environ else {}
    named = environ.get(ENV_FILE)
    file = Path(named) if named else env_file_beside(config)
    found = Environment({})
    if file is not None:
        try:
            found = _read(file)
        except ProblemError as error:
            found = replace(found, problems=error.problems)
    given = {name: (found.variables[name], place) for name, place in found.places.items()} | of_the_unit
    own = {name: text for name, text in environ.items() if text}  # an empty one counts as unset
    places = {name: place for name, (_, place) in given.items() if name not in own}
    return replace(found, variables={name: text for name, (text, _) in given.items()} | own, places=places)


def _read(file: Path) -> Environment:
    try:
        text = decoded(read_bytes(file))
        mode = file.stat().st_mode
        variables = dotenv(text)
    except (OSError, ValueError) as error:
        raise ProblemError(unreadable(file, error)) from None
    values = {name: one.value for name, one in variables.items()}
    places = {name: f"{file}, line {one.line}: {name}" for name, one in variables.items()}
    return Environment(values, places, file, text, mode)
