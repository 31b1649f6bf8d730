"""The sources of values: the TOML file, our environment variables, systemd's credentials. Each names its place."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from pydantic_settings import EnvSettingsSource

from cpimportd.config.filetext import decoded, parsed, places, read_bytes
from cpimportd.config.keys import KeyPath, all_keys, dotted, suggest, variable
from cpimportd.config.settings import Settings
from cpimportd.core.addresses import advice
from cpimportd.core.phrases import phrase, reason_of
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.state_folder import ENV_FILE, PREFIX

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

_NOT_SETTINGS = ("CPIMPORTD_CONFIG", ENV_FILE, "CPIMPORTD_TEST_")

Tree = dict[str, Any]
"""Values in their sections, as TOML nests them."""


@dataclass(slots=True)
class Found:
    """What one place says.

    Attributes:
        values: in their sections.
        origins: per key, its place in words.
        problems: what is wrong with the place itself.
        notes: what is there and has no effect, in words for people.
    """

    values: Tree = field(default_factory=dict)
    origins: dict[KeyPath, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def put(self, path: KeyPath, value: object, origin: str) -> None:
        """Add a value; the sections around it come into being."""
        tree = self.values
        for section in path[:-1]:
            tree = tree.setdefault(section, {})
        tree[path[-1]] = value
        self.origins[path] = origin

    def get(self, path: KeyPath) -> object:
        """The value at a path; None if there is none."""
        node: object = self.values
        for name in path:
            node = node.get(name) if isinstance(node, Mapping) else None
        return node


def leaves(tree: Mapping[str, Any], above: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value in a tree of sections, with its path."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The TOML file as it was read."""

    path: Path
    text: str
    mode: int
    found: Found

    def place(self, path: KeyPath) -> str:
        """The file and line of a key."""
        return place_in(self.path, self.text, path)


def place_in(file: Path, text: str, path: KeyPath) -> str:
    """The file and line of a key, as far as single lines show it."""
    line = next((number for number, here in places(text) if here[: len(path)] == path), None)
    return f"{file}, line {line}" if line else str(file)


def origin_of(path: KeyPath, found: Found, file: ConfigFile | None) -> str:
    """The place of a key or a section, without the line."""
    inside = (origin for key, origin in found.origins.items() if key[: len(path)] == path)
    # A section without keys has no origin of its own; only a file can hold one.
    return found.origins.get(path) or next(inside, str(file.path) if file else "the configuration")


def place(path: KeyPath, found: Found, file: ConfigFile | None) -> str:
    """The place of a key or a section; in a file also the line."""
    origin = origin_of(path, found, file)
    return file.place(path) if file is not None and origin == str(file.path) else origin


def read_file(path: Path) -> ConfigFile | None:
    """Read the file.

    Returns:
        None if there is none.

    Raises:
        ProblemError: ``config-unreadable`` or ``config-syntax``.
    """
    try:
        content = read_bytes(path)
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise ProblemError(unreadable(path, error)) from None
    try:
        text = decoded(content)
        tree = parsed(text)
    except ValueError as error:
        raise ProblemError(problem("config-syntax", path=str(path), reason=reason_of(error))) from None
    origins = {key: str(path) for key, _ in leaves(tree)}
    return ConfigFile(path, text, mode, Found(tree, origins))


def unreadable(path: Path, error: OSError | ValueError) -> Problem:
    """The problem of a file that cannot be read."""
    reason = (error.strerror if isinstance(error, OSError) else None) or reason_of(error)
    return problem("config-unreadable", path=str(path), reason=reason)


