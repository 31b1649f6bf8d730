from collections.abc import Callable
from pathlib import Path

import pytest

from cpimportd.config.load import Loaded, load
from cpimportd.core.problems import Problem, ProblemError

Reader = Callable[..., Loaded]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write a configuration file that only its owner may read."""

    def write(text: str, mode: int = 0o600) -> Path:
        path = tmp_path / "cpimportd.toml"
        path.write_text(text, "utf-8")
        path.chmod(mode)
        return path

    return write


@pytest.fixture
def read(write, tmp_path: Path) -> Reader:
    """Load a file's text, environment variables and credentials, apart from the environment of the tests."""

    def read(text: str = "", /, credentials: dict[str, str | bytes] | None = None, **environ: str) -> Loaded:
        if credentials is not None:
            folder = tmp_path / "credentials"
            folder.mkdir()
            for name, secret in credentials.items():
                (folder / name).write_bytes(secret if isinstance(secret, bytes) else secret.encode())
            environ["CREDENTIALS_DIRECTORY"] = str(folder)
        return load(write(text), environ)

    return read


@pytest.fixture
def refused(read: Reader) -> Callable[..., tuple[Problem, ...]]:
    """The problems of a configuration that must not load."""

    def refused(*args, **environ) -> tuple[Problem, ...]:
        with pytest.raises(ProblemError) as caught:
            read(*args, **environ)
        assert caught.value.exit_code == 2
        return caught.value.problems

    return refused
