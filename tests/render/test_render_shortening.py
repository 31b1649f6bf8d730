"""Long tables are shortened: what deserves a look stays, nothing is left out without being counted, short ones stay whole."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cpimportd.core.problems import problem
from cpimportd.render.layout import FEW_ROWS, MAX_PROBLEMS, MAX_ROWS, Weight, shorten
from cpimportd.render.run import render
from cpimportd.render.status import render_status


def test_a_table_of_at_most_so_many_rows_stays_whole():
    rows = list(range(MAX_ROWS))
    assert shorten(rows, lambda _: Weight(False)) == (rows, [])


def test_of_a_longer_one_the_notable_rows_stay_and_then_those_that_moved_most_in_their_order():
    rows = list(range(200))
    shown, left = shorten(rows, lambda row: Weight(row in {7, 150}, Decimal(row % 100)))
    assert shown == [7, *range(91, 100), 150, *range(191, 200)]
    assert len(shown) == FEW_ROWS
    assert sorted([*shown, *left]) == rows


@pytest.mark.parametrize("notable", [FEW_ROWS + 5, 150])
def test_of_many_notable_rows_as_many_are_shown_as_a_whole_table_has(notable):
    shown, left = shorten(list(range(200)), lambda row: Weight(row < notable))
    assert shown == list(range(min(notable, MAX_ROWS)))
    assert len(left) == 200 - len(shown)


def test_all_rows_are_shown_if_asked_for():
    rows = list(range(1000))
    assert shorten(rows, lambda _: Weight(False), whole=True) == (rows, [])


def test_the_gravest_problems_are_told_and_the_rest_counted_by_code(make_report, pipe):
    told = tuple(problem("amount-zero", file=f"{number}.xlsx", row=7, count=1) for number in range(MAX_PROBLEMS + 20))
    grave = problem(
        "control-total", file="last.xlsx", row=9, column="Сумма", sum="1.00", total="2.00", difference="1.00"
    )
    render(make_report(files=(), units=(), problems=(*told, grave)), pipe.console)
    begin = pipe.lines.index("Problems")
    assert pipe.lines[begin + 1].startswith("held: last.xlsx")
    assert "… and 21 more (21 amount-zero): cpimportd show 42 --whole has all of them." in pipe.lines


def test_status_shows_stale_and_held_workbooks_of_hundreds_and_counts_the_rest(pipe):
    now = datetime.now(UTC)
    files = [
        {
            "name": f"{number}.xlsx",
            "kind": "receipts",
            "modified": (now - timedelta(hours=2)).isoformat(),
            "good": now.isoformat(),
            "status": "held" if number == 300 else "unchanged",
            "stale": number == 500,
        }
        for number in range(600)
    ]
    status = {
        "timezone": "Europe/Moscow",
        "since": now.isoformat(),
        "pid": 1,
        "version": "0",
        "status": "Waits",
        "configuration": "/c.toml",
        "state_directory": "/s",
        "last": None,
        "last_good": None,
        "held": [],
        "schedules": [],
        "files": files,
    }
    render_status(status, [f"{number}.xlsx is stale" for number in range(600)], pipe.console)
    assert sum(line.startswith("Look: ") for line in pipe.lines) == FEW_ROWS
    assert "… and 580 more (580 to look at): cpimportd status --json has all of them." in pipe.lines
    shown = [line.split("  ")[0] for line in pipe.lines if ".xlsx  " in line]
    assert len(shown) == FEW_ROWS
    assert {"300.xlsx", "500.xlsx"} <= set(shown)
    assert "… and 580 more (580 unchanged): cpimportd status --json has all of them." in pipe.lines