class _Variables(EnvSettingsSource):
    """pydantic-settings' reading of nested variables, from any mapping instead of ``os.environ``."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        # Only the fields of the class are looked at, and Settings must not read the environment by itself.
        super().__init__(cast("type[BaseSettings]", Settings), env_prefix=PREFIX, env_nested_delimiter="__")
        self.env_vars = {name.lower(): text for name, text in variables.items()}

    def decode_complex_value(self, field_name: str, field: "FieldInfo", value: Any) -> Any:  # noqa: ANN401
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value  # said with all other wrong values, by Settings, instead of ending it all here


def from_environment(environ: Mapping[str, str]) -> Found:
    """Our own environment variables; an empty one counts as unset, as systemd's EnvironmentFile habit has it."""
    found = Found()
    ours: dict[KeyPath, str] = {}
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name.startswith(_NOT_SETTINGS) or not text:
            continue
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        if (other := ours.setdefault(path, name)) != name:
            reason = phrase("same-key-set", other=other)
            found.problems.append(problem("config-value", key=dotted(path), place=f"environment {name}", reason=reason))
    found.values = _Variables({name: environ[name] for name in ours.values()})()
    for path, _ in leaves(found.values):
        name = next(ours[path[:length]] for length in range(len(path), 0, -1) if path[:length] in ours)
        found.origins[path] = f"environment {name}"
    # pydantic-settings passes over variables whose section, or whose key as a section, it does not know.
    read = {origin.removeprefix("environment ") for origin in found.origins.values()}
    for path, name in ours.items():
        if name not in read:
            found.problems.append(unknown(path, f"environment {name}", [variable(key) for key in suggest(path)]))
    return found


def unknown(path: KeyPath, place: str, candidates: Iterable[str]) -> Problem:
    """The problem of an unknown key."""
    meant_for = list(candidates)
    hint = phrase("did-you-mean-keys", keys=meant_for) if meant_for else ""
    return problem("config-unknown-key", key=dotted(path), place=place, hint=hint)


def from_credentials(environ: Mapping[str, str]) -> Found:
    """Read systemd's credentials: files named ``source.password`` and the like (systemd.exec(5), ``LoadCredential=``).

    Only names of our secrets are opened: the folder may hold other programs' credentials.
    """
    found = Found()
    if not (folder := environ.get("CREDENTIALS_DIRECTORY")):
        return found
    for key in all_keys().values():
        if not key.secret and key.path != ("source", "url"):
            continue
        for name in ("__".join(key.path), ".".join(key.path)):
            try:
                text = decoded(read_bytes(Path(folder) / name)).rstrip("\r\n")
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, ValueError) as error:
                reason = (error.strerror if isinstance(error, OSError) else None) or reason_of(error)
                found.problems.append(
                    problem("config-value", key=dotted(key.path), place=f"credential {name}", reason=reason)
                )
                continue
            found.put(key.path, text, f"credential {name}")
    return found


_URL, _USER, _PASSWORD = ("source", "url"), ("source", "user"), ("source", "password")

_AUTHORITY = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?:(?P<login>[^/?#]*)@)?(?P<host>(?:\[[0-9a-f:.]+\]|[^/?#@:\[\]]*)(?::\d+)?)"
    r"(?P<rest>(?:[/?#][^@]*)?)",
    re.IGNORECASE,
)


def split_login(found: Found, file: ConfigFile | None) -> None:
    """Move a login inside source.url to source.user and source.password of the same place (RFC 3986, 3.2.1).

    A key of its own in the same place is stronger than the url. A url that cannot be split without doubt is taken
    out with a ``config-value`` that does not repeat it: an unencoded ``/``, ``#`` or ``@`` in a password would make
    part of it look like a folder.

    Args:
        found: the values of one place.
        file: the TOML file, for the line in it.
    """
    url = found.get(_URL)
    if not isinstance(url, str) or "://" not in url or url.startswith("file:"):
        return
    origin = found.origins[_URL]
    parts = _AUTHORITY.fullmatch(url)
    try:
        user, _, password = (unquote(text, errors="strict") for text in _login(parts["login"] if parts else None))
    except UnicodeDecodeError:
        parts = None
    if parts is None:
        del found.values["source"]["url"]
        reason = phrase("or-better-keys", advice=advice(url) or phrase("expected-ftp"))
        found.problems.append(problem("config-value", key="source.url", place=place(_URL, found, file), reason=reason))
        return
    found.put(_URL, parts["scheme"] + parts["host"] + parts["rest"], origin)
    for path, text in ((_USER, user), (_PASSWORD, password)):
        if text and found.get(path) is None:
            found.put(path, text, f"{origin} (inside source.url)")


def _login(text: str | None) -> tuple[str, str, str]:
    return (text or "").partition(":")
