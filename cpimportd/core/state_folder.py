"""Finds the state folder without the rest of the configuration, for clients of the daemon.

The daemon uses the configuration that it accepted. An error in the present file must not hide the daemon's status from
an administrator. Validating everything would also take half of the time until the answer.
"""

import os
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Final

DEFAULT_PATH: Final = Path("/etc/cpimportd/cpimportd.toml")
"""The default path of the configuration file."""

USUAL: Final = Path("/var/lib/cpimportd")
"""The state folder of the packaged unit."""

ENV_FILE: Final = "CPIMPORTD_ENV_FILE"
"""The variable that names a file of variables, as --env-file does."""

_KEY: Final = "state_directory"
PREFIX: Final = "CPIMPORTD_"
"""Of our environment variables."""


def env_file_beside(config: Path) -> Path | None:
    """The file of variables beside a configuration file: for sales.toml it is sales.env, else .env."""
    for file in (config.with_suffix(".env"), config.with_name(".env")):
        try:
            file.lstat()
        except OSError:
            continue
        return file
    return None


def default_state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The default state folder."""
    if folders := environ.get("STATE_DIRECTORY"):  # systemd.exec(5): several are separated by colons
        return Path(folders.split(":")[0])
    if os.geteuid() == 0 or (USUAL.is_dir() and os.access(USUAL, os.W_OK)):
        return USUAL
    state = Path(environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():  # XDG Base Directory Specification: a relative path is to be ignored
        state = Path(environ.get("HOME") or "~").expanduser() / ".local" / "state"
    return state / "cpimportd"


def configured_state_folder(config: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The state folder that the environment or the file says, as loading the configuration would have it.

    Args:
        config: the file that ``--config`` names; None means ``CPIMPORTD_CONFIG``, else the usual place.
        environ: the environment.

    Returns:
        None if there is no file, or none that can be read so far: then the whole configuration says more.
    """
    path = config or Path(environ.get("CPIMPORTD_CONFIG") or DEFAULT_PATH)
    file = Path(environ[ENV_FILE]) if environ.get(ENV_FILE) else env_file_beside(path)
    try:
        if file is not None and b"STATE_DIRECTORY" in file.read_bytes():
            return None  # it takes more than a look to know what it says
        found = _written(path.read_bytes())
    except (OSError, ValueError):
        return None
    for name, text in environ.items():
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() == _KEY and text:
            found = text
    if found is None:
        return default_state_folder(environ)
    # A relative one is a fault of the configuration, as is a value of another type: the whole of it says so.
    return Path(found) if isinstance(found, str) and Path(found).is_absolute() else None


def _written(file: bytes) -> object:
    """What the file sets; where it is no TOML, what a line of its own sets before any section begins.

    Raises:
        ValueError: that cannot be told.
    """
    import tomllib  # noqa: PLC0415 - the daemon does without

    try:
        return tomllib.loads(file.decode("utf-8-sig")).get(_KEY)
    except ValueError:
        lines = file.decode("utf-8-sig", errors="replace").splitlines()
        top = [line.strip() for line in takewhile(lambda line: not line.lstrip().startswith("["), lines)]
        named = [line for line in top if line.startswith(_KEY)]
        if len(named) != 1 or any(quotes in line for line in top for quotes in ('"""', "'''")):
            raise
        return tomllib.loads(named[0]).get(_KEY)
