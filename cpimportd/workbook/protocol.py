"""The messages between the child that reads a workbook and its parent: one document in, lines out.

Lines that begin with a digit are rows in the text format of PostgreSQL's COPY, columns as in STAGED_COLUMNS.
Lines that begin with ``{`` are messages of one key: ``header`` (kind, engine, sheet, columns), ``problem`` (as
Problem.as_json), ``progress`` (rows so far), and at the very end ``trailer``: without one the child died.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import IO, Any, TypedDict

from cpimportd.core.catalog import CATALOG
from cpimportd.core.model import STAGED_COLUMNS, Kind, Progress
from cpimportd.core.phrases import UnfitError, received_facts
from cpimportd.core.problems import Problem, printable, problem
from cpimportd.core.typed import to_json
from cpimportd.workbook.copytext import KeyReader, Keys, amount_of

LONGEST_LINE = 8 * 1024 * 1024
"""Bytes of one line; a row's texts are far shorter."""

_BATCH = 256
_ROWS_PER_PROGRESS = 5_000
_LONGEST_TEXT = 4000
_LONGEST_SHEET = 255
_LETTERS = re.compile("[A-Z]{1,3}")


class Job(TypedDict):
    """What the parent asks for.

    ``zip`` holds the fields of ZipLimits; ``limits`` how many characters the books have room for, per field;
    ``most_problems`` how many of one code may be sent.
    """

    path: str
    name: str
    file_no: int
    timezone: str
    limits: dict[str, int]
    known_digests: list[str]
    zip: dict[str, int]
    most_problems: int


