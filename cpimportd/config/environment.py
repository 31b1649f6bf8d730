"""The environment variables of process, unit and ``.env`` file, and the predecessor's names for our keys."""

import io
import logging
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

from dotenv.main import DotEnv
from dotenv.parser import Binding, parse_stream
from pydantic import TypeAdapter, ValidationError

from cpimportd.config import unit
from cpimportd.config.filetext import decoded, read_bytes
from cpimportd.config.keys import KeyPath, dotted
from cpimportd.config.settings import Schedule
from cpimportd.config.sources import Found, unreadable
from cpimportd.config.unit import Variable
from cpimportd.core.phrases import Phrase, UnfitError, phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.state_folder import ENV_FILE, env_file_beside


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


_IMPORT = "CREDIT_PORTFOLIO_IMPORT_"
_FTP = "CREDIT_PORTFOLIO_FTP_"


class _Aliases:
    """The predecessor's variables, read as its pydantic settings read them; what was found is collected."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.found = Found()

    def text(self, name: str) -> str | None:
        """A variable's text; an empty one counts as unset."""
        return self.environ.get(name) or None

    def flag(self, name: str, key: KeyPath) -> bool | None:
        """A variable that is true/1/yes/on or false/0/no/off, in any case."""
        text = self.text(name)
        try:
            return None if text is None else TypeAdapter(bool).validate_python(text.strip())
        except ValidationError:
            self._wrong(name, key, phrase("expected-true-or-false"))
            return None

    def number(self, name: str, key: KeyPath, lowest: int, highest: int) -> int | None:
        """A variable that is a whole number."""
        text = self.text(name)
        if text is None:
            return None
        if re.fullmatch(r"\s*\d{1,6}\s*", text, re.ASCII) and lowest <= int(text) <= highest:
            return int(text)
        self._wrong(name, key, phrase("expected-number-between", lowest=lowest, highest=highest))
        return None

    def _wrong(self, name: str, key: KeyPath, expected: Phrase) -> None:
        text = phrase("not-that", reason=expected, value=repr(self.text(name)))
        self.found.problems.append(
            problem("config-value", key=dotted(key), place=_origin(name), reason=text, value=self.text(name))
        )

    def put(self, key: KeyPath, value: object, *names: str) -> None:
        """Set a key from those of the variables that are set."""
        self.found.put(key, value, _origin(*(name for name in names if self.text(name))))

    def put_text(self, key: KeyPath, name: str) -> None:
        """Set a key to a variable's text, if there is one."""
        if (text := self.text(name)) is not None:
            self.put(key, text, name)


def _origin(*names: str) -> str:
    return f"environment {', '.join(names)} (the predecessor's name{'s' if len(names) > 1 else ''})"


def from_predecessor(environ: Mapping[str, str]) -> Found:
    """What the predecessor's variables say, in our keys."""
    aliases = _Aliases(environ)
    _schedule(aliases)
    _source(aliases)
    _database(aliases)
    _cache(aliases)
    return aliases.found


def _schedule(aliases: _Aliases) -> None:
    enabled, at = ("schedules", "import", "enabled"), ("schedules", "import", "at")
    switches = ("SCHEDULER_ENABLED", f"{_IMPORT}ENABLED")
    off = [name for name in switches if aliases.flag(name, enabled) is False]
    if off:
        aliases.put(enabled, False, *off)
    elif set_ := [name for name in switches if aliases.text(name)]:
        aliases.put(enabled, True, *set_)
    hour = aliases.number(f"{_IMPORT}HOUR", at, 0, 23)
    minute = aliases.number(f"{_IMPORT}MINUTE", at, 0, 59)
    if hour is not None or minute is not None:
        usual_hour, usual_minute, _ = Schedule().at.split()[-1].split(":")
        time = f"{usual_hour if hour is None else f'{hour:02}'}:{usual_minute if minute is None else f'{minute:02}'}"
        aliases.put(at, f"*-*-* {time}:00", f"{_IMPORT}HOUR", f"{_IMPORT}MINUTE")


def _source(aliases: _Aliases) -> None:
    if host := aliases.text(f"{_FTP}HOST"):
        folder = quote((aliases.text(f"{_FTP}REMOTE_DIR") or "").lstrip("/"))
        server = host.rstrip("/") if "://" in host else f"ftp://{host}"
        aliases.put(("source", "url"), f"{server}/{folder}", f"{_FTP}HOST", f"{_FTP}REMOTE_DIR")
    aliases.put_text(("source", "user"), f"{_FTP}USER")
    aliases.put_text(("source", "password"), f"{_FTP}PASSWORD")
    if aliases.text(f"{_FTP}LOCAL_DIR"):
        aliases.found.notes.append(
            f"{_FTP}LOCAL_DIR is not used: fetched files lie in the folder spool of state_directory"
        )


def _database(aliases: _Aliases) -> None:
    url = ("database", "url")
    if aliases.text("DATABASE_URL"):
        aliases.put_text(url, "DATABASE_URL")
        return
    host, name, user, password = (aliases.text(f"DB_{part}") for part in ("HOST", "NAME", "USER", "PASSWORD"))
    if not host and not name:
        return
    port = aliases.number("DB_PORT", url, 1, 65535)
    # A socket's folder cannot stand where a host does; libpq takes it as a parameter.
    server, parameters = (
        ("", f"?host={quote(host, safe='/')}") if host and host[0] == "/" else (host or "localhost", "")
    )
    text = f"postgresql://{_login(user, password)}{server}{f':{port}' if port else ''}/{quote(name or '', safe='')}"
    aliases.put(url, text + parameters, "DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD")


def _cache(aliases: _Aliases) -> None:
    url = ("cache", "url")
    if aliases.flag("USE_REDIS", url):
        port = aliases.number("REDIS_PORT", url, 1, 65535)
        database = aliases.number("REDIS_DB", url, 0, 65535)
        login = _login(None, aliases.text("REDIS_PASSWORD"))
        text = f"redis://{login}{aliases.text('REDIS_HOST') or 'localhost'}:{port or 6379}/{database or 0}"
        aliases.put(url, text, "USE_REDIS", "REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_PASSWORD")
    elif aliases.text("REDIS_HOST"):
        aliases.found.notes.append(
            "REDIS_HOST is not used, because USE_REDIS is not true: the backend then caches inside its own processes, "
            "and its reports may be up to 5 minutes old"
        )


def _login(user: str | None, password: str | None) -> str:
    secret = f":{quote(password, safe='')}" if password else ""
    return f"{quote(user or '', safe='')}{secret}@" if user or secret else ""
