"""The table of faults, made from the tests' own results: ``docs/faults.md``.

A test adds a row: the fault that it injected, and the outcome. Every run of the tests compares its rows with the page;
``--faults-table=write`` replaces the rows of the test files that were run.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import pytest

PAGE: Final = Path(__file__).parents[3] / "docs" / "faults.md"

_OPENING: Final = """# Injected failures and their results

`pytest tests/faults --whole --faults-table=write` makes this page from the results of the tests. Every run of the tests compares
its results with this page.

- *Books as before*: equal in every row and column to the books before the run.
- *Next run corrects them*: after the next run, the books equal those of an undisturbed run.
- A code in `this type` is a problem. Read its text and remedy in `journalctl -x`.
"""

_ROW: Final = re.compile(r"\| (?P<fault>.*?) \| (?P<outcome>.*?) \| `(?P<test>[^`]*)` \|")


class Chapter(StrEnum):
    """The part that a test breaks."""

    SERVER = "Real FTP servers"
    LINE = "Network faults"
    HOSTILE = "Hostile servers and uploads"
    DATABASE = "Database faults"
    MACHINE = "Machine faults"
    SECRETS = "Secrets"
    HOSTS = "Two hosts"


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One fault, its outcome, and the test file that observed both."""

    chapter: Chapter
    test: str
    fault: str
    outcome: str


class FaultTable:
    """The rows of this session's tests."""

    def __init__(self) -> None:
        self.seen: set[Row] = set()


class Faults:
    """One test's access to the table."""

    def __init__(self, table: FaultTable, test: str, *, compare: bool) -> None:
        self._table, self._test, self._compare = table, test, compare

    def tell(self, chapter: Chapter, fault: str, outcome: str) -> None:
        """Add a row.

        Args:
            chapter: what was broken.
            fault: what was done to it, in an administrator's words.
            outcome: how the product reacted, taken from the real result; the same at every run.
        """
        row = Row(chapter, self._test, _cell(fault), _cell(outcome))
        self._table.seen.add(row)
        if self._compare:
            assert row in read(PAGE), f"not in docs/faults.md: {row}; write it by pytest … --faults-table=write"


def _cell(text: str) -> str:
    assert text.strip(), "a cell of the table is empty"
    return " ".join(text.replace("|", "¦").split())


def read(page: Path) -> set[Row]:
    """The rows of the page; none where there is no page."""
    rows: set[Row] = set()
    chapter = None
    for line in page.read_text("utf-8").splitlines() if page.exists() else ():
        if line.startswith("## "):
            chapter = Chapter(line.removeprefix("## "))
        elif chapter is not None and (match := _ROW.fullmatch(line)):
            rows.add(Row(chapter, match["test"], match["fault"], match["outcome"]))
    return rows


def write(page: Path, rows: set[Row]) -> None:
    """Write the page."""
    parts = [_OPENING]
    for chapter in Chapter:
        lines = [f"| {row.fault} | {row.outcome} | `{row.test}` |" for row in sorted(rows) if row.chapter is chapter]
        if lines:
            parts.append("\n".join((f"## {chapter}\n", "| fault | outcome | seen by |", "|---|---|---|", *lines, "")))
    page.write_text("\n".join(parts), "utf-8")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption("--whole", action="store_true", help="try every fault at every place, not a sample")
    group.addoption(
        "--faults-table", choices=("compare", "write"), default="compare", help="what to do with docs/faults.md"
    )


_TABLE: Final = pytest.StashKey[FaultTable]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TABLE] = FaultTable()


def pytest_sessionfinish(session: pytest.Session) -> None:
    table = session.config.stash[_TABLE]
    if session.config.getoption("--faults-table") == "write":
        told = {row.test for row in table.seen}
        kept = {row for row in read(PAGE) if row.test not in told}
        write(PAGE, kept | table.seen)


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> Faults:
    """Adds rows to ``docs/faults.md``: the faults that this test injects, and their outcomes."""
    table = request.config.stash[_TABLE]
    return Faults(table, request.node.path.name, compare=request.config.getoption("--faults-table") == "compare")


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether every place is to be tried, or a sample of them."""
    return bool(request.config.getoption("--whole"))
