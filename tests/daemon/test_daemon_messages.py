"""What a run tells the daemon is read back as it was written, and nothing on that line can harm whoever reads it."""

import logging
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpimportd.core.model import Kind
from cpimportd.core.problems import problem
from cpimportd.core.report import FileReport, FileStatus, RunReport, RunStatus
from cpimportd.core.waiting import Wait
from cpimportd.core.workbooks import SeenWorkbook
from cpimportd.daemon.messages import CurrentWaits, LogLine, RunResult, RunStarted, Stage, decode, encode
from cpimportd.render.progress import messages_of_report

NO_OFFSET = b'{"waits": [{"for": "x", "why": "y", "next": "2026-11-24T03:00", "until": null, "trouble": true}]}'
BEGAN = datetime(2026, 11, 24, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "message",
    [
        Stage("read", "Поступление.xlsx", 10, 20, finished=True),
        RunStarted(26),
        CurrentWaits(()),
        CurrentWaits((Wait("source", "away", BEGAN, BEGAN), Wait("upload", "young", trouble=False))),
        LogLine(logging.WARNING, "a text", {"CPIMPORTD_CODE": "shrunk"}),
        SeenWorkbook("a.xlsx", "receipts", ("ЛОТОС ООО",), BEGAN, "published"),
        SeenWorkbook("b.xlsx", None, (), None, "held"),
        RunResult(7, "partial", 3, "published", held=("ЛОТОС ООО/expenses",), problem="x", way_out="y"),
        RunResult(None, "failed", 1, "failed", passing=True, codes=("database-unreachable",)),
    ],
)
def test_a_message_is_read_back_as_it_was_written(message):
    assert decode(encode(message).encode()) == message


@given(st.binary(max_size=200))
def test_whatever_is_on_a_line_becomes_a_message_without_control_characters(line):
    found = decode(line)
    assert isinstance(found, RunStarted | Stage | CurrentWaits | LogLine | SeenWorkbook | RunResult)
    if isinstance(found, LogLine):
        assert "\x1b" not in found.text
        assert "\n" not in found.text


@pytest.mark.parametrize(
    "line",
    [
        b'{"begun": null}',
        b'{"waits": [{"for": "source"}]}',
        NO_OFFSET,
        b'{"stage": 1, "x": 2}',
        b'{"seen": {}}',
        b'{"result": []}',
        b"[]",
        b"null",
        b"7",
    ],
)
def test_what_only_looks_like_a_message_is_reported_as_text(line):
    assert decode(line) == LogLine(logging.ERROR, line.decode())


def test_pythons_last_output_are_reported_as_an_error():
    found = decode(b"MemoryError: \x1b[31mred\x1b[0m\n")
    assert (found.level, found.text) == (logging.ERROR, "MemoryError: \\x1b[31mred\\x1b[0m")


def report(status: RunStatus, *problems) -> RunReport:
    file = FileReport("a.xlsx", Kind.RECEIPTS, ("ЛОТОС ООО",), BEGAN, FileStatus.UNCHANGED, 1)
    return RunReport(7, status, BEGAN, 1.5, files=(file,), problems=problems)


def test_a_report_ends_in_its_result_and_names_what_it_saw():
    *_, seen, result = messages_of_report(report(RunStatus.UNCHANGED))
    assert seen == SeenWorkbook("a.xlsx", "receipts", ("ЛОТОС ООО",), BEGAN, "unchanged")
    assert (result.run, result.status, result.code, result.passing, result.problem) == (7, "unchanged", 0, False, None)


@pytest.mark.parametrize(
    ("codes", "passing"),
    [(["database-unreachable"], True), (["database-unreachable", "disk"], False), (["database-login"], False)],
)
def test_a_failure_passes_only_where_all_of_it_may(codes, passing):
    facts = {"reason": "away", "path": "/x", "way": "Correct it."}
    *_, result = messages_of_report(report(RunStatus.FAILED, *(problem(code, **facts) for code in codes)))
    assert (result.passing, list(result.codes), result.code) == (passing, codes, 1)
    assert result.way_out
