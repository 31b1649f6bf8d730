"""How tests run side by side: a pytest plugin over pytest-xdist.

``pytest`` alone runs all of them in several processes, each with a PostgreSQL of its own. A file's tests stay together, so
that what they share is made once; a file or a folder that must not run beside another of its like names a common group.
Few files given by name run in pytest's own process, as with ``-n 0``: to start others would take longer than they do.
"""

import json
import os
import sys
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Final

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

FEW_FILES: Final = 3

LEAST_SECONDS: Final = 5
"""Files that take less need no place in the order."""

LEAST_WORKERS: Final = 5
"""Even on two processors: a third of the tests' time is waiting for clocks, processes and connections."""

TOGETHER: Final = frozenset({"growth", "systemd"})
"""The folders whose tests are one group: they share books of 1,200 workbooks, and a package that takes half a minute to build."""

APART: Final = frozenset({"test_systemd_containers.py"})
"""Files of such folders that share nothing with the others."""

DIVIDED: Final = frozenset({"test_simulation_thirty_years.py", "test_systemd_releases.py"})
"""Files of few, long tests that share nothing: each of them may go to another process."""

SECONDS: Final = Path(__file__).with_name("seconds.json")
"""Whole seconds of each file that takes long, written by ``--seconds=write``: the dearest begin first, and none is last."""


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
        if path.name in DIVIDED:
            return nodeid
        return str(path.parent if path.parent.name in TOGETHER and path.name not in APART else path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """How tests are handed out, for ``--dist loadscope``."""
    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In the processes that run them, dear groups come first."""
    if hasattr(config, "workerinput"):
        order = Order()
        items.sort(key=lambda item: -order.seconds(item.nodeid))


class Order:
    """How long the group of a test takes, as it was written down."""

    def __init__(self) -> None:
        self._files: dict[str, float] = json.loads(SECONDS.read_text("utf-8"))
        self._groups: dict[str, float] = {}
        for file, seconds in self._files.items():
            group = _group(f"{file}::")
            self._groups[group] = self._groups.get(group, 0) + seconds

    def seconds(self, nodeid: str) -> float:
        """Of its group; of what takes not long, or is not known yet, 0."""
        group = _group(nodeid)
        return self._groups.get(group, self._files.get(nodeid.partition("::")[0], 0))


def _group(nodeid: str) -> str:
    return ByFile._split_scope(None, nodeid)  # type: ignore[arg-type]  # it needs nothing of a scheduler


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--seconds=write``."""
    parser.addoption(
        "--seconds", choices=("write",), help="write down how long each test file takes, for what begins first"
    )


class Clock:
    """How long each file takes, as the reports of its tests say."""

    def __init__(self) -> None:
        self._files: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._files[report.nodeid.partition("::")[0]] += report.duration  # type: ignore[assignment]

    def pytest_sessionfinish(self) -> None:
        known = {**json.loads(SECONDS.read_text("utf-8")), **{file: round(took) for file, took in self._files.items()}}
        dear = {file: took for file, took in sorted(known.items()) if took >= LEAST_SECONDS}
        SECONDS.write_text(json.dumps(dear, indent=1) + "\n", "utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Choose how failures are shown, and who writes durations: only the process that hands out tests."""
    if sys.version_info[:2] == (3, 11) and config.option.tbstyle == "auto":
        # pytest's own way parses the source, and there that may fail (AST constructor recursion depth mismatch): one failed
        # test would end all.
        config.option.tbstyle = "native"
    if config.getoption("--seconds") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Clock())
