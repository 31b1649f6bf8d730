"""The faces of the other verbs: check, history, show, summary, config show."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from cpimportd.books.reports.history import Change, Inserted, RunLine, Shown
from cpimportd.books.reports.overview import CurrencyTotals, Summary
from cpimportd.cli.checkup.line import CheckLine
from cpimportd.core.model import Kind
from cpimportd.core.report import KindTotal
from cpimportd.core.typed import to_json
from cpimportd.render.history import render_changes, render_history, render_stored, stored_report
from cpimportd.render.lists import render_checks, render_config, render_summary

MOSCOW = ZoneInfo("Europe/Moscow")
BEGAN = datetime(2025, 3, 1, 3, 0, 1, tzinfo=UTC)


def run_line(**changes) -> RunLine:
    given = {
        "run": 1042,
        "status": "partial",
        "trigger": "schedule",
        "schedule": "import",
        "slot": BEGAN,
        "started_at": BEGAN,
        "finished_at": BEGAN + timedelta(seconds=2.5),
        "seconds": 2.5,
        "host": "books-1",
        "version": "0.1.0",
        "accepted": (),
        "published": 3,
        "held": 1,
        "inserted": 1234,
        "updated": 12,
        "removed": 4,
        "retimed": 1,
    }
    return RunLine(**{"requested_by": None, "undoes": (), **given, **changes})


def test_a_check_says_ok_warning_or_failed_with_the_way_out(pipe):
    lines = (
        CheckLine("database", ok=True, warning=False, text="PostgreSQL 16"),
        CheckLine("clock", ok=True, warning=True, text="9 s apart", way_out="Use NTP."),
        CheckLine("source", ok=False, warning=False, text="no [red]route[/]", way_out="Check the server."),
    )
    render_checks(lines, pipe.console)
    assert pipe.lines == [
        "database: OK (PostgreSQL 16)",
        "clock: WARNING (9 s apart)",
        "    Use NTP.",
        "source: FAILED (no [red]route[/])",
        "    Check the server.",
    ]


def test_history_names_runs_without_gaps_and_shows_moscow_time(pipe):
    render_history([run_line(), run_line(run=7, schedule=None, slot=None, trigger="manual")], MOSCOW, pipe.console)
    assert pipe.lines[1].split()[:3] == ["1042", "2025-03-01", "06:00:01"]
    assert "1\u00a0234" in pipe.lines[1]
    assert "manual" in pipe.lines[2]


def test_history_without_runs_says_so(pipe):
    render_history([], MOSCOW, pipe.console)
    assert pipe.lines == ["No run yet."]


def test_a_stored_report_reads_back_as_it_was(make_report):
    report = make_report()
    assert to_json(stored_report(json.loads(json.dumps(to_json(report)), parse_float=str))) == {
        **to_json(report),
    }


def test_a_stored_problem_of_a_newer_version_is_shown_all_the_same(make_report, pipe):
    stored = to_json(make_report())
    stored["problems"] = [{"code": "from-the-future", "message": "it rained", "way_out": "Wait."}]
    render_stored(Shown(run_line(), stored), MOSCOW, pipe.console)
    assert "it rained (from-the-future)" in pipe.text


def test_a_run_without_a_report_is_still_shown(pipe):
    render_stored(Shown(run_line(status="abandoned", finished_at=None), None), MOSCOW, pipe.console)
    assert "abandoned" in pipe.text
    assert "books-1" in pipe.text


def test_changes_show_what_was_before_and_after(pipe):
    changed = Change(1, "receipts", "update", "Поступление 1", "ЛОТОС ООО", Decimal("1.00"), Decimal("1234.50"),
                     {"amount": Decimal("1.00"), "payer": None}, {"amount": Decimal("1234.50"), "payer": "[b]X[/b]"}, "snapshot", None)  # fmt: skip
    retimed = Change(2, "receipts", "delete", "Старое", "ЛОТОС ООО", Decimal(5), None, {"amount": "5.00"}, None,
                     "snapshot", "Новое")  # fmt: skip
    render_changes([changed, retimed], [Inserted("receipts", "Новое", "ЛОТОС ООО", "a.xlsx", 1234)], pipe.console)
    assert "changed: receipts, ЛОТОС ООО: Поступление 1, 1,00 → 1\u00a0234,50 (snapshot)" in pipe.lines
    assert "    Сумма: 1,00 → 1\u00a0234,50" in pipe.lines
    assert "    Плательщик: — → [b]X[/b]" in pipe.lines
    assert "re-timed: receipts, ЛОТОС ООО: Старое, 5,00, now Новое (snapshot)" in pipe.lines
    assert pipe.lines[-1].split()[-2:] == ["a.xlsx", "1234"]


def test_a_summary_warns_where_its_sums_mix_currencies(pipe):
    summary = Summary(
        documents={kind: KindTotal(1, Decimal("1000.10")) for kind in Kind},
        principal=Decimal("600.10"),
        interest=Decimal(300),
        other=Decimal(100),
        active_contracts=4,
        unconfirmed=KindTotal(2, Decimal(20)),
        currencies=(
            CurrencyTotals("RUB", Decimal(1000), Decimal(1)),
            CurrencyTotals("USD", Decimal("0.10"), Decimal(0)),
        ),
        last_run=run_line(),
        last_published=None,
    )
    render_summary(summary, 8, MOSCOW, pipe.console)
    assert "By currency" in pipe.text
    assert "Last run: run 1042, partial" in pipe.text
    assert "Last published: none yet" in pipe.text


def test_a_long_configuration_value_is_never_cut(pipe):
    value = "postgresql://cpimportd@db.example.org/backend?" + "x" * 200
    render_config([("database.url", value, "/etc/cpimportd/cpimportd.toml")], ["A is set in vain"], pipe.console)
    assert value in pipe.text
    assert pipe.lines[-1] == "Note: A is set in vain"


def test_a_document_that_came_back_is_told_with_its_sum_and_no_number_of_the_database_is(pipe):
    both = {"seq": 1, "kind": "expenses", "organization": "ЛОТОС ООО", "why": "undone", "paired_with": None}
    whole = {
        "id": 401,
        "department_id": 8,
        "contract_id": 3,
        "amount": Decimal("12.00"),
        "updated_at": "2026-11-30T11:34:25",
    }
    back = Change(op="insert", operation_id="Старое", amount_before=None, amount_after=Decimal("12.00"), old=None,
                  new=whole, **both)  # fmt: skip
    moved = Change(op="update", operation_id="Другое", amount_before=Decimal("5.00"), amount_after=Decimal("5.00"),
                   old={"contract_id": 3, "contract": "А"}, new={"contract_id": 5, "contract": "Б"}, **both)  # fmt: skip
    render_changes([back, moved], [], pipe.console)
    assert "brought back: expenses, ЛОТОС ООО: Старое, 12,00 (undone)" in pipe.lines
    assert "_id" not in pipe.text
    assert "_at" not in pipe.text
    assert "А → Б" in pipe.text
