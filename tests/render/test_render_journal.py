"""One true sentence for the journal, and lines that can be searched by field."""

import logging
import re
from decimal import Decimal

import pytest

from cpimportd.core.model import Group, Kind, Unit
from cpimportd.core.problems import problem
from cpimportd.core.report import Bridge, FileReport, FileStatus, RunStatus, UnitReport, UnitStatus, run_message_id
from cpimportd.render.journal import journal_lines, summary_line

LOTOS = "ЛОТОС ООО"


def test_a_partial_run_in_one_sentence(make_report):
    assert summary_line(make_report()) == (
        "published 1\u00a0050 documents of 1 file in 1.3 s (3 new, 12 changed, 4 removed, 1 re-timed); "
        f'2 units held: {LOTOS}/expenses (control-total), [bold red]Северная[/] "Звезда" ООО/receipts (shrunk); 1 warning'
    )


def test_a_run_that_found_nothing_new(make_report):
    first = make_report()
    unit = UnitReport(first.units[0].unit, UnitStatus.UNCHANGED, unchanged=1050)
    report = make_report(status=RunStatus.UNCHANGED, files=first.files[:1], units=(unit,))
    assert summary_line(report) == "nothing new in 1 file, looked at in 1.3 s"


def test_a_run_that_held_all_published_nothing(make_report):
    report = make_report(status=RunStatus.HELD, files=make_report().files[1:2], units=make_report().units[1:2])
    assert (
        summary_line(report) == f"published nothing of 1 file in 1.3 s; 1 unit held: {LOTOS}/expenses (control-total)"
    )


def test_a_file_that_names_no_organization_is_held_by_its_name(make_report):
    empty = FileReport("x.xlsx", None, (), None, FileStatus.HELD, problems=(problem("file-empty", file="x.xlsx"),))
    assert summary_line(make_report(status=RunStatus.HELD, files=(empty,), units=())).endswith(
        "1 file held: x.xlsx (file-empty)"
    )


def test_a_dry_run_publishes_nothing_and_does_not_say_so(make_report):
    assert summary_line(make_report(run=None, status=RunStatus.DRY_RUN)).startswith(
        "would publish 1\u00a0050 documents"
    )


def test_documents_put_right_without_a_new_file(make_report):
    unit = UnitReport(Unit(LOTOS, Group.RECEIPTS), UnitStatus.PUBLISHED, put_right=2)
    file = FileReport("x.xlsx", Kind.RECEIPTS, (LOTOS,), None, FileStatus.UNCHANGED, 2, Decimal(1))
    report = make_report(status=RunStatus.PUBLISHED, files=(file,), units=(unit,))
    assert summary_line(report) == "put right 1 unit in 1.3 s (2 put right)"


def test_documents_and_detail_lines_are_told_apart(make_report):
    def published(*files):
        told = [
            FileReport("x.xlsx", kind, (LOTOS,), None, FileStatus.PUBLISHED, rows, Decimal(1)) for kind, rows in files
        ]
        unit = UnitReport(Unit(LOTOS, Group.EXPENSES), UnitStatus.PUBLISHED, inserted=1)
        return summary_line(make_report(status=RunStatus.PUBLISHED, files=tuple(told), units=(unit,)))

    both = published((Kind.RECEIPTS, 40), (Kind.EXPENSES, 200), (Kind.DETAILS, 1282))
    assert both == "published 240 documents and 1\u00a0282 detail lines of 3 files in 1.3 s (1 new)"
    assert published((Kind.DETAILS, 1)) == "published 1 detail line of 1 file in 1.3 s (1 new)"
    assert published((Kind.RECEIPTS, 0)) == "published no document of 1 file in 1.3 s (1 new)"