@dataclass(frozen=True, slots=True)
class Trailer:
    """How reading ended.

    Attributes:
        digest: of the workbook's content.
        unchanged: the digest is a known one, and nothing was read beyond it.
        rows: how many were understood.
        rejected: how many were not.
        control_totals: by title, what the last row says.
        sums: by title, what the understood rows sum to.
        total_row: where the last ``Итого`` stands; None where there is none.
    """

    digest: str = ""
    unchanged: bool = False
    rows: int = 0
    rejected: int = 0
    control_totals: Mapping[str, Decimal] = field(default_factory=dict)
    sums: Mapping[str, Decimal] = field(default_factory=dict)
    total_row: int | None = None

    def as_json(self) -> dict[str, object]:
        """The trailer as it travels: amounts as plain decimal text."""
        return {
            "digest": self.digest,
            "unchanged": self.unchanged,
            "rows": self.rows,
            "rejected": self.rejected,
            "control_totals": {title: f"{amount:f}" for title, amount in self.control_totals.items()},
            "sums": {title: f"{amount:f}" for title, amount in self.sums.items()},
            "total_row": self.total_row,
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Trailer":
        """What a child says of itself, with every doubt about it.

        Raises:
            ValueError: it makes no sense.
        """
        digest, unchanged, rows, rejected = (said[name] for name in ("digest", "unchanged", "rows", "rejected"))
        row = said.get("total_row")
        counted = isinstance(rows, int) and isinstance(rejected, int) and (row is None or isinstance(row, int))
        if not re.fullmatch("[0-9a-f]{64}|", digest) or not isinstance(unchanged, bool) or not counted:
            raise UnfitError("last-line-senseless")
        totals, sums = (
            {printable(title): amount_of(text) for title, text in said[name].items()}
            for name in ("control_totals", "sums")
        )
        return cls(digest, unchanged, rows, rejected, totals, sums, row)


class Output:
    """The child's side: lines to the parent, written some hundreds at a time.

    Args:
        stream: where to.
        most_problems: of one code that are sent; the rest is only counted.
    """

    def __init__(self, stream: IO[bytes], most_problems: int) -> None:
        self._stream = stream
        self._most_problems = most_problems
        self._found: Counter[str] = Counter()
        self._lines: list[bytes] = []
        self._rows = 0

    def row(self, line: bytes) -> None:
        """Send an understood row, and from time to time how many there were."""
        self._lines.append(line)
        self._rows += 1
        if self._rows % _ROWS_PER_PROGRESS == 0:
            self.message("progress", self._rows)
        if len(self._lines) >= _BATCH:
            self._flush()

    def message(self, name: str, content: object) -> None:
        """Send a message."""
        self._lines.append(json.dumps({name: content}).encode() + b"\n")

    def problem(self, found: Problem) -> None:
        """Send a problem, unless so many of its code were sent already: a sheet has room for a million bad rows."""
        self._found[found.code] += 1
        if self._found[found.code] <= self._most_problems:
            self.message("problem", to_json(found))

    def end(self, trailer: Trailer, file: str) -> None:
        """Send the last words, with the number of rows and of problems, and leave nothing unsent."""
        for code, count in self._found.items():
            if count > self._most_problems:
                unlisted = count - self._most_problems
                more = problem("problems-unlisted", file=file, value=code, count=unlisted, all=count)
                self.message("problem", to_json(more))
        self.message("trailer", replace(trailer, rows=self._rows).as_json())
        self._flush()

    def _flush(self) -> None:
        self._stream.write(b"".join(self._lines))
        self._stream.flush()
        self._lines.clear()


class OutputParser:
    """The parent's side: what the child has said so far, checked line by line.

    Attributes:
        kind: by the header; None until it came.
        engine: which read it.
        sheet: the name of the sheet that it reads.
        columns: field → letters of the column that it comes from.
        documents: the keys of the rows so far.
        problems: reported by the child.
        trailer: its last words; an empty one until they came.

    Args:
        file: the workbook's name.
        file_no: its place among today's files.
        progress: called from time to time with the number of rows so far.
        most_problems: of one code that the child was allowed.
    """

    def __init__(self, file: str, file_no: int, progress: Callable[[Progress], None], most_problems: int) -> None:
        self.kind: Kind | None = None
        self.engine = self.sheet = ""
        self.columns: dict[str, str] = {}
        self.documents = Keys()
        self.problems: list[Problem] = []
        self.trailer = Trailer()
        self._file, self._file_no, self._progress = file, file_no, progress
        self._most_problems = most_problems
        self._told: Counter[str] = Counter()
        self._ended = False
        self._keys: KeyReader | None = None

    def parse(self, block: bytes) -> bytes:
        """Take whole lines; give back those that are rows, as they are.

        Raises:
            ValueError: a line is not what it must be.
        """
        lines = block.decode().split("\n")
        if lines.pop():
            raise UnfitError("last-line-cut-off")
        rows = []
        for line in lines:
            if line.startswith("{"):
                self._message(line)
            else:
                self._document(line)
                rows.append(line)
        return block if len(rows) == len(lines) else "".join(f"{row}\n" for row in rows).encode()

    def end(self) -> None:
        """Make sure that everything was said.

        Raises:
            ValueError: there was no trailer, or it counts other rows.
        """
        if not self._ended:
            raise UnfitError("ended-without-last-line")
        if self.trailer.rows != len(self.documents):
            raise UnfitError("rows-counted", told=self.trailer.rows, came=len(self.documents))

    def _document(self, line: str) -> None:
        if self._keys is None or self._ended:
            raise UnfitError("row-where-none-may")
        self._keys.read(line)

    def _message(self, line: str) -> None:
        ((name, content),) = json.loads(line).items()
        if self._ended:
            raise UnfitError("follows-last-line")
        if name == "problem":
            self._problem(content)
        elif name == "header":
            self._header(content)
        elif name == "progress":
            self._progress(Progress("read", self._file, len(self.documents)))
        elif name == "trailer":
            self.trailer, self._ended = Trailer.from_json(content), True
        else:
            raise UnfitError("unknown-message", name=repr(name[:40]))

    def _header(self, said: dict[str, Any]) -> None:
        if self._keys is not None:
            raise UnfitError("second-header")
        self.kind, self.engine = Kind(said["kind"]), printable(said["engine"])
        self._keys = KeyReader(self.documents, len(STAGED_COLUMNS[self.kind]), self._file_no)
        self.sheet = printable(said["sheet"], _LONGEST_SHEET)
        if not said["columns"].keys() <= set(STAGED_COLUMNS[self.kind]):
            raise UnfitError("no-such-field")
        if not all(_LETTERS.fullmatch(letters) for letters in said["columns"].values()):
            raise UnfitError("no-such-column")
        self.columns = dict(said["columns"])

    def _problem(self, said: dict[str, Any]) -> None:
        found = _problem(said, self._file)
        self._told[found.code] += 1
        # A child that was taken over could otherwise fill the parent's memory, the journal and the books with them.
        if self._told[found.code] > max(self._most_problems, len(CATALOG)):
            raise UnfitError("too-many-problems")
        self.problems.append(found)


def _problem(said: dict[str, Any], file: str) -> Problem:
    """A problem as the child sends it: its code must exist, its texts are escaped anew, its file is the one we know."""
    if said["code"] not in CATALOG:
        raise UnfitError("no-such-problem")
    row = said["row"]
    if row is not None and not isinstance(row, int):
        raise UnfitError("row-no-number")
    message, way_out, column, value, organization = (
        None if said[name] is None else printable(said[name], _LONGEST_TEXT)
        for name in ("message", "way_out", "column", "value", "organization")
    )
    facts = received_facts(said.get("facts", {}))
    return Problem(said["code"], message or "", way_out or "", printable(file), row, column, value, organization, facts)
