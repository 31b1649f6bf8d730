"""The predecessor's environment variables, honoured as aliases so that it can be replaced without touching them."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from cpimportd.config.keys import KeyPath, dotted
from cpimportd.config.settings import Schedule
from cpimportd.config.sources import Found
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import problem

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
