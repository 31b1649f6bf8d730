"""How tests run side by side: a pytest plugin over pytest-xdist.

``pytest`` alone runs all of them in several processes, each with a PostgreSQL of its own. A file's tests stay together, so
that what they share is made once; a file or a folder that must not run beside another of its like names a common group.
Few files given by name run in pytest's own process, as with ``-n 0``: to start others would take longer than they do.
"""

import os
from pathlib import Path, PurePosixPath
from typing import Final

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

FEW_FILES: Final = 3

LEAST_WORKERS: Final = 4
"""Even on two processors: much of a test is waiting for clocks, processes and connections."""

TOGETHER: Final = {"systemd": "systemd"}
"""The folders whose tests are one group: they share a package that takes a minute to build, and machines that boot."""

DEAREST_FIRST: Final = (
    "systemd",
    "simulation",
    "faults",
    "web",
    "daemon",
    "notify",
    "demo",
    "growth",
    "cli",
    "books",
    "run",
)
"""Folders with long files, which would keep everybody waiting if they came last."""


def _given_files(config: pytest.Config) -> set[str] | None:
    """The files that were asked for by name; None if a folder was, or everything."""
    files = {argument.partition("::")[0] for argument in config.args}
    return files if all((config.invocation_params.dir / file).is_file() for file in files) else None


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """For ``-n auto``; None leaves the number to xdist, which looks at PYTEST_XDIST_AUTO_NUM_WORKERS."""
    files = _given_files(config)
    # What the tests have seen of faults is gathered in one process.
    if (files is not None and len(files) <= FEW_FILES) or config.getoption("--faults-table") == "write":
        return 0
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return max(LEAST_WORKERS, len(os.sched_getaffinity(0)))


class ByFile(LoadScopeScheduling):
    """A file's tests go to one process, as do those of a folder that is named above.

    ``--dist loadgroup`` would do it by marks, but with pytest 9.2 pytest-xdist 3.8 loses them without a word.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = PurePosixPath(nodeid.partition("::")[0])
        return TOGETHER.get(path.parent.name, str(path))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """How tests are handed out, for ``--dist loadscope``."""
    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In the processes that run them, dear folders come first."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _place(item.path.parent))


def _place(folder: Path) -> int:
    return DEAREST_FIRST.index(folder.name) if folder.name in DEAREST_FIRST else len(DEAREST_FIRST)
