"""Loads all sources into one frozen Settings, and reports all errors at once."""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from cpimportd.config.environment import from_predecessor, read_environment
from cpimportd.config.keys import (
    MASK,
    SCHEDULE,
    KeyPath,
    all_keys,
    dotted,
    find,
    holds_secret,
    in_file,
    masked,
    suggest,
    variable,
)
from cpimportd.config.settings import Settings
from cpimportd.config.sources import (
    ConfigFile,
    Found,
    Tree,
    from_credentials,
    from_environment,
    leaves,
    origin_of,
    place,
    place_in,
    read_file,
    split_login,
    unknown,
)
from cpimportd.config.values import Calendar
from cpimportd.core import state_folder
from cpimportd.core.phrases import PhraseError, Reason, phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.state_folder import DEFAULT_PATH

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def problems_of_validation(error: ValidationError, merged: Found, file: ConfigFile | None) -> Iterable[Problem]:
    """Every fault that pydantic found, as a problem.

    Args:
        error: pydantic's.
        merged: the values that were validated, with their origins.
        file: the TOML file, for the lines in it.
    """
    for detail in error.errors(include_url=False, include_input=False, include_context=True):
        path = tuple(part for part in detail["loc"] if isinstance(part, str) and part != "[key]")
        if detail["type"] == "extra_forbidden":
            yield _unknown(path, merged, file)
        else:
            yield _wrong_value(path, detail, merged, file)


def _unknown(path: KeyPath, merged: Found, file: ConfigFile | None) -> Problem:
    section = isinstance(merged.get(path), Mapping)
    candidates = suggest(path, section=section)
    origin = origin_of(path, merged, file)
    if origin.startswith("environment "):
        return unknown(path, origin, [variable(key) for key in candidates])
    names = [f"[{dotted(key)}]" if section else in_file(key) for key in candidates]
    return unknown(path, place(path, merged, file), names)


