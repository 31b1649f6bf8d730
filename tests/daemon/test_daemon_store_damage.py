"""However the memory's file was damaged, the daemon starts: with what can be understood, or with none and a word."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpimportd.daemon.store import FILE, FinishedRun, Record, Store, Upload, encode
from cpimportd.timetable.memory import Memory, Remembered

NOW = datetime(2026, 11, 24, 3, 0, 1, tzinfo=UTC)
FINISHED = FinishedRun(
    3, "import", NOW, NOW, NOW, "partial", 3, 7, "a summary", ("Лотос/expenses",), "a problem", "a way out"
)
RECORD = Record(
    Memory({"import": Remembered("*-*-* 06:00:00", "Europe/Moscow", NOW, NOW, None)}),
    FINISHED,
    FINISHED,
    ("Лотос/expenses",),
    {"a.xlsx": Upload("a.xlsx", "receipts", ("Лотос",), NOW, "published", NOW, NOW)},
)
WHOLE = encode(RECORD).encode()


@pytest.fixture(scope="module")
def load(tmp_path_factory) -> Callable[[bytes], Record]:
    """Load a file with some content: the record, or an empty one, said and set aside."""
    folder = tmp_path_factory.mktemp("state")

    def load(content: bytes) -> Record:
        for rest in folder.iterdir():
            rest.unlink()
        (folder / FILE).write_bytes(content)
        record, said = Store(folder).load()
        kept = [path for path in folder.iterdir() if path.read_bytes() == content]
        assert len(kept) == 1, "the damaged file is gone"
        assert (said is None) == (kept[0].name == FILE)
        assert said is None or record == Record()
        return record

    return load


def test_a_file_that_was_cut_off_anywhere_is_not_accepted_as_complete(load):
    end = WHOLE.rindex(b"}")
    for length in range(0, end, 7):
        assert load(WHOLE[:length]) == Record()
    assert load(WHOLE[: end + 1]) == RECORD


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_bytes_that_were_changed_anywhere_keep_nobody_from_starting(load, changes):
    content = bytearray(WHOLE)
    for place, byte in changes:
        content[place] = byte
    load(bytes(content))


@pytest.mark.parametrize(
    "content",
    [
        WHOLE.replace(b"2026-11-24T03:00:01+00:00", b"0001-01-01T00:00:00+14:00"),
        b"[" * 100_000,
        b'{"version": ' + b"9" * 5000 + b"}",
    ],
    ids=["an instant before all time", "brackets without end", "a number without end"],
)
def test_what_no_program_of_ours_wrote_is_set_aside_too(load, content):
    assert load(content) == Record()