def test_a_document_that_changed_hands_is_told_once_of_the_run_and_on_both_sides_of_the_units(make_report):
    gave = UnitReport(Unit(LOTOS, Group.EXPENSES), UnitStatus.PUBLISHED, inserted=21, moved_out=1)
    got = UnitReport(Unit("МОСТ ООО", Group.EXPENSES), UnitStatus.PUBLISHED, updated=1, moved_in=1)
    report = make_report(status=RunStatus.PUBLISHED, files=(), units=(gave, got))
    lines = journal_lines(report)
    assert lines[0].text == "put back 2 units in 1.3 s (21 new, 1 changed, 1 moved to another organization)"
    assert lines[1].text == f"{LOTOS}/expenses: 21 new, 1 moved out"
    assert lines[2].text == "МОСТ ООО/expenses: 1 changed, 1 moved in"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (problem("database-unreachable", reason="away"),
         "failed after 1.3 s: the database cannot be reached: away [database-unreachable]; nothing was published"),
        (problem("slot-done", value="06:00", schedule="import", run=7),
         "did nothing: slot 06:00 of schedule import was done by run 7 [slot-done]"),
        (problem("run-under-way", value=8),
         "did nothing: another run is under way in department 8 [run-under-way]"),
    ],
)  # fmt: skip
def test_a_failed_run_in_one_sentence(make_report, found, expected):
    assert summary_line(make_report(status=RunStatus.FAILED, files=(), units=(), problems=(found,))) == expected


def test_an_unknown_commit_is_not_called_unpublished(make_report):
    report = make_report(status=RunStatus.FAILED, files=(), units=(), problems=(problem("commit-unknown"),))
    assert "nothing was published" not in summary_line(report)


def test_many_held_units_stay_one_line(make_report):
    units = tuple(UnitReport(Unit(f"О{n}", Group.RECEIPTS), UnitStatus.HELD) for n in range(40))
    line = summary_line(make_report(files=(), units=units))
    assert "40 units held" in line
    assert "and 35 more" in line


def test_the_journal_keeps_every_problem_with_its_message_id_and_fields(make_report):
    report = make_report()
    lines = journal_lines(report)
    for found in report.all_problems:
        (line,) = [one for one in lines if one.fields.get("CPIMPORTD_CODE") == found.code]
        assert line.fields["MESSAGE_ID"] == found.kind.message_id
        assert found.way_out in line.text
        assert line.fields["CPIMPORTD_RUN"] == "42"
    assert len({line.fields.get("MESSAGE_ID") for line in lines if "MESSAGE_ID" in line.fields}) == 4


def test_journal_fields_have_names_that_journald_accepts_and_no_text_breaks_a_line(make_report):
    unit = UnitReport(Unit("Evil\n\x1b[2J", Group.RECEIPTS), UnitStatus.HELD)
    for line in journal_lines(make_report(units=(unit,))):
        assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", name) for name in line.fields)
        assert "\n" not in line.text
        assert "\x1b" not in line.text


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (RunStatus.PUBLISHED, logging.INFO),
        (RunStatus.UNCHANGED, logging.INFO),
        (RunStatus.PARTIAL, logging.WARNING),
        (RunStatus.HELD, logging.ERROR),
        (RunStatus.FAILED, logging.ERROR),
    ],
)
def test_the_level_follows_the_outcome(make_report, status, level):
    first = journal_lines(make_report(status=status))[0]
    assert first.level == level
    assert first.fields["MESSAGE_ID"] == run_message_id(status)


def test_an_unexplained_difference_is_critical_in_the_journal(make_report):
    unit = make_report().units[0]
    zero = Decimal(0)
    broken = Bridge(unit.bridges[0].kind, zero, zero, zero, zero, Decimal("0.01"), 1, 1)
    lines = journal_lines(make_report(units=(UnitReport(unit.unit, UnitStatus.PUBLISHED, bridges=(broken,)),)))
    assert max(line.level for line in lines) == logging.CRITICAL


def test_a_problem_of_a_file_is_found_by_the_organization_that_the_file_belongs_to(make_report):
    broken = problem("control-total", file="x.xlsx", column="Сумма", sum="1.00", total="2.00", difference="-1.00")
    files = (FileReport("x.xlsx", None, (LOTOS,), None, FileStatus.HELD, 1, None, (broken,)),)
    (line,) = [found for found in journal_lines(make_report(files=files, units=())) if "CPIMPORTD_CODE" in found.fields]
    assert line.fields["CPIMPORTD_ORGANIZATION"] == LOTOS
