"""Two hundred organizations and six hundred workbooks in one run: the books to the kopeck, and people still see why."""

import json

from cpimportd.core.model import Kind
from cpimportd.core.report import RunStatus, UnitStatus
from cpimportd.demo.exports import books_after
from cpimportd.notify.after_run import as_text
from cpimportd.notify.texts import LONGEST_BODY, LONGEST_TITLE
from cpimportd.render.journal import journal_lines
from cpimportd.render.layout import FEW_ROWS, MAX_ROWS
from tests.support import launcher

ONE_BY_ONE = """
    SELECT o.name, 'receipts' AS kind, count(*)::int AS rows, sum(f.amount) AS sum
    FROM fin_receipts f JOIN fin_organizations o ON o.id = f.organization_id GROUP BY o.name
    UNION ALL
    SELECT o.name, 'expenses', count(*)::int, sum(f.amount)
    FROM fin_expenses f JOIN fin_organizations o ON o.id = f.organization_id GROUP BY o.name
    UNION ALL
    SELECT o.name, 'details', count(*)::int, sum(d.payment_amount)
    FROM fin_expense_details d JOIN fin_expenses f ON f.operation_id = d.expense_operation_id
    JOIN fin_organizations o ON o.id = f.organization_id GROUP BY o.name
"""
SCREENFULS = 6 * 60
"""Lines that a report may have: as many as for twenty organizations, six pages of a terminal."""


def command(imported, *arguments, code=0):
    done = launcher.run(*arguments, "--config", str(imported.config))
    assert done.returncode == code, done.stderr
    return done.stdout


def test_the_books_of_every_organization_are_right_to_the_kopeck(imported, sql):
    first, broken = imported.days
    found = {(row["name"], row["kind"]): (row["rows"], row["sum"]) for row in sql(imported.url, ONE_BY_ONE)}
    for unit, truth in broken.units.items():
        served = first.units[unit] if unit in broken.held else truth
        for kind in unit.group.kinds:
            assert found.pop((unit.organization, kind.value)) == (served.rows[kind], served.sums[kind])
    assert not found
    totals, truth = imported.reports[1].totals, books_after(imported.days)
    assert {kind: (totals[kind].rows, totals[kind].sum) for kind in Kind} == {
        kind: (truth.rows[kind], truth.sums[kind]) for kind in Kind
    }


def test_three_broken_workbooks_of_six_hundred_hold_their_three_units_alone(imported):
    first, second = imported.reports
    assert (first.status, len(first.files), len(first.units)) == (RunStatus.PUBLISHED, 600, 400)
    assert second.status is RunStatus.PARTIAL
    assert {unit.unit for unit in second.units if unit.status is UnitStatus.HELD} == imported.days[1].held
    assert not [bridge for report in imported.reports for unit in report.units for bridge in unit.bridges
                if bridge.unexplained]  # fmt: skip


def test_the_report_is_short_and_names_every_workbook_with_something_wrong(imported):
    report = imported.reports[1]
    lines = as_text(report).splitlines()
    assert len(lines) < SCREENFULS
    begin, end = lines.index("Files"), lines.index("Units, in documents")
    files = "\n".join(lines[begin:end])
    assert all(file.name in files for file in report.files if file.problems)
    assert f"… and {600 - FEW_ROWS} more (" in files
    assert f"cpimportd show {report.run} --whole has all of them" in files
    assert all(f"{unit.name} " in "\n".join(lines[end:]) for unit in imported.days[1].held)


def test_the_shortened_bridge_begins_with_the_sum_of_all(imported):
    lines = as_text(imported.reports[0]).replace("\N{NO-BREAK SPACE}", "").splitlines()
    begin = lines.index("The bridge") + 2
    for line, kind in zip(lines[begin : begin + 3], Kind, strict=True):
        closing = f"{imported.days[0].truth.sums[kind]:.2f}".replace(".", ",")
        assert line.startswith("200 organizations  ")
        assert line.split()[2:] == [kind.value, "0,00", closing, "0,00", "0,00", closing, closing, "0,00"]


def test_show_has_every_row_where_it_is_asked_to(imported):
    run = str(imported.reports[1].run)
    names = [file.name for file in imported.reports[1].files]
    whole = command(imported, "show", run, "--whole")
    assert all(name in whole for name in names)
    shown = command(imported, "show", run)
    report = shown[: shown.index("\nThe bridge\n")]
    assert sum(line.split("  ")[0] in names for line in report.splitlines()) == FEW_ROWS


def test_the_journal_has_one_line_for_all_that_went_well_and_each_problem(imported):
    report = imported.reports[1]
    lines = journal_lines(report)
    assert len(lines) < 40
    assert lines[1].text.startswith("ЛОТОС ООО/expenses: held")
    (well,) = [line for line in lines if "without a problem: " in line.text and "show has" in line.text]
    assert well.fields["CPIMPORTD_STATUS"] == "published"
    codes = {line.fields["CPIMPORTD_CODE"] for line in lines if "CPIMPORTD_CODE" in line.fields}
    assert codes == {found.code for found in report.all_problems}


def test_summaries_for_people_stay_short_and_the_books_reconcile(imported):
    weekly = command(imported, "report")
    assert len(weekly.splitlines()) < SCREENFULS
    wrong = weekly[weekly.index("\nWrong now\n") : weekly.index("\nWhat changed")].splitlines()[3:]
    assert {line.split("  ")[0] for line in wrong if line} == {unit.name for unit in imported.days[1].held}
    reconciled = command(imported, "reconcile")
    assert len(reconciled.splitlines()) < MAX_ROWS
    assert f"… and {600 - FEW_ROWS} more ({600 - FEW_ROWS} equal)" in reconciled.replace("\N{NO-BREAK SPACE}", "")
    assert json.loads(command(imported, "reconcile", "--json"))["equal"] is True


def test_the_alert_names_what_is_held_and_carries_the_whole_short_report(imported, sql):
    (alert,) = sql(imported.url, "SELECT title, body FROM cpimportd.alert")
    assert len(alert["title"]) <= LONGEST_TITLE
    assert len(alert["body"]) < LONGEST_BODY
    assert all(f"задержано: {unit.name}" in alert["body"] for unit in imported.days[1].held)
    assert alert["body"].endswith(as_text(imported.reports[1]).splitlines()[-1])
