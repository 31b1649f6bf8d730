"""From all places to one frozen Settings, with every fault said at once."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from pydantic import BaseModel, SecretStr, ValidationError

from cpimportd.config.environment import read_environment
from cpimportd.config.faults import problems_of_validation
from cpimportd.config.keys import SCHEDULE, KeyPath, all_keys, dotted, holds_secret, variable
from cpimportd.config.predecessor import from_predecessor
from cpimportd.config.settings import Settings
from cpimportd.config.sources import (
    ConfigFile,
    Found,
    Tree,
    from_credentials,
    from_environment,
    leaves,
    place_in,
    read_file,
    split_login,
)
from cpimportd.core import statefolder
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.statefolder import DEFAULT_PATH

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
    for place in places:
        split_login(place, file)
        wrong.extend(place.problems)
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
    for place in places:
        merged.values = _merged(merged.values, place.values)
        merged.origins |= place.origins
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
    base.put(("state_directory",), str(statefolder.default_state_folder(environ)), origin)
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