_EXPECTED: Final = {
    **dict.fromkeys(("int_type", "int_parsing"), "expected-integer"),
    **dict.fromkeys(("float_type", "float_parsing", "decimal_type", "decimal_parsing"), "expected-valid-number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "expected-boolean"),
    "string_type": "expected-string",
    "greater_than_equal": "expected-at-least",
    "less_than_equal": "expected-at-most",
    "greater_than": "expected-more-than",
    "less_than": "expected-less-than",
    "literal_error": "expected-one-of",
}
"""What pydantic's types of errors say, as phrases."""

_LIMITS: Final = ("ge", "le", "gt", "lt")


def _expected(detail: "ErrorDetails") -> Reason:
    """What was expected instead of a value: as our own validators say it, or else pydantic."""
    context = detail.get("ctx", {})
    if isinstance(error := context.get("error"), PhraseError):
        return error.phrase
    if code := _EXPECTED.get(detail["type"]):
        choices = re.split(r", | or ", context.get("expected", ""))
        return phrase(code, limit=next((context[name] for name in _LIMITS if name in context), None), choices=choices)
    said = detail["msg"].removeprefix("Value error, ").split(", unable")[0]
    return re.sub(r"^(Input|String) should be", "expected", said)


def _wrong_value(path: KeyPath, detail: "ErrorDetails", merged: Found, file: ConfigFile | None) -> Problem:
    reason = _expected(detail)
    if find(path) is None and "dictionary" in str(reason):
        reason = phrase("expected-section")
    shown = _shown_value(path, merged.get(path))
    return problem(
        "config-value",
        key=dotted(path),
        place=place(path, merged, file),
        reason=reason if shown is None else phrase("not-that", reason=reason, value=repr(shown)),
        value=shown,
    )


def _shown_value(path: KeyPath, value: Any) -> object:  # noqa: ANN401 - whatever TOML can hold
    key = find(path)
    if key is None or key.secret or isinstance(value, Mapping):
        return None
    shown = masked(path, value)
    return None if shown == MASK else shown


def check_expression(at: str, place: str) -> str:
    """An OnCalendar expression that can be understood.

    Raises:
        ProblemError: ``config-value``.
    """
    try:
        return TypeAdapter[str](Calendar).validate_python(at)
    except ValidationError as error:
        reason = _expected(error.errors()[0])
        raise ProblemError(problem("config-value", key="at", place=place, reason=reason)) from None


_SECRET_VARIABLES = {variable(key.path): dotted(key.path) for key in all_keys().values() if key.secret} | {
    "CREDIT_PORTFOLIO_FTP_PASSWORD": "source.password",
    "DATABASE_URL": "database.url",
    "DB_PASSWORD": "database.password",
    "REDIS_PASSWORD": "cache.password",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration, and where it comes from.

    Attributes:
        settings: what to go by.
        origins: per dotted key, where its value stands: a path, ``environment CPIMPORTD_…``, ``credential …`` or
            ``default``.
        path: the file that was read; None if there is none.
        problems: warnings; what is wrong raises instead.
        notes: what is set and has no effect, in words for people.
        text: what the file says, word for word, so that a run can be given exactly what was accepted.
        env_text: the same of the ``.env`` beside it, or of the one that was named.
    """

    settings: Settings
    origins: Mapping[str, str]
    path: Path | None
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    text: str = field(default="", repr=False)
    env_text: str = field(default="", repr=False)

    def place(self, key: str) -> str:
        """The place of a key in words; in a file also the line.

        Args:
            key: dotted.
        """
        origin = self.origins.get(key, "the configuration")
        on_file = self.path is not None and origin == str(self.path)
        return place_in(self.path, self.text, tuple(key.split("."))) if on_file and self.path else origin


def load(config: Path | None = None, environ: Mapping[str, str] = os.environ) -> Loaded:
    """Read the configuration from everywhere.

    Args:
        config: the file that ``--config`` names; None means ``CPIMPORTD_CONFIG``, else the usual place.
        environ: the environment.

    Raises:
        ProblemError: everything that is wrong, at once: ``config-missing``, ``config-unreadable``,
            ``config-syntax``, ``config-unknown-key``, ``config-value``.
    """
    named = config or (Path(environ["CPIMPORTD_CONFIG"]) if environ.get("CPIMPORTD_CONFIG") else None)
    path = named or DEFAULT_PATH
    wrong: list[Problem] = []
    file: ConfigFile | None = None
    environment = read_environment(path, environ)
    environ = environment.variables
    places = [
        environment.with_places(found(environ)) for found in (from_predecessor, from_credentials, from_environment)
    ]
    wrong.extend(environment.problems)
    try:
        file = read_file(path)
        if file is None and (named or not any(place.values or place.problems for place in places)):
            wrong.append(problem("config-missing", path=str(path)))
    except ProblemError as error:
        wrong.extend(error.problems)
    if file is not None:
        places.insert(1, file.found)
    warnings = (
        *(_warnings(file) if file else ()),
        *environment.readable_secrets(_SECRET_VARIABLES),
    )  # a login inside source.url is still there
    for found in places:
        split_login(found, file)
        wrong.extend(found.problems)
    merged = _merge([_base(environ), *places])
    settings, found_wrong = _validate(merged, file)
    wrong.extend(found_wrong)
    if settings is None or wrong:
        raise ProblemError(*wrong)
    return Loaded(
        settings,
        {dotted(key): merged.origins.get(key, "default") for key, _ in values(settings)},
        file.path if file else None,
        warnings,
        tuple(note for place in places for note in place.notes),
        file.text if file else "",
        environment.text,
    )


def _validate(merged: Found, file: ConfigFile | None) -> tuple[Settings | None, tuple[Problem, ...]]:
    # The error is left behind here, so that no traceback can carry the values that it holds.
    try:
        return Settings.model_validate(merged.values), ()
    except ValidationError as error:
        return None, tuple(problems_of_validation(error, merged, file))


def _merge(places: Iterable[Found]) -> Found:
    """All places in one, the later the stronger."""
    merged = Found()
    for found in places:
        merged.values = _merged(merged.values, found.values)
        merged.origins |= found.origins
    return merged


def _merged(below: Tree, above: Tree) -> Tree:
    tree = dict(below)
    for name, value in above.items():
        under = tree.get(name)
        tree[name] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return tree


def _base(environ: Mapping[str, str]) -> Found:
    """What is there without being asked for: the import's schedule, and a folder that this user can write to."""
    base = Found(values={"schedules": {SCHEDULE: {}}})
    origin = "environment STATE_DIRECTORY" if environ.get("STATE_DIRECTORY") else "default"
    base.put(("state_directory",), str(state_folder.default_state_folder(environ)), origin)
    return base


def _warnings(file: ConfigFile) -> Iterator[Problem]:
    if not file.mode & stat.S_IROTH:
        return
    for key, value in leaves(file.found.values):
        if holds_secret(key, value):
            mode = f"{stat.S_IMODE(file.mode):04o}"
            yield problem("config-readable", path=str(file.path), key=dotted(key), mode=mode)


def values(section: BaseModel | Mapping[str, object], above: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    """Every key of the settings with its value, schedules under their names, in the order of config/settings.py."""
    for name, value in section if isinstance(section, BaseModel) else section.items():
        if isinstance(value, BaseModel | Mapping):
            yield from values(value, (*above, name))
        else:
            yield (*above, name), value


def require_source(settings: Settings, path: Path | None = None) -> str:
    """The source's url, for a command that needs it.

    Args:
        settings: what was loaded.
        path: the file to name in the way out; None means the usual one.

    Raises:
        ProblemError: ``config-incomplete``.
    """
    return settings.source.url or _incomplete(("source", "url"), path)


def require_database(settings: Settings, path: Path | None = None) -> SecretStr:
    """The database's url, for a command that needs it.

    Args:
        settings: what was loaded.
        path: the file to name in the way out; None means the usual one.

    Raises:
        ProblemError: ``config-incomplete``.
    """
    return settings.database.url or _incomplete(("database", "url"), path)


def _incomplete(key: KeyPath, path: Path | None) -> NoReturn:
    place = str(path or DEFAULT_PATH)
    raise ProblemError(problem("config-incomplete", key=dotted(key), place=place, variable=variable(key)))
